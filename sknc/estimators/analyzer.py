"""`NeuralCollapseAnalyzer`: reports from batches of features."""

from collections.abc import Iterable
from functools import partial
from typing import Any, Literal

import numpy as np

from sknc._utils import arrays
from sknc._utils.docstrings import documented
from sknc._utils.parameters import check_flag, check_integer
from sknc.convention import Convention
from sknc.estimators._fitting.stream import Covariance
from sknc.estimators._inputs.batches import Batches, refuse_no_batches
from sknc.estimators._inputs.class_index import distinct_labels
from sknc.estimators._inputs.docs import NEW_SAMPLES, SCORED_BATCHES
from sknc.estimators._inputs.heads import (
    check_head_kind,
    check_head_shape,
    default_classes,
)
from sknc.estimators._inputs.labels import check_classes
from sknc.estimators._inputs.validation import Batch, check_batch
from sknc.estimators._scoring.partial_score import (
    PartialScore,
    merged_scores,
    partial_score_of,
    results_about,
)
from sknc.estimators._scoring.reports import ReportChoices, SecondPass, report_of_fit
from sknc.estimators.base import CenterEstimator
from sknc.estimators.coordinates import ClassMeanCoordinates
from sknc.estimators.out_of_distribution import OutOfDistributionScores
from sknc.estimators.stored_estimator import StoredEstimator
from sknc.estimators.stream_estimator import HeadEstimator
from sknc.metrics import select
from sknc.metrics._catalogue import sources as by
from sknc.report.nc_report import NCReport
from sknc.statistics.subset import chosen_labels


@documented(CenterEstimator, by.references(by.PAPYAN))
class NeuralCollapseAnalyzer(
    HeadEstimator, ClassMeanCoordinates, OutOfDistributionScores, StoredEstimator
):
    """
    Measure neural collapse of last-layer features, in one pass.

    Accumulates class means and within-class scatter from batches, exactly and in any
    order. Reports how far the features have collapsed (NC1), how close the class means
    are to a simplex equiangular tight frame (NC2), how well a linear head is aligned
    with them (NC3), and how often it decides like the nearest class center (NC4).

    Parameters
    ----------
    head : object, default=None
        The linear classifier that reads the features: a ``torch.nn.Linear`` or any
        other linear torch module, a fitted scikit-learn linear classifier, ``(weights,
        bias)``, or weights of shape (n_classes, n_features). If the head has
        ``classes_``, these are the classes. Otherwise its rows must be in the order of
        the analyzer's ``classes_``, and integer labels must be in 0 ... n_classes - 1
        unless ``classes=`` lists others. Each report reads the current weights, so a
        layer may continue training; the first batch only checks its kind and shape.
        Without a head, head metrics are skipped.
    convention : str or Convention, default="default"
        Choices on which papers differ: "default", "papyan2020", "han2022", "zhu2021",
        "frequency", "he_su2023", or a `Convention`.
    metrics : "default", "essential", "all", or list of str, default="default"
        Keys or groups, such as "NC1", listed by `sknc.metrics.catalogue`.
    covariance : bool or "by_class", default=True
        Whether to keep the (n_features, n_features) scatter. Without it, memory is
        O(n_classes * n_features) and only `score` can compute ``nc1_pinv``. The same
        holds after merging with an analyzer that has ``covariance=False``. "by_class"
        also keeps the scatter of each class, for spectra by class. This takes
        O(n_classes * n_features ** 2) memory, and raises an error if the machine has
        less.
    n_jackknife : int, default=0
        Number of groups, at least 2, for standard errors by the delete-a-group
        jackknife (``report.standard_error``); 0 for none. Each group takes the memory
        of one more state. There is no extra pass, but a report takes about
        `n_jackknife` times as long. Errors of `score` treat the centers as fixed;
        metrics of the fitted class means alone have the errors of `report`.

    Attributes
    ----------
    global_mean_ : array of shape (n_features,)
        The convention's global mean; by default the mean of class means.
    within_class_covariance_ : array of shape (n_features, n_features)
        Average over samples of ``(x - mean)(x - mean)^T`` about class means. Requires
        ``covariance=True``.
    between_class_covariance_ : array of shape (n_features, n_features)
        The convention's covariance of the class means.
    total_covariance_ : array of shape (n_features, n_features)
        Covariance of all samples about their mean, divided by their number. Equal
        to the sum of the other two with ``convention="frequency"``.

    See Also
    --------
    NearestClassCenter : The classifier that a collapsed network implements.
    sknc.nc_scorer : Every metric, for `cross_validate`.

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
        covariance: bool | Literal["by_class"] = True,
        n_jackknife: int = 0,
    ) -> None:
        self.head = head
        self.convention = convention
        self.metrics = metrics
        self.covariance = covariance
        self.n_jackknife = n_jackknife

    @property
    def _keeps_scatter(self) -> Covariance:
        return "by_class" if self.covariance == "by_class" else bool(self.covariance)

    @property
    def _n_groups(self) -> int:
        return int(self.n_jackknife)

    def _check_parameters(self) -> None:
        if not (isinstance(self.covariance, str) and self.covariance == "by_class"):
            check_flag("covariance", self.covariance, 'True, False or "by_class"')
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
        """Raise if the head does not fit the classes, if they are given."""
        if self.head is not None and classes is not None:
            n_features = int(batch.features.shape[1])
            check_head_shape(self.head, check_classes(classes), n_features)

    # Reports --------------------------------------------------------------------

    def report(
        self,
        *,
        classes: Iterable[Any] | None = None,
        count_range: tuple[float | None, float | None] | None = None,
    ) -> NCReport:
        """
        Report the metrics of the accumulated samples.

        Parameters
        ----------
        classes : iterable of labels, optional
            Report only on the samples of these classes, as if others had not been
            fitted. Metrics of the scatter then require ``covariance="by_class"``.
        count_range : (least, most), optional
            Report only on classes whose count is in this range, ends included; None for
            no bound.

        Returns
        -------
        NCReport
            Without the metrics that need scored samples: NC4, and ``nc1_pinv`` if
            ``covariance=False``. Use `score` for these.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If fewer than two classes have samples, the head does not fit, or a given
            class has no samples.
        """
        statistics, parts = self._fitted().read()
        self._check_parameters()  # they may have been set after fit
        chosen = None
        if classes is not None or count_range is not None:
            chosen = chosen_labels(statistics, classes, count_range)
        with arrays.plain_arithmetic(statistics.moments.sums):
            return report_of_fit(statistics, parts, self._choices(), chosen)

    def _choices(self) -> ReportChoices:
        convention = Convention.preset(self.convention)
        return ReportChoices(
            self.head, convention, self.metrics, bool(self.covariance), self._n_groups
        )

    @documented(NEW_SAMPLES)
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> NCReport:
        """
        Report the metrics of samples about the fitted centers.

        On the fitted samples, NC1 to NC3 equal those of `report`. On other samples, NC1
        measures their spread about the fitted class means ("strong test collapse"), and
        NC4 is the mismatch on them.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Class labels, all of which were fitted.

        Returns
        -------
        NCReport
            As a number, the share of variance between classes.

        Raises
        ------
        ValueError
            If the input is malformed or the head does not fit.

        References
        ----------
        .. [1] L. Hui, M. Belkin, P. Nakkiran. "Limitations of neural collapse for
           understanding generalization in deep learning." 2022.
           https://arxiv.org/abs/2202.08384
        """
        return self.score_batches([(X, y, sample_weight)])

    @documented(SCORED_BATCHES)
    def score_batches(
        self, batches: Iterable[Any], *, progress: bool = False
    ) -> NCReport:
        """
        Report the metrics of the samples of all batches about the fitted centers.

        Returns
        -------
        NCReport
            Equal to `score` on all samples.
        """
        second_pass = self._second_pass(batches, progress)
        if not second_pass.n_rows:
            refuse_no_batches("score_batches")
        return second_pass.report()

    @documented(SCORED_BATCHES)
    def partial_score(
        self, batches: Iterable[Any], *, progress: bool = False
    ) -> PartialScore:
        """
        Score the samples of one of several workers.

        Parameters
        ----------
        batches : iterable of (X, y) or (X, y, sample_weight)
            The samples of this worker, as in `score_batches`; may be empty.

        Returns
        -------
        PartialScore
            To be merged with those of other workers, for `report_of`.

        Raises
        ------
        ValueError
            If a batch is malformed, or the head does not fit.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sknc import NeuralCollapseAnalyzer
        >>> X, y = load_iris(return_X_y=True)
        >>> analyzer = NeuralCollapseAnalyzer().fit(X, y)
        >>> workers = [analyzer.partial_score([(X[i::3], y[i::3])]) for i in range(3)]
        >>> report = analyzer.report_of(workers)
        >>> report.n_samples, round(report.nc4_ncc_accuracy, 4)
        (150, 0.9267)
        """
        second_pass = self._second_pass(batches, progress)
        return partial_score_of(second_pass)

    def report_of(self, scores: Iterable[PartialScore]) -> NCReport:
        """
        Report the metrics of samples that several workers scored.

        Parameters
        ----------
        scores : iterable of PartialScore
            Results of `partial_score` of this analyzer, or of copies of it.

        Returns
        -------
        NCReport
            Equal to `score` on the samples of all workers.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If an item is not a `PartialScore`.
        ValueError
            If there are no samples, or they were scored about other centers, with
            another head or convention, or for other metrics.
        """
        whole = merged_scores(scores)
        second_pass = self._second_pass([], progress=False)
        return second_pass.report(results_about(second_pass, whole))

    def _second_pass(self, batches: Iterable[Any], progress: bool) -> SecondPass:
        """Run through all batches, and return the second pass."""
        # Read once, because the loader may fit this analyzer or train the head.
        statistics, parts = self._fitted().read()
        self._check_parameters()  # they may have been set after fit
        plain = partial(arrays.plain_arithmetic, statistics.moments.sums)
        with plain():
            second_pass = SecondPass(statistics, parts, self._choices())
        with Batches(batches, progress) as each:
            for X, y, sample_weight in each:
                with plain():  # but not around the loader, which may run the network
                    second_pass.update(
                        check_batch(self, X, y, sample_weight, reset=False)
                    )
        return second_pass
