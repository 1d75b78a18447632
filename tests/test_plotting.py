"""The display: its numbers are those of the reports, and it draws them."""

import sys

import numpy as np
import pytest

from sknc import NeuralCollapseAnalyzer
from sknc.plotting import CollapseTrajectoryDisplay

EPOCHS = [1, 10, 100]


def make_reports(seed=0, *, head=True):
    """Reports of three classes that tighten, on training and held-out samples."""
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1, 2], 20)
    corners = np.eye(3, 5)
    W = corners - corners.mean(axis=0)
    pairs = []
    for spread in (0.5, 0.1, 0.01):
        X, X_new = (corners[y] + spread * rng.normal(size=(60, 5)) for _ in range(2))
        analyzer = NeuralCollapseAnalyzer(head=(W, np.zeros(3)) if head else None)
        analyzer.fit(X, y)
        pairs.append((analyzer.score(X, y), analyzer.score(X_new, y)))
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


@pytest.fixture
def display():
    return CollapseTrajectoryDisplay.from_reports(EPOCHS, *make_reports())


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def curves(panel):
    """Return the curves of a panel by label, without the vertical line."""
    lines = [line for line in panel.lines if len(line.get_xdata()) == len(EPOCHS)]
    return {line.get_label(): line for line in lines}


class TestNumbers:
    @pytest.mark.parametrize("backend", ["pandas", "polars"])
    def test_frame_equals_the_reports(self, display, backend):
        pytest.importorskip("narwhals")
        pytest.importorskip(backend)
        train, held_out = make_reports()
        expected = [
            (epoch, samples, key, report[key])
            for samples, reports in (("train", train), ("held-out", held_out))
            for key in reports[0].keys()  # noqa: SIM118 - a report is no dict
            for epoch, report in zip(EPOCHS, reports, strict=True)
        ]
        frame = display.frame(backend)
        assert list(frame.columns) == ["epoch", "samples", "metric", "value"]
        found = zip(*(frame[name].to_list() for name in frame.columns), strict=True)
        assert list(found) == expected

    def test_without_held_out(self):
        display = CollapseTrajectoryDisplay.from_reports(EPOCHS, make_reports()[0])
        assert display.held_out == {}

    def test_metric_that_a_report_lacks_is_nan(self):
        with_head, _ = make_reports()
        without, _ = make_reports(head=False)
        mixed = [without[0], *with_head[1:]]
        display = CollapseTrajectoryDisplay.from_reports(EPOCHS, mixed)
        np.testing.assert_equal(
            display.train["nc3_cosine"],
            [np.nan, with_head[1].nc3_cosine, with_head[2].nc3_cosine],
        )

    def test_iterators_are_read_once(self):
        train, held_out = map(iter, make_reports())
        display = CollapseTrajectoryDisplay.from_reports(iter(EPOCHS), train, held_out)
        assert display.held_out["nc1_pinv"].shape == (3,)

    @pytest.mark.parametrize(
        ("epochs", "keep", "name"), [([1, 2], 3, "reports"), ([], 0, "reports")]
    )
    def test_as_many_reports_as_epochs(self, epochs, keep, name):
        reports = make_reports()[0][:keep]
        match = f"one report an epoch.*got {len(epochs)} epochs and {keep} {name}"
        with pytest.raises(ValueError, match=match):
            CollapseTrajectoryDisplay.from_reports(epochs, reports)

    def test_as_many_held_out_reports_as_epochs(self):
        train, held_out = make_reports()
        with pytest.raises(ValueError, match="got 3 epochs and 2 held_out"):
            CollapseTrajectoryDisplay.from_reports(EPOCHS, train, held_out[:2])

    def test_columns_of_another_length(self):
        match = r"train\['nc1_pinv'\] must have one value an epoch, shape \(3,\)"
        with pytest.raises(ValueError, match=match):
            CollapseTrajectoryDisplay(EPOCHS, {"nc1_pinv": [1.0, 2.0]})

    def test_frame_without_narwhals(self, display, monkeypatch):
        monkeypatch.setitem(sys.modules, "narwhals", None)
        with pytest.raises(ImportError, match=r"frame\(backend='pandas'\) requires"):
            display.frame()


class TestPlot:
    def test_curves_are_the_numbers(self, display, pyplot):
        assert display.plot() is display
        train, held_out = make_reports()
        for panel, key in zip(display.axes_, display.keys_, strict=True):
            drawn = curves(panel)
            first = drawn.get("train", drawn.get("class means"))
            np.testing.assert_equal(first.get_ydata(), [r[key] for r in train])
            if "held-out" in drawn:
                values = drawn["held-out"].get_ydata()
                np.testing.assert_equal(values, [r[key] for r in held_out])

    def test_panels(self, display, pyplot):
        display.plot()
        assert display.keys_ == [
            "nc1_pinv",
            "nc2_equinorm",
            "nc2_equiangular",
            "nc3_self_duality",
            "nc4_mismatch",
            "nc4_head_accuracy",
        ]
        assert display.axes_[0].get_yscale() == "log"
        assert {*curves(display.axes_[0])} == {"train", "held-out"}
        assert {*curves(display.axes_[1])} == {"class means", "head"}
        assert [panel.get_ylabel() for panel in display.axes_] == display.keys_
        display.figure_.canvas.draw()

    def test_reports_without_head(self, pyplot):
        reports, _ = make_reports(head=False)
        display = CollapseTrajectoryDisplay.from_reports(EPOCHS, reports).plot()
        assert display.keys_ == ["nc1_pinv", "nc2_equinorm", "nc2_equiangular"]
        display.figure_.canvas.draw()

    def test_metrics_of_held_out_reports_only(self, pyplot):
        # As in training: report() of the epoch's samples, score() of others.
        _, held_out = make_reports()
        without, _ = make_reports(head=False)
        display = CollapseTrajectoryDisplay.from_reports(EPOCHS, without, held_out)
        display.plot()
        assert "nc4_mismatch" in display.keys_
        panel = display.axes_[display.keys_.index("nc4_mismatch")]
        drawn = curves(panel)
        assert list(drawn) == ["held-out"]
        values = [report.nc4_mismatch for report in held_out]
        np.testing.assert_equal(drawn["held-out"].get_ydata(), values)
        texts = panel.get_legend().get_texts()
        assert [text.get_text() for text in texts] == ["held-out"]
        display.figure_.canvas.draw()

    def test_metrics_of_some_reports_only(self, pyplot):
        train, _ = make_reports()
        without, _ = make_reports(head=False)
        mixed = [*without[:2], train[2]]
        display = CollapseTrajectoryDisplay.from_reports(EPOCHS, mixed).plot()
        assert "nc3_self_duality" in display.keys_

    def test_chosen_metrics_and_style(self, display, pyplot):
        display.plot(metrics=["nc1_cdnv", "nc0_weight_sum"], line_kw={"linewidth": 5})
        assert display.keys_ == ["nc1_cdnv", "nc0_weight_sum"]
        assert curves(display.axes_[0])["train"].get_linewidth() == 5

    def test_metrics_that_are_not_there(self, display, pyplot):
        with pytest.raises(ValueError, match=r"got \['nc9'\]. The reports have: nc0"):
            display.plot(metrics=["nc9"])

    @pytest.mark.parametrize(
        ("epochs", "scale"), [([1, 10, 100], "log"), ([0, 10, 100], "symlog")]
    )
    def test_log_epochs(self, pyplot, epochs, scale):
        display = CollapseTrajectoryDisplay.from_reports(epochs, make_reports()[0])
        display.plot(epoch_scale="log")
        assert display.axes_[0].get_xscale() == scale
        display.figure_.canvas.draw()

    def test_unknown_scale(self, display, pyplot):
        with pytest.raises(
            ValueError, match='must be "linear" or "log", got \'cubic\''
        ):
            display.plot(epoch_scale="cubic")

    @pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
    def test_values_without_a_scale(self, pyplot, value):
        keys = ("nc1_pinv", "nc3_self_duality")
        columns = dict.fromkeys(keys, [value] * len(EPOCHS))
        CollapseTrajectoryDisplay(EPOCHS, columns).plot().figure_.canvas.draw()

    def test_within_given_axes(self, display, pyplot):
        figure, axes = pyplot.subplots(2, 3)
        display.plot(axes)
        assert display.figure_ is figure
        assert list(display.axes_) == list(axes.ravel())

    def test_within_one_axes(self, display, pyplot):
        figure, axes = pyplot.subplots(1, 2)
        display.plot(axes[1])
        assert display.figure_ is figure
        assert len(figure.axes) == 2 + len(display.axes_)
        assert not axes[1].axison

    def test_too_few_axes(self, display, pyplot):
        _, axes = pyplot.subplots(1, 2)
        with pytest.raises(ValueError, match="at least 6, one a panel: got 2"):
            display.plot(axes)

    def test_axes_outside_a_grid(self, display, pyplot):
        ax = pyplot.figure().add_axes((0, 0, 1, 1))
        with pytest.raises(ValueError, match="ax must be in a grid"):
            display.plot(ax)

    def test_no_panel_marks_training_without_end(self, display, pyplot):
        display.train["nc4_head_accuracy"] = np.array([0.5, 0.6, 0.99])
        display.plot()
        assert len(display.axes_[0].lines) == 2

    def test_first_epoch_without_error_is_marked(self, display, pyplot):
        display.train["nc4_head_accuracy"] = np.array([0.5, 1.0, 1.0])
        display.plot()
        marks = [panel.lines[-1].get_xdata() for panel in display.axes_]
        np.testing.assert_equal(marks, [[10, 10]] * 6)


def test_plot_without_matplotlib(display, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    match = (
        r"CollapseTrajectoryDisplay.plot requires matplotlib: "
        r"pip install 'sknc\[plot\]'\."
    )
    with pytest.raises(ImportError, match=match):
        display.plot()
