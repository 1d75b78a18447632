"""`NeuralCollapseAnalyzer`: from batches of features to a report."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from functools import partial
from typing import Any, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc._utils.merging import merge_all
from sknc._utils.parameters import check_flag, check_integer
from sknc.convention import Convention
from sknc.estimators._fitting.groups import check_finite, deal
from sknc.estimators._inputs.batches import Batches
from sknc.estimators._inputs.class_index import distinct_labels
from sknc.estimators._inputs.heads import (
    check_head,
    check_head_kind,
    check_head_shape,
    classes_of_head,
    default_classes,
    n_unused_rows,
)
from sknc.estimators._inputs.labels import check_classes
from sknc.estimators._inputs.validation import Batch, check_batch
from sknc.estimators._scoring.evaluation import Evaluated, Evaluation
from sknc.estimators._scoring.jackknife import (
    errors_of_report,
    errors_of_score,
    lone_classes,
)
from sknc.estimators._scoring.misalignment import misalignment_note
from sknc.estimators.base import CenterEstimator
from sknc.head import LinearHead
from sknc.metrics import TABLE, neco_scores, select
from sknc.metrics._geometry import centered_means, spectrum
from sknc.report._building import (
    Errors,
    Inputs,
    Omissions,
    build_report,
    metric_values,
)
from sknc.report.nc_report import NCReport
from sknc.statistics.class_statistics import ClassStatistics


class NeuralCollapseAnalyzer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, CenterEstimator
):
    """
    Measure neural collapse of last-layer features, in one pass.

    Accumulates class means and within-class scatter from batches, exactly and in
    any order, and reports how far the features have collapsed (NC1), how near the
    class means are to a simplex equiangular tight frame (NC2), how well a linear
    head is aligned with them (NC3), and how often it decides as the nearest class
    center does (NC4).

    Parameters
    ----------
    head : object, default=None
        The linear classifier that reads the features: a ``torch.nn.Linear`` or any
        other linear torch module, a fitted scikit-learn linear classifier, ``(weights,
        bias)``, or weights of shape (n_classes, n_features). Its rows are in the order
        of ``classes_`` unless it has ``classes_`` of its own, which are then the
        classes; integer labels are expected in 0 ... n_classes - 1 unless ``classes=``
        names others. Read whenever a report is made, so a layer in training is seen as
        it then is; only its kind and shape are checked before, with the first batch.
        Without a head, metrics of heads are left out.
    convention : str or Convention, default="default"
        Choices on which papers differ: "default", "papyan2020", "han2022", "zhu2021",
        "frequency", "he_su2023", or a `Convention`.
    metrics : "default", "all", or list of str, default="default"
        What to report: keys, or groups of them such as "NC1", which
        `sknc.metrics.catalogue` lists.
    covariance : bool, default=True
        Whether to keep the (n_features, n_features) scatter. Without it memory is
        O(n_classes * n_features), and ``nc1_pinv`` comes from `score` only; so too
        after a merge with an analyzer that did without.
    n_jackknife : int, default=0
        Number of groups, at least 2, that samples are dealt to for standard errors by
        the delete-a-group jackknife (``report.standard_error``); 0 for none. Each
        group takes the memory of one more state. There is no extra pass, but making a
        report takes about `n_jackknife` times as long. Errors of `score` are about the
        scored samples and take the centers as given; metrics that depend on the fitted
        class means alone keep the error of `report`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted class labels; always NumPy.
    class_count_ : array of shape (n_classes,)
        Number of samples of each class, or sum of their weights.
    class_means_ : array of shape (n_classes, n_features)
        Class means, float64.
    global_mean_ : array of shape (n_features,)
        The convention's global mean; by default the mean of class means.
    within_class_covariance_ : array of shape (n_features, n_features)
        Average over samples of ``(x - mean)(x - mean)^T`` about class means. Needs
        ``covariance=True``.
    between_class_covariance_ : array of shape (n_features, n_features)
        The convention's covariance of the class means.
    total_covariance_ : array of shape (n_features, n_features)
        Covariance of all samples about their mean, divided by their number. Equal to
        the sum of the other two under ``convention="frequency"``.
    n_samples_seen_ : int
        Number of samples accumulated.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if they had any.
    statistics_ : ClassStatistics
        Frozen state: everything else follows from it.

    See Also
    --------
    NearestClassCenter : The classifier that collapse leads to.
    sknc.nc_scorer : Every metric, for `cross_validate`.

    References
    ----------
    .. [1] V. Papyan, X. Y. Han, D. L. Donoho. "Prevalence of neural collapse
       during the terminal phase of deep learning training." PNAS 117 (40), 2020.
       https://doi.org/10.1073/pnas.2015509117

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sknc import NeuralCollapseAnalyzer
    >>> X, y = load_iris(return_X_y=True)
    >>> head = LogisticRegression(max_iter=1000).fit(X, y)
    >>> analyzer = NeuralCollapseAnalyzer(head=head)
    >>> for start in range(0, 150, 32):
    ...     batch = slice(start, start + 32)
    ...     analyzer = analyzer.partial_fit(X[batch], y[batch])
    >>> report = analyzer.score(X, y)
    >>> round(report.nc1_trace_ratio, 4), round(report.nc4_ncc_accuracy, 4)
    (0.1508, 0.9267)
    """

    def __init__(
        self,
        head: Any = None,
        *,
        convention: str | Convention = "default",
        metrics: str | Iterable[str] = "default",
        covariance: bool = True,
        n_jackknife: int = 0,
    ) -> None:
        self.head = head
        self.convention = convention
        self.metrics = metrics
        self.covariance = covariance
        self.n_jackknife = n_jackknife

    def __sklearn_clone__(self) -> Self:
        """Copy the head as it is: cloned like a parameter it would lose its fit."""
        new: Self = super().__sklearn_clone__()
        new.head = deepcopy(self.head)
        return new

    @property
    def _keeps_scatter(self) -> bool:
        return bool(self.covariance)

    @property
    def _n_groups(self) -> int:
        return int(self.n_jackknife)

    def _check_parameters(self) -> None:
        check_flag("covariance", self.covariance)
        check_integer(
            "n_jackknife",
            self.n_jackknife,
            "0 or a number of groups of at least 2",
            lambda n: n == 0 or n > 1,
        )
        Convention.preset(self.convention)
        select(self.metrics)
        if self.head is not None:
            check_head_kind(self.head)

    def _default_classes(self, batch: Batch) -> np.ndarray | None:
        """Return the classes of the head's rows."""
        if self.head is None:
            return None
        found = distinct_labels(batch.labels)
        return default_classes(self.head, found, int(batch.features.shape[1]))

    def _check_first(self, batch: Batch, classes: Any) -> None:
        """Refuse a head that does not fit the classes, if they are named."""
        if self.head is not None and classes is not None:
            n_features = int(batch.features.shape[1])
            check_head_shape(self.head, check_classes(classes), n_features)

    # Reports --------------------------------------------------------------------

    def report(self) -> NCReport:
        """
        Report the metrics of what was accumulated.

        Returns
        -------
        NCReport
            Without the metrics that need samples: those of decisions (NC4), and
            ``nc1_pinv`` if ``covariance=False``. `score` has them.

        Raises
        ------
        NotFittedError
            If nothing was accumulated.
        ValueError
            If fewer than two classes have samples, or the head does not fit.
        """
        statistics, parts = self._fitted().read()
        self._check_parameters()  # they may have been set after fit
        seen = statistics.observed_only()
        convention = Convention.preset(self.convention)
        with arrays.plain_arithmetic(statistics.moments.sums):
            linear = self._linear_head(statistics)
            head = _rows_of(linear, statistics)
            keys = self._keys(seen.n_classes)
            omissions = Omissions(
                n_unobserved=statistics.n_classes - seen.n_classes,
                n_unused_rows=n_unused_rows(self.head, statistics.classes),
                lost_scatter=self._keeps_scatter and seen.moments.scatter is None,
                misalignment=self._misalignment(linear, statistics),
            )
            found = errors_of_report(parts, head, convention, keys)
            errors = Errors(found, lone_classes(parts))
            inputs = Inputs(seen, convention, head)
            return build_report(inputs, self.metrics, omissions, errors)

    def _keys(self, n_classes: int) -> list[str]:
        """Return the metrics that were asked for and are not too costly."""
        return [
            metric.key
            for metric in select(self.metrics)
            if not metric.is_skipped(self.metrics, n_classes)
        ]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> NCReport:
        """
        Report the metrics of samples about the fitted centers.

        On the samples that were fitted, NC1 to NC3 are those of `report`. On others,
        NC1 measures their spread about the fitted class means ("strong test
        collapse"), and NC4 is the mismatch on them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, in the array library and on the device of the fitted ones.
        y : array-like of shape (n_samples,)
            Class labels, all of them fitted.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        NCReport
            As a number, the share of variance that is between classes.

        Raises
        ------
        NotFittedError
            If nothing was accumulated.
        ValueError
            If the input is malformed or the head does not fit.

        References
        ----------
        .. [1] L. Hui, M. Belkin, P. Nakkiran. "Limitations of neural collapse for
           understanding generalization in deep learning." 2022.
           https://arxiv.org/abs/2202.08384
        """
        return self.score_batches([(X, y, sample_weight)])

    def score_batches(
        self, batches: Iterable[Any], *, progress: bool = False
    ) -> NCReport:
        """
        Report the metrics of the samples of all batches about the fitted centers.

        Parameters
        ----------
        batches : iterable of (X, y) or (X, y, sample_weight)
            Any iterable, such as a torch DataLoader.
        progress : bool, default=False
            Whether to show a progress bar, which takes tqdm.

        Returns
        -------
        NCReport
            As `score` of all samples at once.

        Raises
        ------
        NotFittedError
            If nothing was accumulated.
        ValueError
            If a batch is malformed, there is none, or the head does not fit.
        """
        # Read once: the loader may fit this analyzer further, or train the head.
        statistics, parts = self._fitted().read()
        self._check_parameters()  # they may have been set after fit
        plain = partial(arrays.plain_arithmetic, statistics.moments.sums)
        with plain():
            head = self._linear_head(statistics)
            if head is not None:
                head = head.rows(np.arange(statistics.n_classes))  # a copy
            evaluations = self._evaluations(statistics, head)
        n_rows = 0
        with Batches(batches, progress) as each:
            for X, y, sample_weight in each:
                with plain():  # but not around the loader, which may run the network
                    batch = check_batch(self, X, y, sample_weight, reset=False)
                    _evaluate(evaluations, batch, n_rows)
                n_rows += int(batch.features.shape[0])
        if not n_rows:
            msg = (
                "score_batches got an iterable without batches: expected at least one."
            )
            raise ValueError(msg)
        with plain():
            found = [item.result() for item in evaluations if not item.empty]
            return self._report_of_samples(statistics, parts, head, found)

    def _evaluations(
        self, statistics: ClassStatistics, head: LinearHead | None
    ) -> list[Evaluation]:
        """Return one evaluation, or one a group."""
        convention = Convention.preset(self.convention)
        keys = self._keys(len(statistics.observed))
        needs: set[str] = {need for key in keys for need in TABLE[key].needs}
        return [
            Evaluation(statistics, head, convention, needs)
            for _ in range(max(1, self._n_groups))
        ]

    def _report_of_samples(
        self,
        statistics: ClassStatistics,
        parts: Sequence[ClassStatistics | None],
        head: LinearHead | None,
        found: list[Evaluated],
    ) -> NCReport:
        convention = Convention.preset(self.convention)
        rows = _rows_of(head, statistics)
        whole = merge_all(found)
        keys = self._keys(whole.held_out.n_classes)
        of_samples = [key for key in keys if TABLE[key].needs_scored_samples]
        of_fit = [key for key in keys if not TABLE[key].needs_scored_samples]
        # The centers are as given. What depends on them alone has the fit's error.
        errors = errors_of_report(parts, rows, convention, of_fit)
        errors |= errors_of_score(found, rows, convention, of_samples)
        inputs = Inputs(
            whole.held_out, convention, rows, whole.decisions, whole.measures
        )
        omissions = Omissions(
            n_unobserved=statistics.n_classes - whole.held_out.n_classes,
            n_unused_rows=n_unused_rows(self.head, statistics.classes),
            misalignment=self._misalignment(head, statistics),
        )
        return build_report(
            inputs, self.metrics, omissions, Errors(errors, lone_classes(parts))
        )

    def _linear_head(self, statistics: ClassStatistics) -> LinearHead | None:
        if self.head is None:
            return None
        return check_head(self.head, statistics.classes, statistics.moments.anchors)

    def _misalignment(
        self, head: LinearHead | None, statistics: ClassStatistics
    ) -> str:
        """Return what suggests that the head's rows belong to other classes."""
        if head is None:
            return ""
        named = classes_of_head(self.head) is not None
        return misalignment_note(statistics, head, names_classes=named)

    # Out of distribution ----------------------------------------------------------

    def score_ood(self, X: Any) -> dict[str, float]:
        """
        Measure how samples from elsewhere lie to the fitted classes (NC5).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features of out-of-distribution samples, in the array library and on the
            device of the fitted ones.

        Returns
        -------
        dict of str to float
            ``nc5_orthogonality``, ``nc5_orthogonality_centered`` and, with
            ``covariance=True``, ``nc5_neco``.

        Raises
        ------
        NotFittedError
            If nothing was accumulated.
        ValueError
            If the features are malformed.

        References
        ----------
        .. [1] M. Ben Ammar, N. Belkhir, S. Popescu, A. Manzanera, G. Franchi. "NECO:
           neural collapse based out-of-distribution detection." ICLR 2024.
           https://arxiv.org/abs/2310.06823

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
            inputs = Inputs(
                self.statistics_.observed_only(),
                Convention.preset(self.convention),
                ood_mean=ClassStatistics.from_samples(
                    features,
                    np.zeros(features.shape[0], dtype=np.int64),
                    covariance=False,
                ),
                ood_features=features,
            )
            return metric_values(inputs, "NC5")

    def neco_score(self, X: Any) -> Array:
        """
        Return how much of each sample lies in the principal subspace of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, in the array library and on the device of the fitted ones.

        Returns
        -------
        array of shape (n_samples,)
            In [0, 1]; near one for samples of the fitted classes, lower elsewhere.

        Raises
        ------
        NotFittedError
            If nothing was accumulated.
        ValueError
            If the features are malformed, or the scatter was not kept.

        See Also
        --------
        sknc.metrics.neco_scores : The formula and its source.
        """
        statistics = self.statistics_.observed_only()
        if statistics.moments.scatter is None:
            msg = (
                "neco_score needs the scatter, which covariance=False does not keep: "
                "use covariance=True."
            )
            raise ValueError(msg)
        with arrays.plain_arithmetic(X):
            return neco_scores(statistics, self._check_new(X, "neco_score"))

    # Coordinates ----------------------------------------------------------------

    def transform(self, X: Any) -> Array:
        """
        Project features on the span of the centered class means.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, in the array library and on the device of the fitted ones.

        Returns
        -------
        array of shape (n_samples, rank)
            Coordinates about the global mean on orthonormal directions, by descending
            variance of the class means; at most n_classes - 1 of them.

        Raises
        ------
        NotFittedError
            If nothing was accumulated.
        ValueError
            If the features are malformed.
        """
        with arrays.plain_arithmetic(X):
            features = self._check_new(X, "transform")
            seen, xp = self.statistics_.observed_only(), namespace(features)
            origin, directions = self._global_mean(seen), self._directions(seen).T

            def project(rows: Array) -> Array:
                wide = xp.astype(rows, xp.float64) - origin
                return xp.astype(wide @ directions, rows.dtype)

            return arrays.map_rows(project, features)

    def _directions(self, seen: ClassStatistics) -> Array:
        """Orthonormal directions of the class means, their signs fixed, (R, D)."""
        found = spectrum(seen, Convention.preset(self.convention)).directions
        xp = namespace(found)
        largest = xp.max(found, axis=1, keepdims=True)
        least = xp.min(found, axis=1, keepdims=True)
        return xp.where(largest >= -least, found, -found)

    @property
    def _n_features_out(self) -> int:
        seen = self.statistics_.observed_only()
        if seen.n_classes < 2:
            msg = "One class has no directions between classes."
            raise AttributeError(msg)
        return int(self._directions(seen).shape[0])

    # Fitted attributes ------------------------------------------------------------

    @property
    def global_mean_(self) -> Array:
        """The convention's global mean, float64, (D,)."""
        return self._global_mean(self.statistics_.observed_only())

    def _global_mean(self, seen: ClassStatistics) -> Array:
        weights = Convention.preset(self.convention).center_weights(seen.counts)
        return weights @ seen.class_means

    @property
    def within_class_covariance_(self) -> Array:
        """Pooled within-class covariance, divided by the count, (D, D)."""
        return self._within_covariance(self.statistics_)

    def _within_covariance(self, statistics: ClassStatistics) -> Array:
        scatter = statistics.within_scatter
        if scatter is None:
            msg = (
                "within_class_covariance_ needs the scatter, which covariance=False "
                "does "
                "not keep: use covariance=True."
            )
            raise AttributeError(msg)
        xp = namespace(scatter)
        found = statistics.cached("within", lambda: scatter / xp.sum(statistics.counts))
        return arrays.read_only(found)

    @property
    def between_class_covariance_(self) -> Array:
        """The convention's covariance of the class means, (D, D)."""
        convention = Convention.preset(self.convention)
        return self._covariance_of_means(self.statistics_, convention)

    @property
    def total_covariance_(self) -> Array:
        """Covariance of all samples about their mean, divided by the count, (D, D)."""
        statistics, frequency = self.statistics_, Convention.preset("frequency")
        between = self._covariance_of_means(statistics, frequency)
        return self._within_covariance(statistics) + between

    def _covariance_of_means(
        self, statistics: ClassStatistics, convention: Convention
    ) -> Array:
        seen = statistics.observed_only()

        def product() -> Array:
            xp = namespace(seen.counts)
            root = xp.sqrt(convention.between_weights(seen.counts))
            return arrays.gram(centered_means(seen, convention) * root[:, None])

        if seen.n_classes < 2:
            return 0 * arrays.gram(seen.class_means)
        return arrays.read_only(seen.cached(("between", convention), product))


def _evaluate(evaluations: list[Evaluation], batch: Batch, first: int) -> None:
    """Add a batch, whose first row has a place in the stream, to its groups."""
    if len(evaluations) == 1:
        evaluations[0].update(batch)
        return
    check_finite(batch)
    for group, part in deal(batch, first, len(evaluations)):
        evaluations[group].update(part)


def _rows_of(head: LinearHead | None, statistics: ClassStatistics) -> LinearHead | None:
    """Return the head's rows of the classes that have samples."""
    observed = statistics.observed
    if head is None or len(observed) == statistics.n_classes:
        return head
    index = namespace(head.weights).asarray(
        np.asarray(observed), device=arrays.device_of(head.weights)
    )
    return head.rows(index)


def nc_scorer(estimator: Any, X: Any, y: Any) -> dict[str, float]:
    """
    Score an analyzer, or a pipeline that ends in one, with every metric.

    A scorer for scikit-learn: ``cross_validate(..., scoring=nc_scorer)``. The values
    are those of the report, so of most metrics lower is better: `GridSearchCV`, which
    picks the greatest, is to be given ``refit="score"``, as below, or a callable.

    NC1 and NC4 are of the samples scored; NC0, NC2 and NC3 are of the fitted class
    means and the head, so ``test_nc2_etf`` is a number of the training folds. The head
    is not fitted again in each fold: if fitted on all samples it knows the test fold.

    Parameters
    ----------
    estimator : NeuralCollapseAnalyzer or Pipeline
        Fitted.
    X : array-like of shape (n_samples, n_features)
        Features.
    y : array-like of shape (n_samples,)
        Class labels.

    Returns
    -------
    dict of str to float
        Metrics by key, and "score": the report as a number, greater is more collapsed.

    Raises
    ------
    TypeError
        If the score of the estimator is no report.
    ValueError
        If a class has samples in `X` but none was fitted. Folds of sorted data are like
        that, so pass ``cv=StratifiedKFold()``: an analyzer is no classifier, for which
        scikit-learn would take it by itself.

    See Also
    --------
    sknc.metrics.catalogue : Says which direction each metric has.

    Notes
    -----
    ``refit="nc1_pinv"`` would pick the *least* collapsed. The least value is picked by
    ``refit=lambda results: results["mean_test_nc1_pinv"].argmin()``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.model_selection import (
    ...     GridSearchCV, StratifiedKFold, cross_validate
    ... )
    >>> from sklearn.pipeline import make_pipeline
    >>> from sknc import NeuralCollapseAnalyzer, nc_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> model, options = NeuralCollapseAnalyzer(), {"scoring": nc_scorer}
    >>> options["cv"] = StratifiedKFold()  # y is sorted
    >>> results = cross_validate(model, X, y, **options)
    >>> results["test_nc1_trace_ratio"].shape
    (5,)
    >>> grid = {"pca__n_components": [2, 3]}
    >>> model = make_pipeline(PCA(), model)
    >>> search = GridSearchCV(model, grid, refit="score", **options).fit(X, y)
    >>> search.best_params_
    {'pca__n_components': 2}
    """
    report = estimator.score(X, y) if hasattr(estimator, "score") else None
    if not isinstance(report, NCReport):
        msg = (
            "nc_scorer expected a NeuralCollapseAnalyzer or a pipeline that ends in "
            f"one, got {type(estimator).__name__}, whose score is no NCReport. Leave "
            "scoring=nc_scorer out to use that score."
        )
        raise TypeError(msg)
    return {"score": float(report), **report.to_dict()}
