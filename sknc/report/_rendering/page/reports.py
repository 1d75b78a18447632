"""The pages of reports: what is on them, in which order."""

import math
from collections.abc import Mapping, Sequence

from sknc.metrics import TABLE
from sknc.report._rendering.content import Content
from sknc.report._rendering.page.cards import value_cards, verdict_cards
from sknc.report._rendering.page.classes import class_figure, class_tables
from sknc.report._rendering.page.document import section
from sknc.report._rendering.page.figures import Series, dot_plot
from sknc.report._rendering.page.markup import Markup, joined, tag
from sknc.report._rendering.page.metric_table import (
    known_columns,
    metric_table,
    note_column,
    note_list,
    value_columns,
)
from sknc.report._rendering.page.parts import (
    assembled,
    convention_list,
    notes_section,
    ordered_keys,
    references,
    version_list,
)
from sknc.report._rendering.page.quantiles import quantile_tables
from sknc.report._rendering.page.sortable import sortable_table
from sknc.report._rendering.regression_content import RegressionContent
from sknc.report._rendering.table import Shown, footnotes, lines_of_all

_MOST_DIRECTIONS = 20  # of the features of a regression, in the figure
_ALONE = "all samples"  # of a report with none beside it
_ARROW = "An arrow at the left end stands for zero, or for less than the axis shows."


def report_page(
    reports: Mapping[str, Content],
    title: str | None = None,
    lead: str = "",
    remarks: Sequence[str] = (),
) -> str:
    """
    Return the page of one report, or of several side by side, by their names.

    The lead is another line below the title; remarks stand beside notes on the whole.
    """
    content = next(iter(reports.values()))
    if len(reports) == 1:
        reports = {_ALONE: content}
    leads = lines_of_all(reports, lambda one: [one.title()])
    leads += [lead] if lead else []
    parts = {
        "Verdict": section(
            "verdict", "How far have the features collapsed?", _verdict(reports)
        ),
        **notes_section(reports, remarks),
        **_figures(_metric_figure(reports), class_figure(reports)),
        **_metrics(reports),
        "Classes": section("classes", "Classes", class_tables(reports)),
        "About": section("about", "How it was measured", _about(reports)),
        **references(ordered_keys(reports.values()), content),
    }
    return assembled(title, "Neural collapse", leads, parts)


def regression_page(content: RegressionContent, title: str | None = None) -> str:
    """Return the page of a report of regression."""
    reports = {_ALONE: content}
    names = [f"target {number}" for number in range(content.n_targets)]
    targets = sortable_table(
        "targets",
        "Targets, in the order of their columns.",
        ["target", *content.per_target],
        names,
        list(content.per_target.values()),
    )
    parts = {
        "Summary": section(
            "summary",
            "How far have the features collapsed?",
            value_cards(content),
            _closing(reports),
        ),
        **notes_section(reports, ()),
        **_figures(_metric_figure(reports), _direction_figure(content)),
        **_metrics(reports),
        "Targets": section("targets", "Targets", targets),
        "About": section("about", "How it was measured", version_list()),
        **references(ordered_keys(reports.values()), content),
    }
    return assembled(title, "Neural regression collapse", [content.title()], parts)


# Parts ----------------------------------------------------------------------------


def _verdict(reports: Mapping[str, Content]) -> Markup:
    return joined(verdict_cards(reports), _closing(reports))


def _closing(reports: Mapping[str, Shown]) -> Markup:
    """Return the score, and what else is said of a whole, a line for each report."""
    lines = lines_of_all(reports, lambda one: ["; ".join(one.summary())])
    return joined(*(tag("p", line, class_="muted closing") for line in lines))


def _metrics(reports: Mapping[str, Shown]) -> dict[str, Markup]:
    keys = ordered_keys(reports.values())
    if not keys:
        return {}
    content = next(iter(reports.values()))
    numbers = footnotes(*reports.values())
    columns = [*value_columns(reports), *known_columns(content)]
    if numbers:
        columns.append(note_column([*reports.values()], numbers))
    table = metric_table(
        "Metrics, by the property that they measure.", keys, content, columns
    )
    body = [tag("div", table, class_="scroll"), note_list(numbers)]
    return {"Metrics": section("metrics", "Metrics", *body, *quantile_tables(reports))}


def _about(reports: Mapping[str, Content]) -> Markup:
    content = next(iter(reports.values()))
    return tag(
        "div",
        tag("div", tag("h3", "Convention"), convention_list(content.convention)),
        tag("div", version_list()),
        class_="columns",
    )


# Figures --------------------------------------------------------------------------


def _figures(*found: Markup) -> dict[str, Markup]:
    """Return the part with figures, which is left out if there are none."""
    if not any(found):
        return {}
    row = tag("div", *found, class_="figures")
    return {"Figures": section("figures", "Figures", row)}


def _metric_figure(reports: Mapping[str, Shown]) -> Markup:
    """Return a figure of the metrics that are zero at collapse."""
    content = next(iter(reports.values()))
    keys = [
        key for key in ordered_keys(reports.values()) if _falls_to_zero(content, key)
    ]
    series: list[Series] = []
    for name, one in reports.items():
        own = [key for key in keys if not series or _depends_on_samples(key)]
        values = [
            one.values.get(key, math.nan) if key in own else math.nan for key in keys
        ]
        errors = [one.standard_error.get(key, math.nan) for key in keys]
        series.append(Series(name, values, errors))
    remarks = ["On a logarithmic axis: the further left, the more collapsed.", _ARROW]
    if len(series) > 1:
        remarks.append(
            "What depends on class means and head alone is the same for all samples, "
            "and has one mark."
        )
    return dot_plot(
        "metrics-figure",
        "Metrics that are zero at collapse",
        remarks,
        keys,
        series,
        logarithmic=True,
    )


def _falls_to_zero(content: Shown, key: str) -> bool:
    metric = content.metric(key)
    return metric.ideal == 0 and metric.lower_is_collapsed is True


def _depends_on_samples(key: str) -> bool:
    """Whether a metric can differ between samples about the same class means."""
    return key not in TABLE or TABLE[key].needs_scored_samples


def _direction_figure(content: RegressionContent) -> Markup:
    shares = content.explained_variance_ratio[:_MOST_DIRECTIONS].tolist()
    return dot_plot(
        "directions-figure",
        "Share of the variance along principal directions of the features",
        [
            f"At collapse all of it is along the first {content.n_targets}, as many as "
            f"there are targets. Shown are {len(shares)} of {content.n_features}."
        ],
        [f"direction {number}" for number in range(1, len(shares) + 1)],
        [Series("share", shares)],
    )
