"""What callbacks share: loaders of every sample, wrong parameters, light imports."""

import subprocess
import sys

import pytest
from tables import each

torch = pytest.importorskip("torch")
from torch.utils.data import (  # noqa: E402
    BatchSampler,
    DataLoader,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from sknc.torch._callbacks import Measuring, Schedule  # noqa: E402
from sknc.torch._collectives import Ranks  # noqa: E402
from sknc.torch._every_sample import every_sample, part_of  # noqa: E402

LIBRARIES = ["lightning", "pytorch_lightning", "transformers", "skorch", "torchmetrics"]
DATA = TensorDataset(torch.arange(10.0)[:, None], torch.arange(10))


class Numbers(IterableDataset):
    def __iter__(self):
        return iter(range(5))


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ({"batch_size": 4, "shuffle": True, "drop_last": True}, [4, 4, 2]),
        ({"batch_size": 3, "sampler": WeightedRandomSampler([1.0] * 10, 2)}, [3] * 3),
        ({"batch_sampler": BatchSampler(RandomSampler(DATA), 5, True)}, [5, 5]),
        ({"batch_sampler": [[1, 2], [0]]}, [10]),
    ],
)
def test_every_sample_comes_once_in_order(options, sizes):
    batches = list(every_sample(DataLoader(DATA, **options)))
    assert [len(y) for _, y in batches][: len(sizes)] == sizes
    assert torch.equal(torch.cat([y for _, y in batches]), torch.arange(10))


def test_every_sample_is_collated_as_in_training():
    loader = DataLoader(DATA, 4, shuffle=True, collate_fn=len)
    assert list(every_sample(loader)) == [4, 4, 2]
    whole = every_sample(DataLoader(DATA, batch_size=None, shuffle=True))
    assert [int(y) for _, y in whole] == list(range(10))


def test_a_loader_without_order_is_measured_as_it_is():
    for loader in (DataLoader(Numbers(), 2), [1, 2], None):
        assert every_sample(loader) is loader


def test_a_part_of_the_samples_is_refused():
    loader = DataLoader(Numbers(), 2)
    assert every_sample(loader) is loader
    assert every_sample(None, distributed=True) is None
    message = r"^In distributed training, .* loader=\.\.\., held_out=\.\.\. \(or"
    with pytest.raises(ValueError, match=message):
        every_sample(loader, distributed=True)


# Parts for several processes ------------------------------------------------------


@pytest.mark.parametrize(
    "loader",
    [
        DataLoader(DATA, 4),
        DataLoader(DATA, 4, shuffle=True, drop_last=True),
        DataLoader(DATA, 4, sampler=DistributedSampler(DATA, 3, 1)),
        every_sample(DataLoader(DATA, batch_sampler=[[1, 2], [0]])),
        [(torch.tensor([i]), torch.tensor([i])) for i in range(10)],
        DataLoader(DATA, 2, sampler=[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        DataLoader(DATA, batch_sampler=[[9, 8], [7], [0, 1, 2, 3, 4, 5, 6]]),
    ],
)
@each("size", [2, 3, 11])
def test_parts_have_each_sample_once(loader, size):
    parts = [list(part_of(loader, rank, size)) for rank in range(size)]
    found = [int(label) for part in parts for _, y in part for label in y]
    assert sorted(found) == list(range(10))
    assert [len(part_of(loader, rank, size)) for rank in range(size)] == [
        len(part) for part in parts
    ]


def test_parts_of_a_data_set_are_of_equal_size_and_in_batches():
    parts = [list(part_of(DataLoader(DATA, 4), rank, 2)) for rank in range(2)]
    assert [[y.tolist() for _, y in part] for part in parts] == [
        [[0, 2, 4, 6], [8]],
        [[1, 3, 5, 7], [9]],
    ]


def test_some_samples_stay_some_in_parts():
    sampler = RandomSampler(DATA, num_samples=4, generator=torch.Generator())
    parts = [part_of(DataLoader(DATA, 1, sampler=sampler), r, 2) for r in range(2)]
    assert [len(part) for part in parts] == [2, 2]


def test_samples_drawn_twice_stay_so_in_parts():
    sampler = WeightedRandomSampler([1.0] * 10, 30, generator=torch.Generator())
    loader = DataLoader(DATA, 4, sampler=sampler)
    state = sampler.generator.get_state()
    drawn = []
    for rank in range(2):
        sampler.generator.set_state(state)  # as in each of the processes
        drawn += [y for _, y in part_of(loader, rank, 2)]
    sampler.generator.set_state(state)
    expected = torch.cat([y for _, y in loader])
    assert torch.equal(torch.cat(drawn).sort().values, expected.sort().values)
    assert len(expected) == 30


def in_training(**distributed):
    """Return a `Measuring` with loaders of all samples, and a model."""
    torch.manual_seed(0)
    found = measuring(options={"metrics": ["nc1_cdnv"]})
    data = TensorDataset(torch.randn(10, 4), torch.arange(10) % 2)
    found.begin(DataLoader(data, 4), None, **distributed)
    return found, torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(4, 2))


def test_a_sharded_model_runs_over_all_samples_in_every_process(one_process):
    found, model = in_training(distributed=True)
    expected = found.measure(model, 1)
    model[1].weight.ds_id = 0  # as DeepSpeed marks them
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.distributed, "get_world_size", lambda group=None: 2)
        assert found.measure(model, 1) == expected
    assert found.analysis.train.n_samples == 10


def test_processes_with_other_data_sets_are_refused(one_process, monkeypatch):
    found, model = in_training(distributed=True)
    sizes = [(10, None), (9, None)]
    monkeypatch.setattr(Ranks, "gathered", lambda self, value: sizes)
    message = (
        r"^All ranks must have data sets of the same size, got \(10, None\) on rank 0 "
        r"and \(9, None\) on rank 1\. Each process measures its part of the samples: "
        r"give every process the whole data set\.$"
    )
    with pytest.raises(ValueError, match=message):
        found.measure(model, 1)


# Parameters -----------------------------------------------------------------------


def measuring(**changed):
    parts = {"loader": None, "held_out": None, "history": None, "prefix": "nc"}
    return Measuring(**{**parts, "options": {}, **changed})


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        (
            {"options": {"metric": "all"}},
            TypeError,
            r"^sknc\.torch\.analyze has no option metric\. Its options are cache, ",
        ),
        ({"options": {"loader": []}}, TypeError, "has no option loader"),
        ({"options": {"metrics": ["nc9"]}}, ValueError, "^metrics must be"),
        ({"options": {"convention": "papian"}}, ValueError, "papian"),
        (
            {"held_out": True},
            ValueError,
            r"^held_out must be a loader, False or None, got True\.$",
        ),
        (
            {"history": "runs.jsonl"},
            TypeError,
            r"^history must be an sknc\.NCHistory, got 'runs\.jsonl'\.$",
        ),
    ],
)
def test_wrong_parameters_are_refused_before_training(changed, error, message):
    with pytest.raises(error, match=message):
        measuring(**changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"monitor": "yes"}, r"^monitor must be True, False or 'only', got 'yes'\.$"),
        ({"monitor": True, "half_life": -1}, r"^half_life must be a positive number"),
    ],
)
def test_wrong_parameters_of_the_monitor(changed, message):
    with pytest.raises(ValueError, match=message):
        measuring(**changed)


def test_loaders_are_chosen_before_training():
    with pytest.raises(ValueError, match=r"^There is no loader of training samples: "):
        measuring().begin(None, None)
    message = r"^There are 2 loaders to choose from: pass one with loader=\.\.\.$"
    with pytest.raises(ValueError, match=message):
        measuring().begin({"a": [], "b": []}, None)
    measuring().begin([[]], [])


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2"])
@pytest.mark.parametrize("name", ["every_n_epochs", "every_n_steps"])
def test_wrong_schedules(name, value):
    message = rf"^{name} must be a positive integer, got {value!r}\.$"
    with pytest.raises(ValueError, match=message):
        Schedule(**{"every_n_epochs": 1, name: value})


def test_schedules():
    by_epoch, by_step = Schedule(3), Schedule(1, 2)
    assert [n for n in range(1, 8) if by_epoch.has_epoch(n)] == [3, 6]
    assert [n for n in range(1, 8) if by_step.has_step(n)] == [2, 4, 6]
    assert not any(by_epoch.has_step(n) or by_step.has_epoch(n) for n in range(1, 8))


# A light import -------------------------------------------------------------------


def loaded_by(statement):
    """Return the frameworks that a statement loads in a fresh process."""
    code = (
        f"import sys\n{statement}\n"
        f"print(*[name for name in {LIBRARIES!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.slow
def test_importing_sknc_loads_no_framework():
    assert loaded_by("import sknc, sknc.torch, sknc.torch._callbacks") == []


@pytest.mark.parametrize("name", ["lightning", "skorch", "torchmetrics"])
def test_light_import_check_can_fail(name):
    pytest.importorskip(name)
    assert name in loaded_by(f"import {name}")
