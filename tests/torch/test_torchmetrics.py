"""The metric of torchmetrics, against the estimator, in one process and in two."""

import copy
import inspect
import pickle

import pytest

torch = pytest.importorskip("torch")
torchmetrics = pytest.importorskip(
    "torchmetrics", reason="needs torchmetrics, from the extra 'loops'"
)

from metric_process import FEATURES, LABELS, head, share, update  # noqa: E402
from processes import run_processes  # noqa: E402
from tolerances import CLOSE, TIGHT  # noqa: E402
from torch import nn  # noqa: E402

from sknc import NeuralCollapseAnalyzer  # noqa: E402
from sknc.torch.torchmetrics import NeuralCollapseMetric  # noqa: E402


def by_hand(rows=slice(None), **options):
    analyzer = NeuralCollapseAnalyzer(options.pop("head", head()), **options)
    for x, y in zip(FEATURES[rows].split(16), LABELS[rows].split(16), strict=True):
        analyzer.partial_fit(x, y)
    return analyzer.report().to_dict()


def values(computed):
    assert all(value.dtype == torch.float64 for value in computed.values())
    return {key: value.item() for key, value in computed.items()}


def test_equals_the_estimator_bit_for_bit():
    for options in ({}, {"metrics": "all", "covariance": False}, {"head": None}):
        made = NeuralCollapseMetric(**{"head": head(), **options})
        found = values(update(made).compute())
        assert found == pytest.approx(by_hand(**options), rel=0, nan_ok=True)
    assert "nc3_self_duality" in by_hand()


def test_defaults_are_those_of_the_estimator():
    found = inspect.signature(NeuralCollapseMetric).parameters
    for name, parameter in inspect.signature(NeuralCollapseAnalyzer).parameters.items():
        assert found[name].default == parameter.default, name


def test_computing_does_not_end_it_and_resetting_does():
    metric = NeuralCollapseMetric(head())
    update(metric, range(32))
    assert values(metric.compute()) == by_hand(slice(32))
    update(metric, range(32, len(LABELS)))
    assert values(metric.compute()) == pytest.approx(by_hand(), rel=TIGHT)
    metric.reset()
    assert values(update(metric, range(32)).compute()) == by_hand(slice(32))


def test_forward_returns_the_values_of_the_batch():
    metric = NeuralCollapseMetric(head())
    for start in (0, 16):
        rows = slice(start, start + 16)
        found = metric(FEATURES[rows], LABELS[rows])
        assert values(found) == by_hand(rows)
    assert values(metric.compute()) == pytest.approx(by_hand(slice(32)), rel=TIGHT)
    one = LABELS == 0
    assert metric(FEATURES[one], LABELS[one]) == {}


def test_the_head_is_seen_as_it_is_and_is_no_part_of_the_metric():
    layer = head()
    metric = update(NeuralCollapseMetric(layer), range(32))
    before = values(metric.compute())
    with torch.no_grad():
        layer.weight.neg_()
    update(metric, range(32, len(LABELS)))
    after = by_hand(head=layer)
    assert values(metric.compute()) == pytest.approx(after, rel=TIGHT)
    assert abs(after["nc3_self_duality"] - before["nc3_self_duality"]) > 0.1
    assert not list(metric.parameters())
    assert not metric.state_dict()


def test_copies_share_the_head_unless_the_model_is_copied():
    layer = head()
    metric = update(NeuralCollapseMetric(layer))
    assert metric.clone()._head.head is layer
    model = nn.ModuleDict({"head": layer, "metric": metric})
    other = copy.deepcopy(model)
    assert other["metric"]._head.head is other["head"]
    update(other["metric"], range(8))
    assert values(metric.compute()) == by_hand()


def test_pickled():
    metric = pickle.loads(pickle.dumps(update(NeuralCollapseMetric(head()))))
    assert values(metric.compute()) == by_hand()


def test_in_a_collection():
    metrics = {"a": NeuralCollapseMetric(head()), "b": NeuralCollapseMetric()}
    metrics = torchmetrics.MetricCollection(metrics).clone(prefix="train/")
    update(metrics)
    found = {name.removeprefix("train/"): v for name, v in metrics.compute().items()}
    expected = {f"a_{key}": value for key, value in by_hand().items()}
    expected |= {f"b_{key}": value for key, value in by_hand(head=None).items()}
    assert values(found) == pytest.approx(expected, rel=0, nan_ok=True)


def test_merged_states():
    some, others = (NeuralCollapseMetric(head()) for _ in range(2))
    update(some, range(40))
    some.compute()
    some.merge_state(update(others, range(40, len(LABELS))))
    assert values(some.compute()) == pytest.approx(by_hand(), rel=TIGHT)
    assert values(others.compute()) == pytest.approx(by_hand(slice(40, None)))
    some.merge_state(NeuralCollapseMetric(head()))
    assert values(some.compute()) == pytest.approx(by_hand(), rel=TIGHT)
    message = "^merge_state expected a NeuralCollapseMetric, got dict.$"
    with pytest.raises(ValueError, match=message):
        some.merge_state({})


@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric")
def test_errors():
    message = r"^There is nothing to compute: call update\(features, labels\) first\.$"
    with pytest.raises(ValueError, match=message):
        NeuralCollapseMetric().compute()
    message = r"^NeuralCollapseMetric does not support dist_sync_on_step: its state "
    with pytest.raises(ValueError, match=message):
        NeuralCollapseMetric(dist_sync_on_step=True)
    with pytest.raises(ValueError, match="Unexpected keyword arguments: `metric`"):
        NeuralCollapseMetric(metric="all")
    unsynced = torchmetrics.utilities.exceptions.TorchMetricsUserError
    with pytest.raises(unsynced, match=r"^The states of processes are not merged\.$"):
        NeuralCollapseMetric().unsync()


# Processes ------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("n_processes", [2, 3])
def test_processes_with_uneven_shares_equal_one(tmp_path, n_processes):
    run_processes("metric_process.py", n_processes, tmp_path)
    expected = by_hand()
    sizes = [len(share(rank, n_processes)) for rank in range(n_processes)]
    assert len(set(sizes)) == n_processes
    assert sum(sizes) == len(LABELS)
    for rank, size in enumerate(sizes):
        computed, n_merged, n_own = torch.load(tmp_path / str(rank))
        assert computed == pytest.approx(expected, rel=CLOSE, abs=CLOSE)
        assert n_merged == len(LABELS) + 16 * n_processes
        assert n_own == size + 16
