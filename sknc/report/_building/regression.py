"""Build a report of neural regression collapse from checked values."""

import math
from collections.abc import Iterable

import numpy as np

from sknc._utils import arrays
from sknc.metrics._catalogue.regression import RegressionCase
from sknc.metrics._catalogue.regression_table import (
    REGRESSION_TABLE,
    select_regression,
)
from sknc.metrics._shared.subspaces import principal_directions
from sknc.metrics._shared.target_gram import least_variance
from sknc.metrics.regression import best_gamma
from sknc.metrics.regression_fit import head_errors
from sknc.report._rendering import RegressionContent
from sknc.report.nrc_report import NRCReport, how_to_get


def build_regression_report(
    case: RegressionCase, metrics: str | Iterable[str] = "default"
) -> NRCReport:
    """Compute the metrics whose inputs are available, and the rest of the report."""
    statistics, head = case.statistics, case.head
    with np.errstate(over="ignore", invalid="ignore"):  # notes say what is undefined
        rows = select_regression(metrics)
        values = {
            row.key: row.compute(case)
            for row in rows
            if head is not None or not row.needs_head
        }
        score = values.get("nrc1", math.nan)
        if "nrc1" not in values:
            score = REGRESSION_TABLE["nrc1"].compute(case)
        content = RegressionContent(
            score=1 - score,
            values=values,
            notes=_notes(case, metrics, values),
            per_target=_per_target(case),
            explained_variance_ratio=_explained(case),
            gamma=_gamma(case),
            least_target_variance=least_variance(case.fitted),
            n_samples=statistics.n_samples,
            n_features=statistics.n_features,
            n_targets=statistics.n_targets,
            weighted=statistics.weighted,
            dtype=statistics.input_dtype,
            device=str(arrays.device_of(statistics.joint.sums)),
            has_head=head is not None,
        )
    return NRCReport(content)


def _notes(
    case: RegressionCase, metrics: str | Iterable[str], values: dict[str, float]
) -> dict[str, str]:
    """Return a note for each value that needs one, and for each missing metric."""
    found = {
        key: REGRESSION_TABLE[key].explain(value, case) for key, value in values.items()
    }
    notes = {key: note for key, note in found.items() if note}
    if not isinstance(metrics, str) or metrics not in ("default", "all"):
        for row in select_regression(metrics):
            if row.key not in values:
                notes[row.key] = f"Left out. {how_to_get(row.key, has_head=False)}"
    return notes


def _gamma(case: RegressionCase) -> float | None:
    if case.head is None or case.gamma is not None:
        return case.gamma if case.head is not None else None
    return best_gamma(case.fitted, case.head)


def _explained(case: RegressionCase) -> np.ndarray:
    """Return the share of variance along each principal direction, descending."""
    statistics = case.statistics
    shares = np.zeros(statistics.n_features)
    variances = arrays.to_numpy(principal_directions(statistics)[0])
    total = float(np.sum(variances))
    shares[: len(variances)] = variances / total if total else 0.0
    return shares


def _per_target(case: RegressionCase) -> dict[str, np.ndarray]:
    """Return the values of each target."""
    covariance = arrays.to_numpy(case.statistics.target_covariance)
    variance = np.diagonal(covariance).copy()
    if case.head is None:
        return {"variance": variance}
    errors = arrays.to_numpy(head_errors(case.statistics, case.head))
    explained = 1 - errors / np.where(variance > 0, variance, math.nan)
    return {"variance": variance, "mse": errors, "r2": explained}
