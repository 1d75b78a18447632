"""Histories: entries by step, as arrays and frames, drawn and compared."""

import pickle

import numpy as np
import pytest

from sknc import CollapseTrajectoryDisplay, NCHistory, NeuralCollapseAnalyzer
from sknc.history import HistoryEntry


def make_report(seed=0, **options):
    """Return a report of three classes and a head, and one of held-out samples."""
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1, 2], 8)
    X, X_new = (np.eye(3, 4)[y] + 0.3 * rng.normal(size=(24, 4)) for _ in range(2))
    analyzer = NeuralCollapseAnalyzer(head=np.eye(3, 4), **options).fit(X, y)
    return analyzer.score(X, y), analyzer.score(X_new, y)


@pytest.fixture
def history():
    found = NCHistory()
    for step in (0, 10, 20):
        found.append(step, *make_report(step))
    return found


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def curves(display):
    """Return the curves of the first panel by label, without the vertical lines."""
    lines = {line.get_label(): line for line in display.axes_[0].lines}
    return {label: x for label, x in lines.items() if label != "no training error"}


class TestEntries:
    def test_list_of_entries(self, history):
        assert len(history) == 3
        assert [entry.step for entry in history] == [0, 10, 20]
        last = history[-1]
        assert isinstance(last, HistoryEntry)
        train, held_out = make_report(20)
        assert last.train.to_json() == train.to_json()
        assert last.held_out.to_json() == held_out.to_json()
        with pytest.raises(IndexError):
            history[3]

    def test_slice_is_a_history(self, history):
        part = history[1:]
        assert part.steps.tolist() == [10, 20]
        part.append(30, make_report()[0])
        assert len(history) == 3
        with pytest.raises(ValueError, match=r"^Steps of a history increase"):
            history[::-1]

    def test_steps_are_integers_or_numbers(self, history):
        assert history.steps.dtype == np.int64
        history.append(np.float32(20.5), make_report()[0])
        assert history.steps.dtype == np.float64
        assert type(history[-1].step) is float
        history.append(np.int8(21), make_report()[0])
        assert type(history[-1].step) is int
        assert NCHistory().steps.shape == (0,)

    @pytest.mark.parametrize(
        ("step", "found"),
        [
            (True, "True"),
            ("3", "'3'"),
            (float("nan"), "nan"),
            (float("inf"), "inf"),
            (None, "None"),
            (2**63, "9223372036854775808"),
        ],
    )
    def test_no_step(self, step, found):
        match = f"^step must be a finite number, such as .*, got {found}.$"
        with pytest.raises(ValueError, match=match):
            NCHistory().append(step, make_report()[0])

    @pytest.mark.parametrize("step", [20, 20.0, 19.9, -1])
    def test_steps_increase(self, history, step):
        match = (
            rf"^Steps must increase: got step {step} after step 20\. If .* older "
            r"checkpoint, first call history\.rewind\(step\) .* To start over, use a "
            r"new history with a new file, or delete the old file first\.$"
        )
        with pytest.raises(ValueError, match=match):
            history.append(step, make_report()[0])
        assert len(history) == 3

    @pytest.mark.parametrize("side", ["report", "held_out"])
    @pytest.mark.parametrize("wrong", [0.5, {"nc1_pinv": 0.5}])
    def test_no_report(self, side, wrong):
        match = rf"^{side} must be an NCReport, as analyzer.report\(\) and .*0\.5"
        with pytest.raises(TypeError, match=match):
            NCHistory().append(1, **{side: wrong})

    def test_neither_report(self):
        with pytest.raises(TypeError, match=r"^append expected a report of the step"):
            NCHistory().append(1)

    def test_rewind(self, history):
        history.rewind(10)
        assert history.steps.tolist() == [0, 10]
        history.rewind(10.5)
        history.append(11, make_report()[0])
        assert history.steps.tolist() == [0, 10, 11]
        history.rewind(-1)
        assert len(history) == 0

    def test_repr(self, history, tmp_path):
        assert repr(history) == "NCHistory(3 steps: 0 to 20)"
        assert repr(history[:1]) == "NCHistory(1 step: 0)"
        path = tmp_path / "a.jsonl"
        assert repr(NCHistory(path)) == f"NCHistory(no steps, path={str(path)!r})"

    def test_pickle(self, history):
        again = pickle.loads(pickle.dumps(history))
        assert again.steps.tolist() == [0, 10, 20]
        np.testing.assert_array_equal(again["nc1_pinv"], history["nc1_pinv"])


class TestNumbers:
    def test_metric(self, history):
        reports = [make_report(step) for step in (0, 10, 20)]
        train, held_out = zip(*reports, strict=True)
        expected = [report.nc1_pinv for report in train]
        assert history["nc1_pinv"].tolist() == expected
        assert history.metric("nc1_pinv").tolist() == expected
        found = history.metric("nc1_pinv", held_out=True)
        assert found.tolist() == [report.nc1_pinv for report in held_out]
        assert history["score"].tolist() == [float(report) for report in train]

    def test_metric_that_some_reports_lack(self, history):
        history.append(30, make_report(metrics=["nc1_cdnv"])[0])
        history.append(40, held_out=make_report()[1])
        assert np.isnan(history["nc1_pinv"]).tolist() == [False] * 3 + [True] * 2
        assert np.isnan(history["nc1_cdnv"]).tolist() == [False] * 4 + [True]
        found = history.metric("nc1_pinv", held_out=True)
        assert np.isnan(found).tolist() == [False, False, False, True, False]

    def test_keys(self, history):
        train, _ = make_report()
        assert history.keys() == train.keys()
        assert "nc1_pinv" in history
        assert "nc9" not in history
        found = dict(history)
        assert list(found) == train.keys()
        np.testing.assert_array_equal(found["nc1_pinv"], history["nc1_pinv"])

    def test_unknown_metric(self, history):
        match = r"No train report has 'nc1_pnv'\. Did you mean 'nc1_pinv'\? They have: "
        with pytest.raises(KeyError, match=match):
            history["nc1_pnv"]

    def test_metric_of_the_other_samples(self):
        history = NCHistory()
        history.append(1, held_out=make_report()[1])
        match = (
            r"No train report has 'nc1_pinv', but held_out reports do: "
            r"history.metric\('nc1_pinv', held_out=True\)\."
        )
        with pytest.raises(KeyError, match=match):
            history["nc1_pinv"]
        with pytest.raises(KeyError, match="No train report has 'score'"):
            history["score"]

    @pytest.mark.parametrize("backend", ["pandas", "polars"])
    def test_frame(self, history, backend):
        pytest.importorskip("narwhals")
        pytest.importorskip(backend)
        history.append(30, make_report()[0])
        frame = history.to_frame(backend)
        train, _ = make_report()
        columns = [
            f"{side}/{key}"
            for side in ("train", "held_out")
            for key in ("score", *train.keys())
        ]
        assert list(frame.columns) == ["step", *columns]
        assert frame["step"].to_list() == [0, 10, 20, 30]
        for name in columns:
            side, _, key = name.partition("/")
            expected = history.metric(key, held_out=side == "held_out")
            found = np.array(frame[name].to_list(), float)
            np.testing.assert_array_equal(found, expected)
        assert np.isnan(frame["held_out/nc1_pinv"].to_list()[-1])

    def test_frame_of_training_only(self, history):
        pytest.importorskip("narwhals")
        pytest.importorskip("pandas")
        only = NCHistory()
        for entry in history:
            only.append(entry.step, entry.train)
        assert not any("held_out" in name for name in only.to_frame().columns)
        assert list(NCHistory().to_frame().columns) == ["step"]


class TestFigures:
    def test_display_has_the_numbers(self, history):
        display = history.to_display()
        assert display.epochs.tolist() == [0, 10, 20]
        for key in history.keys():  # noqa: SIM118 - entries are iterated over
            np.testing.assert_array_equal(display.train[key], history[key])
            held_out = history.metric(key, held_out=True)
            np.testing.assert_array_equal(display.held_out[key], held_out)

    def test_plot(self, history, pyplot):
        display = history.plot(metrics=["nc1_cdnv", "nc1_pinv"], value_scale="log")
        assert isinstance(display, CollapseTrajectoryDisplay)
        assert display.keys_ == ["nc1_cdnv", "nc1_pinv"]
        panel = display.axes_[0]
        assert panel.get_xlabel() == "step"
        np.testing.assert_array_equal(panel.lines[0].get_ydata(), history["nc1_cdnv"])
        assert history.plot(xlabel="epoch").axes_[0].get_xlabel() == "epoch"

    def test_lines_go_on_over_steps_without_report(self, pyplot):
        history = NCHistory()
        for step in range(5):
            train, held_out = make_report(step)
            history.append(step, train, held_out if step % 2 == 0 else None)
        display = history.plot(metrics="nc1_pinv")
        train, held_out = curves(display).values()
        assert train.get_xdata().tolist() == [0, 1, 2, 3, 4]
        assert held_out.get_xdata().tolist() == [0, 2, 4]
        assert np.isfinite(held_out.get_ydata()).all()

    def test_held_out_metrics_of_the_means_are_those_of_training(self, pyplot):
        history = NCHistory()
        for step in range(4):
            train, held_out = make_report(step)
            history.append(step, train, held_out if step % 2 == 0 else None)
        display = history.plot(metrics="nc2_equinorm")
        assert list(curves(display)) == ["class means", "head"]

    def test_only_held_out_reports(self, pyplot):
        history = NCHistory()
        for step in range(3):
            history.append(step, held_out=make_report(step)[1])
        display = history.plot(metrics="nc1_pinv")
        (line,) = display.axes_[0].lines
        expected = history.metric("nc1_pinv", held_out=True)
        np.testing.assert_array_equal(line.get_ydata(), expected)

    def test_frame_of_the_display_has_measured_values_only(self):
        pytest.importorskip("narwhals")
        pytest.importorskip("pandas")
        history = NCHistory()
        history.append(1, make_report(metrics="nc1_cdnv")[0])
        history.append(2, *make_report(metrics="nc1_cdnv"))
        frame = history.to_display().frame()
        assert frame["epoch"].tolist() == [1, 2, 2]
        assert frame["samples"].tolist() == ["train", "train", "held-out"]

    def test_compare(self, history, pyplot):
        other = history[:2]
        display = NCHistory.compare({"sgd": history, "adam": other}, metrics="nc1_cdnv")
        assert list(display.runs) == ["sgd", "adam"]
        drawn = curves(display)
        assert {label.partition(",")[0] for label in drawn} == {"sgd", "adam"}
        found = drawn["adam, train"].get_ydata()
        np.testing.assert_array_equal(found, other["nc1_cdnv"])
        assert display.axes_[0].get_xlabel() == "step"

    def test_draws_on_given_axes(self, history, pyplot):
        _, ax = pyplot.subplots()
        display = NCHistory.compare({"a": history}, ax, metrics="nc1_cdnv")
        assert display.figure_ is ax.figure
        assert len(pyplot.get_fignums()) == 1

    @pytest.mark.parametrize("wrong", [[], 3, {"a": 1}])
    def test_compare_something_else(self, wrong):
        with pytest.raises(
            TypeError, match=r"^compare expected histories by name, such"
        ):
            NCHistory.compare(wrong)

    def test_compare_nothing(self, history):
        match = r"^compare expected histories with reports, got none in \['b'\]\.$"
        with pytest.raises(ValueError, match=match):
            NCHistory.compare({"a": history, "b": NCHistory()})
        with pytest.raises(ValueError, match="reports, got no histories"):
            NCHistory.compare({})

    def test_draw_nothing(self):
        with pytest.raises(ValueError, match=r"no reports to plot\. Append some first"):
            NCHistory().plot()
        match = "at least one report, got None at every epoch"
        with pytest.raises(ValueError, match=match):
            CollapseTrajectoryDisplay.from_reports([1], [None])
