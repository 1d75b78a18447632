"""`LayerwiseReport`: its measures by hand, its table, and what it refuses."""

import math
import pickle

import numpy as np
import pytest
from tolerances import TIGHT

from sknc import LayerwiseReport, NeuralCollapseAnalyzer

Y = np.repeat([0, 1], 4)
METRICS = ["nc1_cdnv", "nc1_fuzziness", "nc4_ncc_accuracy"]


def report_of(spread, n_wrong=0, metrics=METRICS):
    """Return a report of means -2 and 2, of that spread, with samples astray."""
    x = np.where(Y == 0, -2.0, 2.0) + spread * np.tile([-1, 1], 4)
    analyzer = NeuralCollapseAnalyzer(metrics=metrics).fit(x[:, None], Y)
    labels = np.where(np.arange(8) < n_wrong, 1 - Y, Y)
    return analyzer.score(x[:, None], labels)


def layers(*spreads, **options):
    return {f"layer{i}": report_of(spread) for i, spread in enumerate(spreads)}


def test_reading():
    found = LayerwiseReport(layers(1.0, 0.5))
    assert found.layers == tuple(found) == ("layer0", "layer1")
    assert len(found) == 2
    assert "layer1" in found
    assert "layer2" not in found
    assert found["layer1"].nc1_cdnv == found.metric("nc1_cdnv")[1]
    # Variances 1 and 1/4, means at a distance of 4.
    np.testing.assert_allclose(found.metric("nc1_cdnv"), [2 / 32, 0.5 / 32])
    with pytest.raises(KeyError, match="No layer 'layer2' was measured, only: layer0"):
        found["layer2"]
    with pytest.raises(KeyError, match="No layer has the metric 'nc1_pinv'"):
        found.metric("nc1_pinv")


def test_separation_rate_by_hand():
    # log D = log(spread^2 / 4), as the variance between classes is 4: slopes of logs
    # 0, -2, -2 on 0, 1, 2 are -1, and their correlation with depth is -sqrt(3) / 2.
    spreads = 2 * np.exp([0.0, -1.0, -1.0])
    found = LayerwiseReport(layers(*spreads))
    np.testing.assert_allclose(found.metric("nc1_fuzziness"), [0, -2, -2], atol=TIGHT)
    assert found.layer_separation_rate() == pytest.approx(math.exp(-1))
    assert found.layer_separation_correlation() == pytest.approx(-math.sqrt(3) / 2)
    # Of held-out samples on their own.
    both = LayerwiseReport(layers(*spreads), layers(*spreads[::-1]))
    assert both.layer_separation_rate(held_out=True) == pytest.approx(math.e)


def test_separation_agrees_with_scipy():
    from scipy.stats import linregress

    spreads = np.random.default_rng(0).uniform(0.1, 3, 7)
    found = LayerwiseReport(layers(*spreads))
    line = linregress(range(7), found.metric("nc1_fuzziness"))
    assert found.layer_separation_rate() == pytest.approx(math.exp(line.slope))
    assert found.layer_separation_correlation() == pytest.approx(line.rvalue)


@pytest.mark.parametrize(
    ("spreads", "rate"), [((1.0, 0.5), "nan"), ((1.0, 0.5, 0.0), "nan"), ((1, 1, 1), 1)]
)
def test_where_there_is_no_line(spreads, rate):
    found = LayerwiseReport(layers(*spreads))
    rate = float(rate)
    assert found.layer_separation_rate() == pytest.approx(rate, nan_ok=True)
    assert math.isnan(found.layer_separation_correlation())


def test_effective_depth_by_hand():
    # Of eight samples, 2, 1, 0 and 1 are wrong.
    reports = {
        f"layer{i}": report_of(0.5, wrong) for i, wrong in enumerate([2, 1, 0, 1])
    }
    found = LayerwiseReport(reports)
    for epsilon, depth in (
        (0.0, 2),
        (0.1, 2),
        (0.125, 1),
        (0.24, 1),
        (0.25, 0),
        (1, 0),
    ):
        assert found.layer_effective_depth(epsilon) == depth
    assert LayerwiseReport({"a": report_of(0.5, 1)}).layer_effective_depth() is None
    with pytest.raises(ValueError, match="epsilon must be a number from 0 to 1"):
        found.layer_effective_depth(2)


def test_effective_depth_is_not_lost_by_rounding():
    # 2 of 3 right, where 1 - 1/3 is just above 2/3.
    x, y = np.array([[-1.0], [1.0], [0.5]]), np.array([0, 1, 0])
    analyzer = NeuralCollapseAnalyzer(metrics=METRICS).fit(x[:2], y[:2])
    found = LayerwiseReport({"a": analyzer.score(x, y)})
    assert found["a"].nc4_ncc_accuracy < 1 - 1 / 3
    assert found.layer_effective_depth(1 / 3) == 0


def test_mismatch():
    given = np.array([0.5, 0.25])
    found = LayerwiseReport(layers(1, 0.5), train_mismatch=given)
    given[:] = 1  # the report has a copy
    assert found.layer_ncc_mismatch().tolist() == [0.5, 0.25]
    with pytest.raises(ValueError, match="read-only"):
        found.layer_ncc_mismatch()[0] = 1
    with pytest.raises(
        ValueError,
        match=r"^The decisions of the model are unknown\. Create the report with "
        r"sknc\.torch\.analyze_layers, or pass train_mismatch=\.$",
    ):
        LayerwiseReport(layers(1)).layer_ncc_mismatch()


def test_a_report_does_not_change():
    given = layers(1, 0.5)
    found = LayerwiseReport(given)
    given.clear()
    assert len(found) == 2
    with pytest.raises(TypeError):
        found.train["layer0"] = report_of(1)
    with pytest.raises(AttributeError):
        found.at = "input"


def test_pickled():
    found = LayerwiseReport(layers(1, 0.5), layers(2, 1), [0, 0.5], [0, 1], "input")
    again = pickle.loads(pickle.dumps(found))
    assert again.layers == found.layers
    assert again["layer1"].to_json() == found["layer1"].to_json()
    assert again.layer_ncc_mismatch(held_out=True).tolist() == [0, 1]
    assert repr(again) == repr(found)


@pytest.mark.parametrize("backend", ["pandas", "polars"])
def test_frame(backend):
    pytest.importorskip("narwhals")
    pytest.importorskip(backend)
    found = LayerwiseReport(layers(1, 0.5), layers(2, 1), [0, 0.5], [0, 1])
    frame = found.to_frame(backend)
    sides = [
        f"{side}/{key}"
        for side in ("train", "held_out")
        for key in (*METRICS, "layer_ncc_mismatch")
    ]
    assert list(frame.columns) == ["layer", "depth", "n_features", *sides]
    assert list(frame["layer"]) == ["layer0", "layer1"]
    assert list(frame["depth"]) == [0, 1]
    assert list(frame["n_features"]) == [1, 1]
    np.testing.assert_array_equal(
        frame["held_out/nc1_cdnv"], found.metric("nc1_cdnv", held_out=True)
    )
    assert list(frame["train/layer_ncc_mismatch"]) == [0, 0.5]


def test_text():
    text = repr(LayerwiseReport(layers(2, 1, 0.5), at="input", notes=("A note.",)))
    lines = text.splitlines()
    assert lines[:4] == [
        "LayerwiseReport of 3 layers: what each layer reads, pooling='mean'",
        "layer_separation_rate  0.25",
        "layer_effective_depth  1 ('layer1')",
        "A note.",
    ]
    assert lines[-1].split() == ["layer2", "-2.773", "0.01562", "1"]
    plain = {"a": report_of(1, metrics=["nc1_cdnv"])}
    assert "not known: the reports have no nc4_ncc_accuracy" in repr(
        LayerwiseReport(plain)
    )


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (({},), "train must have the report of at least one layer, got none"),
        (
            (layers(1, 2), layers(1)),
            r"held_out must have the layers of train in the same order, \['layer0', "
            r"'layer1'\], got \['layer0'\]",
        ),
        (
            (layers(1, 2), None, [0.5]),
            r"train_mismatch must have one share per layer, shape \(2,\), got \(1,\)",
        ),
        ((layers(1), None, None, None, "both"), 'at must be "input" or "output", got'),
        (
            (layers(1), None, None, None, "input", "max"),
            'pooling must be "mean" or "flatten", got',
        ),
    ],
)
def test_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        LayerwiseReport(*parts)


@pytest.mark.parametrize(
    "read",
    [
        lambda r: r.metric("nc1_cdnv", held_out=True),
        lambda r: r.layer_separation_rate(held_out=True),
        lambda r: r.layer_separation_correlation(held_out=True),
        lambda r: r.layer_effective_depth(held_out=True),
        lambda r: r.layer_ncc_mismatch(held_out=True),
    ],
)
def test_without_held_out_samples(read):
    with pytest.raises(ValueError, match=r"There are no held-out samples\. Pass"):
        read(LayerwiseReport(layers(1, 2, 3)))
