"""
The table of regression metrics.

These metrics have a separate table because they are functions of
`RegressionStatistics`, without classes or a `Convention`.
"""

from collections.abc import Iterable, Iterator

import sknc.metrics.regression_fit  # noqa: F401
from sknc._utils.parameters import refuse
from sknc.metrics._catalogue.regression import PROPERTIES, ROWS, RegressionMetric

REGRESSION_TABLE: dict[str, RegressionMetric] = {
    row.key: row
    for row in sorted(ROWS.values(), key=lambda row: list(PROPERTIES).index(row.group))
}


def select_regression(metrics: str | Iterable[str]) -> list[RegressionMetric]:
    """Return the rows that a ``metrics`` argument selects, in order of the table."""
    rows = list(REGRESSION_TABLE.values())
    if isinstance(metrics, str) and metrics == "default":
        return [row for row in rows if row.headline]
    if isinstance(metrics, str) and metrics == "all":
        return rows
    known = [*REGRESSION_TABLE, *PROPERTIES]
    if isinstance(metrics, Iterator) or not isinstance(metrics, Iterable):
        keys: list[str] | None = None
    else:
        keys = [metrics] if isinstance(metrics, str) else list(metrics)
    if keys is None or not all(isinstance(key, str) and key in known for key in keys):
        remedy = f"There are {', '.join(known)}."
        refuse(
            "metrics", '"default", "all", or a list of keys or groups', metrics, remedy
        )
    return [row for row in rows if row.key in keys or row.group in keys]
