"""`NeuralRegressionCollapse`: reports from batches of features and targets."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Self

from sklearn.utils import Tags

from sknc._utils import arrays
from sknc._utils.docstrings import documented
from sknc._utils.merge_tree import merge_all
from sknc._utils.parameters import check_flag, check_number
from sknc._version import STATE_VERSION, __version__
from sknc.estimators._fitting.regression import RegressionStream, check_n_targets
from sknc.estimators._fitting.stream import check_same_place
from sknc.estimators._inputs.batches import Batches, refuse_no_batches
from sknc.estimators._inputs.docs import (
    BATCHES,
    NEW_SAMPLES,
    ONE_BATCH,
    SCORED_BATCHES,
    TRAINING_SAMPLES,
)
from sknc.estimators._inputs.heads.parts import check_head_kind
from sknc.estimators._inputs.heads.regression import (
    check_regression_head,
    check_regression_head_shape,
)
from sknc.estimators._inputs.targets import RegressionBatch, check_regression_batch
from sknc.estimators.regression_values import RegressionValues
from sknc.estimators.stream_estimator import HeadEstimator
from sknc.metrics._catalogue.regression import (
    ANDRIOPOULOS,
    RANGAMANI_UNAL,
    RegressionCase,
)
from sknc.metrics._catalogue.regression_table import select_regression
from sknc.metrics._catalogue.sources import references
from sknc.report._building.regression import build_regression_report
from sknc.report.nrc_report import NRCReport
from sknc.statistics.regression_statistics import RegressionStatistics


@documented(references(ANDRIOPOULOS, RANGAMANI_UNAL))
class NeuralRegressionCollapse(HeadEstimator, RegressionValues):
    """
    Measure neural regression collapse of last-layer features, in one pass.

    Accumulates means and covariances of features and targets from batches, exactly and
    in any order. Reports how far the features have collapsed to as many directions as
    there are targets (NRC1) and to the span of the head's rows (NRC2), and how close
    the Gram matrix of these rows is to the form that the covariance of the targets
    determines (NRC3).

    Parameters
    ----------
    head : object, default=None
        The linear map that predicts the targets from the features: a
        ``torch.nn.Linear`` or any other linear torch module, a fitted scikit-learn
        linear regressor, ``(weights, bias)``, or weights of shape (n_targets,
        n_features). Each report reads the current weights, so a layer may continue
        training. Without a head, head metrics are skipped.
    gamma : "best" or float, default="best"
        The constant of ``nrc3``, in units of the squared targets: a number, or the best
        one between 0 and the least eigenvalue of the targets' covariance. To compare
        epochs, use the ``gamma`` of the last epoch's report for all of them.
    center : bool, default=True
        Whether the principal directions of ``nrc1`` are those of the centered features,
        as in the authors' code, or of second moments about the origin.
    metrics : "default", "all", or list of str, default="default"
        Keys or groups of ``sknc.metrics.regression``. "deep NRC" are the conditions of
        [2]_, which apply to any layer.

    Attributes
    ----------
    feature_mean_ : array of shape (n_features,)
        Mean of the features, float64.
    target_mean_ : array of shape (n_targets,)
        Mean of the targets.
    feature_covariance_ : array of shape (n_features, n_features)
        Covariance of the features, divided by the number of samples.
    cross_covariance_ : array of shape (n_features, n_targets)
        Covariance of features and targets.
    target_covariance_ : array of shape (n_targets, n_targets)
        Covariance of the targets.
    n_targets_ : int
        Number of targets.
    n_samples_seen_ : int
        Number of samples accumulated.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if they had any.
    statistics_ : RegressionStatistics
        Frozen state, from which everything else is computed.

    See Also
    --------
    NeuralCollapseAnalyzer : The same for classes.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from sknc import NeuralRegressionCollapse
    >>> rng = np.random.default_rng(0)
    >>> Y = rng.standard_normal((200, 2))
    >>> X = Y @ rng.standard_normal((2, 8)) + 0.01 * rng.standard_normal((200, 8))
    >>> head = LinearRegression().fit(X, Y)
    >>> batches = [(X[i : i + 64], Y[i : i + 64]) for i in range(0, 200, 64)]
    >>> report = NeuralRegressionCollapse(head).fit_batches(batches).report()
    >>> report.nrc1 < 1e-3, report.r2 > 0.999
    (True, True)
    """

    _pickled = ("_statistics",)

    def __init__(
        self,
        head: Any = None,
        *,
        gamma: str | float = "best",
        center: bool = True,
        metrics: str | Iterable[str] = "default",
    ) -> None:
        self.head = head
        self.gamma = gamma
        self.center = center
        self.metrics = metrics

    def __sklearn_tags__(self) -> Tags:
        """Describe the estimator to scikit-learn."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _pickled_parts(self, stream: RegressionStream) -> dict[str, Any]:
        written_by = (__version__, STATE_VERSION)
        return {"_statistics": stream.statistics(), "_written_by": written_by}

    def _resumed_stream(self, statistics: Any) -> RegressionStream:
        return RegressionStream(statistics)

    def _check_parameters(self) -> None:
        if not isinstance(self.gamma, str) or self.gamma != "best":
            expected = '"best" or a number of at least 0'
            check_number("gamma", self.gamma, expected, lambda x: 0 <= x < math.inf)
        check_flag("center", self.center)
        select_regression(self.metrics)
        if self.head is not None:
            check_head_kind(self.head)

    # Fitting --------------------------------------------------------------------

    @documented(TRAINING_SAMPLES)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """
        Fit all samples; earlier samples are dropped.

        Parameters
        ----------
        y : array-like of shape (n_samples, n_targets) or (n_samples,)
            Targets: real numbers.
        """
        self._take_fit_of(self._fitted_on(X, y, sample_weight))
        return self

    def _check_batch(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool
    ) -> RegressionBatch:
        return check_regression_batch(self, X, y, sample_weight, reset=reset)

    def _first_stream(self, batch: RegressionBatch) -> RegressionStream:
        if self.head is not None:
            shapes = int(batch.targets.shape[1]), int(batch.features.shape[1])
            check_regression_head_shape(self.head, *shapes)
        return RegressionStream(batch)

    @documented(ONE_BATCH, fit)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """
        Accumulate a batch.

        The result does not depend on how samples are split into batches.
        """
        return self._add(X, y, sample_weight)

    @documented(fit, BATCHES)
    def fit_batches(self, batches: Iterable[Any], *, progress: bool = False) -> Self:
        """
        Fit all batches of an iterable; earlier samples are dropped.

        Parameters
        ----------
        batches : iterable of (X, y) or (X, y, sample_weight)
            Any iterable of features, which are the inputs of the last layer, not of the
            model, with targets.

        Raises
        ------
        ValueError
            If a batch is malformed, or there are no batches. The estimator is then
            unchanged.
        """
        return self._fit_each(batches, progress)

    def merge(self, *others: Any) -> Self:
        """
        Add the samples of other estimators, which are not changed.

        Parameters
        ----------
        *others : estimators of the same type, or one list or iterator of them
            Fitted on other samples of the same features and targets. Other parameters,
            such as the head, are those of `self`.

        Returns
        -------
        self : object
            The estimator with all samples.

        Raises
        ------
        ValueError
            If widths, feature names, array libraries or devices differ.
        TypeError
            If another estimator has another type.
        """
        return self._merge(others)

    def _merged_stream(self, fitted: Sequence[Any]) -> RegressionStream:
        return RegressionStream(merge_all([item.statistics_ for item in fitted]))

    # Reports --------------------------------------------------------------------

    def report(self) -> NRCReport:
        """
        Report the metrics of the accumulated samples.

        Returns
        -------
        NRCReport
            Without head metrics if there is no head.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the head does not fit.
        """
        statistics = self.statistics_
        return self._report_of(statistics, statistics)

    def _report_of(
        self, statistics: RegressionStatistics, fitted: RegressionStatistics
    ) -> NRCReport:
        self._check_parameters()  # they may have been set after fit
        like = fitted.directions.sums
        with arrays.plain_arithmetic(like):
            head = self.head
            if head is not None:
                head = check_regression_head(head, fitted.n_targets, like)
            gamma = None if isinstance(self.gamma, str) else float(self.gamma)
            case = RegressionCase(statistics, fitted, head, gamma, bool(self.center))
            return build_regression_report(case, self.metrics)

    @documented(NEW_SAMPLES)
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> NRCReport:
        """
        Report the metrics of samples, relative to the fitted samples.

        Principal directions, the covariance of the targets and the best linear
        prediction are those of the fitted samples. Everything else, such as the error
        of the head, is measured on the given samples.

        Parameters
        ----------
        y : array-like of shape (n_samples, n_targets) or (n_samples,)
            Targets: real numbers.

        Returns
        -------
        NRCReport
            As a number, ``1 - nrc1``. On the fitted samples, equal to `report`.

        Raises
        ------
        ValueError
            If the input is malformed or the head does not fit.
        """
        return self.score_batches([(X, y, sample_weight)])

    @documented(SCORED_BATCHES)
    def score_batches(
        self, batches: Iterable[Any], *, progress: bool = False
    ) -> NRCReport:
        """
        Report the metrics of all batches, relative to the fitted samples.

        Returns
        -------
        NRCReport
            Equal to `score` on all samples.
        """
        fitted = self.statistics_  # read once: the loader may fit this estimator
        self._check_parameters()
        stream: RegressionStream | None = None
        with Batches(batches, progress) as each:
            for X, y, sample_weight in each:
                with arrays.plain_arithmetic(X):  # but not around the loader
                    batch = self._check_scored(X, y, sample_weight, fitted)
                    if stream is None:
                        stream = RegressionStream(batch)
                    else:
                        stream.update(batch)
        if stream is None:
            refuse_no_batches("score_batches")
        return self._report_of(stream.statistics(), fitted)

    def _check_scored(
        self, X: Any, y: Any, sample_weight: Any, fitted: RegressionStatistics
    ) -> RegressionBatch:
        """Check a batch that is measured relative to the fitted samples."""
        batch = check_regression_batch(self, X, y, sample_weight, reset=False)
        check_same_place(batch.features, fitted.directions.sums, "This batch")
        check_n_targets(batch, fitted.n_targets)
        return batch
