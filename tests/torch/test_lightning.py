"""The callback of Lightning, in real runs of its trainer."""

import importlib.util
import pickle
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
lightning = pytest.importorskip(
    "lightning.pytorch", reason="needs lightning, from the extra 'loops'"
)

from lightning.pytorch.callbacks import (  # noqa: E402
    Callback,
    EarlyStopping,
    ModelCheckpoint,
)
from processes import run_processes  # noqa: E402
from tolerances import SINGLE  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402
from training_runs import (  # noqa: E402
    TEST,
    TRAIN,
    B,
    Watch,
    are_equal,
    by_hand,
    logged_names,
    network,
    numbers_of,
)

from sknc import NCHistory  # noqa: E402
from sknc.torch.lightning import NeuralCollapseCallback  # noqa: E402

# What Lightning says of small runs: few workers, no logger, fewer batches than usual.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*but have no `val_dataloader`"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*number of training batches"),
    pytest.mark.filterwarnings("ignore:.*exists and is not empty"),
]


class Module(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = network()

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, batch_idx):
        return functional.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", functional.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


class Recorder(Callback):
    """The network as it was at the end of each epoch, in evaluation by hand."""

    def __init__(self):
        self.reports = []

    def on_train_epoch_end(self, trainer, pl_module):
        self.reports.append(by_hand(pl_module.net))


def fit(*callbacks, validate=True, **options):
    """Train for two epochs, and return the trainer."""
    lightning.seed_everything(0, verbose=False)
    options = {"max_epochs": 2, "enable_checkpointing": False, **options}
    trainer = lightning.Trainer(
        accelerator="cpu",
        logger=options.pop("logger", False),
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=list(callbacks),
        **options,
    )
    held_out = DataLoader(TEST, B) if validate else None
    trainer.fit(Module(), DataLoader(TRAIN, B, shuffle=True, drop_last=True), held_out)
    return trainer


def test_logs_what_the_estimator_reports_by_hand():
    history, recorder = NCHistory(), Recorder()
    callback = NeuralCollapseCallback(history=history)
    trainer = fit(callback, recorder)
    assert history.steps.tolist() == [4, 8]  # no sanity check
    for entry, (train, held_out) in zip(history, recorder.reports, strict=True):
        assert entry.train.to_json() == train.to_json()
        assert entry.held_out.to_json() == held_out.to_json()
    expected = logged_names(*recorder.reports[-1])
    logged = {k: v for k, v in trainer.callback_metrics.items() if k[:3] == "nc/"}
    assert {"nc/train/nc1_pinv", "nc/held_out/nc4_mismatch"} < logged.keys()
    assert logged.keys() == expected.keys()
    for name, value in logged.items():
        assert value.item() == np.float32(expected[name]), name
    assert callback.analysis.train.n_samples == len(TRAIN)


@pytest.mark.parametrize("validate", [True, False])
def test_training_stays_the_same(validate):
    without = fit(validate=validate)
    for options in ({}, {"every_n_steps": 1}):
        trainer = fit(NeuralCollapseCallback(**options), validate=validate)
        assert are_equal(
            numbers_of(trainer.lightning_module.net),
            numbers_of(without.lightning_module.net),
        )


class Monitor(Callback):
    """The metric as a callback that monitors it sees it, by hook."""

    def __init__(self):
        self.seen = []

    def _see(self, trainer, hook):
        value = trainer.callback_metrics.get("nc/train/nc1_cdnv")
        self.seen.append((hook, trainer.current_epoch, value is not None))

    def on_validation_end(self, trainer, pl_module):
        if not trainer.sanity_checking:
            self._see(trainer, "validation")


@pytest.mark.parametrize(
    ("validate", "at_end"), [(True, True), (True, False), (False, True)]
)
def test_early_stopping_and_checkpoints_see_it(tmp_path, validate, at_end):
    name = "nc/train/nc1_cdnv"
    history = NCHistory()
    stop = EarlyStopping(
        name, min_delta=1e9, patience=1, check_on_train_epoch_end=at_end
    )
    save = ModelCheckpoint(
        tmp_path, monitor=name, save_on_train_epoch_end=at_end, filename="best"
    )
    trainer = fit(
        stop,
        save,
        NeuralCollapseCallback(history=history),
        validate=validate,
        max_epochs=9,
        enable_checkpointing=True,
    )
    # Nothing gets better by so much.
    assert trainer.current_epoch == len(history) == 2
    assert save.best_model_score.item() == np.float32(min(history["nc1_cdnv"]))


def test_validation_within_epochs():
    history, monitor = NCHistory(), Monitor()
    fit(NeuralCollapseCallback(history=history), monitor, val_check_interval=0.5)
    assert history.steps.tolist() == [2, 4, 6, 8]
    assert monitor.seen == [("validation", i // 2, True) for i in range(4)]


def test_every_n_epochs():
    history = NCHistory()
    callback = NeuralCollapseCallback(history=history, every_n_epochs=2)
    fit(callback, max_epochs=5, limit_train_batches=2)
    assert history.steps.tolist() == [4, 8]
    history = NCHistory()
    callback = NeuralCollapseCallback(history=history, every_n_epochs=3)
    # Also in epochs that are not validated.
    fit(callback, max_epochs=3, limit_train_batches=2, check_val_every_n_epoch=2)
    assert history.steps.tolist() == [6]


def test_every_n_steps_while_gradients_are_accumulated(tmp_path):
    history = NCHistory()
    callback = NeuralCollapseCallback(history=history, every_n_steps=2)
    logger = lightning.loggers.CSVLogger(tmp_path)
    fit(
        callback,
        max_epochs=4,
        accumulate_grad_batches=2,
        logger=logger,
        log_every_n_steps=1,
    )
    assert history.steps.tolist() == [2, 4, 6, 8]
    text = (tmp_path / "lightning_logs/version_0/metrics.csv").read_text()
    header = text.splitlines()[0].split(",")
    assert {"nc/train/nc1_pinv", "nc/held_out/nc1_pinv"} < set(header)
    place = header.index("nc/train/nc1_cdnv")
    rows = [line.split(",")[place] for line in text.splitlines()[1:]]
    logged = [float(cell) for cell in rows if cell]
    assert logged == pytest.approx(history["nc1_cdnv"], rel=SINGLE)


def test_options_loaders_and_the_part_that_is_measured():
    history = NCHistory()
    callback = NeuralCollapseCallback(
        DataLoader(TEST, B),
        held_out=False,
        history=history,
        submodule="net",
        prefix="collapse",
        metrics=["nc1_cdnv"],
        head="4",
    )
    trainer = fit(callback)
    train, _ = by_hand(trainer.lightning_module.net, TEST, metrics=["nc1_cdnv"])
    assert history[-1].train.to_json() == train.to_json()
    assert history[-1].held_out is None
    names = [name for name in trainer.callback_metrics if "nc1" in name]
    assert names == ["collapse/train/nc1_cdnv"]


def test_validating_alone_measures_nothing():
    history = NCHistory()
    trainer = fit(NeuralCollapseCallback(history=history))
    trainer.validate(Module(), DataLoader(TEST, B), verbose=False)
    assert len(history) == 2


def test_several_validation_loaders_are_refused_before_training():
    history = NCHistory()
    trainer = lightning.Trainer(
        accelerator="cpu",
        logger=False,
        max_epochs=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=[NeuralCollapseCallback(history=history)],
    )
    two = [DataLoader(TEST, B), DataLoader(TEST, B)]
    message = r"^There are 2 loaders to choose from: pass one with held_out=\.\.\.$"
    with pytest.raises(ValueError, match=message):
        trainer.fit(Module(), DataLoader(TRAIN, B), two)
    assert trainer.global_step == 0


class Watched(Callback):
    """What the estimator reports of all steps so far, at the end of each epoch."""

    def __init__(self):
        self.reports, self.names = [], []

    def on_train_start(self, trainer, pl_module):
        self.watch = Watch(pl_module.net)

    def on_train_epoch_end(self, trainer, pl_module):
        self.reports.append(self.watch.report())


INF = float("inf")


@pytest.mark.parametrize("validate", [True, False])
def test_monitor_logs_what_training_sees(validate):
    watched, history = Watched(), NCHistory()
    callback = NeuralCollapseCallback(monitor=True, half_life=INF, history=history)
    trainer = fit(watched, callback, validate=validate)
    logged = trainer.callback_metrics
    found = {k[11:]: v for k, v in logged.items() if k.startswith("nc/monitor/")}
    wanted = watched.reports[-1]
    assert wanted.n_samples == 2 * 64
    assert found.keys() == set(wanted.keys())
    for key, value in wanted.items():
        assert found[key].item() == np.float32(value), key
    assert "nc/train/nc4_mismatch" in logged
    assert history[-1].train.n_samples == len(TRAIN)


def test_monitor_alone_needs_no_pass():
    watched, history = Watched(), NCHistory()
    callback = NeuralCollapseCallback(
        monitor="only", half_life=INF, history=history, submodule="net"
    )
    trainer = fit(watched, callback)
    assert callback.analysis is None
    assert all(name[:11] == "nc/monitor/" for name in logged_by(trainer))
    for entry, wanted in zip(history, watched.reports, strict=True):
        wanted = pytest.approx(wanted.to_dict(), rel=1e-12, nan_ok=True)
        assert entry.train.to_dict() == wanted
        assert "Features of training mode" in entry.train.notes["monitor"]
    hooks = trainer.lightning_module.net[-1]._forward_pre_hooks
    assert len(hooks) == 1  # that of the test


def logged_by(trainer):
    return [name for name in trainer.callback_metrics if name[:3] == "nc/"]


@pytest.mark.parametrize("options", [{}, {"every_n_steps": 1}])
@pytest.mark.parametrize("monitor", [True, "only"])
def test_training_with_a_monitor_stays_the_same(monitor, options):
    without = fit()
    trainer = fit(NeuralCollapseCallback(monitor=monitor, **options))
    assert are_equal(
        numbers_of(trainer.lightning_module.net),
        numbers_of(without.lightning_module.net),
    )


def test_one_callback_monitors_steps_and_another_measures_epochs():
    by_step, by_epoch = NCHistory(), NCHistory()
    fit(
        NeuralCollapseCallback(monitor="only", every_n_steps=2, history=by_step),
        NeuralCollapseCallback(every_n_epochs=2, history=by_epoch),
    )
    assert by_step.steps.tolist() == [2, 4, 6, 8]
    assert by_epoch.steps.tolist() == [8]


def test_monitor_of_a_part_that_runs_alone():
    class Inner(Module):
        def training_step(self, batch, batch_idx):
            return functional.cross_entropy(self.net(batch[0]), batch[1])

    def fit_inner(**options):
        callback = NeuralCollapseCallback(monitor="only", **options)
        trainer = lightning.Trainer(
            accelerator="cpu",
            logger=False,
            max_epochs=1,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[callback],
        )
        module = Inner()
        try:
            trainer.fit(module, DataLoader(TRAIN, B))
        finally:
            assert not any(p._forward_pre_hooks for p in module.modules())
        return logged_by(trainer)

    message = r"^No forward pass .* name it: submodule='net'\.$"
    with pytest.raises(RuntimeError, match=message):
        fit_inner()
    assert "nc/monitor/nc1_cdnv" in fit_inner(submodule="net")


# Processes ------------------------------------------------------------------------


@pytest.mark.slow
def test_processes_measure_their_parts_of_all_samples(tmp_path):
    run_processes("lightning_process.py", 2, tmp_path)
    first, second = (pickle.loads((tmp_path / str(r)).read_bytes()) for r in range(2))
    assert first["same"]
    assert second["same"]
    assert are_equal(first["net"], second["net"])
    assert [len(found["history"]) for found in (first, second)] == [2, 0]
    assert first["logged"] == pytest.approx(second["logged"], rel=0, nan_ok=True)
    for mine, other in zip(first["reports"], second["reports"], strict=True):
        assert mine.train.to_json() == other.train.to_json()
        assert mine.held_out.to_json() == other.held_out.to_json()
    # One process that measured all samples.
    pairs = zip(first["history"], first["expected"], strict=True)
    for reports, expected in pairs:
        assert [report.n_samples for report in reports] == [71, 35]
        for report, one in zip(reports, expected, strict=True):
            assert report.keys() == one.keys()
            assert report.to_dict() == pytest.approx(
                one.to_dict(), rel=1e-10, abs=1e-10, nan_ok=True
            )
            assert len(report.to_dict()) > 40
    assert first["logged"]["nc/train/nc1_cdnv"] == pytest.approx(
        first["expected"][-1][0]["nc1_cdnv"], rel=1e-6
    )
    assert first["seen"].n_samples == 2 * 2 * 32  # of two epochs, dropping the rest
    for key, value in first["seen"].items():
        logged = first["logged"][f"nc/monitor/{key}"]
        assert logged == pytest.approx(value, rel=1e-6, nan_ok=True)
    in_two_passes = first["reports"][2]
    assert (in_two_passes.n_passes, in_two_passes.notes) == (2, ())
    assert in_two_passes.train.to_dict() == pytest.approx(
        first["expected"][-1][0].to_dict(), rel=1e-10, abs=1e-10, nan_ok=True
    )
    # Of loaders that were passed, too, of which one process has no training samples.
    net = network().double()
    net.load_state_dict(first["net"])
    train, held_out = (
        TensorDataset(*map(torch.tensor, part)) for part in first["part"]
    )
    for report, one in zip(
        (first["reports"][1].train, first["reports"][1].held_out),
        by_hand(net, train, held_out),
        strict=True,
    ):
        assert report.n_samples == one.n_samples
        assert report.to_dict() == pytest.approx(
            one.to_dict(), rel=1e-10, abs=1e-10, nan_ok=True
        )


def loaded_by(statement, *names):
    """Return which libraries a statement loads in a fresh process."""
    code = f"import sys\n{statement}\nprint(*(set({names!r}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_pytorch_lightning_is_used_where_it_is_loaded():
    if importlib.util.find_spec("pytorch_lightning") is None:
        pytest.skip("needs pytorch_lightning")
    use = (
        "import pytorch_lightning\n"
        "from sknc.torch.lightning import NeuralCollapseCallback as Mine\n"
        "assert issubclass(Mine, pytorch_lightning.Callback)"
    )
    assert loaded_by(use, "lightning") == []
