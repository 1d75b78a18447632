"""`analyze` leaves training as it was: bit for bit, whatever is raised."""

import itertools
import random
from functools import cache

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import networks  # noqa: E402
from networks import K  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402

from sknc.torch import analyze, analyze_layers  # noqa: E402

N, D = 80, 12
RNG = np.random.default_rng(0)
Y = RNG.integers(K, size=N)
X = (RNG.standard_normal((K, D))[Y] + RNG.standard_normal((N, D))).astype(np.float32)


class Augmented(Dataset):
    """Draws noise from all global generators, and from two of its own."""

    def __init__(self):
        self.numpy = np.random.default_rng(3)
        self.python = random.Random(3)
        self.legacy = np.random.RandomState(3)

    def __len__(self):
        return N

    def __getitem__(self, i):
        noise = torch.randn(D) + np.random.randn() + random.random()  # noqa: NPY002
        noise += self.numpy.random() + self.python.random() + self.legacy.rand()
        return torch.tensor(X[i]) + 0.1 * noise.float(), int(Y[i])


def network():
    model = nn.Sequential(
        nn.Linear(D, 16),
        nn.BatchNorm1d(16),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(16, 16),
        nn.BatchNorm1d(16),
        nn.Linear(16, K),
    )
    model[1].eval()  # one part is frozen
    return model


def naive(model, loader):
    """Evaluate as is often done."""
    model.eval()
    with torch.no_grad():
        for x, _ in loader:
            model(x)
    model.train()


def trained(measure, *, in_the_middle=False, with_generator=False, **options):
    """Train, and return all numbers of the network and the number of steps."""
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    generator = torch.Generator().manual_seed(7) if with_generator else None
    loader = DataLoader(Augmented(), 16, shuffle=True, generator=generator, **options)
    n_steps = 0
    for _ in range(2):
        for step, (x, y) in enumerate(loader):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            n_steps += 1
            if step == 2 and in_the_middle and measure:
                measure(model, loader)
        if not in_the_middle and measure:
            measure(model, loader)
    return [*model.state_dict().values(), torch.tensor(n_steps)]


LOADERS = {
    "plain": {},
    "own generator": {"with_generator": True},
    "workers": {"num_workers": 1},
    "persistent workers": {"num_workers": 1, "persistent_workers": True},
}


@cache
def untouched(kind):
    """Return the numbers after training without measuring."""
    return trained(None, **LOADERS[kind])


ALL_WAYS = list(itertools.product(LOADERS, [False, True], [analyze, analyze_layers]))
# One of each choice for each loader; the others are slow where workers start.
QUICK = {("workers", False, analyze_layers), ("workers", True, analyze)}
QUICK |= {("persistent workers", True, analyze_layers)}
QUICK |= {("persistent workers", False, analyze)}


@pytest.mark.parametrize(
    ("kind", "in_the_middle", "measure"),
    [
        pytest.param(
            *way,
            marks=[pytest.mark.slow] * ("workers" in way[0] and way not in QUICK),
            id=f"{way[0]}-{'step' if way[1] else 'epoch'}-{way[2].__name__}",
        )
        for way in ALL_WAYS
    ],
)
def test_training_goes_on_bit_for_bit(kind, in_the_middle, measure):
    found = trained(measure, in_the_middle=in_the_middle, **LOADERS[kind])
    assert all(map(torch.equal, untouched(kind), found))


def test_training_goes_on_bit_for_bit_after_two_passes():
    seen = []

    def measure(model, loader):
        seen.append(analyze(model, loader, held_out=loader, cache="none"))

    assert all(map(torch.equal, untouched("plain"), trained(measure)))
    one = []
    trained(lambda model, loader: one.append(analyze(model, loader)))
    for first, second in zip(seen, one, strict=True):
        # Both passes saw the same augmentation and order, and no warning says else.
        assert first.n_passes == 2
        assert first.train.to_dict() == second.train.to_dict()


@pytest.mark.parametrize("kind", ["plain", "persistent workers"])
def test_naive_evaluation_changes_training(kind):
    found = trained(naive, **LOADERS[kind])
    assert not all(map(torch.equal, untouched(kind), found))


def test_naive_evaluation_cuts_an_epoch_of_persistent_workers():
    options = {**LOADERS["persistent workers"], "in_the_middle": True}
    assert trained(naive, **options)[-1] < trained(analyze, **options)[-1] == 10


# Each thing alone ---------------------------------------------------------------


BATCHES = [(torch.tensor(X[i::4]), torch.tensor(Y[i::4])) for i in range(4)]


class Failing:
    """A loader that fails behind its first batch."""

    def __iter__(self):
        yield BATCHES[0]
        raise OSError("the disk is gone")


class Fragile(nn.Module):
    """Fails in the second forward pass."""

    def __init__(self):
        super().__init__()
        self.inner, self.n = network(), 0

    def forward(self, x):
        self.n += 1
        if self.n == 2:
            raise OSError("the model is gone")
        return self.inner(x)


FAILURES = {
    "nothing": (network, BATCHES, {}, None),
    "loader": (network, Failing(), {}, OSError),
    "model": (Fragile, BATCHES, {}, OSError),
    "held out": (network, BATCHES, {"held_out": Failing()}, OSError),
    "head": (lambda: nn.Sequential(network(), nn.Softmax(1)), BATCHES, {}, ValueError),
    "labels": (
        network,
        [BATCHES[0], (BATCHES[1][0], torch.rand(20, K))],
        {},
        ValueError,
    ),
    "class": (
        network,
        [BATCHES[0], (BATCHES[1][0], BATCHES[1][1] + K)],
        {},
        ValueError,
    ),
    "metrics": (network, BATCHES, {"metrics": ["nc7"]}, ValueError),
    "interrupt": (
        network,
        BATCHES,
        {"unpack": lambda batch: (_ for _ in ()).throw(KeyboardInterrupt)},
        KeyboardInterrupt,
    ),
}


def state_of(model):
    return [
        [(part.training, dict(part._buffers)) for part in model.modules()],
        [(p.requires_grad, p.grad) for p in model.parameters()],
        [
            dict(hooks)
            for part in model.modules()
            for hooks in (part._forward_hooks, part._forward_pre_hooks)
        ],
    ]


def states_of_generators():
    legacy = np.random.get_state()  # noqa: NPY002
    return random.getstate(), legacy[1].tolist(), torch.get_rng_state().tolist()


@pytest.mark.parametrize("measure", [analyze, analyze_layers])
@pytest.mark.parametrize("why", FAILURES)
def test_everything_is_put_back_whatever_is_raised(why, measure):
    make, loader, options, error = FAILURES[why]
    model = make()
    before = state_of(model)
    numbers = [t.clone() for t in model.state_dict().values()]
    numbers_before = states_of_generators()
    if error is None:
        measure(model, loader, **options)
    else:
        with pytest.raises(error):
            measure(model, loader, **options)
    assert state_of(model) == before
    assert all(map(torch.equal, numbers, model.state_dict().values()))
    assert states_of_generators() == numbers_before
    assert torch.is_grad_enabled()


def test_gradients_of_a_step_under_way_survive():
    model = network()
    loss = nn.functional.cross_entropy(model(BATCHES[0][0]), BATCHES[0][1])
    analyze(model, BATCHES)
    loss.backward()
    wanted = [p.grad.clone() for p in model.parameters()]
    torch.manual_seed(1)
    analyze(model, BATCHES)
    assert all(map(torch.equal, wanted, (p.grad for p in model.parameters())))


class KeepsAverages(nn.BatchNorm1d):
    """Stays in training mode, against all advice, and takes its averages along."""

    def train(self, mode=True):
        return super().train(True)


class Counting(nn.Module):
    """Replaces a buffer in each forward pass."""

    def __init__(self):
        super().__init__()
        self.register_buffer("n", torch.zeros(()))
        self.head = nn.Linear(D, K)

    def forward(self, x):
        self.n = self.n + 1
        return self.head(x)


@pytest.mark.parametrize(
    "make",
    [lambda: nn.Sequential(KeepsAverages(D), nn.Linear(D, K)), Counting],
    ids=["batch norm", "counter"],
)
def test_buffers_are_put_back(make):
    model = make()
    before = {name: tensor.clone() for name, tensor in model.named_buffers()}
    analyze(model, BATCHES)
    for name, tensor in model.named_buffers():
        assert torch.equal(tensor, before[name]), name


class Merging(nn.Linear):
    """Merges an adapter into its weight for evaluation, as loralib does."""

    merged = False

    def train(self, mode=True):
        super().train(mode)
        if mode == self.merged:
            self.weight.data += -0.1 if mode else 0.1
            self.merged = not mode
        return self


@pytest.mark.parametrize("frozen", [False, True])
def test_merged_adapters_are_taken_apart_to_the_last_bit(frozen):
    model = nn.Sequential(Merging(D, 16), nn.ReLU(), nn.Linear(16, K))
    if frozen:
        model[0].eval()
    weight, merged = model[0].weight.detach().clone(), model[0].merged
    analyze(model, BATCHES)
    assert torch.equal(model[0].weight, weight)
    assert model[0].merged == merged == frozen
    assert model[0].training is not frozen


def test_rounding_of_a_merge_is_real():
    layer = Merging(D, 16)
    before = layer.weight.detach().clone()
    layer.eval()
    layer.train()
    assert not torch.equal(layer.weight, before)


class Table(nn.Module):
    """Makes a table on first use, and keeps it, as rotary embeddings do."""

    def __init__(self):
        super().__init__()
        self.scale, self.table = nn.Parameter(torch.ones(D)), None
        self.head = nn.Linear(D, K)

    def forward(self, x):
        if self.table is None:
            self.table = torch.linspace(1, 2, D)
        return self.head(x * self.scale * self.table)


def test_what_the_model_keeps_can_be_used_in_training():
    model = Table()
    analyze(model, BATCHES)
    model(BATCHES[0][0]).sum().backward()
    model = Table()
    with torch.inference_mode():
        model(BATCHES[0][0])
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved"):
        model(BATCHES[0][0]).sum().backward()
    model = Table()
    with torch.inference_mode():
        analyze(model, BATCHES)
    model(BATCHES[0][0]).sum().backward()


def test_model_runs_in_evaluation_and_without_gradients():
    model, seen = network(), []

    def look(module, args, output):
        seen.append((module.training, torch.is_grad_enabled(), output.requires_grad))

    for part in model:
        part.register_forward_hook(look)
    analyze(model, BATCHES)
    assert set(seen) == {(False, False, False)}


def test_training_step_in_the_same_autocast_region_has_gradients():
    model = networks.mlp()
    with torch.autocast("cpu", torch.bfloat16):
        analysis = analyze(model, BATCHES)
        model(BATCHES[0][0]).float().sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    assert analysis.train.dtype == "bfloat16"
    assert analyze(model, BATCHES).train.dtype == "float32"


@pytest.mark.parametrize("in_place", [False, True])
def test_compiled_training_is_not_compiled_again(in_place):
    torch._dynamo.reset()  # graphs of other tests of the same networks are used again
    counters = torch._dynamo.utils.counters["stats"]
    inner = networks.mlp()
    model = inner
    if in_place:
        model.compile(backend="eager")
    else:
        model = torch.compile(inner, backend="eager")
    model(BATCHES[0][0]).sum().backward()
    before = counters["unique_graphs"]
    analysis = analyze(model, BATCHES)
    model(BATCHES[0][0]).sum().backward()
    assert counters["unique_graphs"] == before
    assert analysis.train.to_dict() == analyze(inner, BATCHES).train.to_dict()
    if not in_place:
        inner.eval()
        model(BATCHES[0][0])
        assert counters["unique_graphs"] == before + 1  # what would have happened


def test_head_inside_of_a_compiled_part():
    part = torch.compile(networks.mlp().eval(), backend="eager")
    part(BATCHES[0][0])
    found = analyze(nn.Sequential(part), BATCHES)
    assert found.head_name == "0._orig_mod.3"
    assert found.train.to_json() == analyze(part, BATCHES).train.to_json()


def test_persistent_workers_of_training_are_neither_used_nor_replaced():
    loader = DataLoader(Augmented(), 16, num_workers=1, persistent_workers=True)
    batches = iter(loader)
    next(batches)
    kept = loader._iterator
    workers = [worker.pid for worker in kept._workers]
    analyze(network(), loader)
    assert loader._iterator is kept
    assert loader.persistent_workers
    assert len(list(batches)) == 4
    assert [worker.pid for worker in kept._workers] == workers


class Wrapper:
    """Passes a loader on, as libraries of training loops do."""

    def __init__(self, loader):
        self._dataloader = loader

    def __iter__(self):
        return iter(self._dataloader)


def test_persistent_workers_inside_of_a_wrapper():
    loader = DataLoader(Augmented(), 16, num_workers=1, persistent_workers=True)
    batches = iter(loader)
    next(batches)
    analyze(network(), Wrapper(loader))
    assert loader._iterator is batches
    assert len(list(batches)) == 4


def test_workers_are_stopped_after_an_error():
    import multiprocessing

    loader = DataLoader(Augmented(), 16, num_workers=1)
    model = Fragile()
    before = set(multiprocessing.active_children())
    with pytest.raises(OSError, match="the model is gone") as caught:
        analyze(model, loader)
    assert set(multiprocessing.active_children()) <= before
    assert caught.value.__traceback__ is not None  # holds on to the frames
