"""The decorator of metrics: rows, completed docstrings, and reasons for NaN."""

import inspect
import math

import numpy as np
import pytest
from tables import each
from toys import SQUARE, simplex, toy

from sknc import ClassStatistics, Convention, LinearHead, NeuralCollapseAnalyzer
from sknc.metrics import TABLE, Metric
from sknc.metrics._catalogue import define
from sknc.metrics._catalogue.metric import explain
from sknc.metrics._catalogue.sources import Source
from sknc.metrics._catalogue.why_undefined import Case, Condition, single_samples

PAPER = Source("A. Author 2020", 'A. Author. "A title." 2020.', "arXiv:2001.00001")
REQUIRED = {"sources": (PAPER,), "interval": "[0, 1]"}
FALLBACK = "an intermediate number was too large or too small for float64"


@pytest.fixture
def defined(monkeypatch):
    """Return what defines metrics that are forgotten after the test."""
    monkeypatch.setattr(define, "ROWS", {})
    return define


def test_row_of_a_decorated_function(defined):
    @defined.metric("NC2", sources=(PAPER,), interval="[0, 1]", needs=("scatter",))
    def nc2_trial(statistics, head, *, convention="default", power=2.0):
        """
        Trial.

        Parameters
        ----------
        power : float, default=2.0
            An exponent.

        Examples
        --------
        >>> nc2_trial(np.ones(3), LinearHead(np.eye(2), None))
        1.0
        """

    row = defined.ROWS["nc2_trial"]
    assert row.function is nc2_trial
    assert row.needs == ("statistics", "head", "scatter")
    assert row.source == "A. Author 2020, arXiv:2001.00001"
    assert inspect.getdoc(nc2_trial).splitlines() == [
        "Trial.",
        "",
        "Parameters",
        "----------",
        "statistics : ClassStatistics or HeldOutStatistics",
        "    Statistics of K classes of D features, with their scatter.",
        "head : LinearHead",
        "    Weights of shape (K, D), one row per class.",
        'convention : str or Convention, default="default"',
        "    Its center.",
        "power : float, default=2.0",
        "    An exponent.",
        "",
        "Returns",
        "-------",
        "float",
        "    Dimensionless, in [0, 1]; lower is more collapsed, 0 at collapse. NaN if "
        "the",
        "    scatter was not kept. Unchanged by shifts, rotations and uniform scaling.",
        "",
        "Raises",
        "------",
        "ValueError",
        "    If fewer than two classes have samples.",
        "",
        "References",
        "----------",
        '.. [1] A. Author. "A title." 2020. https://arxiv.org/abs/2001.00001',
        "",
        "Examples",
        "--------",
        ">>> import numpy as np",
        ">>> from sknc import LinearHead",
        ">>> from sknc.metrics import nc2_trial",
        ">>> nc2_trial(np.ones(3), LinearHead(np.eye(2), None))",
        "1.0",
    ]


def test_of_head_says_what_differs(defined):
    @defined.metric(
        "NC2",
        sources=(PAPER,),
        interval="[0, 1]",
        undefined=(
            Condition("a mean", bool, for_head=Condition("a row", bool)),
            Condition("both", bool),
        ),
    )
    def nc2_trial(statistics, *, convention="default"):
        """
        Number of centered class means.

        Examples
        --------
        Two:

        >>> X = np.eye(2)
        >>> nc2_trial(ClassStatistics.from_samples(X, np.arange(2)))
        2.0
        """
        return 2.0

    head = defined.of_head(nc2_trial, interval="[0, 2]")
    text = inspect.getdoc(head)
    assert str(inspect.signature(head)).startswith("(head: ")
    assert text.startswith("Number of rows of the head.\n\nThe formula of `nc2_trial`")
    assert "in [0, 2]; lower" in text
    assert "NaN if a row, or if both. Unchanged by rotations" in " ".join(text.split())
    assert "Raises" not in text
    assert text.endswith(
        ">>> X = np.eye(2)\n>>> nc2_trial_head(LinearHead(X, None))\n2.0"
    )
    assert defined.ROWS["nc2_trial_head"].needs == ("head",)
    assert head(LinearHead(np.eye(2), None)) == 2.0


def test_misspelled_field_is_refused(defined):
    with pytest.raises(TypeError, match="undefind"):
        defined.metric("NC2", **REQUIRED, undefind=())(lambda head: 0.0)


def test_a_metric_has_sources_and_an_interval(defined):
    for name in REQUIRED:
        others = {key: value for key, value in REQUIRED.items() if key != name}
        with pytest.raises(TypeError, match=f"missing .* argument: '{name}'"):
            defined.metric("NC2", **others)


def test_an_unknown_property_is_refused(defined):
    message = (
        r"^The property of a metric must be one of NC0, NC1, .*, spectrum, got 'NC9'\. "
        r"To add a property, add a line to sknc/metrics/_catalogue/properties\.py\.$"
    )
    with pytest.raises(ValueError, match=message):
        defined.metric("NC9", **REQUIRED)


def test_a_docstring_without_an_example_is_refused(defined):
    def nc0_trial(head):
        """Return nothing."""

    message = (
        r"^The docstring of nc0_trial must have a section Examples, with a value that "
        r"a reader can verify without a computer\.$"
    )
    with pytest.raises(ValueError, match=message):
        defined.metric("NC0", **REQUIRED)(nc0_trial)
    assert not defined.ROWS


def test_a_parameter_without_an_entry_is_refused(defined):
    def nc0_trial(head, *, power=2.0):
        """
        Trial.

        Examples
        --------
        >>> nc0_trial(LinearHead(np.eye(2), None))
        """

    message = (
        r"^nc0_trial has an unknown parameter 'power': expected inputs, which are "
        r"statistics, head, decisions, measures, ood_mean, X, or an option with an "
        r"entry in the section Parameters of the docstring\.$"
    )
    with pytest.raises(ValueError, match=message):
        defined.metric("NC0", **REQUIRED)(nc0_trial)
    assert not defined.ROWS


def test_metrics_of_variability_note_classes_with_one_sample(defined):
    def nc1_trial(statistics):
        """
        Trial.

        Examples
        --------
        >>> nc1_trial(ClassStatistics.from_samples(np.eye(2), np.arange(2)))
        """

    for options, caveats in (({}, (single_samples,)), ({"caveats": ()}, ())):
        defined.metric("NC1", **REQUIRED, **options)(nc1_trial)
        assert defined.ROWS["nc1_trial"].caveats == caveats


@each("key", TABLE)
def test_rows_say_what_docstrings_need(key):
    row = TABLE[key]
    assert row.interval
    assert row.sources
    for condition in row.undefined:
        assert not condition.words.endswith(".")


# Reasons ----------------------------------------------------------------------------


def configurations():
    """Yield names, features, labels, head and convention of degenerate data."""
    rng = np.random.default_rng(0)
    item = toy("random_balanced")
    zero_row = item.W.copy()
    zero_row[1] = 0
    yield "head of zeros", item.X, item.y, 0 * item.W, "default"
    yield "a row of zeros", item.X, item.y, zero_row, "default"
    means = np.array([[2.0, 0], [-2, 0], [0, 0]])
    X = np.repeat(means, 4, 0) + np.tile([[0.0, 1], [0, -1], [1, 0], [-1, 0]], (3, 1))
    yield "a mean at the center", X, np.repeat([0, 1, 2], 4), np.eye(3, 2), "default"
    X = np.tile(SQUARE, (3, 1))
    yield "all means coincide", X, np.repeat([0, 1, 2], 4), simplex(3, 4)[:, :2], "none"
    yield "nothing varies", np.ones((6, 3)), np.repeat([0, 1, 2], 2), np.eye(3), "none"
    X = rng.standard_normal((4, 6))
    yield "one sample each", X, np.arange(4), X, "default"
    yield "two classes", X, np.array([0, 0, 1, 1]), X[:2], "default"
    X, y = rng.standard_normal((8, 20)), np.repeat(np.arange(4), 2)
    yield "noise", X, y, X[::2], Convention(bias_correction=True)
    yield "class covariances", X, y, X[::2], Convention(within="class")
    yield "collinear", np.outer(y, X[0]) + 1e-9 * X, y, X[::2], "han2022"


@pytest.mark.parametrize("case", [*configurations()], ids=lambda case: case[0])
def test_every_nan_has_a_reason_that_holds(case):
    _, X, y, W, convention = case
    if convention == "none":
        convention = Convention(center="none")
    analyzer = NeuralCollapseAnalyzer((W, np.ones(len(W))), metrics="all")
    analyzer.set_params(convention=convention).fit(X, y)
    reports = [analyzer.report(), analyzer.score(X, y), analyzer.score(X[:2], y[:2])]
    undefined = [
        (key, report.notes.get(key, ""))
        for report in reports
        for key in report
        if math.isnan(report[key])
    ]
    assert undefined
    for key, note in undefined:
        assert note.startswith("Undefined: "), key
        assert FALLBACK not in note, key


def test_what_no_condition_names_is_not_guessed():
    statistics = ClassStatistics.from_samples(SQUARE, np.arange(4))
    case = Case(math.nan, statistics, LinearHead(SQUARE, None), Convention())
    assert explain(TABLE["nc2_etf"], case) == f"Undefined: {FALLBACK}."


@pytest.mark.parametrize(
    ("argument", "needs"),
    [
        ("decisions", ()),
        ("measures", ("ncc_margins",)),
        ("statistics", ("within",)),
        ("statistics", ("scatter",)),
    ],
)
def test_a_pass_collects_what_a_new_metric_needs(argument, needs, monkeypatch):
    def nc4_trial(given):
        assert given is not None
        return 1.0

    row = Metric(nc4_trial, "NC4", (argument, *needs), sources=(PAPER,))
    monkeypatch.setitem(TABLE, "nc4_trial", row)
    item = toy("random_balanced")
    analyzer = NeuralCollapseAnalyzer(metrics=["nc4_trial"]).fit(item.X, item.y)
    assert analyzer.score(item.X, item.y).to_dict() == {"nc4_trial": 1.0}
