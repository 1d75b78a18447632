"""Reports of fitted samples, and of samples about the fitted centers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sknc._utils import arrays
from sknc._utils.merge_tree import merge_all
from sknc.convention import Convention
from sknc.estimators._fitting.groups import assign_groups
from sknc.estimators._inputs.heads import (
    check_head,
    classes_of_head,
    digest_of_head,
    n_unused_rows,
)
from sknc.estimators._inputs.validation import Batch, check_finite
from sknc.estimators._scoring.evaluation import Evaluation, EvaluationResult
from sknc.estimators._scoring.jackknife import (
    errors_of_report,
    errors_of_score,
    single_group_classes,
)
from sknc.estimators._scoring.misalignment import misalignment_note
from sknc.head import LinearHead
from sknc.metrics import TABLE, select
from sknc.report._building import Errors, Inputs, Omissions, build_report
from sknc.report.nc_report import NCReport
from sknc.statistics.class_statistics import ClassStatistics
from sknc.statistics.subset import subset_of


@dataclass(frozen=True, eq=False)
class ReportChoices:
    """The parameters of an analyzer that affect its reports."""

    head: Any
    convention: Convention
    metrics: str | Iterable[str]
    covariance: bool  # whether the scatter should be kept
    n_groups: int  # of the jackknife, or zero

    def keys(self, n_classes: int) -> list[str]:
        """Return the metrics that were requested and are not too costly."""
        return [
            metric.key
            for metric in select(self.metrics)
            if not metric.is_skipped(self.metrics, n_classes)
        ]

    def linear_head(self, statistics: ClassStatistics) -> LinearHead | None:
        """Return the current head, with one row for each class."""
        if self.head is None:
            return None
        return check_head(self.head, statistics.classes, statistics.moments.anchors)

    def omissions(
        self, statistics: ClassStatistics, head: LinearHead | None, **more: Any
    ) -> Omissions:
        """Return what is missing in a report of these statistics."""
        misalignment = ""
        if head is not None:
            named = classes_of_head(self.head) is not None
            misalignment = misalignment_note(statistics, head, names_classes=named)
        return Omissions(
            n_unused_rows=n_unused_rows(self.head, statistics.classes),
            misalignment=misalignment,
            **more,
        )


def report_of_fit(
    statistics: ClassStatistics,
    parts: Sequence[ClassStatistics | None],
    choices: ReportChoices,
    labels: np.ndarray | None = None,
) -> NCReport:
    """
    Report the metrics of fitted statistics, given by group or as one part.

    With labels, only for the samples of these classes.
    """
    head = choices.linear_head(statistics)
    if labels is not None:
        if head is not None:
            head = head.rows(np.flatnonzero(np.isin(statistics.classes, labels)))
        statistics = subset_of(statistics, labels)
        parts = [None if part is None else subset_of(part, labels) for part in parts]
    seen = statistics.observed_only()
    rows = _rows_of_observed(head, statistics)
    omissions = choices.omissions(
        statistics,
        head,
        n_unobserved=statistics.n_classes - seen.n_classes,
        lost_scatter=choices.covariance and seen.moments.scatter is None,
    )
    keys = choices.keys(seen.n_classes)
    found = errors_of_report(parts, rows, choices.convention, keys)
    inputs = Inputs(seen, choices.convention, rows)
    errors = Errors(found, single_group_classes(parts))
    return build_report(inputs, choices.metrics, omissions, errors)


class SecondPass:
    """The pass of `score`: batches about the centers of fitted statistics."""

    def __init__(
        self,
        statistics: ClassStatistics,
        parts: Sequence[ClassStatistics | None],
        choices: ReportChoices,
    ) -> None:
        self.n_rows = 0
        self._statistics, self._parts, self._choices = statistics, parts, choices
        head = choices.linear_head(statistics)
        if head is not None:
            head = head.rows(np.arange(statistics.n_classes))  # a copy
        self._head = head
        keys = choices.keys(len(statistics.observed))
        self.needs = frozenset(need for key in keys for need in TABLE[key].needs)
        self._evaluations = [
            Evaluation(statistics, head, choices.convention, set(self.needs))
            for _ in range(max(1, choices.n_groups))
        ]

    @property
    def convention(self) -> Convention:
        """The convention of the metrics."""
        return self._choices.convention

    @property
    def head_digest(self) -> str | None:
        """Digest of the deciding head, with rows in the order of the classes."""
        return digest_of_head(self._head, self._statistics.n_features)

    def update(self, batch: Batch) -> None:
        """Add a batch to its groups, or raise and change nothing."""
        if len(self._evaluations) == 1:
            self._evaluations[0].update(batch)
        else:
            check_finite(batch.features, batch.invalid)
            for group, part in assign_groups(
                batch, self.n_rows, len(self._evaluations)
            ):
                self._evaluations[group].update(part)
        self.n_rows += int(batch.features.shape[0])

    def results(self) -> list[EvaluationResult]:
        """Return the results so far, by group of the jackknife or for all."""
        return [evaluation.result() for evaluation in self._evaluations]

    def report(self, results: Sequence[EvaluationResult] | None = None) -> NCReport:
        """
        Report the metrics of all batches so far.

        Or those of given results, merged by group, of several passes about the same
        centers.
        """
        with arrays.plain_arithmetic(self._statistics.moments.sums):
            results = self.results() if results is None else results
            return self._report_of([result for result in results if not result.empty])

    def _report_of(self, found: Sequence[EvaluationResult]) -> NCReport:
        choices, convention = self._choices, self._choices.convention
        rows = _rows_of_observed(self._head, self._statistics)
        whole = merge_all(found)
        keys = choices.keys(whole.held_out.n_classes)
        of_samples = [key for key in keys if TABLE[key].needs_scored_samples]
        of_fit = [key for key in keys if not TABLE[key].needs_scored_samples]
        # The centers are fixed. Metrics of centers alone have the errors of the fit.
        errors = errors_of_report(self._parts, rows, convention, of_fit)
        errors |= errors_of_score(found, rows, convention, of_samples)
        inputs = Inputs(
            whole.held_out, convention, rows, whole.decisions, whole.measures
        )
        omissions = choices.omissions(
            self._statistics,
            self._head,
            n_unobserved=self._statistics.n_classes - whole.held_out.n_classes,
        )
        return build_report(
            inputs,
            choices.metrics,
            omissions,
            Errors(errors, single_group_classes(self._parts)),
        )


def _rows_of_observed(
    head: LinearHead | None, statistics: ClassStatistics
) -> LinearHead | None:
    """Return the head's rows of the classes with samples."""
    if head is None or len(statistics.observed) == statistics.n_classes:
        return head
    return head.rows(statistics.observed)
