"""Quantiles of sample margins, for reports that have them."""

from collections.abc import Mapping

import numpy as np

from sknc.report._rendering.content import Content
from sknc.report._rendering.page.markup import Markup
from sknc.report._rendering.page.sortable import sortable_table
from sknc.report._rendering.table import Shown


def quantile_tables(reports: Mapping[str, Shown]) -> list[Markup]:
    """Return a table of each report that has quantiles."""
    return [
        _table(f"quantiles-{number}", name if len(reports) > 1 else "", content)
        for number, (name, content) in enumerate(reports.items())
        if isinstance(content, Content) and content.quantiles
    ]


def _table(identifier: str, name: str, content: Content) -> Markup:
    levels = list(next(iter(content.quantiles.values())))
    columns = [
        np.array([found[level] for found in content.quantiles.values()])
        for level in levels
    ]
    caption = "Quantiles over the samples."
    return sortable_table(
        identifier,
        f"{name}: {caption.lower()}" if name else caption,
        ["margin", *(f"{100 * level:g} %" for level in levels)],
        list(content.quantiles),
        columns,
    )
