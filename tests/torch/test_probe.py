"""The head of a model is found by what it does, and its features are handed out."""

import subprocess
import sys
import warnings

import pytest

torch = pytest.importorskip("torch")
import networks  # noqa: E402
from networks import K  # noqa: E402
from torch import nn  # noqa: E402

from sknc import NeuralCollapseAnalyzer  # noqa: E402
from sknc.torch import FeatureProbe  # noqa: E402

X = torch.randn(9, 12, generator=torch.Generator().manual_seed(0))
IMAGES = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(1))
IDS = torch.tensor([[1, 2, 3, 4, 5, 6], [7, 8, 9, 0, 0, 0], [3, 3, 10, 5, 0, 0]])


def quantized():
    model = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, K)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch is about to move this function
        return torch.ao.quantization.quantize_dynamic(model, dtype=torch.qint8)


def with_head(head):
    return nn.Sequential(nn.Linear(12, 16), nn.ReLU(), head)


def weight_norm():
    return with_head(nn.utils.parametrizations.weight_norm(nn.Linear(16, K)))


def spectral_norm():
    return with_head(nn.utils.parametrizations.spectral_norm(nn.Linear(16, K)))


def adapter_at_zero():
    model = with_head(networks.Lora(16, K))
    nn.init.zeros_(model[2].up.weight)
    return model


def zero_head():
    model = networks.mlp()
    nn.init.zeros_(model[3].weight)
    nn.init.zeros_(model[3].bias)
    return model


def squeezed():
    return nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))


def compiled():
    """Return a model that ran before: hooks of its parts no longer fire."""
    model = torch.compile(networks.mlp().eval(), backend="eager")
    model(X)
    return model


def compiled_in_place():
    model = networks.mlp().eval()
    model.compile(backend="eager")
    model(X)
    return model


# name: model, inputs, name of the head, shape of the features
FOUND = {
    "linear alone": (lambda: nn.Linear(12, K), X, "", (9, 12)),
    "sequential": (lambda: with_head(nn.Linear(16, K)), X, "2", (9, 16)),
    "dropout": (networks.mlp, X, "3", (9, 16)),
    "resnet": (networks.ResNet, IMAGES, "fc", (6, 32)),
    "checkpointed": (networks.Checkpointed, X, "head", (9, 16)),
    "keyword call": (networks.Keyword, X, "head", (9, 16)),
    "overwriting": (networks.Overwriting, X, "head", (9, 16)),
    "named logits": (networks.Named, X, "head", (9, 16)),
    "adapter": (lambda: with_head(networks.Lora(16, K)), X, "2", (9, 16)),
    "zero head": (zero_head, X, "3", (9, 16)),
    "weight norm": (weight_norm, X, "2", (9, 16)),
    "spectral norm": (spectral_norm, X, "2", (9, 16)),
    "traced by fx": (
        lambda: torch.fx.symbolic_trace(networks.Net()),
        X,
        "head",
        (9, 16),
    ),
    "identity behind": (
        lambda: nn.Sequential(with_head(nn.Linear(16, K)), nn.Identity()),
        X,
        "0.2",
        (9, 16),
    ),
    "no bias": (lambda: with_head(nn.Linear(16, K, bias=False)), X, "2", (9, 16)),
    "one row": (squeezed, X, "2", (9, 16)),
    "maps": (networks.dense_maps, IMAGES, "2", (6, 8, 8, 8)),
    "pooled 1x1": (networks.pooled_pointwise, IMAGES, "3", (6, 8)),
    "tied tokens": (networks.TiedLanguageModel, IDS, "lm_head", (3, 6, 8)),
    "last token": (networks.LastToken, IDS, "score", (3, 8)),
    "data parallel": (lambda: nn.DataParallel(networks.mlp()), X, "3", (9, 16)),
    "compiled": (compiled, X, "3", (9, 16)),
    "compiled in place": (compiled_in_place, X, "3", (9, 16)),
}


def made_of(probe):
    """Return W h + b in float64, by nothing of the probe but features and head."""
    module, features = probe.head, probe.features.double()
    if isinstance(module, networks.Lora):
        extra = 4 * module.up.weight @ module.down.weight
        return features @ (module.base.weight + extra).T.double() + module.base.bias
    made = features @ module.weight.flatten(1).T.double()
    return made if module.bias is None else made + module.bias.double()


@pytest.mark.parametrize("case", FOUND)
@torch.no_grad()
def test_features_times_head_are_the_logits(case):
    make, inputs, name, shape = FOUND[case]
    torch.manual_seed(0)
    model = make().eval()
    stance = "force_eager" if case == "compiled" else "default"
    with FeatureProbe(model) as probe, torch.compiler.set_stance(stance):
        for x in (inputs, inputs.flip(0)):
            output = model(x)
            assert probe.head_name == name
            assert tuple(probe.features.shape) == shape
            assert probe.logits.shape[:-1] == probe.features.shape[:-1]
            wanted = output["logits"] if isinstance(output, dict) else output
            if case == "maps":
                wanted = wanted.movedim(1, -1)
            made = made_of(probe).reshape(wanted.shape)
            torch.testing.assert_close(made, wanted.double(), rtol=0, atol=1e-5)
            assert torch.equal(probe.logits.reshape(wanted.shape), wanted)
    assert probe.n_forwards == 2


@torch.no_grad()
def test_adapter_is_found_as_a_whole_once_it_does_something():
    # While its product is zero, the inner layer makes the same numbers.
    model = adapter_at_zero().eval()
    with FeatureProbe(model) as probe:
        model(X)
    nn.init.ones_(model[2].up.weight)
    with FeatureProbe(model) as probe:
        model(X)
        assert probe.head_name == "2"


@torch.no_grad()
def test_quantized_head():
    model = quantized()
    with FeatureProbe(model) as probe:
        logits = model(X)
    assert probe.head_name == "2"
    head = probe.linear_head()
    made = probe.features.double() @ head.weights.T + head.bias
    torch.testing.assert_close(made, logits.double(), rtol=0, atol=0.02)


@torch.no_grad()
def test_distributed_data_parallel(one_process):
    inner = networks.mlp().eval()
    model = nn.parallel.DistributedDataParallel(inner)
    with FeatureProbe(model) as probe:
        logits = model(X)
        assert probe.head is inner[3]
    torch.testing.assert_close(made_of(probe), logits.double(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
@torch.no_grad()
def test_precision_of_the_model(dtype):
    model = networks.mlp().to(dtype).eval()
    with FeatureProbe(model) as probe:
        logits = model(X.to(dtype))
    assert probe.features.dtype == dtype
    unit = torch.finfo(dtype).eps * float(logits.abs().max())
    torch.testing.assert_close(made_of(probe), logits.double(), rtol=0, atol=2 * unit)


@pytest.mark.parametrize("inside", [True, False], ids=["own", "outer"])
@torch.no_grad()
def test_autocast_rounds_features_and_weights(inside):
    model = (networks.OwnAutocast() if inside else networks.Net()).eval()
    with (
        FeatureProbe(model) as probe,
        torch.autocast("cpu", torch.bfloat16, enabled=not inside),
    ):
        logits = model(X)
    assert probe.features.dtype == torch.bfloat16
    head = model.head
    made = nn.functional.linear(
        probe.features, head.weight.bfloat16(), head.bias.bfloat16()
    )
    assert torch.equal(made.to(logits.dtype), logits)


def test_checkpointed_training_step_counts_once():
    model = networks.Checkpointed()
    runs = []
    model.head.register_forward_pre_hook(lambda *args: runs.append(args))
    with FeatureProbe(model) as probe:
        for _ in range(2):
            model(X).sum().backward()  # recomputes: the head runs again
            assert torch.equal(probe.features, model.features(X).detach())
    assert len(runs) == 4
    assert probe.n_forwards == 2
    assert not probe.features.requires_grad


def test_feeds_an_estimator():
    model = networks.ResNet().eval()
    y = torch.arange(6) % K
    with torch.no_grad(), FeatureProbe(model) as probe:
        model(IMAGES)
        ours = NeuralCollapseAnalyzer(head=probe.head).fit(probe.features, y)
        by_hand = model.stages(model.stem(IMAGES)).mean((2, 3))
    reference = NeuralCollapseAnalyzer(head=model.fc).fit(by_hand, y)
    assert ours.score(by_hand, y).to_dict() == reference.score(by_hand, y).to_dict()


def test_copies_only_what_the_head_read():
    class FirstToken(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x):
            return self.fc(x[:, 0])

    model = FirstToken()
    with torch.no_grad(), FeatureProbe(model) as probe:
        model(torch.zeros(2, 1000, 4))
    assert probe.features.untyped_storage().nbytes() == 2 * 4 * 4


# Heads that are not found -------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: with_head(networks.Cosine(16, K)),
            r"^No linear layer makes the model's logits: expected W h \+ b of some "
            r"layer as output of shape \(9, 5\)\. Candidates that ran last: '0' "
            r"\(Linear, 12 to 16: its output is not the model's\); '2' \(Cosine, 16 to "
            r"5: is not linear: its outputs differ from W x \+ b by \d+ of their size\)"
            r"\. If one of them is the head, pass its name: head='\.\.\.'\. If the "
            r"logits are not linear in any features, as those of a cosine classifier, "
            r"pass what is multiplied to a NeuralCollapseAnalyzer instead\.$",
        ),
        (
            networks.TwoHeads,
            r"^The model has several heads: 'head' makes output\[0\]; 'other' makes "
            r"output\[1\]\. Pass the name of the one to measure: head='\.\.\.'\.$",
        ),
        (networks.Temperature, r"'head' \(Linear, 16 to 5: its output is not the mod"),
        (networks.SumOfHeads, r"'head' .*'other' .*pass its name: head='\.\.\.'"),
        (networks.Functional, r"Candidates that ran last: 'body' "),
        (networks.Chunked, r"'head' \(Linear, 16 to 5: its output is not the model's"),
        (
            lambda: nn.Sequential(networks.mlp(), nn.LogSoftmax(1)),
            r"'0\.3' \(Linear, 16 to 5: its output is not the model's",
        ),
        (
            lambda: nn.Sequential(networks.mlp(), nn.ReLU(inplace=True)),
            r"'0\.3' \(Linear, 16 to 5: W h \+ b differs from the logits by",
        ),
        (lambda: with_head(nn.Softmax(1)), "'0' .*its output is not the model's"),
        (
            lambda: nn.Sequential(networks.mlp(), nn.BatchNorm1d(K)),
            r"'0\.3' \(Linear, 16 to 5: its output is not the model's",
        ),
    ],
    ids=[
        "cosine",
        "two heads",
        "temperature",
        "sum",
        "functional",
        "chunked",
        "log-softmax",
        "in place",
        "none",
        "normalized",
    ],
)
@torch.no_grad()
def test_other_models_are_refused(make, message):
    model = make().eval()
    with FeatureProbe(model) as probe, pytest.raises(ValueError, match=message):
        model(X)
    assert_without_hooks(model)
    with pytest.raises(RuntimeError, match="No forward pass of the model was seen"):
        _ = probe.features


def test_diverged_model_is_refused():
    model = networks.mlp()
    nn.init.constant_(model[3].bias, torch.nan)
    with FeatureProbe(model), pytest.raises(ValueError, match="NaN or infinity"):
        model(X)


@pytest.mark.parametrize("by", ["name", "module"])
@torch.no_grad()
def test_head_can_be_named(by):
    model = networks.TwoHeads().eval()
    with FeatureProbe(model, "other" if by == "name" else model.other) as probe:
        logits = model(X)[1]
    assert probe.head is model.other
    assert torch.equal(probe.logits, logits)
    torch.testing.assert_close(made_of(probe), logits.double(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("make", [networks.Temperature, networks.SumOfHeads])
@torch.no_grad()
def test_logits_of_a_named_head_are_its_own_output(make):
    model = make().eval()
    with FeatureProbe(model, "head") as probe:
        model(X)
    torch.testing.assert_close(made_of(probe), probe.logits.double(), rtol=0, atol=1e-5)


@torch.no_grad()
def test_named_head_of_the_last_token():
    model = networks.LastToken().eval()
    with FeatureProbe(model, "score") as probe:
        logits = model(IDS)
    assert tuple(probe.features.shape) == (3, 8)
    assert torch.equal(probe.logits, logits)


@pytest.mark.parametrize(
    ("head", "error", "message"),
    [
        (
            "hed",
            ValueError,
            r"^head must be a part of the model, or its name as in "
            r"model\.named_modules\(\), got 'hed'\. Candidates: 'body', 'head'\.$",
        ),
        (nn.Linear(16, K), ValueError, "a Linear that is not a part of the model"),
        (3, TypeError, "got a int"),
    ],
)
def test_unknown_head(head, error, message):
    with pytest.raises(error, match=message):
        FeatureProbe(networks.Net(), head)


@pytest.mark.parametrize(
    ("make", "head", "message"),
    [
        (
            lambda: with_head(networks.Cosine(16, K)),
            "2",
            r"^The module '2', a Cosine, cannot be the head: .*not linear: its outputs "
            r"differ from W x \+ b by .* of their size\. Pass the name of the linear "
            "layer that computes the logits",
        ),
        (networks.mlp, "1", "The module '1', a ReLU, cannot be the head: "),
    ],
)
@torch.no_grad()
def test_named_head_must_be_linear(make, head, message):
    model = make().eval()
    with FeatureProbe(model, head), pytest.raises(ValueError, match=message):
        model(X)


def test_model_must_be_a_module():
    with pytest.raises(
        TypeError, match=r"model must be a torch\.nn\.Module, got int\."
    ):
        FeatureProbe(3)


@pytest.mark.filterwarnings("ignore")  # torch.jit is deprecated
@pytest.mark.parametrize("how", ["script", "trace"])
def test_modules_of_jit_are_refused(how):
    model = networks.Net().eval()
    made = torch.jit.script(model) if how == "script" else torch.jit.trace(model, X)
    with pytest.raises(
        TypeError,
        match=r"^model is a torch\.jit module, whose parts run without hooks: expected "
        r"an ordinary torch\.nn\.Module\. Pass the original module, before scripting "
        r"or tracing\.$",
    ):
        FeatureProbe(made)


# Hooks that are silent, or fire twice -------------------------------------------


@pytest.mark.parametrize("ran", [False, True], ids=["before", "after"])
@torch.no_grad()
def test_hooks_behind_a_compiled_call_are_noticed(ran):
    model = torch.compile(networks.mlp().eval(), backend="eager")
    if ran:
        model(X)
    with FeatureProbe(model) as probe:
        with pytest.raises(
            RuntimeError,
            match=r"^The model ran without its hooks\. Compiled code skips hooks: run "
            r"the model inside torch\.compiler\.set_stance\('force_eager'\)\.$",
        ):
            model(X)
        with torch.compiler.set_stance("force_eager"):
            logits = model(X)
        assert torch.equal(probe.logits, logits)
        assert probe.head_name == "3"


@torch.no_grad()
def test_features_of_an_earlier_call_are_not_handed_out():
    model = compiled()
    with FeatureProbe(model) as probe:
        with torch.compiler.set_stance("force_eager"):
            model(X)
        with pytest.raises(RuntimeError, match="ran without its hooks"):
            model(-X)
        with pytest.raises(RuntimeError, match=r"No forward pass .* Compiled code"):
            _ = probe.features


@torch.no_grad()
def test_part_that_is_compiled_is_named():
    model = nn.Sequential(compiled())
    with (
        FeatureProbe(model),
        pytest.raises(ValueError, match="If it is in a part that is compiled, run the"),
    ):
        model(X)
    model = nn.Sequential(
        nn.Linear(12, 12),
        torch.compile(nn.Linear(12, 16), backend="eager"),
        nn.ReLU(),
        nn.Linear(16, K),
    )
    with FeatureProbe(model) as probe:  # only the features are compiled
        model(X)
        assert probe.head_name == "3"


def test_compiled_calls_are_put_back():
    model = compiled_in_place()
    call = model._compiled_call_impl
    with FeatureProbe(model):
        assert model._compiled_call_impl is None
    assert model._compiled_call_impl is call


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            networks.Functional,
            r"^The head 'head' never ran in a forward pass of the model: expected "
            r"once\. If the model multiplies by the head's weight without calling",
        ),
        (
            networks.Twice,
            r"^The head 'head' ran 2 times in a forward pass of the model: expected "
            r"once\. Pass a layer that runs once for all samples: head='\.\.\.'\.$",
        ),
        (networks.Chunked, "The head 'head' ran 3 times"),
    ],
)
@torch.no_grad()
def test_number_of_runs_is_counted(make, message):
    model = make().eval()
    with (
        FeatureProbe(model, "head"),
        pytest.raises(RuntimeError, match=message),
    ):
        model(X)


@torch.no_grad()
def test_number_of_runs_is_counted_when_the_head_was_found():
    model = networks.Twice().eval()
    with FeatureProbe(model), pytest.raises(RuntimeError, match="ran 2 times"):
        model(X)


@torch.no_grad()
def test_calls_outside_of_the_model_do_not_count():
    model = networks.Net().eval()
    with FeatureProbe(model) as probe:
        logits = model(X)
        model.head(probe.features)
        model.forward(-X)
        assert torch.equal(probe.logits, logits)
        assert probe.n_forwards == 1


@torch.no_grad()
def test_nothing_to_read_before_a_call():
    model = networks.Net().eval()
    with FeatureProbe(model) as probe:
        model.forward(X)
        for name in ("features", "logits", "head", "head_name"):
            with pytest.raises(
                RuntimeError,
                match=r"^No forward pass of the model was seen\. Call model\(\.\.\.\) "
                r"inside the context, not model\.forward\(\.\.\.\)",
            ):
                getattr(probe, name)


# The model is left as it was ----------------------------------------------------


def hooks_of(model):
    names = ("_forward_hooks", "_forward_pre_hooks", "_forward_hooks_with_kwargs")
    names += ("_forward_pre_hooks_with_kwargs", "_backward_hooks")
    return [dict(getattr(part, name)) for part in model.modules() for name in names]


def assert_without_hooks(model):
    assert not any(hooks_of(model))


@pytest.mark.parametrize("when", ["found", "refused", "raised", "in a hook", "unused"])
def test_hooks_of_others_stay_and_ours_go(when):
    model = networks.TwoHeads() if when == "refused" else networks.Net()
    seen = []
    model.head.register_forward_hook(lambda *args: seen.append(1))
    before = hooks_of(model)
    training = [part.training for part in model.modules()]
    inputs = X[:, :3] if when == "raised" else X

    def run():
        with FeatureProbe(model):
            if when == "in a hook":
                model.head.register_forward_hook(lambda *args: 1 / 0)
            if when != "unused":
                model(inputs)

    errors = {"refused": ValueError, "raised": RuntimeError}
    if when in errors:
        with pytest.raises(errors[when]):
            run()
    elif when == "in a hook":
        with pytest.raises(ZeroDivisionError):
            run()
        model.head._forward_hooks.popitem()
    else:
        run()
    assert hooks_of(model) == before
    assert [part.training for part in model.modules()] == training


def test_probe_goes_on_after_an_error_of_the_model():
    model = networks.Net()
    with FeatureProbe(model) as probe:
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            model(X[:, :3])
        model(X)
        assert tuple(probe.features.shape) == (9, 16)


def test_probe_can_be_used_again_but_not_inside_of_itself():
    model = networks.Net()
    probe = FeatureProbe(model)
    with probe:
        model(X)
        with pytest.raises(RuntimeError, match="already open"), probe:
            pass
        model(X)
        assert probe.n_forwards == 2
    with probe:
        model(X)
        assert probe.n_forwards == 1
    assert_without_hooks(model)


def test_outputs_and_gradients_are_those_without_the_probe():
    torch.manual_seed(0)
    model = networks.mlp()

    def step():
        model.zero_grad()
        torch.manual_seed(1)
        loss = model(X).square().sum()
        loss.backward()
        return [loss.detach(), *(p.grad.clone() for p in model.parameters())]

    alone = step()
    with FeatureProbe(model):
        watched = step()
    assert all(map(torch.equal, alone, watched))


@pytest.mark.slow
def test_import_of_sknc_loads_no_torch():
    code = "import sys, sknc; print('torch' in sys.modules, hasattr(sknc, 'torch'))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]
