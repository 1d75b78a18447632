"""Metrics against depth: the numbers that are drawn."""

import numpy as np
import pytest

from sknc import LayerwiseDisplay, LayerwiseReport, NeuralCollapseAnalyzer

Y = np.arange(40) % 4
METRICS = ["nc1_cdnv", "nc1_pinv", "nc1_fuzziness", "nc4_ncc_accuracy"]
NAMES = [f"blocks.{i}" for i in range(5)]


def reports(seed):
    rng = np.random.default_rng(seed)
    found = {}
    for depth, name in enumerate(NAMES):
        x = np.eye(4)[Y] + 2.0**-depth * rng.standard_normal((40, 4))
        found[name] = NeuralCollapseAnalyzer(metrics=METRICS).fit(x, Y).score(x, Y)
    return found


def report(**options):
    shares = np.linspace(0.5, 0, 5)
    return LayerwiseReport(reports(0), reports(1), shares, shares / 2, **options)


def test_every_curve_has_the_numbers_of_the_report(pyplot):
    found = report()
    display = LayerwiseDisplay.from_report(found).plot()
    assert display.keys_ == [
        *("nc1_fuzziness", "nc1_cdnv", "nc4_ncc_accuracy", "layer_ncc_mismatch")
    ]
    for panel, key in zip(display.axes_, display.keys_, strict=True):
        lines = [line for line in panel.lines if len(line.get_xdata()) == 5]
        assert len(lines) == 2
        for line, held_out in zip(lines, (False, True), strict=True):
            wanted = (
                found.layer_ncc_mismatch(held_out=held_out)
                if key == "layer_ncc_mismatch"
                else found.metric(key, held_out=held_out)
            )
            np.testing.assert_array_equal(line.get_ydata(), wanted)
        assert [text.get_text() for text in panel.get_xticklabels()] == NAMES
    scales = [panel.get_yscale() for panel in display.axes_]
    assert scales == ["linear", "log", "linear", "linear"]
    assert display.figure_ is display.axes_[0].figure


def test_titles_are_words(pyplot):
    display = LayerwiseDisplay(report()).plot(metrics=["layer_ncc_mismatch"])
    (panel,) = display.axes_
    assert panel.get_title("left") == "Nearest center differs from the model"
    assert panel.get_ylabel() == "share of samples"


def test_without_decisions_and_held_out_samples(pyplot):
    display = LayerwiseDisplay(LayerwiseReport(reports(0))).plot()
    assert display.keys_ == ["nc1_fuzziness", "nc1_cdnv", "nc4_ncc_accuracy"]
    _, ax = pyplot.subplots()
    display.plot(ax, metrics="nc1_pinv", value_scale="linear", labels="key")
    assert display.keys_ == ["nc1_pinv"]
    assert display.axes_[0].get_yscale() == "linear"


def test_model_that_is_its_own_layer(pyplot):
    only = {"": next(iter(reports(0).values()))}
    panel = LayerwiseDisplay(LayerwiseReport(only)).plot().axes_[0]
    assert [text.get_text() for text in panel.get_xticklabels()] == ["model"]


def test_names_that_do_not_fit_become_positions(pyplot):
    one = next(iter(reports(0).values()))
    names = [f"encoder.layer.{i}.attention" for i in range(30)]
    display = LayerwiseDisplay(LayerwiseReport(dict.fromkeys(names, one))).plot()
    for panel in display.axes_:
        labels = [text.get_text() for text in panel.get_xticklabels()]
        assert labels == [str(i) for i in range(0, 30, 3)]
        assert panel.get_xticks().tolist() == list(range(0, 30, 3))
        assert panel.get_xlabel() == "position of the layer, from 0"


def test_refused(pyplot):
    with pytest.raises(
        TypeError,
        match="^report must be a LayerwiseReport, such as from "
        r"sknc\.torch\.analyze_layers, got dict\.$",
    ):
        LayerwiseDisplay(reports(0))
    with pytest.raises(ValueError, match="metrics must be keys or groups"):
        LayerwiseDisplay(report()).plot(metrics="nc2_etf")
