"""Layers of a model: each equal to the estimator fed by hand, and what they share."""

import math
from functools import cache

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import networks  # noqa: E402
from networks import K  # noqa: E402
from tolerances import LOOSE, TIGHT  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from sknc import LayerwiseReport, NeuralCollapseAnalyzer  # noqa: E402
from sknc.metrics import select  # noqa: E402
from sknc.torch import analyze, analyze_layers  # noqa: E402

D = 12
GENERATOR = torch.Generator().manual_seed(0)
Y = torch.arange(70) % K
X = torch.randn(70, D, generator=GENERATOR) + 2 * torch.eye(D)[Y]
X_TEST = torch.randn(30, D, generator=GENERATOR) + 2 * torch.eye(D)[Y[:30]]
LOADER = DataLoader(TensorDataset(X, Y), 16)
TEST = DataLoader(TensorDataset(X_TEST, Y[:30]), 16)
IMAGES = DataLoader(
    TensorDataset(torch.randn(40, 3, 4, 4, generator=GENERATOR), Y[:40]), 16
)
KEYS = [*(m.key for m in select("default")), "nc1_fuzziness"]


def hooked(model, loader, name, at, pool):
    """Return (features, labels) of each batch, taken by a plain hook."""
    seen, batches = [], []
    part = model.get_submodule(name)
    if at == "input":
        handle = part.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    else:
        handle = part.register_forward_hook(lambda m, args, out: seen.append(out))
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            model(x)
            batches.append((pool(seen.pop()), y))
    handle.remove()
    return batches


def by_hand(batches, test=None, head=None, **options):
    classes = np.arange(K)
    analyzer = NeuralCollapseAnalyzer(head, metrics=KEYS, **options)
    analyzer.fit_batches(batches, classes=classes)
    return analyzer.score_batches(batches if test is None else test)


def mean(x):
    return x if x.ndim == 2 else x.mean((2, 3))


def flat(x):
    return x.flatten(1)


def same(a, b):
    return a.to_json() == b.to_json()


# Each layer -----------------------------------------------------------------------


@cache
def resnet_and_reports(at, pooling):
    """Return a network, and reports of four of its layers by plain hooks."""
    model, pool = networks.ResNet(), {"mean": mean, "flatten": flat}[pooling]
    names = ("stem", "stages.0", "stages.1", "stages.2")
    return model, {
        name: by_hand(hooked(model, IMAGES, name, at, pool)) for name in names
    }


@pytest.mark.parametrize(
    "most_bytes", [2**30, 3000, pytest.param(0, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("pooling", ["mean", "flatten"])
@pytest.mark.parametrize("at", ["input", "output"])
def test_reports_equal_those_of_hooked_activations(at, pooling, most_bytes):
    model, wanted = resnet_and_reports(at, pooling)
    options = {"at": at, "pooling": pooling, "cache": most_bytes}
    names = ["stem", "stages.*"]
    found = analyze_layers(model, IMAGES, names, held_out=IMAGES, **options)
    assert found.layers == tuple(wanted)
    assert (found.at, found.pooling, found.notes) == (at, pooling, ())
    for name, want in wanted.items():
        assert same(found[name], want)
        assert same(found.held_out[name], want)


def test_all_layers_are_what_linear_layers_and_convolutions_read():
    model = networks.ResNet()
    found = analyze_layers(model, IMAGES)
    blocks = [f"stages.{i}.conv{j}" for i in range(3) for j in (1, 2)]
    assert found.layers == ("stem", *blocks, "fc")
    assert found.at == "input"
    # They read what the first convolution of the block reads.
    assert found.notes == (
        "Skipped layers that read the same input as an earlier layer: "
        "'stages.1.shortcut', 'stages.2.shortcut'.",
    )
    for name in found:
        head = model.fc if name == "fc" else None
        batches = hooked(model, IMAGES, name, "input", mean)
        assert same(found[name], by_hand(batches, head=head)), name


def test_last_layer_is_that_of_analyze():
    model = networks.mlp()
    found = analyze_layers(model, LOADER, held_out=TEST)
    analysis = analyze(model, LOADER, held_out=TEST, metrics=KEYS)
    assert found.layers == ("0", "3")
    assert found["3"].to_dict() == analysis.train.to_dict()
    assert found.held_out["3"].to_dict() == analysis.held_out.to_dict()
    assert "nc3_cosine" not in found["0"]
    mismatch = found.layer_ncc_mismatch()
    assert mismatch[-1] == pytest.approx(analysis.train.nc4_mismatch, abs=1e-15)


def test_layers_are_in_the_order_in_which_they_run():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.head, self.second = nn.Linear(8, K), nn.Linear(9, 8)
            self.first = nn.Linear(D, 9)

        def forward(self, x):
            return self.head(self.second(self.first(x).relu()).relu())

    assert analyze_layers(Backwards(), LOADER).layers == ("first", "second", "head")
    found = analyze_layers(Backwards(), LOADER, ["head", "first"])
    assert found.layers == ("first", "head")


def test_features_are_copied_before_the_model_writes_over_them():
    model = nn.Sequential(nn.Linear(D, 16), nn.ReLU(inplace=True), nn.Linear(16, K))
    found = analyze_layers(model, LOADER, ["0"])
    batches = hooked(model, LOADER, "0", "output", lambda x: x.clone())
    assert same(found["0"], by_hand(batches)) is False  # a view of what is written over
    model[1].inplace = False
    assert same(found["0"], by_hand(hooked(model, LOADER, "0", "output", mean)))


def test_query_key_and_value_count_once():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.q, self.k, self.v = (nn.Linear(4, 4) for _ in range(3))
            self.head = nn.Linear(4, K)

        def forward(self, x):
            x = x.reshape(len(x), 3, 4)
            weights = (self.q(x) @ self.k(x).mT).softmax(-1)
            return self.head((weights @ self.v(x)).mean(1))

    found = analyze_layers(Attention(), LOADER)
    assert found.layers == ("q", "head")
    assert "'k', 'v'" in found.notes[0]
    assert analyze_layers(Attention(), LOADER, "[qkv]").layers == ("q", "k", "v")


# Pooling --------------------------------------------------------------------------


class WritesOver(nn.Module):
    """Doubles and shifts what one layer has read before another reads it."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(D, 8), nn.Linear(8, 8)
        self.third, self.head = nn.Linear(8, 8), nn.Linear(8, K)

    def forward(self, x):
        hidden = self.first(x)
        read = self.second(hidden)
        hidden.mul_(2).sub_(1).relu_()
        return self.head(read + self.third(hidden))


def test_a_tensor_that_was_written_over_counts_again():
    report = analyze_layers(WritesOver().eval(), LOADER)
    assert report.layers == ("first", "second", "third", "head")
    assert report["second"].nc1_trace_ratio != report["third"].nc1_trace_ratio
    assert not report.notes


class Places(nn.Module):
    """A layer on sequences or maps, averaged before the head."""

    def __init__(self, layer, axes):
        super().__init__()
        self.layer, self.axes, self.head = layer, axes, nn.Linear(6, K)

    def forward(self, x, attention_mask=None):
        return self.head(self.layer(x).mean(self.axes))


@pytest.mark.parametrize(
    ("layer", "shape", "axes"),
    [
        (nn.Linear(5, 6), (7, 5), (1,)),  # tokens
        (nn.Linear(5, 6), (4, 3, 5), (1, 2)),  # a map with channels last
        (nn.Conv1d(5, 6, 1), (5, 7), (2,)),
        (nn.Conv2d(5, 6, 3), (5, 4, 4), (2, 3)),
        (nn.Conv3d(5, 6, 1), (5, 2, 2, 2), (2, 3, 4)),
    ],
)
def test_mean_is_over_places_not_over_channels(layer, shape, axes):
    x = torch.randn(40, *shape, generator=GENERATOR)
    model = Places(layer, axes)
    loader = DataLoader(TensorDataset(x, Y[:40]), 16)
    for at in ("input", "output"):
        found = analyze_layers(model, loader, ["layer"], at=at)
        batches = hooked(model, loader, "layer", at, lambda x: x.mean(axes))
        assert same(found["layer"], by_hand(batches))


def test_padding_does_not_count_in_the_mean_of_tokens():
    x = torch.randn(40, 7, 5, generator=GENERATOR)
    mask = (torch.arange(7) < 1 + torch.arange(40)[:, None] % 7).long()
    batch = {"x": x, "attention_mask": mask, "labels": Y[:40]}
    model = Places(nn.Linear(5, 6), (1,))
    found = analyze_layers(model, [batch], ["layer"])["layer"]
    with torch.no_grad():
        output = model.layer(x)
    rows = [row[keep.bool()].mean(0) for row, keep in zip(output, mask, strict=True)]
    wanted = by_hand([(torch.stack(rows), Y[:40])]).to_dict()
    assert found.to_dict() == pytest.approx(wanted, rel=1e-5)
    unmasked = by_hand([(output.mean(1), Y[:40])]).to_dict()
    assert found.to_dict() != pytest.approx(unmasked, rel=1e-2)


def test_scatter_of_wide_layers_is_not_kept():
    wide = nn.Sequential(nn.Linear(D, 2049), nn.ReLU(), nn.Linear(2049, K))
    found = analyze_layers(wide, LOADER, metrics=["nc1_cdnv"])
    assert found.notes == (
        "Layers with more than 2048 features did not keep their scatter: '2' (2049). "
        "Pass covariance=True if a metric needs it.",
    )
    batches = hooked(wide, LOADER, "2", "input", mean)
    wanted = by_hand(batches, head=wide[2], covariance=False)
    assert found["2"].nc1_fuzziness == wanted.nc1_fuzziness
    for choice in (True, False):
        assert analyze_layers(wide, LOADER, covariance=choice).notes == ()


# Measures of all layers -------------------------------------------------------------


class Contracting(nn.Module):
    """Halves the distance to the nearest of some points."""

    def __init__(self, points):
        super().__init__()
        self.register_buffer("points", points)

    def forward(self, x):
        nearest = self.points[torch.cdist(x, self.points).argmin(1)]
        return nearest + (x - nearest) / 2


def test_progressive_collapse_follows_the_law_of_data_separation():
    points = torch.eye(K, dtype=torch.float64) * 8
    noise = torch.randn(50, K, generator=GENERATOR, dtype=torch.float64)
    x = points[Y[:50]] + torch.cat([noise[:25], -noise[:25]])  # means are the points
    model = nn.Sequential(*[Contracting(points) for _ in range(4)], nn.Linear(K, K))
    model[-1].double()
    with torch.no_grad():
        model[-1].weight.copy_(torch.eye(K))
    found = analyze_layers(model, [(x, Y[:50])], ["0", "1", "2", "3"])
    # Halved distances: a quarter of the variance, in each layer.
    assert found.layer_separation_rate() == pytest.approx(1 / 4, rel=LOOSE)
    assert found.layer_separation_correlation() == pytest.approx(-1, abs=TIGHT)
    steps = np.diff(found.metric("nc1_fuzziness"))
    np.testing.assert_allclose(steps, -math.log(4), rtol=LOOSE)
    assert found.layer_effective_depth(0.0) == 0
    assert not found.layer_ncc_mismatch().any()


def test_mismatch_and_depth_agree_with_plain_loops():
    model = networks.mlp(width=7)
    found = analyze_layers(model, LOADER, held_out=TEST)
    with torch.no_grad():
        for test in (False, True):
            wrong, right = [], []
            data = X_TEST if test else X
            decisions = model.eval()(data).argmax(1).tolist()
            for name in found:
                layer = int(name)
                train = model[:layer](X).double().numpy()
                means = [train[Y.numpy() == k].mean(0) for k in range(K)]
                near = [
                    min(range(K), key=lambda k: ((row - means[k]) ** 2).sum())
                    for row in model[:layer](data).double().numpy()
                ]
                pairs = list(zip(near, decisions, Y.tolist(), strict=False))
                wrong.append(sum(a != b for a, b, _ in pairs) / len(pairs))
                right.append(sum(a == c for a, _, c in pairs) / len(pairs))
            np.testing.assert_allclose(
                found.layer_ncc_mismatch(held_out=test), wrong, atol=TIGHT
            )
            for epsilon in (0.0, 0.2, 1 - max(right), 1 - min(right), 1.0):
                depth = next(
                    (i for i, p in enumerate(right) if 1 - p <= epsilon + 1e-9), None
                )
                assert found.layer_effective_depth(epsilon, held_out=test) == depth
    assert 0 < wrong[0] < 1


def test_weights_and_ignored_samples():
    weights = 1.0 + torch.arange(70) % 3
    labels = torch.where(torch.arange(70) < 20, -100, Y)
    model = networks.mlp()
    loader = [(X[i::2], labels[i::2], weights[i::2]) for i in range(2)]
    found = analyze_layers(model, loader, unpack=lambda batch: batch)
    # The same as so many copies of the samples with a label.
    rows = np.repeat(np.arange(20, 70), weights[20:].long())
    copies = analyze_layers(model, [(X[rows], Y[rows])])
    assert found["0"].n_samples == 50
    np.testing.assert_allclose(
        found.layer_ncc_mismatch(), copies.layer_ncc_mismatch(), atol=TIGHT
    )
    np.testing.assert_allclose(
        found.metric("nc1_cdnv"), copies.metric("nc1_cdnv"), rtol=1e-5
    )


def test_one_logit_decides_by_its_sign():
    y = (torch.arange(70) % 2)[:, None]
    model = nn.Sequential(nn.Linear(D, 6), nn.Tanh(), nn.Linear(6, 1))
    found = analyze_layers(model, [(X, y)], ["1"])
    with torch.no_grad():
        features, chosen = model[:2](X), (model(X)[:, 0] > 0).long()
    means = torch.stack([features[y[:, 0] == k].double().mean(0) for k in (0, 1)])
    near = torch.cdist(features.double(), means).argmin(1)
    wanted = (near != chosen).double().mean().item()
    assert 0 < wanted < 1
    assert found.layer_ncc_mismatch() == pytest.approx(wanted, abs=TIGHT)


# Training -----------------------------------------------------------------------------


def test_hooks_are_removed_also_after_an_error():
    model = networks.mlp()

    def failing():
        yield X[:10], Y[:10]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        analyze_layers(model, failing())
    assert model.training
    for part in model.modules():
        assert not part._forward_hooks
        assert not part._forward_pre_hooks


def test_compiled_models_are_measured_layer_by_layer():
    model = networks.mlp()
    compiled = torch.compile(model, backend="eager")
    found = analyze_layers(compiled, LOADER)
    assert same(found["0"], analyze_layers(model, LOADER)["0"])


# Errors -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        (
            ["stage.0"],
            ValueError,
            r"layers must be \"all\", or names of parts of the model as in "
            r"'?model\.named_modules\(\)'?, or patterns such as \"blocks\.\*\", got "
            r"\['stage\.0'\]\. Did you mean one of 'stages\.0', ",
        ),
        ("stagess.*", ValueError, r"got \['stagess\.\*'\]\. Did you mean one of"),
        ([], ValueError, r"got \[\]\.$"),
        (3, TypeError, r"got int\.$"),
        (["stem", 3], TypeError, r"got int\.$"),
    ],
)
def test_unknown_layers(layers, error, message):
    with pytest.raises(error, match=message):
        analyze_layers(networks.ResNet(), IMAGES, layers)


def test_a_star_stays_between_dots():
    model = networks.ResNet()
    assert "stages.0.conv1" in dict(model.named_modules())
    assert analyze_layers(model, IMAGES, "stages.*").layers == tuple(
        f"stages.{i}" for i in range(3)
    )
    found = analyze_layers(model, IMAGES, "stages.?.conv2")
    assert found.layers == tuple(f"stages.{i}.conv2" for i in range(3))


class Odd(nn.Module):
    """With a layer that never runs, one that runs twice, and one without samples."""

    def __init__(self):
        super().__init__()
        self.silent, self.twice = nn.Linear(D, D), nn.Identity()
        self.windows, self.head = nn.Identity(), nn.Linear(D, K)

    def forward(self, x):
        x = self.twice(self.twice(x))
        return self.head(self.windows(x.reshape(-1, D // 2)).reshape(len(x), D))


@pytest.mark.parametrize(
    ("layer", "error", "message"),
    [
        (
            "silent",
            RuntimeError,
            "^The layer 'silent' never ran in a forward pass of the model: expected "
            r"once\. Leave it out: layers=\[\.\.\.\]\.$",
        ),
        (
            "twice",
            RuntimeError,
            r"^The layer 'twice' ran 2 times in a forward pass of the model: expected "
            r"once\. Leave it out, or name the part of the model that calls it: "
            r"layers=\[\.\.\.\]\.$",
        ),
        (
            "windows",
            ValueError,
            "^The features of layer 'windows' must have one row per sample, 16, got "
            "32: its first axis is not the sample axis",
        ),
    ],
)
def test_layers_that_cannot_be_measured(layer, error, message):
    with pytest.raises(error, match=message):
        analyze_layers(Odd(), LOADER, [layer])


def test_all_leaves_out_what_does_not_run():
    found = analyze_layers(Odd(), LOADER)
    assert found.layers == ("head",)
    assert found.notes == ("Skipped layers that did not run: 'silent'.",)


def test_layer_that_reads_whole_numbers():
    model = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(12, K))
    loader = [(torch.arange(60).reshape(20, 3) % 9, Y[:20])]
    found = analyze_layers(model, loader, ["0"])
    assert found["0"].n_features == 4
    with pytest.raises(
        RuntimeError, match=r"^The layer '0' read no floating-point tensor"
    ):
        analyze_layers(model, loader, ["0"], at="input")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"pooling": "max"}, ValueError, 'pooling must be "mean" or "flatten", got'),
        ({"at": "before"}, ValueError, 'at must be "input" or "output", got'),
        ({"covariance": 3}, ValueError, 'covariance must be True, False or "auto"'),
        ({"cache": "none"}, ValueError, "cache must be a number of bytes, got 'none'"),
        ({"metrics": "nc7"}, ValueError, "metrics must be"),
        ({"held_out": 3}, TypeError, "held_out must be an iterable of batches"),
    ],
)
def test_parameters(options, error, message):
    with pytest.raises(error, match=message):
        analyze_layers(networks.mlp(), LOADER, **options)


def test_models_without_linear_layers_or_samples_or_one_decision_a_sample():
    with pytest.raises(ValueError, match="The model has no linear layers or conv"):
        analyze_layers(nn.ReLU(), LOADER)
    with pytest.raises(ValueError, match="The loader yields no labeled samples"):
        analyze_layers(networks.mlp(), [])
    tokens = [(torch.randn(4, 7, D), torch.zeros(4, 7, dtype=torch.long))]
    with pytest.raises(
        ValueError,
        match=r"one decision per sample: expected logits of shape \(samples, "
        r"classes\), got \(4, 7, 5\)\. Pass a model",
    ):
        analyze_layers(networks.mlp(), tokens)


def test_result_is_a_layerwise_report():
    found = analyze_layers(networks.mlp(), LOADER)
    assert isinstance(found, LayerwiseReport)
    assert found.held_out is None
