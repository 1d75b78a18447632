"""NC2 beyond the headline: the rows of the head as a frame."""

from sknc.head import LinearHead
from sknc.metrics._frames import (
    above,
    coherence,
    cosgram,
    etf_floor,
    log_equinorm,
    min_angle,
    orthoframe,
    singular_values,
    tightness,
    welch,
)
from sknc.metrics.dispersion import head_directions
from sknc.metrics.simplex import head_pairs, nc2_etf_head


def nc2_equiangular_max_head(head: LinearHead) -> float:
    """
    Greatest distance of a cosine between rows of the head from those of a simplex.

    The formula of `nc2_equiangular_max` on the rows of W, uncentered.

    Parameters
    ----------
    head : LinearHead
        Weights of shape (K, D).

    Returns
    -------
    float
        Dimensionless, in [0, 1 + 1/(K-1)]; lower is more collapsed, 0 at collapse. NaN
        if a row is zero. Unchanged by rotations and uniform scaling.

    References
    ----------
    .. [1] V. Papyan, X. Y. Han, D. L. Donoho. "Prevalence of neural collapse
       during the terminal phase of deep learning training." PNAS 117 (40), 2020.
       https://doi.org/10.1073/pnas.2015509117

    Examples
    --------
    >>> import numpy as np
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics import nc2_equiangular_max_head
    >>> weights = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_equiangular_max_head(LinearHead(weights, None))
    0.6666667
    """
    return head_pairs(head).absolute_excess.greatest


def nc2_equiangular_rms_head(head: LinearHead) -> float:
    """
    Root mean square distance of the cosines between head rows from a simplex.

    The formula of `nc2_equiangular_rms` on the rows of W, uncentered.

    Parameters
    ----------
    head : LinearHead
        Weights of shape (K, D).

    Returns
    -------
    float
        Dimensionless, in [0, 1 + 1/(K-1)]; lower is more collapsed, 0 at collapse. NaN
        if a row is zero. Unchanged by rotations and uniform scaling.

    References
    ----------
    .. [1] V. Papyan, X. Y. Han, D. L. Donoho. "Prevalence of neural collapse
       during the terminal phase of deep learning training." PNAS 117 (40), 2020.
       https://doi.org/10.1073/pnas.2015509117

    Examples
    --------
    >>> import numpy as np
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics import nc2_equiangular_rms_head
    >>> weights = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_equiangular_rms_head(LinearHead(weights, None))
    0.4714045
    """
    return head_pairs(head).excess.root_mean_square


def nc2_log_equinorm_head(head: LinearHead) -> float:
    """
    Spread of the logarithms of the norms of the rows of the head.

    The formula of `nc2_log_equinorm` on the rows of W, uncentered.

    Parameters
    ----------
    head : LinearHead
        Weights of shape (K, D).

    Returns
    -------
    float
        Dimensionless, in [0, inf); lower is more collapsed, 0 at collapse. NaN if a row
        is zero. Unchanged by rotations and uniform scaling.

    References
    ----------
    .. [1] R. Wu, V. Papyan. "Linguistic collapse: neural collapse in (large)
       language models." NeurIPS 2024. https://arxiv.org/abs/2405.17767

    Examples
    --------
    >>> import numpy as np
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics import nc2_log_equinorm_head
    >>> weights = np.array([[2.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    >>> nc2_log_equinorm_head(LinearHead(weights, None))
    0.4001887
    """
    return log_equinorm(head.weights)


def nc2_cosgram_head(head: LinearHead) -> float:
    """
    Distance of the cosine matrix of the head's rows from that of a simplex.

    The formula of `nc2_cosgram` on the rows of W, uncentered.

    Parameters
    ----------
    head : LinearHead
        Weights of shape (K, D).

    Returns
    -------
    float
        Dimensionless, in [0, sqrt(K)]; lower is more collapsed, 0 at collapse. NaN if a
        row is zero. Unchanged by rotations and uniform scaling.

    References
    ----------
    .. [1] V. Papyan, X. Y. Han, D. L. Donoho. "Prevalence of neural collapse
       during the terminal phase of deep learning training." PNAS 117 (40), 2020.
       https://doi.org/10.1073/pnas.2015509117

    Examples
    --------
    >>> import numpy as np
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics import nc2_cosgram_head
    >>> weights = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_cosgram_head(LinearHead(weights, None))
    0.7071068
    """
    return cosgram(head_pairs(head), head.weights.shape[0])


def nc2_etf_floor_head(head: LinearHead) -> float:
    """
    Least value of ``nc2_etf_head`` that the numbers of classes and features allow.

    The formula of `nc2_etf_floor` on the rows of W, uncentered.

    Parameters
    ----------
    head : LinearHead
        Weights of shape (K, D).

    Returns
    -------
    float
        Dimensionless, in [0, sqrt(2)). Says nothing about collapse, only about K and D.
        Never NaN.

    References
    ----------
    .. [1] Z. Zhu, T. Ding, J. Zhou, X. Li, C. You, J. Sulam, Q. Qu. "A geometric
       analysis of neural collapse with unconstrained features." NeurIPS 2021.
       https://arxiv.org/abs/2105.02375

    Examples
    --------
    >>> import numpy as np
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics import nc2_etf_floor_head
    >>> weights = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_etf_floor_head(LinearHead(weights, None))
    0.6058109
    """
    return etf_floor(*head.weights.shape)


def nc2_etf_excess_head(head: LinearHead) -> float:
    """
    Excess of ``nc2_etf_head`` over the least value that K and D allow.

    The formula of `nc2_etf_excess` on the rows of W, uncentered.

    Parameters
    ----------
    head : LinearHead
        Weights of shape (K, D).

    Returns
    -------
    float
        Dimensionless, in [0, 2]; lower is more collapsed. 0 at collapse and, with K > D
        + 1, where the head is a centered tight frame. NaN if all weights are zero.
        Unchanged by rotations and uniform scaling.

    References
    ----------
    .. [1] Z. Zhu, T. Ding, J. Zhou, X. Li, C. You, J. Sulam, Q. Qu. "A geometric
       analysis of neural collapse with unconstrained features." NeurIPS 2021.
       https://arxiv.org/abs/2105.02375

    Examples
    --------
    >>> import numpy as np
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics import nc2_etf_excess_head
    >>> weights = np.array([[2.0, 0.0], [0.0, 1.0], [-2.0, 0.0], [0.0, -1.0]])
    >>> nc2_etf_excess_head(LinearHead(weights, None))
    0.1686050
    """
    return above(nc2_etf_head(head), etf_floor(*head.weights.shape))


def nc2_orthoframe_head(head: LinearHead) -> float:
    """
    Distance of the Gram matrix of the head from the identity.

    The formula of `nc2_orthoframe` on the rows of W, uncentered.

    Parameters
    ----------
    head : LinearHead
        Weights of shape (K, D).

    Returns
    -------
    float
        Dimensionless, in [0, sqrt(2)); 0 if the rows are orthogonal and of one length.
        At a simplex, ``sqrt(2 - 2 sqrt((K-1)/K))``; at least ``sqrt(2 - 2 sqrt(D/K))``
        for K > D. NaN if all weights are zero. Unchanged by rotations and uniform
        scaling.

    References
    ----------
    .. [1] T. Tirer, J. Bruna. "Extended unconstrained features model for exploring
       deep neural collapse." ICML 2022. https://arxiv.org/abs/2202.08087
    .. [2] H. Dang, T. Tran, S. Osher, H. Tran-The, N. Ho, T. Nguyen. "Neural
       collapse in deep linear networks: from balanced to imbalanced data." ICML
       2023. https://arxiv.org/abs/2301.00437

    Examples
    --------
    >>> import numpy as np
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics import nc2_orthoframe_head
    >>> weights = np.array([[2.0, 0.0], [0.0, 1.0]])
    >>> nc2_orthoframe_head(LinearHead(weights, None))
    0.5338671
    """
    return orthoframe(head.weights)


def nc2_tightness_head(head: LinearHead) -> float:
    """
    Distance of the rows of the head from a tight frame.

    The formula of `nc2_tightness` on the rows of W, uncentered.

    Parameters
    ----------
    head : LinearHead
        Weights of shape (K, D).

    Returns
    -------
    float
        Dimensionless, in [0, sqrt(r + 1)]; lower is more collapsed, 0 at collapse. NaN
        if all weights are zero. Unchanged by rotations and uniform scaling.

    References
    ----------
    .. [1] J. J. Benedetto, M. Fickus. "Finite normalized tight frames." Advances in
       Computational Mathematics 18, 2003. https://doi.org/10.1023/A:1021323312367

    Examples
    --------
    >>> import numpy as np
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics import nc2_tightness_head
    >>> weights = np.array([[2.0, 0.0], [0.0, 1.0], [-2.0, 0.0], [0.0, -1.0]])
    >>> nc2_tightness_head(LinearHead(weights, None))
    0.6
    """
    return tightness(singular_values(head), *head.weights.shape)


def nc2_coherence_head(head: LinearHead) -> float:
    """
    Greatest absolute cosine between rows of the head.

    The formula of `nc2_coherence` on the rows of W, uncentered.

    Parameters
    ----------
    head : LinearHead
        Weights of shape (K, D).

    Returns
    -------
    float
        Dimensionless, in [0, 1]; 1/(K-1) at collapse. Rows that do not sum to zero may
        lie below, down to 0 for orthogonal rows. NaN if a row is zero. Unchanged by
        rotations and uniform scaling.

    References
    ----------
    .. [1] T. Strohmer, R. W. Heath. "Grassmannian frames with applications to
       coding and communication." Applied and Computational Harmonic Analysis 14,
       2003. https://doi.org/10.1016/S1063-5203(03)00023-X

    Examples
    --------
    >>> import numpy as np
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics import nc2_coherence_head
    >>> weights = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_coherence_head(LinearHead(weights, None))
    1.0
    """
    return coherence(head_pairs(head), head.weights.shape[0])


def nc2_welch_head(head: LinearHead) -> float:
    """
    Excess of the coherence of the head's rows over the Welch bound.

    The formula of `nc2_welch` on the rows of W, uncentered.

    Parameters
    ----------
    head : LinearHead
        Weights of shape (K, D).

    Returns
    -------
    float
        Dimensionless, in [0, 1); lower is more collapsed, 0 for equiangular tight
        frames. NaN for K <= D, where there is no bound, or if a row is zero. Unchanged
        by rotations and uniform scaling.

    References
    ----------
    .. [1] L. R. Welch. "Lower bounds on the maximum cross correlation of signals."
       IEEE Transactions on Information Theory 20 (3), 1974.
       https://doi.org/10.1109/TIT.1974.1055219
    .. [2] T. Strohmer, R. W. Heath. "Grassmannian frames with applications to
       coding and communication." Applied and Computational Harmonic Analysis 14,
       2003. https://doi.org/10.1016/S1063-5203(03)00023-X

    Examples
    --------
    >>> import numpy as np
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics import nc2_welch_head
    >>> weights = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_welch_head(LinearHead(weights, None))
    0.4226497
    """
    return welch(head_pairs(head), *head.weights.shape)


def nc2_min_angle_head(head: LinearHead) -> float:
    """
    Least angle between two rows of the head, in radians.

    The formula of `nc2_min_angle` on the rows of W, uncentered.

    Parameters
    ----------
    head : LinearHead
        Weights of shape (K, D).

    Returns
    -------
    float
        Radians, in [0, arccos(-1/(K-1))]; higher is more collapsed, arccos(-1/(K-1)) at
        collapse. NaN if a row is zero. Unchanged by rotations and uniform scaling.

    References
    ----------
    .. [1] W. Liu, L. Yu, A. Weller, B. Schölkopf. "Generalizing and decoupling
       neural collapse via hyperspherical uniformity gap." ICLR 2023.
       https://arxiv.org/abs/2303.06484

    Examples
    --------
    >>> import numpy as np
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics import nc2_min_angle_head
    >>> weights = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_min_angle_head(LinearHead(weights, None))
    1.5707963
    """
    return min_angle(head.weights, head_pairs(head), lambda: head_directions(head))
