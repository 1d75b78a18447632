"""Tensors, without any environment variable: they stay tensors, where they are."""

import copy
import pickle
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
from tables import each
from tolerances import CLOSE, LOOSE, SINGLE, TIGHT

from sknc import NearestClassCenter, NeuralCollapseAnalyzer
from sknc._utils import arrays

torch = pytest.importorskip("torch")
dispatch = pytest.importorskip("torch.utils._python_dispatch")

ESTIMATORS = [
    NeuralCollapseAnalyzer,
    lambda: NeuralCollapseAnalyzer(covariance=False),
    NearestClassCenter,
    lambda: NearestClassCenter("cosine"),
]
# Numbers of float64 sums whose order of summation differs.
NEAR = {"rtol": 1e-9, "atol": 1e-12}


@pytest.fixture(params=["cpu", "waiting", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request, monkeypatch):
    """A device; "waiting" is the CPU as if its numbers had to be waited for."""
    if request.param != "waiting":
        return request.param
    monkeypatch.setattr(arrays, "on_gpu", arrays.is_tensor)
    return "cpu"


@pytest.fixture(params=ESTIMATORS, ids=["analyzer", "no_covariance", "ncc", "cosine"])
def make(request):
    return request.param


def samples(n=200, n_classes=5, n_features=7, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % n_classes)
    centers = 3 * np.eye(n_classes, n_features)
    return centers[y] + rng.normal(size=(n, n_features)), y


def tensors(device, dtype=torch.float64, **options):
    X, y = samples(**options)
    return torch.as_tensor(X).to(device, dtype), torch.as_tensor(y).to(device)


def host(x):
    return x.detach().cpu().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)


def tensors_in(value, seen=None):
    """Yield every tensor that can be reached from the attributes of an object."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item, seen)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item, seen)
    elif type(value).__module__.startswith("sknc"):
        yield from tensors_in(vars(value), seen)


def state_bits(estimator):
    moments = estimator.statistics_.moments
    return {
        name: host(value).tobytes()
        for name, value in vars(moments).items()
        if value is not None
    }


def assert_same_report(one, other, rtol=LOOSE):
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_allclose(
            one[key], other[key], rtol=rtol, atol=CLOSE, err_msg=key
        )


# They stay where they are -----------------------------------------------------


def test_state_stays_on_the_device(make, device):
    X, y = tensors(device)
    model = make().fit(X, y)
    for name in ("class_means_", "class_count_"):
        value = getattr(model, name)
        assert isinstance(value, torch.Tensor)
        assert value.device.type == device
    assert model.class_means_.dtype == torch.float64
    assert isinstance(model.classes_, np.ndarray)
    found = list(tensors_in(model))
    assert found
    assert all(value.device.type == device for value in found)


def test_results_stay_on_the_device(make, device):
    X, y = tensors(device, torch.float32)
    model = make().fit(X, y)
    methods = ["transform"]
    if isinstance(model, NearestClassCenter):
        methods += ["decision_function", "predict_proba", "predict"]
    for method in methods:
        result = getattr(model, method)(X)
        assert isinstance(result, torch.Tensor), method
        assert result.device.type == device, method
        assert result.dtype == (torch.int64 if method == "predict" else torch.float32)
    assert isinstance(model.score(X, y), float)
    if isinstance(model, NeuralCollapseAnalyzer):
        for name in ("global_mean_", "between_class_covariance_"):
            assert getattr(model, name).device.type == device


def test_results_equal_those_of_numpy(make, device):
    X, y = tensors(device)
    model, plain = make().fit(X, y), make().fit(host(X), host(y))
    np.testing.assert_allclose(host(model.class_means_), plain.class_means_, **NEAR)
    np.testing.assert_allclose(
        host(model.transform(X)), plain.transform(host(X)), **NEAR
    )
    if isinstance(model, NearestClassCenter):
        for method in ("decision_function", "predict_proba", "predict"):
            np.testing.assert_allclose(
                host(getattr(model, method)(X)),
                getattr(plain, method)(host(X)),
                **NEAR,
            )
        assert model.score(X, y) == plain.score(host(X), host(y))
    else:
        assert_same_report(model.score(X, y), plain.score(host(X), host(y)))
        assert_same_report(model.report(), plain.report())


def test_covariances_equal_those_of_numpy(device):
    X, y = tensors(device)
    weights = torch.linspace(0.5, 2, len(y), device=device)
    for convention in ("default", "frequency", "zhu2021"):
        model = NeuralCollapseAnalyzer(convention=convention).fit(X, y, weights)
        plain = NeuralCollapseAnalyzer(convention=convention)
        plain.fit(host(X), host(y), host(weights))
        for name in ("within_class", "between_class", "total"):
            one, other = (getattr(m, f"{name}_covariance_") for m in (model, plain))
            assert one.device.type == device
            np.testing.assert_allclose(host(one), other, **NEAR)


def test_string_labels_are_numpy(device):
    X, y = tensors(device)
    names = np.array(["ant", "bee", "cat", "dog", "eel"])[host(y)]
    model = NearestClassCenter().fit(X, names)
    predicted = model.predict(X)
    assert isinstance(predicted, np.ndarray)
    assert predicted.dtype.kind == "U"
    assert model.score(X, names) == np.mean(predicted == names)
    report = NeuralCollapseAnalyzer().fit(X, names).score(X, names)
    assert report.per_class["label"].tolist() == sorted(set(names))


# Gradients --------------------------------------------------------------------


def test_no_graph_is_left(make, device):
    X, y = tensors(device, torch.float32)
    X.requires_grad_()
    features = X * 2
    model = make().fit(features, y)
    model.partial_fit(features, y)
    model.score(features, y)
    assert model.transform(features).grad_fn is None
    assert model.class_means_.grad_fn is None
    found = list(tensors_in(model))
    assert len(found) > 4
    for value in found:
        assert not value.requires_grad
        assert value.grad_fn is None
    if isinstance(model, NearestClassCenter):
        for method in ("decision_function", "predict_proba", "predict"):
            assert getattr(model, method)(features).grad_fn is None


def test_gradients_of_the_caller_survive(make, device):
    X, y = tensors(device)
    X.requires_grad_()
    loss = (X**2).sum()
    make().fit(X, y).score(X, y)
    assert torch.is_grad_enabled()
    loss.backward()
    np.testing.assert_array_equal(host(X.grad), host(2 * X))
    assert X.requires_grad


def test_inputs_are_not_changed(make, device):
    X, y = tensors(device, torch.float32)
    weights = torch.ones(len(y), device=device)
    kept = X.clone(), y.clone(), weights.clone()
    model = make().fit(X, y, weights)
    model.partial_fit(X, y, sample_weight=weights)
    model.score(X, y, sample_weight=weights)
    model.transform(X)
    for value, copied in zip((X, y, weights), kept, strict=True):
        assert torch.equal(value, copied)


def test_state_is_a_copy(make, device):
    X, y = tensors(device, torch.float32)
    model = make().fit(X, y)
    before = state_bits(model)
    X.zero_()
    y.zero_()
    assert state_bits(model) == before
    unread = make().fit(*tensors(device, torch.float32))
    assert state_bits(unread) == before


# Precisions -------------------------------------------------------------------


@each("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(make, device, dtype):
    X, y = tensors(device, dtype)
    half, single = make().fit(X, y), make().fit(X.float(), y)
    assert state_bits(half) == state_bits(single)
    assert half.statistics_.input_dtype == str(dtype).removeprefix("torch.")
    if isinstance(half, NearestClassCenter):
        assert torch.equal(half.predict(X), single.predict(X.float()))
        assert half.score(X, y) == single.score(X.float(), y)
    else:
        assert_same_report(half.score(X, y), single.score(X.float(), y), rtol=TIGHT)
        assert half.report().dtype == str(dtype).removeprefix("torch.")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_does_not_overflow(device, dtype):
    X = torch.full((70_000, 2), 100.0, device=device, dtype=dtype)
    X[::2] *= -1
    y = torch.arange(70_000, device=device) % 2
    model = NeuralCollapseAnalyzer().fit(X, y)
    np.testing.assert_array_equal(host(model.class_means_), [[-100] * 2, [100] * 2])
    assert float(model.report()) == 1


@each("dtype", [torch.int64, torch.int32, torch.uint8, torch.bool])
def test_integer_features(make, device, dtype):
    X = torch.as_tensor(np.random.default_rng(0).integers(0, 5, (60, 4))).to(dtype)
    y = torch.arange(60) % 3
    one = make().fit(X.to(device), y.to(device))
    other = make().fit(X.double().to(device), y.to(device))
    assert state_bits(one) == state_bits(other)


def test_precisions_in_one_stream(make, device):
    X, y = tensors(device, torch.bfloat16)
    model = make()
    for part, dtype in (
        (slice(0, 80), torch.bfloat16),
        (slice(80, 200), torch.float32),
    ):
        model.partial_fit(X[part].to(dtype), y[part])
    whole = make().fit(X.float(), y)
    np.testing.assert_allclose(host(model.class_means_), host(whole.class_means_), 1e-6)
    assert model.statistics_.input_dtype == "float32"


# Autocast, inference mode, determinism ----------------------------------------


def everything(make, device, around):
    """Return all numbers of a fit, with each call inside a context."""
    X, y = tensors(device, torch.float32)
    with around():
        model = make()
        model.partial_fit(X[:90], y[:90])
        model.partial_fit(X[90:], y[90:], sample_weight=None)
    numbers = dict(state_bits(model))
    with around():
        results = {"transform": model.transform(X), "class_means_": model.class_means_}
        score = model.score(X, y)
        if isinstance(model, NearestClassCenter):
            for method in ("predict", "decision_function", "predict_proba"):
                results[method] = getattr(model, method)(X)
            head = (torch.ones(5, 7, device=device), None)
            score = (score, model.agreement(X, head, y).rate)
        else:
            model.set_params(head=torch.eye(5, 7, device=device))
            score = (model.score(X, y).to_dict(), model.report().to_dict())
            for name in ("between_class_covariance_", "global_mean_"):
                results[name] = getattr(model, name)
    numbers |= {k: (v.dtype, host(v).tobytes()) for k, v in results.items()}
    return numbers, score


def test_autocast_changes_no_number(make, device):
    plain = everything(make, device, nullcontext)
    cast = everything(
        make, device, lambda: torch.autocast(device, dtype=torch.bfloat16)
    )
    assert cast == plain


def test_autocast_of_the_caller_holds_inside_the_loader(device):
    X, y = tensors(device, torch.float32)
    seen = {"fit": [], "score": []}

    def loader(when):
        for part in (slice(0, 100), slice(100, 200)):
            seen[when].append(torch.is_autocast_enabled(device))
            seen[when].append(torch.is_grad_enabled())
            yield X[part], y[part]

    analyzer = NeuralCollapseAnalyzer()
    with torch.autocast(device, dtype=torch.bfloat16):
        analyzer.fit_batches(loader("fit"))
        analyzer.score_batches(loader("score"))
    # A network that runs inside the loader makes the same features in both.
    assert seen["score"] == seen["fit"] == [True] * 4


def test_inference_mode(make, device):
    assert everything(make, device, torch.inference_mode) == everything(
        make, device, nullcontext
    )


def test_no_grad(make, device):
    assert everything(make, device, torch.no_grad) == everything(
        make, device, nullcontext
    )


@each("read", [False, True])
def test_inference_mode_then_outside(make, device, read):
    X, y = tensors(device)
    model, plain = make(), make()
    with torch.inference_mode():
        model.partial_fit(X[:90] * 1, y[:90])
        if read:
            _ = model.class_means_
    model.partial_fit(X[90:], y[90:])
    plain.partial_fit(X[:90], y[:90])
    if read:
        _ = plain.class_means_
    plain.partial_fit(X[90:], y[90:])
    assert state_bits(model) == state_bits(plain)
    model.score(X, y)


def test_inference_tensors_outside(make, device):
    X, y = tensors(device)
    with torch.inference_mode():
        features, labels = X * 1, y * 1
    model = make().partial_fit(features, labels).partial_fit(X, y)
    plain = make().partial_fit(X, y).partial_fit(X, y)
    assert state_bits(model) == state_bits(plain)
    model.score(features, labels)
    model.transform(features)


def test_deterministic_algorithms(make, device, monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    X, y = tensors(device, torch.float32, n=3000, n_classes=40)
    torch.use_deterministic_algorithms(True)
    try:
        first, second = make(), make()
        for model in (first, second):
            model.partial_fit(X[:1000], y[:1000])
            model.partial_fit(X[1000:], y[1000:], sample_weight=torch.ones(2000))
        assert state_bits(first) == state_bits(second)
        assert first.score(X, y) == second.score(X, y)
        assert torch.equal(first.transform(X), second.transform(X))
    finally:
        torch.use_deterministic_algorithms(before)


# Labels and weights -----------------------------------------------------------


@each("dtype", [torch.int64, torch.int32, torch.int16, torch.uint8])
@each("classes", [None, [0, 1, 2, 3, 4]])
def test_labels_of_any_width(make, device, dtype, classes):
    X, y = tensors(device)
    model = make().partial_fit(X, y.to(dtype), classes=classes)
    plain = make().partial_fit(X, y, classes=classes)
    assert state_bits(model) == state_bits(plain)
    np.testing.assert_array_equal(model.classes_, np.arange(5))


def test_boolean_labels(make, device):
    X, y = tensors(device, n_classes=2)
    model = make().fit(X, y.bool())
    assert state_bits(model) == state_bits(make().fit(X, y))
    model.score(X, y.bool())
    if isinstance(model, NearestClassCenter):
        predicted = model.predict(X)
        assert predicted.dtype == torch.bool
        assert predicted.device.type == device


@each("form", ["numpy", "list", "cpu_tensor", "int32"])
def test_labels_elsewhere(make, device, form):
    X, y = tensors(device)
    labels = {
        "numpy": host(y),
        "list": host(y).tolist(),
        "cpu_tensor": y.cpu(),
        "int32": host(y).astype(np.int32),
    }[form]
    model = make().fit(X, labels)
    assert state_bits(model) == state_bits(make().fit(X, y))
    assert model.score(X, labels) == model.score(X, y)
    if isinstance(model, NearestClassCenter):
        assert isinstance(model.predict(X), torch.Tensor)


def test_kinds_of_labels_in_one_stream(make, device):
    X, y = tensors(device)
    model = make().partial_fit(X[:90], y[:90]).partial_fit(X[90:], host(y[90:]))
    plain = make().partial_fit(X[:90], y[:90]).partial_fit(X[90:], y[90:])
    assert state_bits(model) == state_bits(plain)


def test_classes_that_appear_late(make, device):
    X, y = tensors(device)
    order = torch.argsort(y, descending=True, stable=True)
    model = make()
    for part in torch.chunk(order, 9):
        model.partial_fit(X[part], y[part] * 10 - 7)
    np.testing.assert_array_equal(model.classes_, [-7, 3, 13, 23, 33])
    plain = make().fit(X, y)
    np.testing.assert_allclose(
        host(model.class_means_), host(plain.class_means_), **NEAR
    )


@each("step", [1, 2])
def test_labels_wider_than_the_classes(make, device, step):
    # 256 is 0 in eight bits, and yet another class.
    X, y = tensors(device)
    y = y * step
    wide = torch.where(y == 0, 256, y)
    classes = np.arange(5, dtype=np.uint8) * np.uint8(step)
    model = make()
    with pytest.raises(ValueError, match=r"labels \[256\] that are not among the 5"):
        model.partial_fit(X, wide, classes=classes)
    model.fit(X, y.to(torch.uint8))
    if isinstance(model, NeuralCollapseAnalyzer):
        message = r"labels \[256\] without fitted samples: .* 5 classes"
        with pytest.raises(ValueError, match=message):
            model.score(X, wide)
    model.partial_fit(X, wide)
    np.testing.assert_array_equal(model.classes_, [*range(0, 5 * step, step), 256])


def test_large_labels(make, device):
    X, y = tensors(device)
    labels = y + 2**60
    model = make().fit(X, labels)
    np.testing.assert_array_equal(model.classes_, np.arange(5) + 2**60)
    if isinstance(model, NearestClassCenter):
        assert set(host(model.predict(X))) <= set(model.classes_)


@each("form", ["tensor", "cpu_tensor", "float16", "numpy", "list", "ints"])
def test_weights(make, device, form):
    X, y = tensors(device)
    times = np.random.default_rng(1).integers(0, 3, len(y)).astype(float)
    weights = {
        "tensor": torch.as_tensor(times).to(device),
        "cpu_tensor": torch.as_tensor(times),
        "float16": torch.as_tensor(times).half().to(device),
        "numpy": times,
        "list": times.tolist(),
        "ints": torch.as_tensor(times).int().to(device),
    }[form]
    model = make().fit(X, y, weights)
    plain = make().fit(host(X), host(y), times)
    np.testing.assert_allclose(host(model.class_means_), plain.class_means_, **NEAR)
    np.testing.assert_allclose(
        model.score(X, y, weights), plain.score(host(X), host(y), times), **NEAR
    )


def test_weights_that_require_gradients(make, device):
    X, y = tensors(device)
    weights = torch.ones(len(y), device=device, requires_grad=True)
    model = make().fit(X, y, weights)
    model.score(X, y, weights)
    assert all(not value.requires_grad for value in tensors_in(model))


# Memory layout ----------------------------------------------------------------


@each("layout", ["transposed", "strided", "flipped", "expanded", "slice"])
def test_memory_layouts(make, device, layout):
    X, y = tensors(device)
    if layout == "expanded":
        X = X[:, :1].expand(-1, 7)
    odd = {
        "transposed": lambda: X.T.contiguous().T,
        "strided": lambda: torch.repeat_interleave(X, 2, dim=1)[:, ::2],
        "flipped": lambda: X.flip(0).flip(0),
        "expanded": lambda: X,
        "slice": lambda: torch.cat([X, X, X], 1)[:, 7:14],
    }[layout]()
    labels = torch.repeat_interleave(y, 2)[::2]
    model, plain = make().fit(odd, labels), make().fit(X.contiguous(), y)
    np.testing.assert_allclose(
        host(model.class_means_), host(plain.class_means_), **NEAR
    )
    np.testing.assert_allclose(model.score(odd, labels), plain.score(X, y), **NEAR)


def test_parameter_as_features(make, device):
    X, y = tensors(device)
    model = make().fit(torch.nn.Parameter(X), y)
    assert all(type(value) is torch.Tensor for value in tensors_in(model))


# Heads ------------------------------------------------------------------------


def linear(device, dtype=torch.float32, bias=True):
    torch.manual_seed(0)
    return torch.nn.Linear(7, 5, bias=bias).to(device, dtype)


@each("bias", [True, False])
@each("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_linear_layer(device, bias, dtype):
    X, y = tensors(device)
    head = linear(device, dtype, bias)
    model = NeuralCollapseAnalyzer(head=head).fit(X, y)
    report = model.score(X, y)
    parts = [
        host(p.double()) if p is not None else None for p in (head.weight, head.bias)
    ]
    plain = NeuralCollapseAnalyzer(head=(parts[0], parts[1])).fit(host(X), host(y))
    assert_same_report(report, plain.score(host(X), host(y)))
    assert ("nc4_bias_collapse" in report) == bias
    logits = host(X) @ parts[0].T + (0 if parts[1] is None else parts[1])
    assert report.nc4_head_accuracy == np.mean(logits.argmax(1) == host(y))
    assert head.weight.requires_grad
    assert head.weight.grad is None


def test_training_goes_on(device):
    X, y = tensors(device, torch.float32)
    head = linear(device)
    model = NeuralCollapseAnalyzer(head=head).fit(X, y)
    first = model.score(X, y)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.5)
    for _ in range(20):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(head(X), y).backward()
        optimizer.step()
    second = model.score(X, y)
    assert second.nc4_head_accuracy > first.nc4_head_accuracy
    assert second.nc3_self_duality < first.nc3_self_duality
    assert second.nc1_pinv == first.nc1_pinv
    accuracy = (head(X).argmax(1) == y).double().mean().item()
    assert second.nc4_head_accuracy == accuracy
    assert model.report().nc3_self_duality == pytest.approx(second.nc3_self_duality)


def test_head_on_another_device_than_the_features(device):
    X, y = tensors("cpu")
    report = NeuralCollapseAnalyzer(head=linear(device)).fit(X, y).score(X, y)
    plain = NeuralCollapseAnalyzer(head=linear("cpu")).fit(X, y).score(X, y)
    assert_same_report(report, plain, rtol=SINGLE)


@pytest.mark.parametrize("to_tensor", [True, False])
def test_head_of_another_library(device, to_tensor):
    X, y = tensors(device)
    head = linear(device, torch.float64)
    W, b = head.weight.detach(), head.bias.detach()
    if to_tensor:
        pair, features, labels = (W, b), host(X), host(y)
    else:
        pair, features, labels = (host(W), host(b)), X, y
    report = NeuralCollapseAnalyzer(head=pair).fit(features, labels)
    plain = NeuralCollapseAnalyzer(head=head).fit(X, y)
    assert_same_report(report.score(features, labels), plain.score(X, y))


def test_agreement_with_a_layer(device):
    X, y = tensors(device)
    head = linear(device, torch.float64)
    model = NearestClassCenter().fit(X, y)
    found = model.agreement(X, head, y)
    expected = np.mean(host(head(X).argmax(1)) == host(model.predict(X)))
    assert found.rate == expected


# Loaders ----------------------------------------------------------------------


def test_data_loader(make, device):
    X, y = tensors(device)
    data = torch.utils.data.TensorDataset(X, y)
    loader = torch.utils.data.DataLoader(data, batch_size=17, shuffle=True)
    model, plain = make().fit_batches(loader), make().fit(X, y)
    np.testing.assert_allclose(
        host(model.class_means_), host(plain.class_means_), **NEAR
    )
    assert model.n_samples_seen_ == len(y)
    if isinstance(model, NeuralCollapseAnalyzer):
        assert_same_report(model.score_batches(loader), plain.score(X, y))


def test_data_loader_with_weights(device):
    X, y = tensors(device)
    weights = torch.linspace(0, 2, len(y), device=device)
    data = torch.utils.data.TensorDataset(X, y, weights)
    loader = torch.utils.data.DataLoader(data, batch_size=64)
    model = NeuralCollapseAnalyzer().fit_batches(loader, classes=range(5))
    plain = NeuralCollapseAnalyzer().fit(X, y, weights)
    assert_same_report(model.score_batches(loader), plain.score(X, y, weights))


def test_generator_of_a_network(device):
    X, y = tensors(device)
    torch.manual_seed(0)
    body = torch.nn.Sequential(torch.nn.Linear(7, 6), torch.nn.ReLU()).to(X)
    batches = [(X[i : i + 50], y[i : i + 50]) for i in range(0, 200, 50)]
    head = torch.nn.Linear(6, 5).to(X)
    analyzer = NeuralCollapseAnalyzer(head=head)
    analyzer.fit_batches((body(x), labels) for x, labels in batches)
    report = analyzer.score_batches((body(x), labels) for x, labels in batches)
    whole = NeuralCollapseAnalyzer(head=head).fit(body(X), y).score(body(X), y)
    assert_same_report(report, whole)
    assert all(not value.requires_grad for value in tensors_in(analyzer._stream))


def test_progress(make, device, capsys):
    pytest.importorskip("tqdm")
    X, y = tensors(device)
    make().fit_batches([(X, y), (X, y)], progress=True)
    assert "batches" in capsys.readouterr().err


# Values -----------------------------------------------------------------------


def test_pickle_and_copies(make, device):
    X, y = tensors(device)
    model = make().fit(X[:100], y[:100])
    for copied in (
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        copy.copy(model),
    ):
        assert state_bits(copied) == state_bits(model)
        assert copied.class_means_.device.type == device
    before = state_bits(model)
    again = pickle.loads(pickle.dumps(model)).partial_fit(X[100:], y[100:])
    copy.copy(model).partial_fit(X[100:], y[100:])
    assert state_bits(model) == before
    model.partial_fit(X[100:], y[100:])
    for key, value in state_bits(again).items():
        assert value == state_bits(model)[key], key


def test_merge(make, device):
    X, y = tensors(device)
    parts = [make().fit(X[i::3], y[i::3]) for i in range(3)]
    whole = make().fit(X, y)
    merged = parts[0] + parts[1] + parts[2]
    np.testing.assert_allclose(
        host(merged.class_means_), host(whole.class_means_), **NEAR
    )
    assert merged.class_means_.device.type == device


def test_report_is_plain(device):
    X, y = tensors(device)
    report = NeuralCollapseAnalyzer(head=linear(device)).fit(X, y).score(X, y)
    assert all(type(value) is float for value in report.to_dict().values())
    assert all(isinstance(v, np.ndarray) for v in report.per_class.values())
    assert report.device.startswith(device)
    assert list(tensors_in(vars(report))) == []
    report.to_json()
    pickle.loads(pickle.dumps(report))


def test_many_classes(device):
    rng = np.random.default_rng(0)
    y = torch.as_tensor(np.repeat(np.arange(3000), 2)).to(device)
    X = torch.as_tensor(rng.normal(size=(6000, 16)), dtype=torch.float32).to(device)
    model = NearestClassCenter().partial_fit(X, y, classes=range(3000))
    distances = torch.cdist(X[:500].double(), model.class_means_)
    assert torch.equal(model.predict(X[:500]), distances.argmin(1))


# Waiting for a device ---------------------------------------------------------

# What copies to the host, and what has to know numbers to tell the shape of a result.
READS = {
    "tolist",
    "cpu",
    "_local_scalar_dense",
    "equal",
    "is_nonzero",
    "masked_select",
    "nonzero",
    "repeat_interleave",
    "_unique",
    "_unique2",
    "unique_consecutive",
    "unique_dim",
}


@contextmanager
def reads_counted():
    """Yield a list that grows with each operation that waits for a device."""
    found = []

    class Calls(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            name = getattr(function, "__name__", "")
            if name in READS:
                found.append(name)
            return function(*args, **(kwargs or {}))

    class Kernels(dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            name = function.overloadpacket.__name__
            index = args[1] if name in {"index", "index_put_"} else ()
            is_mask = [item is not None and item.dtype == torch.bool for item in index]
            if name in READS or any(is_mask):
                found.append(name)
            return function(*args, **(kwargs or {}))

    with Calls(), Kernels():
        yield found


def test_reads_are_counted(device):
    x = torch.arange(6, device=device)
    for read in (
        lambda: x.tolist(),
        lambda: x.cpu(),
        lambda: bool(x[0] == 0),
        lambda: float(x[0]),
        lambda: x[x > 2],
        lambda: torch.unique(x),
        lambda: torch.nonzero(x),
    ):
        with reads_counted() as found:
            read()
        assert len(found) >= 1
    with reads_counted() as found:
        torch.where(x > 2, x, 0 * x)[x]
    assert not found


@pytest.mark.parametrize(
    "device",
    ["waiting", pytest.param("cuda", marks=pytest.mark.gpu)],
    indirect=True,
)
@pytest.mark.parametrize("size", [50, 9000])
def test_one_read_a_batch(make, device, size):
    """More would leave a GPU idle, or the host."""
    X, y = tensors(device, torch.float32, n=6 * size)
    model = make().partial_fit(X[:size], y[:size], classes=range(5))
    for start in range(size, 6 * size, size):
        rows = slice(start, start + size)
        with reads_counted() as found:
            model.partial_fit(X[rows], y[rows], classes=range(5))
        assert len(found) <= 1, found
