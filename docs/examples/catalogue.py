"""
Print the page of all metrics, as markdown.

    python docs/examples/catalogue.py > docs/metrics.md

Formulas are those of the docstrings.
"""

import inspect
import re
import textwrap

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
SYMBOLS = {
    "K, D, N": "numbers of classes, features and samples; class k has $n_k$ samples",
    "x_i, y_i": "features of sample i, and its class",
    r"\mu_k, \mu_G, \mu_S": "mean of class k; the center of the "
    "[convention](conventions.md), by default the mean of the class means; the mean of "
    "all samples",
    r"\bar\mu_k = \mu_k - \mu_G": r"centered class mean, row k of $\bar M$; $\mu_k$ is "
    "row k of $M$",
    r"\Sigma_k, \sigma_k^2": "covariance of class k, and its trace",
    r"\Sigma_W, \Sigma_B": "within-class covariance, and between-class covariance: "
    r"that of the class means about $\mu_G$",
    r"A^\dagger": "pseudo-inverse: inverts A on its span, and is zero on the "
    "orthogonal complement",
    "W, w_k, b": "weights of the head, its row for class k, and its bias",
    r"\lVert A \rVert_F, \lVert A \rVert_*, \lVert A \rVert_2": "Frobenius, nuclear "
    "and spectral norm",
    r"I, \mathbf{1}": "the identity, and the column of K ones",
    r"\operatorname{mean}_{i<j}": "mean over pairs of classes; other indices likewise",
    r"\operatorname{std}, \operatorname{var}": "standard deviation (divided by "
    "the number of values minus one), and variance (divided by their number)",
    "P": "fraction of the samples",
}
# Read from the convention by a report.
FROM_CONVENTION = {"minority", "weight_decay", "convention"}

INTRODUCTION = """# Metrics

This page has all {n} metrics of `sknc.metrics.catalogue()`, with their formulas. The
{n_headline} in bold are the default. The docstring of each function also has its range,
invariances, source and an example: `help(sknc.metrics.nc1_cdnv)`.

```python
from sklearn.datasets import load_digits
from sknc import NeuralCollapseAnalyzer
from sknc.metrics import catalogue

X, y = load_digits(return_X_y=True)
everything = NeuralCollapseAnalyzer(metrics="all").fit(X, y).score(X, y)
some = NeuralCollapseAnalyzer(metrics=["NC1", "gnc2_margin"]).fit(X, y).report()
keys = [row["key"] for row in catalogue() if row["group"] == "NC1"]
```

`metrics=` accepts keys and names of groups. The name of a group is the part of a
heading before the colon.

The column *more collapsed* says whether lower or higher values are more collapsed. The
column *at collapse* has the value at exact collapse, or a dash if it is not fixed.

## Symbols

| symbol | meaning |
|---|---|
"""

WHAT_IS_NEEDED = """
## Needs

A report leaves out a metric if one of its inputs is missing:

| need | available with |
|---|---|
"""

MANY = """
With more than {most} classes, `metrics="all"` skips metrics that are slow because of
their K × K arrays: {keys}.
You can still request them by name.
"""

OPTIONS = """
Some functions have options, and reports use their defaults. To set an option, call the
function with `analyzer.statistics_`, for example
`nc1_cdnv(analyzer.statistics_, power=2.0)`. If some classes have no samples, use
`analyzer.statistics_.observed_only()` instead:

| function | options |
|---|---|
"""

CHOICES = """
`minority` (for imbalance) and `weight_decay` (for the squared loss) are fields of the
[convention](conventions.md), which reports use.
"""


def cell(value: object) -> str:
    """Return the text of a value at collapse."""
    if value is None:
        return "–"
    return f"{value:g}" if isinstance(value, float) else str(value)


def model_of(key: str) -> str:
    """Return the metric whose formula it is, of rows of the head; or itself."""
    found = re.search(r"The formula of `(\w+)`", TABLE[key].function.__doc__ or "")
    return found[1] if found else key


def formula(key: str) -> str:
    """Return the formula of a docstring, and what follows it, as markdown."""
    text = inspect.getdoc(TABLE[key].function).partition("\nParameters\n")[0]
    _, math, words = re.split(r"^\.\. math::\n((?:    .*\n)+)", text, flags=re.M)
    words = re.sub(r":math:`([^`]+)`", r"$\1$", words).strip()
    return f"```math\n{textwrap.dedent(math)}```\n" + f"\n{words}\n" * bool(words)


def table(rows: list[dict[str, object]]) -> str:
    """Return the table of a group."""
    lines = ["| key | meaning | more collapsed | at collapse |", "|---|---|---|---|"]
    for row in rows:
        key = f"[`{row['key']}`](#{model_of(row['key'])})"
        if TABLE[row["key"]].headline:
            key = f"**{key}**"
        better = "–" if row["direction"] == "none" else row["direction"]
        summary = row["summary"].removesuffix(".").replace("``", "`")
        lines.append(f"| {key} | {summary} | {better} | {cell(row['ideal'])} |")
    return "\n".join(lines)


def sections(rows: list[dict[str, object]]) -> str:
    """Return a section for each formula of a group."""
    by_formula: dict[str, list[dict[str, object]]] = {}
    for row in rows:
        by_formula.setdefault(model_of(row["key"]), []).append(row)
    return "\n".join(
        f"### `{key}`\n\n{formula(key)}\n" + "".join(map(origin, same))
        for key, same in by_formula.items()
    )


def origin(row: dict[str, object]) -> str:
    """Return the line that says what a metric needs and where it is from."""
    of_head = ", of the rows of W, uncentered" * (model_of(row["key"]) != row["key"])
    needs = ", ".join(row["needs"])
    return f"- `sknc.metrics.{row['key']}`{of_head}: needs {needs}; {row['source']}\n"


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
    for symbol, text in SYMBOLS.items():
        print(f"| ${symbol}$ | {text} |")
    for group, title in PROPERTIES.items():
        members = [row for row in rows if row["group"] == group]
        print(
            f"\n## {group}: {title}\n\n{table(members)}\n\n{sections(members)}", end=""
        )
    print(WHAT_IS_NEEDED, end="")
    for need, text in NEEDS.items():
        print(f"| {need} | {text} |")
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
