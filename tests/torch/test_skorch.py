"""The callback of skorch, in real fits of a net."""

import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch", reason="needs skorch, from the extra 'loops'")

from sklearn.base import clone  # noqa: E402
from skorch.callbacks import Callback, Checkpoint, EarlyStopping  # noqa: E402
from skorch.helper import predefined_split  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402
from training_runs import (  # noqa: E402
    TEST,
    TRAIN,
    B,
    Watch,
    X,
    Y,
    are_equal,
    by_hand,
    logged_names,
    network,
    numbers_of,
)

from sknc import NCHistory  # noqa: E402
from sknc.torch.skorch import NeuralCollapseCallback  # noqa: E402


class Module(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = network()

    def forward(self, x):
        return self.net(x)


class Recorder(Callback):
    """What the estimator reports by hand at the end of each epoch."""

    def __init__(self):
        self.reports_ = []

    def on_epoch_end(self, net, **parts):
        self.reports_.append(by_hand(net.module_.net))


def net_of(*callbacks, **options):
    """Return a net that is not fitted yet."""
    options = {"max_epochs": 2, "train_split": predefined_split(TEST), **options}
    return skorch.NeuralNetClassifier(
        Module,
        criterion=nn.CrossEntropyLoss,
        lr=0.1,
        batch_size=B,
        iterator_train__shuffle=True,
        iterator_train__drop_last=True,
        callbacks=list(callbacks),
        verbose=0,
        **options,
    )


def fit(net):
    torch.manual_seed(0)
    return net.fit(X, Y)


def test_records_what_the_estimator_reports_by_hand():
    history, recorder = NCHistory(), Recorder()
    callback = NeuralCollapseCallback(history=history)
    net = fit(net_of(callback, recorder))
    assert history.steps.tolist() == [1, 2]
    for entry, row, reports in zip(
        history, net.history, recorder.reports_, strict=True
    ):
        assert entry.train.to_json() == reports[0].to_json()
        assert entry.held_out.to_json() == reports[1].to_json()
        found = {key: value for key, value in row.items() if key[:3] == "nc/"}
        assert found == pytest.approx(logged_names(*reports), rel=0, nan_ok=True)
    assert {"nc/train/nc1_pinv", "nc/held_out/nc4_mismatch"} < found.keys()
    assert callback.analysis_.train.n_samples == len(TRAIN)
    net.partial_fit(X, Y)
    assert history.steps.tolist() == [1, 2, 3, 4]


def test_training_stays_the_same():
    without, measured = fit(net_of()), fit(net_of(NeuralCollapseCallback()))
    assert are_equal(numbers_of(measured.module_), numbers_of(without.module_))
    losses = [net.history[:, "train_loss"] for net in (without, measured)]
    assert losses[0] == losses[1]


def test_early_stopping_and_checkpoints_see_it(tmp_path):
    name = "nc/train/nc1_cdnv"
    history = NCHistory()
    # Nothing gets better by so much.
    stop = EarlyStopping(name, patience=1, threshold=1e9, threshold_mode="abs")
    save = Checkpoint(monitor=lambda net: is_lowest(net.history[:, name]))
    save.set_params(dirname=str(tmp_path))
    fit(net_of(NeuralCollapseCallback(history=history), stop, save, max_epochs=9))
    assert len(history) == 2
    assert (tmp_path / "params.pt").exists()


def is_lowest(values):
    return values[-1] == min(values)


def test_every_n_epochs():
    history = NCHistory()
    callback = NeuralCollapseCallback(every_n_epochs=2, history=history)
    net = fit(net_of(callback, max_epochs=5))
    assert history.steps.tolist() == [2, 4]
    measured = ["nc/train/nc1_pinv" in row for row in net.history]
    assert measured == [False, True, False, True, False]


def test_options_and_loaders():
    history = NCHistory()
    callback = NeuralCollapseCallback(
        DataLoader(TEST, B),
        held_out=False,
        history=history,
        prefix="collapse",
        metrics=["nc1_cdnv"],
        head="net.4",
    )
    net = fit(net_of(callback))
    train, _ = by_hand(net.module_.net, TEST, metrics=["nc1_cdnv"])
    assert history[-1].train.to_json() == train.to_json()
    assert history[-1].held_out is None
    names = [name for name in net.history[-1] if "nc1" in name]
    assert names == ["collapse/train/nc1_cdnv"]


def test_without_validation():
    net = fit(net_of(NeuralCollapseCallback(), train_split=None))
    names = [name for name in net.history[-1] if name[:3] == "nc/"]
    assert names
    assert all(name.startswith("nc/train/") for name in names)


def test_cloned_and_pickled():
    history = NCHistory()
    callback = NeuralCollapseCallback(history=history, metrics=["NC1"])
    net = clone(net_of(("nc", callback))).set_params(callbacks__nc__every_n_epochs=2)
    other = dict(fit(net).callbacks_)["nc"]
    assert other.metrics == ["NC1"]
    assert other.history.steps.tolist() == [2]
    assert len(history) == 0
    again = pickle.loads(pickle.dumps(net))
    assert again.history[-1]["nc/train/nc1_cdnv"] == other.history["nc1_cdnv"][-1]
    assert np.array_equal(again.predict(X), net.predict(X))
    assert other.measuring_ is None  # nor are the samples pickled


def test_wrong_parameters_are_refused_before_training():
    for options, message in (
        ({"metric": "all"}, r"^sknc\.torch\.analyze has no option metric\. Its "),
        ({"every_n_epochs": 0}, "^every_n_epochs must be a positive integer, got 0"),
    ):
        net = net_of(NeuralCollapseCallback(**options))
        with pytest.raises((TypeError, ValueError), match=message):
            net.fit(X, Y)
        assert not net.history


class Watched(Callback):
    """What the estimator reports of all steps so far, at the end of each epoch."""

    def on_train_begin(self, net, X=None, y=None, **parts):
        self.watch_, self.reports_ = Watch(net.module_.net), []

    def on_epoch_end(self, net, **parts):
        self.reports_.append(self.watch_.report())


@pytest.mark.parametrize("monitor", [True, "only"])
def test_monitor_records_what_training_sees(monitor):
    watched, history = Watched(), NCHistory()
    callback = NeuralCollapseCallback(
        monitor=monitor, half_life=float("inf"), history=history
    )
    net = fit(net_of(watched, callback))
    for row, wanted in zip(net.history, watched.reports_, strict=True):
        found = {k[11:]: v for k, v in row.items() if k[:11] == "nc/monitor/"}
        assert found == pytest.approx(wanted.to_dict(), rel=0, nan_ok=True)
        assert ("nc/train/nc1_cdnv" in row) == (monitor is True)
    assert wanted.n_samples == 2 * 64
    assert history[-1].train.n_samples == (70 if monitor is True else 2 * 64)
    assert len(net.module_.net[-1]._forward_pre_hooks) == 1  # that of the test


@pytest.mark.parametrize("monitor", [True, "only"])
def test_training_with_a_monitor_stays_the_same(monitor):
    without = fit(net_of())
    net = fit(net_of(NeuralCollapseCallback(monitor=monitor)))
    assert are_equal(numbers_of(net.module_.net), numbers_of(without.module_.net))


def test_monitor_is_a_parameter():
    callback = clone(NeuralCollapseCallback(monitor="only", half_life=30.0))
    assert (callback.monitor, callback.half_life) == ("only", 30.0)
