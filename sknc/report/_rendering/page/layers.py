"""The page of the layers of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sknc.report._rendering.content import Content
from sknc.report._rendering.page.document import section
from sknc.report._rendering.page.figures import Series, dot_plot
from sknc.report._rendering.page.markup import Markup, tag
from sknc.report._rendering.page.metric_table import known_columns, metric_table
from sknc.report._rendering.page.parts import (
    assembled,
    convention_list,
    notes_section,
    ordered_keys,
    pairs,
    references,
    version_list,
)
from sknc.report._rendering.page.sortable import sortable_table
from sknc.report._rendering.table import all_notes

# Figures of layers, with what to look for in them.
_DRAWN = {
    "nc1_fuzziness": "By the law of data separation it falls by the same step a layer.",
    "nc1_cdnv": "Variance within classes over the distance between them.",
    "nc2_etf": "Distance of the class means from a simplex.",
    "nc4_ncc_accuracy": "Share of samples that are nearest to their own class mean.",
}
_MISMATCH = "layer_ncc_mismatch"


@dataclass(frozen=True, eq=False)
class LayerSide:
    """The layers on some samples: their reports, and the measures of all together."""

    name: str
    layers: Mapping[str, Content]
    measures: Mapping[str, str]  # in words
    mismatch: np.ndarray | None = None

    def values(self, key: str) -> np.ndarray:
        """Return a metric of each layer; NaN of those without."""
        if key == _MISMATCH and self.mismatch is not None:
            return self.mismatch
        found = self.layers.values()
        return np.array([one.values.get(key, np.nan) for one in found], dtype=float)


def layer_page(
    sides: Sequence[LayerSide],
    title: str | None,
    leads: Sequence[str],
    remarks: Sequence[str],
) -> str:
    """Return the page of layers, on one set of samples or on two."""
    first, *_ = sides
    last = [*first.layers.values()][-1]
    keys = ordered_keys(one for side in sides for one in side.layers.values())
    metrics = metric_table("Metrics of the layers.", keys, last, known_columns(last))
    about = [
        tag("div", tag("h3", "Convention"), convention_list(last.convention)),
        tag("div", version_list()),
    ]
    parts = {
        "Summary": section(
            "summary", "How do classes separate with depth?", _measures(sides)
        ),
        **notes_section({}, [*remarks, *_notes(sides)]),
        "Figures": section(
            "figures", "From the first layer to the last", _figures(sides)
        ),
        "Layers": section("layers", "Layers", *(_table(side) for side in sides)),
        "Metrics": section(
            "metrics", "What the metrics are", tag("div", metrics, class_="scroll")
        ),
        "About": section(
            "about", "How it was measured", tag("div", *about, class_="columns")
        ),
        **references(keys, last),
    }
    return assembled(title, "Neural collapse by layer", leads, parts)


def _notes(sides: Sequence[LayerSide]) -> list[str]:
    """Return all notes, each text once with where it holds."""
    places: dict[str, dict[str, list[str]]] = {}  # text, layer, sides
    for side in sides:
        for layer, content in side.layers.items():
            for line in all_notes(content):
                layers = places.setdefault(line, {})
                layers.setdefault(layer, []).append(side.name.lower())
    return [f"{_listed(layers, len(sides))}: {line}" for line, layers in places.items()]


def _listed(sides_by_layer: Mapping[str, Sequence[str]], n_sides: int) -> str:
    named = ", ".join(
        layer if len(names) == n_sides else f"{layer} ({', '.join(names)})"
        for layer, names in sides_by_layer.items()
    )
    return f"Layer{'s' if len(sides_by_layer) > 1 else ''} {named}"


def _measures(sides: Sequence[LayerSide]) -> Markup:
    cards = (
        tag("div", tag("h3", side.name), pairs(side.measures), class_="card")
        for side in sides
    )
    return tag("div", *cards, class_="figures")


def _figures(sides: Sequence[LayerSide]) -> Markup:
    drawn = {**_DRAWN, _MISMATCH: "Share of samples on which the model differs."}
    layers = list(sides[0].layers)
    figures = []
    for number, (key, what) in enumerate(drawn.items()):
        series = [Series(side.name, side.values(key).tolist()) for side in sides]
        name = f"layer-figure-{number}"
        figures.append(dot_plot(name, key, [what], layers, series, connected=True))
    return tag("div", *figures, class_="figures")


def _table(side: LayerSide) -> Markup:
    keys = ordered_keys(side.layers.values())
    if side.mismatch is not None:
        keys.append(_MISMATCH)
    widths = [content.measured.n_features for content in side.layers.values()]
    return sortable_table(
        f"layers-{side.name.split()[0].lower()}",
        f"{side.name}, layer by layer.",
        ["layer", "depth", "features", *keys],
        side.layers,
        [
            np.arange(len(side.layers)),
            np.array(widths),
            *(side.values(key) for key in keys),
        ],
    )
