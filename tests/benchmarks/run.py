"""
Measure, and write docs/performance.md and its figure.

    python tests/benchmarks/run.py            # some minutes
    python tests/benchmarks/run.py --quick    # a minute, nothing is written

Peers that cannot be imported are left out, with a word.
"""

import argparse
import datetime
import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cases
import gpu
import peers
import regression

_PASSES = """\
We compare with the library `neural_collapse` on the same batches. It needs one pass
for means, one for variances and the covariance, and a third for decisions. `X.T @ X`
of all rows is the lower limit for a single pass with a scatter. If it alone exceeds
the target, the target is out of reach on this machine."""
_REGRESSION = """\
`NeuralRegressionCollapse` stores two (D, D) matrices. It computes their products in
float64, whatever the dtype of the features."""

DOCS = Path(__file__).parents[2] / "docs"


def main() -> None:
    """Run every case and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    sections = [*_sections(quick), _of_models(), *gpu.sections(quick)]
    text = "\n".join([_head(), *sections])
    if not quick:
        (DOCS / "performance.md").write_text(text + "\n")
        figure(cases.growth(quick))


def _sections(quick: bool) -> Iterable[str]:
    columns = ["what", "(N, D, K)", "median", "against", "ratio", "target", ""]
    for title, case, text in (
        ("Accumulation", cases.accumulation, ""),
        ("Report and score", cases.reports, _PASSES),
        ("Decisions", cases.decisions, ""),
        ("Other estimators", cases.fits, ""),
    ):
        rows = [row.cells() for row in case(quick)]
        yield section(title, columns, rows, text)
    wide = ["what", "size", "seconds", "peak memory", "target", ""]
    yield section("Many classes", wide, cases.many_classes(quick))
    tall = ["what", "(N, D, K)", "seconds", "per row", "state"]
    yield section("Vocabularies", tall, cases.vocabulary_fit(quick))
    rows = regression.regression(quick)
    yield section("Regression", regression.COLUMNS, rows, _REGRESSION)


def _of_models() -> str:
    """Return what is measured by other scripts, as it is."""
    page = (DOCS / "performance.md").read_text(encoding="utf-8")
    heading, end = "\n## A model and a loader\n", "<!-- end of formats -->"
    _, _, rest = page.partition(heading)
    return f"{heading}{rest.partition(end)[0]}{end}"


def section(
    title: str, columns: list[str], rows: Iterable[list[str]], text: str = ""
) -> str:
    """Return a heading, a text and a table, and print them."""
    table = [_line(row) for row in rows]
    lines = [f"\n## {title}\n", "Not measured: the peer could not be imported."]
    if table:
        lines = [lines[0], _line(columns), _line(["---"] * len(columns)), *table]
    if table and text:
        lines.insert(1, f"{text}\n")
    text = "\n".join(lines)
    print(text, flush=True)
    return text


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _head() -> str:
    names = ("sknc", "numpy", "scipy", "scikit-learn", "torch", "faiss-cpu")
    found = ", ".join(f"{name} {_version(name)}" for name in names)
    absent = [
        n for n in ("neural_collapse", "nc_toolbox", "faiss") if not peers.available(n)
    ]
    missing = f" Could not be imported: {', '.join(absent)}." if absent else ""
    return f"""# Performance

Written by `tests/benchmarks/run.py` on {datetime.date.today()}: {os.cpu_count()} cores,
{platform.machine()}, Python {platform.python_version()}; {found}.{missing}

Cases run in turn in one process, with a pause before each run so that threads of the
last one fall asleep. Times are medians of the runs, and ratios are ratios of medians.
Features are float32, in batches of 4 096 rows unless stated otherwise. Peak memory
does not include the accumulated state. *Target* is the limit we set for ourselves.

![Time per row, by number of rows and classes](figures/growth.png)

The time per row does not grow with the number of rows. The first rows take longer,
because they allocate memory and set anchors. The update of the scatter does not
depend on the number of classes, and the other work grows at most in proportion to it.
The state has two vectors for each class and one (D, D) matrix, O(K D + D²) in total."""


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def figure(found: dict[str, tuple[list[int], list[float]]]) -> None:
    """Draw time a row by rows and by classes."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    drawn, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    labels = {"rows": "rows (D = 256, K = 100)", "classes": "classes (D = 256, Zipf)"}
    for ax, (name, (sizes, microseconds)) in zip(axes, found.items(), strict=True):
        ax.plot(sizes, microseconds, "o-")
        ax.set(xscale="log", xlabel=labels[name], ylabel="µs per row", ylim=(0, None))
        ax.xaxis.set_minor_formatter("")
        ax.grid(alpha=0.3)
    drawn.savefig(DOCS / "figures" / "growth.png", dpi=120)
    plt.close(drawn)


if __name__ == "__main__":
    main()
