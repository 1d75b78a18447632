"""`NeuralCollapseAnalyzer`: from batches of features to a report."""

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
    metrics : "default", "essential", "all", or list of str, default="default"
        What to report: keys, or groups of them such as "NC1", which
        `sknc.metrics.catalogue` lists.
    covariance : bool or "by_class", default=True
        Whether to keep the (n_features, n_features) scatter. Without it, memory is
        O(n_classes * n_features) and only `score` can compute ``nc1_pinv``. The same
        holds after merging with an analyzer that has ``covariance=False``. "by_class"
        keeps the scatter of each class too, for spectra by class: that takes
        O(n_classes * n_features ** 2) memory, and is refused if it exceeds the
        memory of the machine.
    n_jackknife : int, default=0
        Number of groups, at least 2, that samples are assigned to for standard errors
        by the delete-a-group jackknife (``report.standard_error``); 0 for none. Each
        group takes the memory of one more state. There is no extra pass, but making a
        report takes about `n_jackknife` times as long. Errors of `score` are about the
        scored samples and take the centers as given; metrics that depend on the fitted
        class means alone keep the error of `report`.

    Attributes
    ----------
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

    See Also
    --------
    NearestClassCenter : The classifier that collapse leads to.
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
        """Refuse a head that does not fit the classes, if they are named."""
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
        Report the metrics of what was accumulated.

        Parameters
        ----------
        classes : iterable of labels, optional
            Report on the samples of these classes only, as if others had not been
            fitted. Metrics of the scatter then need ``covariance="by_class"``.
        count_range : (least, most), optional
            The same for classes whose count lies in it, ends included; None for no
            bound.

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
            If fewer than two classes have samples, or the head does not fit, or a named
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

        On the samples that were fitted, NC1 to NC3 are those of `report`. On others,
        NC1 measures their spread about the fitted class means ("strong test
        collapse"), and NC4 is the mismatch on them.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Class labels, all of them fitted.

        Returns
        -------
        NCReport
            As a number, the share of variance that is between classes.

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
            Equal to `score` of all samples together.
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
        Measure samples about the fitted centers, as one of several workers.

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
            What `partial_score` of this analyzer, or of copies of it, returned.

        Returns
        -------
        NCReport
            Equal to `score` of the samples of all workers together.

        Raises
        ------
        NotFittedError
            If nothing was accumulated.
        TypeError
            If one of them is something else.
        ValueError
            If there are no samples, or they were scored about other centers, with
            another head or convention, or for other metrics.
        """
        whole = merged_scores(scores)
        second_pass = self._second_pass([], progress=False)
        return second_pass.report(results_about(second_pass, whole))

    def _second_pass(self, batches: Iterable[Any], progress: bool) -> SecondPass:
        """Run through all batches, and return what reports of them are made of."""
        # Read once: the loader may fit this analyzer further, or train the head.
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
