"""The monitor measures the features of training, and leaves training alone."""

import copy
import io

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import networks  # noqa: E402
from networks import K  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from training_runs import are_equal, network, numbers_of  # noqa: E402

from sknc import ClassStatistics, NeuralCollapseAnalyzer  # noqa: E402
from sknc.torch import Monitor, analyze  # noqa: E402

INF = float("inf")
D_IN = 12
SIZES = (7, 30, 12, 1, 50, 33, 2, 64, 20) * 3


def batches(sizes=SIZES, dtype=torch.float32, n_classes=K):
    """Return (inputs, labels) of several sizes."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for size in sizes:
        y = torch.randint(n_classes, (size,), generator=generator)
        x = torch.randn(size, D_IN, generator=generator, dtype=dtype)
        found.append((x + y[:, None], y))
    return found


def watched(half_life, each, width=16, dtype=torch.float32, **options):
    """Let a network learn, and return its monitor and the features by batch."""
    torch.manual_seed(0)
    model = networks.mlp(D_IN, width).to(dtype)
    features = []
    model[3].register_forward_pre_hook(
        lambda module, args: features.append(args[0].detach().clone())
    )
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    monitor = Monitor(model, half_life=half_life, **options)
    for x, y in each:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), y)
        monitor.update(y)
        loss.backward()
        optimizer.step()
    monitor.close()
    return monitor, features


# The state ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "dtype", "sizes"),
    [
        (16, torch.float64, SIZES),
        (300, torch.float32, (50,) * 90),  # more rows than one block
        (300, torch.float32, (5000, 100, 64)),
    ],
    ids=["narrow", "wide", "large batch"],
)
def test_without_forgetting_it_is_the_estimator_bit_for_bit(width, dtype, sizes):
    each = batches(sizes, dtype)
    monitor, features = watched(INF, each, width, dtype)
    analyzer = NeuralCollapseAnalyzer(monitor._probe.head)
    for rows, (_, y) in zip(features, each, strict=True):
        analyzer.partial_fit(rows, y)
    ours, report = monitor.report(), analyzer.report()
    assert ours.keys() == report.keys()
    for key, value in report.items():
        assert np.array_equal(ours[key], value, equal_nan=True), key
    assert ours.n_samples == report.n_samples == sum(sizes)
    assert not ours.weighted


def weighted(features, each, half_life):
    """Return counts, means and scatter of all samples by their ages, in NumPy."""
    X = np.concatenate([rows.double().numpy() for rows in features])
    y = np.concatenate([labels.numpy() for _, labels in each])
    sizes = np.array([len(labels) for _, labels in each])
    age = np.repeat(sizes.sum() - np.cumsum(sizes), sizes)
    weights = 2.0 ** (-age / half_life)
    n_effective = weights.sum() ** 2 / (weights**2).sum()
    weights *= n_effective / weights.sum()
    counts = np.bincount(y, weights, minlength=K)
    means = np.stack([weights[y == k] @ X[y == k] for k in range(K)]) / counts[:, None]
    residuals = X - means[y]
    scatter = (residuals * weights[:, None]).T @ residuals
    return counts, means, scatter, n_effective


@pytest.mark.parametrize("half_life", [1000, 300.0, 37.5, 10, 3.3])
def test_weights_halve_with_age(half_life):
    each = batches(dtype=torch.float64)
    monitor, features = watched(half_life, each, dtype=torch.float64)
    counts, means, scatter, n_effective = weighted(features, each, half_life)
    statistics = monitor.analyzer.statistics_
    np.testing.assert_allclose(statistics.counts, counts, rtol=1e-10)
    np.testing.assert_allclose(statistics.class_means, means, rtol=1e-10, atol=1e-10)
    scale = np.abs(scatter).max()
    np.testing.assert_allclose(
        statistics.within_scatter, scatter, rtol=1e-10, atol=1e-10 * scale
    )
    report = monitor.report()
    assert report.n_samples == statistics.n_samples == round(n_effective)
    assert report.weighted
    # NC1 and NC2 by their formulas, of these.
    centered = means - means.mean(0)
    between = centered.T @ centered / K
    within = scatter / counts.sum()
    pinv = np.trace(within @ np.linalg.pinv(between, rcond=1e-10)) / K
    assert report.nc1_pinv == pytest.approx(pinv, rel=1e-10)
    trace_ratio = np.trace(within) / np.trace(between)
    assert report.nc1_trace_ratio == pytest.approx(trace_ratio, rel=1e-10)
    norms = np.linalg.norm(centered, axis=1)
    equinorm = norms.std(ddof=1) / norms.mean()
    assert report.nc2_equinorm == pytest.approx(equinorm, rel=1e-10)


def test_half_life_shorter_than_a_batch():
    each = batches((40, 300, 60), torch.float64)
    monitor, features = watched(0.05, each, dtype=torch.float64)
    last = NeuralCollapseAnalyzer().fit(features[-1], each[-1][1])
    statistics = monitor.analyzer.statistics_
    # All but the last batch is older than 1200 half-lives.
    np.testing.assert_allclose(statistics.class_means, last.class_means_, rtol=1e-13)
    assert statistics.n_samples == 60
    assert monitor.n_samples_seen == 400


def test_default_half_life_is_100_samples_a_class():
    each = batches()
    monitor, _ = watched(None, each)
    other, _ = watched(100 * K, each)
    assert monitor.report().to_json() == other.report().to_json()


def test_monitors_of_processes_merge():
    each = batches((32,) * 8, torch.float64)
    parts = [watched(50, each[i::2], dtype=torch.float64) for i in range(2)]
    merged = parts[0][0].analyzer.merge(parts[1][0].analyzer)
    found = [weighted(f, each[i::2], 50) for i, (_, f) in enumerate(parts)]
    counts = found[0][0] + found[1][0]
    np.testing.assert_allclose(merged.class_count_, counts, rtol=1e-10)
    means = sum(part[0][:, None] * part[1] for part in found) / counts[:, None]
    np.testing.assert_allclose(merged.class_means_, means, rtol=1e-10, atol=1e-10)
    assert merged.n_samples_seen_ == 2 * round(found[0][3])


def test_scaled_moments_merge_and_scale_back():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 6)), np.arange(40) // 2 % 4
    one, other = (ClassStatistics.from_samples(X[i::2], y[i::2]) for i in range(2))
    both, moments = one.merge(other), one.moments
    for factor in (2.0**-30, 0.3):
        scaled = moments.scaled(factor)
        assert np.array_equal(scaled.counts, moments.counts * factor)
        assert np.array_equal(scaled.anchors, moments.anchors)
        theirs = other.moments.scaled(factor).moved_to(scaled.anchors)
        np.testing.assert_allclose(
            scaled.plus(theirs).scatter, both.moments.scaled(factor).scatter, rtol=1e-12
        )
    back = moments.scaled(2.0**-30).scaled(2.0**30)
    for name in ("sums", "squares", "scatter"):
        assert np.array_equal(getattr(back, name), getattr(moments, name))


def test_classes_that_no_longer_come_are_old_and_then_forgotten():
    torch.manual_seed(0)
    model = networks.mlp(D_IN)
    with Monitor(model, half_life=10) as monitor:

        def learn(n_steps, n_classes):
            for _ in range(n_steps):
                y = torch.arange(20) % n_classes
                model(torch.randn(20, D_IN) + y[:, None])
                monitor.update(y)

        learn(3, K)
        assert "old" not in monitor.report().notes["monitor"]
        learn(8, 2)
        report = monitor.report()
        assert report.n_classes == K
        assert (
            "Classes without new samples for ten half-lives: 3. Their means are"
            in (report.notes["monitor"])
        )
        learn(60, 2)
        report = monitor.report()
        assert report.n_classes == 2
        assert "3 classes have no samples" in report.notes["classes"]
        learn(1, K)
        assert monitor.report().n_classes == K


# Which passes count ---------------------------------------------------------------


def test_passes_that_are_no_training_are_ignored():
    model = network()
    x, y = torch.randn(16, 8), torch.arange(16) % 4
    with Monitor(model) as monitor:
        model(x)
        monitor.update(y)
        model.eval()
        model(x)
        monitor.update(y)  # does nothing
        model.train()
        with torch.no_grad():
            model(x)
        monitor.update(y)
        analyze(model, [(x, y)])
        assert monitor.n_samples_seen == 16
        model(x)
        monitor.update(y)
        assert monitor.n_samples_seen == 32
    assert monitor.head_name == "4"


def test_heads_may_do_other_things_in_evaluation():
    class Other(networks.Net):
        def forward(self, x):
            if self.training:
                return super().forward(x)
            return self.head(self.head(self.features(x)) @ self.head.weight)

    model, y = Other(), torch.arange(10) % K
    with Monitor(model) as monitor:
        for _ in range(2):
            model.train()(torch.randn(10, D_IN))
            monitor.update(y)
            model.eval()(torch.randn(10, D_IN))
        assert monitor.n_samples_seen == 20


def test_accumulated_gradients_take_an_update_each():
    model, (x, y) = network(), (torch.randn(32, 8), torch.arange(32) % 4)
    with Monitor(model, half_life=INF) as monitor:
        for inputs, labels in zip(x.split(8), y.split(8), strict=True):
            functional.cross_entropy(model(inputs), labels).backward()
            monitor.update(labels)
        assert monitor.report().n_samples == 32


def test_calls_inside_of_each_other_are_one_pass():
    class Step(networks.Net):
        """Runs a step as its own forward, as strategies of Lightning do."""

        outer = False

        def forward(self, x):
            if self.outer:
                self.outer = False
                return {"loss": self(x).sum()}
            return super().forward(x)

    model, y = Step(), torch.arange(10) % K
    with Monitor(model) as monitor:
        for _ in range(2):
            model.outer = True
            model(torch.randn(10, D_IN))
            monitor.update(y)
        assert monitor.n_samples_seen == 20
        assert monitor.head_name == "head"


NO_PASS = (
    r"^No forward pass of the model was seen since the last update\. Call "
    r"model\(\.\.\.\), not model\.forward\(\.\.\.\) or a part of the model, and call "
    r"update\(labels\) once after each call\.$"
)


def test_updates_without_a_pass():
    model, x = networks.Net(), torch.randn(10, D_IN)
    y = torch.arange(10) % K
    with Monitor(model) as monitor:
        with pytest.raises(RuntimeError, match=r"^The monitor has seen no samples\. "):
            monitor.report()
        for call in (lambda: None, lambda: model.forward(x)):
            call()
            with pytest.raises(RuntimeError, match=NO_PASS):
                monitor.update(y)
        model(x)
        monitor.update(y)
        with pytest.raises(RuntimeError, match=NO_PASS):
            monitor.update(y)
    report = monitor.report().to_json()
    model(x)
    with pytest.raises(RuntimeError, match=r"^The Monitor is closed\. Create a new"):
        monitor.update(y)
    assert monitor.report().to_json() == report


# Wrapped and compiled models --------------------------------------------------------


@pytest.mark.parametrize("in_place", [False, True])
def test_compiled_models_are_refused_with_the_remedy(in_place):
    torch._dynamo.reset()
    model = networks.Net()
    if in_place:
        model.compile(backend="eager")
    else:
        model = torch.compile(model, backend="eager")
    x, y = torch.randn(10, D_IN), torch.arange(10) % K
    remedy = r"torch\.compiler\.set_stance\('force_eager'\)\."
    with Monitor(model) as monitor:

        def step():
            model(x)
            monitor.update(y)

        with pytest.raises(RuntimeError, match=remedy):
            step()
        if in_place:
            assert model._compiled_call_impl is not None
        with torch.compiler.set_stance("force_eager"):
            step()
        assert monitor.n_samples_seen == 10


def test_layers_before_the_head_may_be_compiled():
    torch._dynamo.reset()
    model = networks.Net()
    model.body.compile(backend="eager")
    x, y = torch.randn(10, D_IN), torch.arange(10) % K
    with Monitor(model, half_life=INF) as monitor:
        for _ in range(2):
            model(x)
            monitor.update(y)
        assert model.body._compiled_call_impl is not None
        wanted = NeuralCollapseAnalyzer(model.head).fit(
            torch.cat([model.features(x)] * 2).detach(), torch.cat([y, y])
        )
        assert monitor.report().to_dict() == wanted.report().to_dict()


def test_distributed_data_parallel(one_process):
    inner = networks.mlp()
    model = nn.parallel.DistributedDataParallel(inner)
    with Monitor(model) as monitor:
        for x, y in batches((10, 10)):
            functional.cross_entropy(model(x), y).backward()
            monitor.update(y)
        assert monitor.n_samples_seen == 20
        assert monitor.head_name == "3"


@pytest.mark.parametrize("make", [networks.Checkpointed, networks.Overwriting])
def test_features_are_those_that_the_head_read(make):
    torch.manual_seed(0)
    model, (x, y) = make(), batches((30,))[0]
    with Monitor(model, half_life=INF) as monitor:
        wanted = NeuralCollapseAnalyzer().fit(model.features(x).detach(), y)
        logits = model(x)
        if make is networks.Checkpointed:
            logits.sum().backward()  # runs the head again
        labels = y.clone()
        monitor.update(labels)
        labels.zero_()  # as loaders do that use their memory again
        for part in model.parameters():
            part.data.zero_()
        found = monitor.analyzer
    assert torch.equal(found.class_means_, wanted.class_means_)
    assert torch.equal(
        found.statistics_.within_scatter, wanted.statistics_.within_scatter
    )


def test_autocast():
    model, (x, y) = networks.Net(), batches((30,))[0]
    with Monitor(model) as monitor:
        with torch.autocast("cpu", torch.bfloat16):
            model(x)
            monitor.update(y)
        assert monitor.report().dtype == "bfloat16"


# Labels and features that do not count ------------------------------------------------


def test_batches_that_are_not_finite_are_left_out():
    each = batches((20, 20, 20, 20))
    model = networks.Net()
    with Monitor(model, half_life=INF) as monitor:
        for i, (x, y) in enumerate(each):
            if i == 2:
                x = x.clone()
                x[3, 0] = torch.inf
            model(x)
            monitor.update(y)
        kept = [model.features(x).detach() for x, _ in each[:2] + each[3:]]
    assert monitor.n_batches_skipped == 1
    assert monitor.n_samples_seen == 60
    report = monitor.report()
    labels = torch.cat([y for _, y in each[:2] + each[3:]])
    wanted = NeuralCollapseAnalyzer(model.head).fit(torch.cat(kept), labels).report()
    assert report.to_dict() == wanted.to_dict()
    assert report.notes["monitor"].endswith(
        "Batches skipped because a feature was NaN or infinite: 1."
    )


def test_ignored_samples_are_left_out_whatever_they_are():
    (x, y), model = batches((20,))[0], networks.Net()
    y[::4] = -100
    with Monitor(model, half_life=INF) as monitor:
        model(x)
        monitor.update(y)
        x[::4] = torch.nan
        model(x)
        monitor.update(y)
        assert monitor.n_samples_seen == 30
        assert monitor.n_batches_skipped == 0
        model(x)
        monitor.update(torch.full_like(y, -100))  # none is left
        assert monitor.report().n_samples == 30


def tell(monitor, labels):
    """Update, and read, which adds what waits."""
    monitor.update(labels)
    monitor.report()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            torch.full((10,), K),
            r"^Labels must be from 0 to 4, one for each row of the head, got \[5\]\. "
            r"Number them like the rows: monitor\.update\(labels\)\. Samples without a "
            r"class may have the label ignore_index\.$",
        ),
        (
            torch.rand(10, K),
            r"^Labels must be one integer class a sample, got float32 of shape \(10, "
            r"5\): soft, .* for one-hot targets pass monitor\.update\(labels\), with",
        ),
        (torch.zeros(9, dtype=torch.long), r"got int64 of shape \(9,\) for features"),
        (["a"] * 10, r"^Labels must be one integer .* monitor\.update\(labels\), with"),
    ],
    ids=["range", "soft", "number", "text"],
)
def test_wrong_labels(labels, message):
    model = networks.Net()
    with Monitor(model) as monitor:
        model(torch.randn(10, D_IN))
        with pytest.raises(ValueError, match=message):
            tell(monitor, labels)
        model(torch.randn(10, D_IN))
        monitor.update(torch.arange(10) % K)
        assert monitor.n_samples_seen == 10


def test_no_label_is_ignored_if_none_is_to_be():
    model, y = networks.Net(), torch.full((10,), -100)
    with Monitor(model, ignore_index=None) as monitor:
        model(torch.randn(10, D_IN))
        with pytest.raises(
            ValueError, match=r"^Labels must be from 0 to 4, .*\[-100\]"
        ):
            monitor.update(y)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"half_life": 0},
            ValueError,
            r"^half_life must be a positive number of samples, or None, got 0\.$",
        ),
        ({"half_life": True}, ValueError, "half_life"),
        ({"half_life": float("nan")}, ValueError, "half_life"),
        ({"shift": 1}, ValueError, r"^shift must be True or False, got 1\.$"),
        ({"covariance": "no"}, ValueError, "covariance"),
        ({"metrics": ["nc9"]}, ValueError, "^metrics must be"),
        ({"convention": "papian"}, ValueError, "papian"),
        ({"head": "hed"}, ValueError, "^head must be a part of the model"),
    ],
)
def test_wrong_parameters(options, error, message):
    model = networks.Net()
    with pytest.raises(error, match=message):
        Monitor(model, **options)
    assert not any(part._forward_pre_hooks for part in model.modules())


# Tokens -------------------------------------------------------------------------------


class Language(networks.TiedLanguageModel):
    """Returns a loss of next tokens beside its logits."""

    def forward(self, ids):
        logits = super().forward(ids)
        loss = functional.cross_entropy(
            logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()
        )
        return {"loss": loss, "logits": logits}


IDS = torch.randint(11, (4, 7), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shift", [None, True])
def test_tokens_predict_the_next_ones(shift):
    torch.manual_seed(0)
    model = (Language if shift is None else networks.TiedLanguageModel)()
    with Monitor(model, half_life=INF, shift=shift) as monitor:
        model(IDS)
        monitor.update(IDS)
    rows = model.mix(model.embed(IDS))[0][:, :-1].detach().flatten(0, 1)
    wanted = NeuralCollapseAnalyzer(model.lm_head).fit(rows, IDS[:, 1:].flatten())
    assert monitor.report().to_dict() == wanted.report().to_dict()


def test_shift_of_tokens_has_to_be_said_without_a_loss():
    model = networks.TiedLanguageModel()
    message = (
        r"^The model returns no loss that would show which labels its tokens are "
        r"compared with\. Pass shift=True if .*, or else shift=False\.$"
    )
    with Monitor(model) as monitor:
        model(IDS)
        with pytest.raises(ValueError, match=message):
            monitor.update(IDS)


# Training and the model are left alone ----------------------------------------------


def trained(monitored):
    """Train a network with dropout and batch norm, and return its numbers."""
    torch.manual_seed(0)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    monitor = Monitor(model, half_life=40) if monitored else None
    for step in range(12):
        x, y = torch.randn(16, 8), torch.randint(4, (16,))
        functional.cross_entropy(model(x), y).backward()
        if monitor is not None:
            monitor.update(y)
        if step % 2:  # gradients of two batches
            optimizer.step()
            optimizer.zero_grad()
        if step == 5 and monitor is not None:
            assert monitor.report().n_samples > 16
    return numbers_of(model), optimizer.state_dict(), torch.get_rng_state()


def test_training_is_the_same_bit_for_bit():
    (ours, momenta, numbers), (alone, others, wanted) = trained(True), trained(False)
    assert are_equal(ours, alone)
    assert torch.equal(numbers, wanted)
    assert str(momenta) == str(others)


def test_hooks_go_and_copies_of_the_model_work():
    model, (x, y) = networks.Net(), batches((10,))[0]
    with Monitor(model) as monitor:
        model(x)
        monitor.update(y)
        twin = copy.deepcopy(model)
        saved = io.BytesIO()
        torch.save(model, saved)
        saved.seek(0)
        for other in (twin, torch.load(saved, weights_only=False)):
            assert torch.equal(other(x), model(x))
        monitor.update(y)
        assert monitor.n_samples_seen == 20
    monitor.close()
    assert not any(
        part._forward_hooks or part._forward_pre_hooks for part in model.modules()
    )


def test_two_monitors_of_one_model():
    model = networks.Net()
    with Monitor(model, half_life=5) as short, Monitor(model, half_life=INF) as long:
        for x, y in batches((10, 10, 10)):
            model(x)
            short.update(y)
            long.update(y)
    assert short.report().n_samples < long.report().n_samples == 30


def test_features_have_no_gradients():
    model, (x, y) = networks.Net(), batches((10,))[0]
    with Monitor(model) as monitor:
        model(x)
        monitor.update(y)
        assert not monitor.analyzer.class_means_.requires_grad


# The report --------------------------------------------------------------------------


def test_report_says_what_it_is_of():
    monitor, _ = watched(50, batches())
    report = monitor.report()
    n_seen = sum(SIZES)
    assert report.notes["monitor"] == (
        "Features of training mode, with the weights of each step: a sample counts "
        f"half after every 50 samples, so the {n_seen} samples seen count as "
        f"{report.n_samples} of equal weight. For NC4, which needs another pass over "
        "the samples, call sknc.torch.analyze(model, loader)."
    )
    assert [key for key in report if key.startswith("nc4")] == ["nc4_bias_collapse"]
    assert {"nc0_weight_sum", "nc1_pinv", "nc2_etf", "nc3_self_duality"} < {*report}
    with pytest.raises(KeyError, match="It is measured on samples"):
        _ = report["nc4_mismatch"]
    assert "monitor: Features of training mode" in repr(report)
    forever, _ = watched(INF, batches())
    assert (
        f": all {n_seen} samples seen count the same. For NC4"
        in (forever.report().notes["monitor"])
    )


def test_reading_changes_nothing():
    each = batches()
    monitor, _ = watched(50, each)
    torch.manual_seed(0)
    model = networks.mlp(D_IN)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with Monitor(model, half_life=50) as other:
        for x, y in each:
            optimizer.zero_grad()
            functional.cross_entropy(model(x), y).backward()
            other.update(y)
            analyzer = other.analyzer
            analyzer.partial_fit(torch.zeros(1, 16), torch.tensor([0]))
            optimizer.step()
    wanted, found = monitor.report(), other.report()
    assert found.to_dict() == pytest.approx(wanted.to_dict(), rel=1e-12)


@pytest.mark.slow
def test_bias_against_a_full_pass():
    """What the documentation says of the demo's network, roughly."""
    import importlib.util
    import sys
    from pathlib import Path

    folder = Path(__file__).parents[1] / "benchmarks"
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location(
            "bias", folder / "monitor_bias.py"
        )
        bias = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(bias)
    finally:
        sys.path.remove(str(folder))
    found = {
        key: float(text.split()[0]) for key, text in bias.factors(0.0, (30,))[0].items()
    }
    assert 1.05 < found["nc1_cdnv"] < 1.3
    assert found["nc2_equiangular"] == pytest.approx(1, abs=0.05)
    assert found["nc3_self_duality"] == pytest.approx(1, abs=0.05)
