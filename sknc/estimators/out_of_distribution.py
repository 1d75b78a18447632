"""How an analyzer measures out-of-distribution samples."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array
from sknc._utils.docstrings import documented
from sknc._utils.parameters import refuse
from sknc.convention import Convention
from sknc.estimators._inputs.batches import Batches
from sknc.estimators._inputs.docs import BATCHES, NEW_SAMPLES
from sknc.estimators._inputs.heads import check_head
from sknc.estimators._scoring.out_of_distribution import (
    ood_labels,
    values_out_of_distribution,
)
from sknc.estimators.base import CenterEstimator
from sknc.metrics import neco_scores
from sknc.metrics._catalogue import sources as by


class OutOfDistributionScores(CenterEstimator):
    """The part of `NeuralCollapseAnalyzer` for out-of-distribution samples (NC5)."""

    head: Any
    convention: str | Convention

    @documented(NEW_SAMPLES, by.references(by.AMMAR))
    def score_ood(self, X: Any, y: Any = None) -> dict[str, float]:
        """
        Measure where out-of-distribution samples lie relative to the classes (NC5).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features of out-of-distribution samples, in the array library and on the
            device of the fitted ones.
        y : array-like of shape (n_samples,), default=None
            Labels of out-of-distribution classes. The mean of their class means is then
            used instead of the mean of samples.

        Returns
        -------
        dict of str to float
            ``nc5_orthogonality``, ``nc5_orthogonality_centered`` and, with
            ``covariance=True``, ``nc5_neco``.

        Examples
        --------
        >>> import numpy as np
        >>> from sknc import NeuralCollapseAnalyzer
        >>> X = np.array([[2.0, 0.0], [4.0, 0.0], [-2.0, 0.0], [-4.0, 0.0]])
        >>> analyzer = NeuralCollapseAnalyzer().fit(X, np.array([0, 0, 1, 1]))
        >>> found = analyzer.score_ood(np.array([[0.0, 3.0], [0.0, 5.0]]))
        >>> found["nc5_orthogonality"], found["nc5_neco"]
        (0.0, 0.0)
        """
        with arrays.plain_arithmetic(X):
            features = self._check_new(X, "score_ood")
            labels = ood_labels(y, int(features.shape[0]))
            return self._ood_values([(features, labels)])

    @documented(NEW_SAMPLES, BATCHES, by.references(by.AMMAR))
    def score_ood_batches(
        self, batches: Iterable[Any], *, progress: bool = False
    ) -> dict[str, float]:
        """
        Measure NC5 on the samples of all batches, as `score_ood` does.

        Parameters
        ----------
        batches : iterable of (X, y)
            Features and labels; labels are ignored.

        Returns
        -------
        dict of str to float
            Equal to `score_ood` on all samples, without labels.

        Raises
        ------
        ValueError
            If a batch is malformed, or there are no batches.
        """
        with Batches(batches, progress) as each:
            return self._ood_values(self._ood_parts(each))

    def _ood_parts(self, batches: Iterable[Any]) -> Iterator[tuple[Array, np.ndarray]]:
        for X, _, _ in batches:
            with arrays.plain_arithmetic(X):
                features = self._check_new(X, "score_ood_batches")
            yield features, ood_labels(None, int(features.shape[0]))

    def _ood_values(self, parts: Iterable[tuple[Array, Any]]) -> dict[str, float]:
        statistics = self.statistics_.observed_only()
        with arrays.plain_arithmetic(statistics.moments.sums):
            convention = Convention.preset(self.convention)
            return values_out_of_distribution(statistics, convention, parts)

    @documented(NEW_SAMPLES)
    def neco_score(
        self,
        X: Any,
        *,
        n_directions: int | None = None,
        center: bool = True,
        times_max_logit: bool = False,
    ) -> Array:
        """
        Return the share of each sample in the principal subspace of the classes.

        Parameters
        ----------
        n_directions : int, default=None
            Number of principal directions, by default one less than classes.
        center : bool, default=True
            Whether to subtract the mean of the fitted samples.
        times_max_logit : bool, default=False
            Whether to multiply by the largest logit of the head, as the paper does.

        Returns
        -------
        array of shape (n_samples,)
            In [0, 1] without logits; close to one for samples of the fitted classes,
            lower for others.

        Raises
        ------
        ValueError
            If the features are malformed, the scatter was not kept, or logits are
            requested without a head.

        See Also
        --------
        sknc.metrics.neco_scores : The formula and its source.
        """
        statistics = self.statistics_.observed_only()
        if statistics.moments.scatter is None:
            msg = (
                "neco_score requires the scatter, which covariance=False does not "
                "store: use covariance=True."
            )
            raise ValueError(msg)
        head = None
        if times_max_logit:
            if self.head is None:
                refuse("head", "a linear head with times_max_logit=True", self.head)
            known = self.statistics_
            head = check_head(self.head, known.classes, known.moments.anchors)
            head = head.rows(known.observed)
        with arrays.plain_arithmetic(X):
            return neco_scores(
                statistics,
                self._check_new(X, "neco_score"),
                n_directions=n_directions,
                center=center,
                head=head,
            )
