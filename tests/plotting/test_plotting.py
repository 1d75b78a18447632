"""The display: its numbers are those of the reports, and it draws them."""

import sys
from functools import cache

import numpy as np
import pytest
from tolerances import LOOSE

from sknc import NCReport, NeuralCollapseAnalyzer
from sknc.metrics import TABLE
from sknc.plotting import CollapseTrajectoryDisplay
from sknc.plotting._labels import title

EPOCHS = [1, 10, 100]


def make_reports(seed=0, *, head=True):
    """Reports of three classes that tighten, on training and held-out samples."""
    pairs = frozen_reports(seed, head)
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


@cache
def frozen_reports(seed, head):
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
    return tuple(pairs)


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


def legends(display):
    """Return the texts of the legend of each panel."""
    found = [panel.get_legend() for panel in display.axes_]
    return [[t.get_text() for t in one.get_texts()] if one else [] for one in found]


def ticks(axis):
    """Return the texts of the ticks in sight."""
    low, high = sorted(axis.get_view_interval())
    return [
        tick.label1.get_text()
        for tick in axis.get_major_ticks()
        if low <= tick.get_loc() <= high
    ]


class TestNumbers:
    @pytest.mark.parametrize("backend", ["pandas", "polars"])
    def test_frame_equals_the_reports(self, display, backend):
        pytest.importorskip("narwhals")
        pytest.importorskip(backend)
        train, held_out = make_reports()
        expected = [
            ("", epoch, samples, key, report[key])
            for samples, reports in (("train", train), ("held-out", held_out))
            for key in reports[0].keys()  # noqa: SIM118 - a report is no dict
            for epoch, report in zip(EPOCHS, reports, strict=True)
        ]
        frame = display.frame(backend)
        names = ["run", "epoch", "samples", "metric", "value", "standard_error"]
        assert list(frame.columns) == names
        found = zip(*(frame[name].to_list() for name in names[:-1]), strict=True)
        assert list(found) == expected
        assert np.isnan(frame["standard_error"].to_list()).all()

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
        match = f"one report per epoch.*got {len(epochs)} epochs and {keep} {name}"
        with pytest.raises(ValueError, match=match):
            CollapseTrajectoryDisplay.from_reports(epochs, reports)

    def test_as_many_held_out_reports_as_epochs(self):
        train, held_out = make_reports()
        with pytest.raises(ValueError, match="got 3 epochs and 2 held_out"):
            CollapseTrajectoryDisplay.from_reports(EPOCHS, train, held_out[:2])

    def test_columns_of_another_length(self):
        match = r"train\['nc1_pinv'\] must have one value per epoch, shape \(3,\)"
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
        assert display.axes_[0].get_title("left") == "NC1: within-class variability"
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
        assert legends(display)[0] == ["train", "held-out"]
        assert "held-out" not in str(legends(display)[1:])
        display.plot(metrics=["nc1_pinv", "nc4_mismatch"]).figure_.canvas.draw()

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
        display.plot(metrics=["nc1_pinv", "nc2_equinorm"], epoch_scale="log")
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
        with pytest.raises(ValueError, match="at least 6, one per panel: got 2"):
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
        # Said once, where readers begin.
        assert legends(display)[0] == ["train", "held-out", "no training error"]
        assert "no training error" not in str(legends(display)[1:])


class TestEpochs:
    @pytest.mark.parametrize(
        ("epochs", "kind", "message"),
        [
            ({1, 2, 3}, TypeError, "in the order of the reports, got a set"),
            ([1, None, 3], TypeError, r"numbers, or all of them names, got \[1, None"),
            ([1, 2, 3j], TypeError, "numbers, or all of them names"),
            (["a", 2, 3], TypeError, "numbers, or all of them names"),
            ([[1, 2, 3]], TypeError, "numbers, or all of them names"),
            ([1, np.nan, 3], ValueError, "finite, got nan at position 1"),
            ([1, 2, np.inf], ValueError, "finite, got inf at position 2"),
        ],
    )
    def test_neither_numbers_nor_names(self, epochs, kind, message):
        with pytest.raises(kind, match=f"^epochs must be .*{message}"):
            CollapseTrajectoryDisplay.from_reports(epochs, make_reports()[0])
        with pytest.raises(kind, match=message):
            CollapseTrajectoryDisplay(epochs, {"nc1_cdnv": [1, 2, 3]})

    def test_names(self, pyplot):
        layers = ["conv1", "conv2", "penultimate"]
        train, _ = make_reports()
        without, _ = make_reports(head=False)
        display = CollapseTrajectoryDisplay.from_reports(
            layers, [*without[:2], train[2]]
        )
        display.plot(metrics=["nc1_cdnv", "nc3_cosine"], xlabel="layer")
        display.figure_.canvas.draw()
        for panel in display.axes_:  # also where layers have no head
            assert ticks(panel.xaxis) == layers
            assert panel.get_xlabel() == "layer"
        assert display.plot().axes_[0].get_xlabel() == ""
        with pytest.raises(ValueError, match="requires numbers as epochs, got names"):
            display.plot(epoch_scale="log")

    @pytest.mark.parametrize(
        ("epochs", "expected"),
        [
            ([5, 10, 20, 30], ["5", "10", "20", "30"]),
            (range(4), ["0", "1", "2", "3"]),
            ([0, 1, 30], ["0", "1", "2", "5", "10", "20"]),
            ([0, 1000, 20_000], ["0", "1000", "2000", "5000", "10000", "20000"]),
            ([1, 10, 350], ["1", "3", "10", "30", "100", "300"]),
            ([10, 12, 15], ["10", "12", "14"]),
            ([1, 10**6], ["1", "100", "10000", "$10^{6}$"]),
            ([7], ["7"]),
            ([0], ["0"]),
        ],
    )
    def test_ticks_of_a_log_axis(self, pyplot, epochs, expected):
        values = np.geomspace(1, 0.1, len(epochs))
        display = CollapseTrajectoryDisplay(epochs, {"nc1_cdnv": values})
        display.plot(epoch_scale="log").figure_.canvas.draw()
        assert ticks(display.axes_[0].xaxis) == expected

    def test_linear_ticks_of_whole_epochs_are_whole(self, pyplot):
        display = CollapseTrajectoryDisplay(range(3), {"nc1_cdnv": [3, 2, 1]})
        display.plot().figure_.canvas.draw()
        assert ticks(display.axes_[0].xaxis) == ["0", "1", "2"]


class TestReports:
    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ([0.5, 0.4, 0.3], "got float at position 0. For plain numbers use"),
            ([{"nc1_pinv": 1.0}] * 3, "got dict at position 0"),
        ],
    )
    def test_no_reports(self, wrong, message):
        train, _ = make_reports()
        for reports, held_out, name in (
            (wrong, None, "reports"),
            (train, wrong, "held_out"),
        ):
            with pytest.raises(TypeError, match=f"^{name} must be reports.*{message}"):
                CollapseTrajectoryDisplay.from_reports(EPOCHS, reports, held_out)

    def test_one_report_is_as_good_as_a_list_of_one(self):
        report = make_reports()[0][0]
        display = CollapseTrajectoryDisplay.from_reports([3], report)
        np.testing.assert_equal(display.train["nc1_pinv"], [report.nc1_pinv])

    def test_reports_read_from_json(self):
        train, held_out = make_reports()
        again = [NCReport.from_json(report.to_json()) for report in train]
        display = CollapseTrajectoryDisplay.from_reports(EPOCHS, again, held_out)
        np.testing.assert_equal(
            display.train["nc3_cosine"], [r.nc3_cosine for r in train]
        )


@pytest.fixture(scope="module")
def with_errors():
    """Reports with jackknife errors."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 20)
    model = NeuralCollapseAnalyzer(n_jackknife=4)
    return [
        model.fit(np.eye(3, 5)[y] + spread * rng.normal(size=(60, 5)), y).report()
        for spread in (0.5, 0.1, 0.01)
    ]


def test_reports_without_metrics(pyplot):
    report = NeuralCollapseAnalyzer(metrics=[]).fit(np.eye(4), [0, 0, 1, 1]).report()
    display = CollapseTrajectoryDisplay.from_reports([1], [report])
    with pytest.raises(ValueError, match="reports have no metrics to draw"):
        display.plot()
    pytest.importorskip("narwhals")
    pytest.importorskip("pandas")
    assert len(display.frame()) == 0


class TestErrors:
    def test_are_kept(self, with_errors):
        display = CollapseTrajectoryDisplay.from_reports(EPOCHS, with_errors)
        for key in ("nc1_cdnv", "nc2_etf"):
            expected = [report.standard_error[key] for report in with_errors]
            np.testing.assert_equal(display.train_error[key], expected)
        assert display.held_out_error == {}
        pytest.importorskip("narwhals")
        pytest.importorskip("pandas")
        frame = display.frame()
        found = frame.loc[frame["metric"] == "nc1_cdnv", "standard_error"]
        np.testing.assert_equal(found.to_numpy(), display.train_error["nc1_cdnv"])

    def test_are_drawn_as_bands(self, with_errors, pyplot):
        display = CollapseTrajectoryDisplay.from_reports(EPOCHS, with_errors)
        display.plot(metrics=["nc1_cdnv"])
        (band,) = display.axes_[0].collections
        corners = band.get_paths()[0].vertices
        for epoch, report in zip(EPOCHS, with_errors, strict=True):
            heights = corners[corners[:, 0] == epoch, 1]
            error = report.standard_error["nc1_cdnv"]
            assert heights.min() == pytest.approx(report.nc1_cdnv - error, rel=LOOSE)
            assert heights.max() == pytest.approx(report.nc1_cdnv + error, rel=LOOSE)
        display.plot(metrics=["nc1_cdnv"], bands=False)
        assert not display.axes_[0].collections

    def test_wide_band_leaves_room_for_the_curve(self, pyplot):
        values, errors = np.array([1.0, 0.1, 0.01]), np.array([2.0, 0.099999999, 0.5])
        display = CollapseTrajectoryDisplay(
            EPOCHS, {"nc1_cdnv": values}, train_error={"nc1_cdnv": errors}
        )
        display.plot(metrics="nc1_cdnv").figure_.canvas.draw()
        low, high = display.axes_[0].get_ylim()
        assert 1e-4 < low < 0.01
        assert 3 < high < 10

    def test_of_another_length(self):
        match = r"train_error\['nc1_cdnv'\] must have one value per epoch"
        with pytest.raises(ValueError, match=match):
            CollapseTrajectoryDisplay(
                EPOCHS, {"nc1_cdnv": [1, 2, 3]}, train_error={"nc1_cdnv": [1]}
            )


class TestScales:
    @pytest.mark.parametrize(
        ("key", "values", "scale"),
        [
            ("nc1_pinv", [1, 0.1, 0.01], "log"),
            ("nc2_etf", [1, 0.1, 0.01], "log"),
            ("nc1_pinv", [0.3, 0.25, 0.2], "linear"),
            ("nc1_pinv", [1, 0.1, 0], "linear"),
            ("nc1_pinv", [1, np.nan, 0.01], "log"),
            ("nc1_fuzziness", [1.2, -0.2, -4.7], "linear"),
            ("nc1_fuzziness", [12, 3, 1], "linear"),
            ("nc4_mismatch", [0.5, 0.1, 0.01], "linear"),
            ("nc4_head_accuracy", [0.1, 0.5, 1], "linear"),
            ("nc1_vci_adjusted", [1, 0.1, -0.1], "linear"),
            ("gnc2_energy_log", [-0.1, -0.3, -0.5], "linear"),
            ("my_own", [100, 10, 1], "linear"),
        ],
    )
    def test_by_metric(self, pyplot, key, values, scale):
        display = CollapseTrajectoryDisplay(EPOCHS, {key: values}).plot(metrics=key)
        assert display.axes_[0].get_yscale() == scale
        low, high = display.axes_[0].get_ylim()
        assert low < np.nanmin(values) <= np.nanmax(values) < high
        display.figure_.canvas.draw()

    def test_chosen(self, display, pyplot):
        for scale in ("linear", "log"):
            display.plot(metrics=["nc1_pinv", "nc4_head_accuracy"], value_scale=scale)
            assert {panel.get_yscale() for panel in display.axes_} == {scale}
        message = '^value_scale must be "auto", "linear" or "log", got \'cubic\'\\.$'
        with pytest.raises(ValueError, match=message):
            display.plot(value_scale="cubic")

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([0.5, 0.1, 0.02], ["0.02", "0.05", "0.1", "0.2", "0.5"]),
            ([10, 1, 0.1], ["0.1", "0.3", "1", "3", "10"]),
            ([1e-2, 1e-8], ["$10^{-8}$", "$10^{-6}$", "0.0001", "0.01"]),
        ],
    )
    def test_ticks(self, pyplot, values, expected):
        display = CollapseTrajectoryDisplay(range(len(values)), {"nc1_cdnv": values})
        display.plot().figure_.canvas.draw()
        assert ticks(display.axes_[0].yaxis) == expected

    @pytest.mark.parametrize("epoch_scale", ["linear", "log"])
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_panel_without_numbers_says_so(self, pyplot, value, epoch_scale):
        columns = {"nc1_cdnv": [value] * 3, "nc2_etf": [3, 2, 1]}
        display = CollapseTrajectoryDisplay(EPOCHS, columns)
        display.plot(metrics=list(columns), epoch_scale=epoch_scale)
        display.figure_.canvas.draw()
        empty, full = display.axes_
        assert [text.get_text() for text in empty.texts] == [
            "no finite value:\nsee report.notes"
        ]
        assert empty.get_xlim() == full.get_xlim()
        assert ticks(empty.yaxis) == []
        assert not full.texts


class TestLabels:
    def test_every_metric_has_a_title(self):
        titles = {key: title(key) for key in TABLE}
        assert len(set(titles.values())) == len(TABLE)
        for key, text in titles.items():
            assert key not in text
            assert max(map(len, text.splitlines())) <= 40, key
        assert title("my_own") == "my_own"

    def test_axes(self, display, pyplot):
        display.plot(metrics=["nc4_mismatch", "nc1_pinv"])
        assert display.axes_[0].get_ylabel() == "share of samples"
        assert r"\Sigma_B" in display.axes_[1].get_ylabel()
        display.plot(metrics=["nc4_mismatch", "nc1_pinv"], labels="key")
        labels = [panel.get_ylabel() for panel in display.axes_]
        assert labels == ["nc4_mismatch", "nc1_pinv"]
        with pytest.raises(ValueError, match='labels must be "formula" or "key", got'):
            display.plot(labels="words")

    def test_formulas_can_be_drawn(self, pyplot):
        from matplotlib.mathtext import MathTextParser

        columns = {key: [2.0, 1.0, 0.1] for key in TABLE if not key.endswith("_head")}
        display = CollapseTrajectoryDisplay(EPOCHS, columns).plot(metrics="default")
        labels = {panel.get_ylabel() for panel in display.axes_}
        assert sum("$" in label for label in labels) > 10
        for label in labels:
            for line in label.splitlines():
                MathTextParser("path").parse(line)

    def test_formula_is_that_of_the_convention(self, pyplot):
        found = {}
        y = np.repeat([0, 1, 2], 3)
        X = np.eye(3)[y] + 0.1 * np.random.default_rng(0).normal(size=(9, 3))
        for name in ("default", "han2022"):
            model = NeuralCollapseAnalyzer(np.eye(3), convention=name).fit(X, y)
            display = CollapseTrajectoryDisplay.from_reports([1], [model.report()])
            display.plot(metrics=["nc1_pinv", "nc3_self_duality"])
            found[name] = [panel.get_ylabel() for panel in display.axes_]
        assert found["default"][0].endswith("K$")
        assert found["han2022"][0].endswith(r"\Sigma_B^\dagger)$")
        assert found["default"][1] + "^2" == found["han2022"][1].replace("^2$", "$^2")


class TestChoice:
    @pytest.mark.parametrize(
        ("metrics", "expected"),
        [
            ("nc1_cdnv", ["nc1_cdnv"]),
            (
                "NC1",
                ["nc1_pinv", "nc1_trace_ratio", "nc1_within_fraction", "nc1_cdnv"],
            ),
            (["nc4_mismatch", "NC0"], ["nc4_mismatch", "nc0_weight_sum"]),
            (
                ["nc2_etf", "NC2"],
                ["nc2_etf", "nc2_equinorm", "nc2_cos_std", "nc2_equiangular"],
            ),
            ("nc2_etf_head", ["nc2_etf_head"]),
        ],
    )
    def test_keys_and_groups(self, display, pyplot, metrics, expected):
        assert display.plot(metrics=metrics).keys_ == expected

    def test_all(self, display, pyplot):
        display.plot(metrics="all")
        twins = {key for key in display.train if key.endswith("_head")}
        assert display.keys_ == [
            key for key in TABLE if key in {*display.train} - twins
        ]
        assert display.plot(metrics="default").keys_ == display.keys_

    @pytest.mark.parametrize(
        ("metrics", "message"),
        [
            (["nc9"], r"got \['nc9'\]\."),
            ("nc1_cdnv_max", r"got \['nc1_cdnv_max'\]\. The reports have: nc0"),
            ("nc1_pnv", r"got \['nc1_pnv'\]\. Did you mean 'nc1_pinv'\? The reports"),
            ("NC5", r"got \['NC5'\]"),
            ([], r"got \[\]"),
        ],
    )
    def test_that_are_not_there(self, display, pyplot, metrics, message):
        start = "metrics must be keys or groups of the reports, "
        with pytest.raises(ValueError, match=start + message):
            display.plot(metrics=metrics)

    @pytest.mark.parametrize(
        ("n_panels", "shape"), [(2, (1, 2)), (4, (2, 2)), (6, (2, 3))]
    )
    def test_panels_leave_no_gap(self, display, pyplot, n_panels, shape):
        keys = [key for key in display.train if not key.endswith("_head")][:n_panels]
        display.plot(metrics=keys)
        grid = display.axes_[0].get_gridspec()
        assert (grid.nrows, grid.ncols) == shape

    def test_given_axes_that_are_not_used_are_hidden(self, display, pyplot):
        _, axes = pyplot.subplots(2, 3)
        axes[1, 2].plot([1, 2])
        display.plot(axes, metrics=["nc1_cdnv", "nc2_etf"])
        shown = [panel.get_visible() for panel in axes.ravel()]
        assert shown == [True, True, False, False, False, True]


class TestRuns:
    @pytest.fixture
    def runs(self):
        return {
            f"seed {seed}": CollapseTrajectoryDisplay.from_reports(
                EPOCHS, *make_reports(seed)
            )
            for seed in range(3)
        }

    def test_numbers(self, runs):
        both = CollapseTrajectoryDisplay.from_runs(runs)
        assert list(both.runs) == list(runs)
        for name, one in runs.items():
            np.testing.assert_equal(both.runs[name].train, one.train)
        with pytest.raises(
            AttributeError, match=r"3 runs\. Choose one.*'seed 0'\]\.train"
        ):
            _ = both.train
        pytest.importorskip("narwhals")
        frame = both.frame("pandas") if pytest.importorskip("pandas") else None
        parts = [frame[frame["run"] == name] for name in runs]
        for part, one in zip(parts, runs.values(), strict=True):
            assert part["value"].tolist() == one.frame()["value"].tolist()

    def test_are_drawn(self, runs, pyplot):
        display = CollapseTrajectoryDisplay.from_runs(runs).plot()
        lines = curves(display.axes_[0])
        assert list(lines) == [f"{n}, {p}" for n in runs for p in ("train", "held-out")]
        colors = {name: lines[f"{name}, train"].get_color() for name in runs}
        assert len(set(colors.values())) == 3
        for name, one in runs.items():
            held_out = lines[f"{name}, held-out"]
            np.testing.assert_equal(held_out.get_ydata(), one.held_out["nc1_pinv"])
            assert held_out.get_color() == colors[name]
            assert held_out.get_linestyle() != lines[f"{name}, train"].get_linestyle()
        explained = [*runs, "train", "held-out", "no training error"]
        assert legends(display)[:2] == [explained, ["class means", "head"]]
        assert not any(legends(display)[2:])
        display.plot(metrics=["nc1_pinv", "nc2_equinorm"]).figure_.canvas.draw()

    def test_names_can_be_read_over_curves(self, runs, pyplot):
        legend = CollapseTrajectoryDisplay.from_runs(runs).plot().axes_[0].get_legend()
        assert legend.get_frame_on()
        assert 0.5 < legend.get_frame().get_alpha() < 1  # and curves under names
        assert legend.get_frame().get_edgecolor()[3] == 0

    @pytest.mark.parametrize("n_runs", [7, 12])
    def test_many(self, pyplot, n_runs):
        one = CollapseTrajectoryDisplay(EPOCHS, {"nc1_cdnv": [3, 2, 1]})
        many = CollapseTrajectoryDisplay.from_runs({str(i): one for i in range(n_runs)})
        lines = many.plot().axes_[0].lines
        assert len({tuple(np.ravel(line.get_color())) for line in lines}) == n_runs
        assert legends(many) == [[str(i) for i in range(n_runs)]]

    def test_layers_of_two_networks(self, pyplot):
        small = CollapseTrajectoryDisplay(["a", "b"], {"nc1_cdnv": [2, 1]})
        large = CollapseTrajectoryDisplay(["a", "c", "b"], {"nc1_cdnv": [3, 2, 1]})
        both = CollapseTrajectoryDisplay.from_runs({"small": small, "large": large})
        both.plot().figure_.canvas.draw()
        assert ticks(both.axes_[0].xaxis) == ["a", "b", "c"]
        np.testing.assert_equal(both.axes_[0].lines[1].get_xdata(), [0, 2, 1])

    def test_named_within_named(self, runs):
        first = CollapseTrajectoryDisplay.from_runs(runs)
        nested = CollapseTrajectoryDisplay.from_runs({"wide": first})
        assert list(nested.runs) == [f"wide, {name}" for name in runs]

    @pytest.mark.parametrize("wrong", [[], [1], {"a": 1}, {"a": {"nc1_pinv": [1]}}])
    def test_no_displays(self, wrong):
        with pytest.raises(TypeError, match="from_runs expected displays by name"):
            CollapseTrajectoryDisplay.from_runs(wrong)

    def test_none(self):
        with pytest.raises(ValueError, match="got none"):
            CollapseTrajectoryDisplay.from_runs({})

    def test_epochs_of_two_kinds(self, display):
        named = CollapseTrajectoryDisplay(["a"], {"nc1_cdnv": [1]})
        with pytest.raises(ValueError, match="numbers as epochs in some"):
            CollapseTrajectoryDisplay.from_runs({"a": display, "b": named})

    def test_one_over_the_other(self, runs, pyplot):
        _, axes = pyplot.subplots(2, 3)
        first, second, _ = runs.values()
        first.plot(axes, line_kw={"label": "A", "c": "C0", "ls": ":", "lw": 5})
        second.train["nc2_equinorm"] *= 10  # out of sight of the first one's axes
        second.plot(axes, line_kw={"label": "B", "c": "C1"})
        lines = curves(axes[0, 0])
        assert list(lines) == ["A, train", "A, held-out", "B, train", "B, held-out"]
        assert lines["A, train"].get_linewidth() == 5
        assert lines["A, train"].get_linestyle() == ":"
        assert lines["B, held-out"].get_color() == "C1"
        low, high = axes[0, 1].get_ylim()
        drawn = np.concatenate([x.get_ydata() for x in curves(axes[0, 1]).values()])
        assert low < drawn.min() < drawn.max() < high


def test_plot_without_matplotlib(display, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    match = (
        "CollapseTrajectoryDisplay.plot requires matplotlib, from the extra 'plot': "
        r"in a clone of sknc, run pip install '\.\[plot\]'\."
    )
    with pytest.raises(ImportError, match=match):
        display.plot()
