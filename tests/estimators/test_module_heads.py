"""Torch modules as heads: what they do counts, and nothing of them changes."""

import copy
import warnings

import pytest
from toys import around, simplex

from sknc import NearestClassCenter, NeuralCollapseAnalyzer
from sknc.estimators._inputs.heads.parts import parts_of

torch = pytest.importorskip("torch")
nn = torch.nn
K, D = 5, 12
TOY = around(2 * simplex(K, D), 12, 1.0, head_noise=1.0)
X, Y = torch.tensor(TOY.X).float(), torch.tensor(TOY.y)


class Lora(nn.Linear):
    """A linear layer with an adapter of low rank beside its weight."""

    def __init__(self, n_inputs, n_outputs, rank=2):
        super().__init__(n_inputs, n_outputs)
        self.down = nn.Linear(n_inputs, rank, bias=False)
        self.up = nn.Linear(rank, n_outputs, bias=False)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        return super().forward(x) + 4 * self.up(self.down(self.dropout(x)))


class Cosine(nn.Module):
    """Cosines of features and weights, times a scale: not linear in the features."""

    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_outputs, n_inputs))

    def forward(self, x):
        normalize = nn.functional.normalize
        return 16 * nn.functional.linear(normalize(x), normalize(self.weight))


class Scaled(nn.Module):
    """A linear layer whose logits are divided by a temperature."""

    def __init__(self, n_inputs, n_outputs, squeeze=False):
        super().__init__()
        self.layer, self.squeeze = nn.Linear(n_inputs, n_outputs), squeeze

    def forward(self, x):
        logits = self.layer(x) / 0.07
        return logits.squeeze(1) if self.squeeze else logits


class Capped(nn.Linear):
    """Logits that a hyperbolic tangent keeps below thirty."""

    def forward(self, x):
        return 30 * torch.tanh(super().forward(x) / 30)


class Named(nn.Linear):
    """A subclass that does nothing else."""


def patched(layer):
    """Give one layer another forward, as libraries that place models do."""
    inner = layer.forward
    layer.forward = lambda x: -2 * inner(x)
    return layer


def normed():
    return nn.utils.parametrizations.weight_norm(nn.Linear(D, K))


def data_parallel():
    return nn.DataParallel(Lora(D, K))


def quantized():
    model = nn.Sequential(nn.Linear(D, K)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch is about to move this function
        return torch.ao.quantization.quantize_dynamic(model, dtype=torch.qint8)[0]


def pointwise(n_axes):
    kinds = [nn.Conv1d, nn.Conv2d, nn.Conv3d]
    return kinds[n_axes - 1](D, K, 1)


def outputs(module, x):
    """Return what a module makes of features in evaluation, float64."""
    training = module.training
    with torch.no_grad():
        n_axes = len(getattr(module, "kernel_size", ()))
        found = module.eval()(x.reshape(*x.shape, *[1] * n_axes))
    module.train(training)
    return found.double().reshape(len(x), -1)


AFFINE = {
    "linear": lambda: nn.Linear(D, K),
    "subclass": lambda: Named(D, K),
    "no bias": lambda: nn.Linear(D, K, bias=False),
    "adapter": lambda: Lora(D, K),
    "scaled": lambda: Scaled(D, K),
    "patched": lambda: patched(nn.Linear(D, K)),
    "sequential": lambda: nn.Sequential(nn.Linear(D, 7), nn.Dropout(), nn.Linear(7, K)),
    "weight norm": normed,
    "data parallel": data_parallel,
    "compiled": lambda: torch.compile(Lora(D, K), backend="eager"),
    "1x1": lambda: pointwise(1),
    "1x1x1": lambda: pointwise(2),
    "1x1x1x1": lambda: pointwise(3),
}


@pytest.mark.parametrize("name", AFFINE)
def test_weights_are_those_of_what_it_does(name):
    torch.manual_seed(0)
    module = AFFINE[name]()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    logits = outputs(getattr(module, "_orig_mod", module), X)
    parts = parts_of(module, D)
    made = X.double() @ parts.weights.double().T
    made = made if parts.bias is None else made + parts.bias.double()
    # The modules multiply in float32, some of them twice, numbers of up to 20.
    torch.testing.assert_close(made, logits, rtol=2e-5, atol=5e-5)
    report = NeuralCollapseAnalyzer(head=module).fit(X, Y).score(X, Y)
    accuracy = float((logits.argmax(1) == Y).double().mean())
    assert report.nc4_head_accuracy == pytest.approx(accuracy)
    agreement = NearestClassCenter().fit(X, Y).agreement(X, module, Y)
    assert agreement.head_accuracy == pytest.approx(accuracy)
    # And beside NumPy features.
    host = NeuralCollapseAnalyzer(head=module).fit(X.numpy(), Y.numpy())
    assert host.score(X.numpy(), Y.numpy()).nc4_head_accuracy == pytest.approx(accuracy)


def test_of_an_adapter_the_stored_weight_would_be_wrong():
    torch.manual_seed(1)
    module = Lora(D, K)
    logits = outputs(module, X)
    stored = NeuralCollapseAnalyzer(head=(module.weight, module.bias)).fit(X, Y)
    report = NeuralCollapseAnalyzer(head=module).fit(X, Y).report()
    assert abs(report.nc3_self_duality - stored.report().nc3_self_duality) > 0.01
    assert (logits - outputs(nn.Linear(D, K), X)).abs().max() > 0.1


def test_quantized_layer():
    torch.manual_seed(0)
    module = quantized()
    logits = outputs(module, X)
    parts = parts_of(module, D)
    made = X.double() @ parts.weights.T + parts.bias
    assert (made - logits).abs().max() < 0.02 * logits.abs().max()
    assert "nc3_cosine" in NeuralCollapseAnalyzer(head=module).fit(X, Y).report()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_its_own_dtype(dtype):
    torch.manual_seed(0)
    module = Scaled(D, K).to(dtype)
    weight = module.layer.weight.double() / 0.07
    found = parts_of(module, D).weights
    rounding = 4 * torch.finfo(dtype).eps
    torch.testing.assert_close(found, weight, rtol=rounding, atol=20 * rounding)


def test_one_row():
    torch.manual_seed(0)
    few = Y < 2
    for module in (Scaled(D, 1), Scaled(D, 1, squeeze=True)):
        chosen = outputs(module, X[few])[:, 0] > 0
        report = NeuralCollapseAnalyzer(head=module).fit(X[few], Y[few])
        accuracy = float((chosen == Y[few]).double().mean())
        found = report.score(X[few], Y[few]).nc4_head_accuracy
        assert found == pytest.approx(accuracy)


def test_more_features_than_a_block(monkeypatch):
    monkeypatch.setattr("sknc.estimators._inputs.heads.torch_modules._BLOCK", 5)
    torch.manual_seed(0)
    module = Lora(D, K)
    found = parts_of(module, D).weights
    expected = module.weight + 4 * module.up.weight @ module.down.weight
    torch.testing.assert_close(found, expected.detach().double(), rtol=1e-5, atol=1e-5)


# Refused ------------------------------------------------------------------------

START = (
    r"^head must be a torch\.nn\.Linear or another linear layer, a fitted scikit-learn "
    r"linear classifier, a LinearHead, \(weights, bias\) or weights, got "
)
NOT_LINEAR = (
    r"which is not linear: its outputs differ from W x \+ b by [\d.e+-]+ of their"
)
REFUSED = {
    "cosine": (
        lambda: Cosine(D, K),
        rf"Cosine, {NOT_LINEAR} size\. Normalize or transform the features like the "
        r"module, and pass the weights that multiply them: head=\(weights, bias\)\.$",
    ),
    "capped": (lambda: Capped(D, K), rf"Capped, {NOT_LINEAR}"),
    "perceptron": (
        lambda: nn.Sequential(nn.Linear(D, 9), nn.ReLU(), nn.Linear(9, K)),
        rf"Sequential, {NOT_LINEAR} size\. Pass its last linear layer, such as "
        r"model\.get_submodule\('2'\)\.$",
    ),
    "log softmax": (
        lambda: nn.Sequential(nn.Linear(D, K), nn.LogSoftmax(1)),
        rf"Sequential, {NOT_LINEAR}",
    ),
    "embedding": (
        lambda: nn.Embedding(K, D),
        r"Embedding, which takes indices\. Pass head=embedding\.weight\.$",
    ),
    "3x3": (
        lambda: nn.Conv2d(D, K, 3),
        r"Conv2d, which cannot be applied to features of shape \(1, 12\): Runtime",
    ),
    "groups": (lambda: nn.Conv1d(D, 4, 1, groups=2), r"Conv1d, which "),
    "tuple": (
        lambda: nn.LSTM(D, K),
        r"LSTM, which cannot be applied to features of shape \(1, 12\): Attribute",
    ),
    "width": (lambda: Lora(D + 1, K), r"Lora, which cannot be applied to features of"),
    "lazy": (
        lambda: nn.LazyLinear(K),
        r"LazyLinear, which has seen no batch\. Run the model once\.$",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore:Lazy modules:UserWarning")
def test_refused_before_the_pass(name):
    torch.manual_seed(0)
    make, message = REFUSED[name]
    analyzer = NeuralCollapseAnalyzer(head=make())
    with pytest.raises(TypeError, match=START + message):
        analyzer.fit(X, Y)
    later = NeuralCollapseAnalyzer().fit(X, Y).set_params(head=make())
    with pytest.raises(TypeError, match=START + message):
        later.report()


def test_without_numbers():
    layer = nn.Linear(D, K, device="meta")
    message = r"A head's weights must be a dense tensor, got a meta one\."
    for head in (layer, layer.weight):
        with pytest.raises(ValueError, match=message):
            NeuralCollapseAnalyzer(head=head).fit(X, Y)


def test_a_module_that_has_diverged():
    module = Lora(D, K)
    with torch.no_grad():
        module.up.weight[0, 0] = torch.nan
    analyzer = NeuralCollapseAnalyzer(head=module).fit(X, Y)
    with pytest.raises(ValueError, match="head's weights hold NaN or infinity"):
        analyzer.report()


# Arrays of other kinds ------------------------------------------------------------


def test_weight_of_an_embedding():
    torch.manual_seed(0)
    embedding = nn.Embedding(K, D)
    chosen = (X @ embedding.weight.T).argmax(1)
    report = NeuralCollapseAnalyzer(head=embedding.weight).fit(X, Y).score(X, Y)
    assert report.nc4_head_accuracy == pytest.approx(
        float((chosen == Y).float().mean())
    )


@pytest.mark.parametrize("kind", ["sparse", "float8", "quantized"])
@pytest.mark.filterwarnings("ignore:.*quantize_per_tensor:UserWarning")
def test_weights_of_another_layout(kind):
    weight = torch.tensor(TOY.W).float().round(decimals=0)
    other = {
        "sparse": lambda: weight.to_sparse(),
        "float8": lambda: weight.to(torch.float8_e4m3fn),
        "quantized": lambda: torch.quantize_per_tensor(weight, 0.5, 0, torch.qint8),
    }[kind]()
    expected = NeuralCollapseAnalyzer(head=weight).fit(X, Y).report().to_dict()
    for head in (other, (other, None)):
        found = NeuralCollapseAnalyzer(head=head).fit(X, Y).report().to_dict()
        assert found == expected


def test_sharded_layer(one_process):
    from torch.distributed.fsdp import fully_shard

    torch.manual_seed(0)
    layer = nn.Linear(D, K)
    expected = NeuralCollapseAnalyzer(head=copy.deepcopy(layer)).fit(X, Y).score(X, Y)
    mesh = torch.distributed.init_device_mesh("cpu", (1,))
    sharded = fully_shard(layer, mesh=mesh)
    assert hasattr(sharded.weight, "full_tensor")
    found = NeuralCollapseAnalyzer(head=sharded).fit(X, Y).score(X, Y)
    assert found.to_dict() == expected.to_dict()


# Traces ---------------------------------------------------------------------------


class Noisy(Lora):
    """Draws random numbers, even in evaluation."""

    def forward(self, x):
        return super().forward(x) + 0 * torch.rand(())


@pytest.mark.parametrize("make", [Noisy, "spectral norm"])
def test_it_stays_as_it_was(make):
    torch.manual_seed(0)
    if make == "spectral norm":
        module = nn.utils.parametrizations.spectral_norm(nn.Linear(D, K))
    else:
        module = make(D, K)
        module.down.eval()  # frozen, and to stay so
    module.train()
    calls = []
    for part in module.modules():
        part.register_forward_hook(lambda *args: calls.append(args))
        part.register_forward_pre_hook(lambda *args: calls.append(args))
    modes = [part.training for part in module.modules()]
    state = copy.deepcopy(module.state_dict())
    drawn = torch.get_rng_state()
    NeuralCollapseAnalyzer(head=module).fit(X, Y).score(X, Y)
    assert [part.training for part in module.modules()] == modes
    assert all(torch.equal(state[k], v) for k, v in module.state_dict().items())
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(parameter.grad is None for parameter in module.parameters())
    assert torch.is_grad_enabled()
    assert not calls
    module(X)
    assert len(calls) >= 2  # hooks are back


def test_it_stays_as_it_was_after_an_error():
    module = nn.Sequential(nn.Linear(D, 9), nn.ReLU(), nn.Linear(9, K)).train()
    calls = []
    module.register_forward_hook(lambda *args: calls.append(args))
    with pytest.raises(TypeError, match="not linear"):
        NeuralCollapseAnalyzer(head=module).fit(X, Y)
    assert all(part.training for part in module.modules())
    module(X)
    assert len(calls) == 1
