"""
Print the page of all metrics, as markdown.

    python docs/examples/catalogue.py > docs/metrics.md

It has one table for each group of `sknc.metrics.catalogue()`.
"""

import inspect

from sknc.metrics import TABLE, catalogue
from sknc.metrics._catalogue.properties import PROPERTIES

NEEDS = {
    "statistics": "any fitted samples: class counts, means and variances",
    "head": "a head",
    "any_head": "a head, when samples are scored",
    "bias": "a head with a bias",
    "decisions": "scored samples: `score`",
    "head_decisions": "scored samples and a head: `score`",
    "measures": "scored samples: `score`",
    "ncc_margins": "scored samples: `score`",
    "cosine_margins": "scored samples and a head: `score`",
    "directional": "scored samples: `score`",
    "scatter": "`covariance=True`",
    "class_scatters": '`covariance="by_class"`',
    "energies": "scored samples: `score`",
    "within": "`covariance=True`, or scored samples: `score`",
    "ood_mean": "out-of-distribution samples: `score_ood`",
    "ood_features": "out-of-distribution samples: `score_ood`",
}
# Taken from the convention by a report.
FROM_CONVENTION = {"minority", "weight_decay", "convention"}

INTRODUCTION = """# Metrics

This page lists all {n} metrics, as `sknc.metrics.catalogue()` describes them. The
{n_headline} in bold are the default ones; [definitions](definitions.md) has their
formulas. The docstring of each function has its formula, range, invariances, source and
an example:
`help(sknc.metrics.nc1_cdnv)`.

```python
from sklearn.datasets import load_digits
from sknc import NeuralCollapseAnalyzer
from sknc.metrics import catalogue

X, y = load_digits(return_X_y=True)
everything = NeuralCollapseAnalyzer(metrics="all").fit(X, y).score(X, y)
some = NeuralCollapseAnalyzer(metrics=["NC1", "gnc2_margin"]).fit(X, y).report()
keys = [row["key"] for row in catalogue() if row["group"] == "NC1"]
```

`metrics=` accepts keys and names of groups. The groups are the headings below, up to
the colon.

*Better* says whether lower or higher values are more collapsed. *At collapse* is the
value at exact collapse, or a dash if collapse does not determine it; K is the number of
classes. *Needs* lists the inputs of a metric. If one is missing, a report leaves the
metric out:

| need | present with |
|---|---|
"""

MANY = """
With more than {most} classes `metrics="all"` leaves out the metrics that are slow
because they work on K × K arrays: {keys}.
You can still ask for them by name.
"""

OPTIONS = """
Some functions have options that a report leaves at their defaults. To set one, call the
function with `analyzer.statistics_`, as in `nc1_cdnv(analyzer.statistics_, power=2.0)`;
if some classes have no samples, with `analyzer.statistics_.observed_only()`:

| function | options |
|---|---|
"""

CHOICES = """
`minority` of the imbalance metrics and `weight_decay` of the squared loss are fields of
the [convention](conventions.md), so reports use them too.
"""


def cell(value: object) -> str:
    """Return the text of a value at collapse."""
    if value is None:
        return "–"
    return f"{value:g}" if isinstance(value, float) else str(value)


def table(rows: list[dict[str, object]]) -> str:
    """Return the table of a group."""
    lines = [
        "| key | what | better | at collapse | needs | source |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        key = f"`{row['key']}`"
        if TABLE[row["key"]].headline:
            key = f"**{key}**"
        better = "–" if row["direction"] == "none" else row["direction"]
        needs = ", ".join(row["needs"])
        ideal, source = cell(row["ideal"]), row["source"]
        summary = row["summary"].removesuffix(".").replace("``", "`")
        lines.append(f"| {key} | {summary} | {better} | {ideal} | {needs} | {source} |")
    return "\n".join(lines)


def options(key: str) -> str:
    """Return the options of a function that a report leaves alone."""
    taken = inspect.signature(TABLE[key].function).parameters.values()
    return ", ".join(
        f"`{parameter.name}={parameter.default!r}`"
        for parameter in taken
        if parameter.kind is parameter.KEYWORD_ONLY
        and parameter.name not in FROM_CONVENTION
    )


def main() -> None:
    """Print the page."""
    rows = catalogue()
    n_headline = sum(metric.headline for metric in TABLE.values())
    print(INTRODUCTION.format(n=len(rows), n_headline=n_headline), end="")
    for need, text in NEEDS.items():
        print(f"| {need} | {text} |")
    for group, title in PROPERTIES.items():
        members = [row for row in rows if row["group"] == group]
        print(f"\n## {group}: {title}\n\n{table(members)}")
    print("\n## Many classes")
    limits = {metric.most_classes for metric in TABLE.values()} - {None}
    for most in sorted(limits):
        keys = [f"`{k}`" for k, m in TABLE.items() if m.most_classes == most]
        print(MANY.format(most=most, keys=", ".join(keys)), end="")
    print(f"\n## Options\n{OPTIONS}", end="")
    for row in rows:
        if found := options(row["key"]):
            print(f"| `{row['key']}` | {found} |")
    print(CHOICES, end="")


if __name__ == "__main__":
    main()
