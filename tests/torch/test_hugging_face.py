"""The callback of transformers, in real runs of its trainer."""

import os
import pickle

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
torch = pytest.importorskip("torch")
transformers = pytest.importorskip(
    "transformers", reason="needs transformers, from the extra 'loops'"
)
pytest.importorskip("accelerate", reason="needs accelerate, from the extra 'loops'")

from processes import run_processes  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402
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
from sknc.torch.transformers import NeuralCollapseCallback  # noqa: E402


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = network()

    def forward(self, x, labels=None):
        logits = self.net(x)
        if labels is None:
            return {"logits": logits}
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def rows(dataset):
    return [{"x": x, "labels": int(y)} for x, y in dataset]


def trainer_of(folder, *callbacks, **options):
    """Return a trainer of a new model; its shuffling and dropout have a seed."""
    transformers.set_seed(0)
    options = {"eval_strategy": "epoch", "save_strategy": "no", **options}
    options = {"num_train_epochs": 2, "logging_steps": 1, **options}
    arguments = transformers.TrainingArguments(
        str(folder),
        per_device_train_batch_size=B,
        per_device_eval_batch_size=B,
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        remove_unused_columns=False,
        learning_rate=0.05,
        dataloader_pin_memory=False,
        **options,
    )
    return transformers.Trainer(
        Model(),
        arguments,
        train_dataset=rows(TRAIN),
        eval_dataset=rows(TEST),
        callbacks=list(callbacks),
    )


class Recorder(transformers.TrainerCallback):
    """What the estimator reports by hand at the end of each epoch."""

    def __init__(self):
        self.reports = []

    def on_epoch_end(self, args, state, control, model=None, **parts):
        self.reports.append(by_hand(model.net))


def test_logs_what_the_estimator_reports_by_hand(tmp_path):
    history, recorder = NCHistory(), Recorder()
    trainer = trainer_of(tmp_path, recorder)
    callback = NeuralCollapseCallback(trainer, history=history)
    trainer.add_callback(callback)
    trainer.train()
    logged = [row for row in trainer.state.log_history if "nc/train/nc1_pinv" in row]
    assert history.steps.tolist() == [row["step"] for row in logged] == [5, 10]
    for entry, row, reports in zip(history, logged, recorder.reports, strict=True):
        assert entry.train.to_json() == reports[0].to_json()
        assert entry.held_out.to_json() == reports[1].to_json()
        found = {key: value for key, value in row.items() if key[:3] == "nc/"}
        assert found == pytest.approx(logged_names(*reports), rel=0, nan_ok=True)
    assert {"nc/train/nc1_pinv", "nc/held_out/nc4_mismatch"} < found.keys()
    assert callback.analysis.train.n_samples == len(TRAIN)
    # Evaluations after training are of a model that was not measured.
    assert not any("nc/" in name for name in trainer.evaluate())


@pytest.mark.parametrize("every", [{}, {"every_n_steps": 1}])
def test_training_and_its_log_stay_the_same(tmp_path, every):
    without = trainer_of(tmp_path)
    without.train()
    measured = trainer_of(tmp_path)
    measured.add_callback(NeuralCollapseCallback(measured, **every))
    measured.train()
    assert are_equal(numbers_of(measured.model), numbers_of(without.model))
    losses = [
        [row["loss"] for row in trainer.state.log_history if "loss" in row]
        for trainer in (without, measured)
    ]
    assert len(losses[0]) == 10
    assert losses[0] == losses[1]


def test_log_by_epoch_still_has_the_loss(tmp_path):
    trainer = trainer_of(tmp_path, logging_strategy="epoch")
    trainer.add_callback(NeuralCollapseCallback(trainer))
    trainer.train()
    assert sum("loss" in row for row in trainer.state.log_history) == 2


def test_early_stopping_and_the_best_model_see_it(tmp_path):
    name = "nc/train/nc1_cdnv"
    stop = transformers.EarlyStoppingCallback(1, early_stopping_threshold=1e9)
    trainer = trainer_of(
        tmp_path,
        stop,  # comes before the callback that it waits for
        num_train_epochs=9,
        metric_for_best_model=name,
        greater_is_better=False,
        load_best_model_at_end=True,
        save_strategy="epoch",
    )
    history = NCHistory()
    trainer.add_callback(NeuralCollapseCallback(trainer, history=history))
    trainer.train()
    assert len(history) == 2  # nothing gets better by so much
    assert trainer.state.best_metric == min(history["nc1_cdnv"])
    best = history.steps[history["nc1_cdnv"].argmin()]
    assert trainer.state.best_model_checkpoint.endswith(f"checkpoint-{best}")


def test_every_n_epochs_and_steps(tmp_path):
    def steps(**every):
        history = NCHistory()
        trainer = trainer_of(
            tmp_path, eval_strategy="no", **{"num_train_epochs": 5, **every.pop("args")}
        )
        trainer.add_callback(NeuralCollapseCallback(trainer, history=history, **every))
        trainer.train()
        return history.steps.tolist()

    assert steps(every_n_epochs=2, args={}) == [10, 20]
    # The second epoch is cut short.
    assert steps(every_n_epochs=2, args={"max_steps": 7}) == [7]
    assert steps(every_n_steps=3, args={"max_steps": 7}) == [3, 6]
    assert steps(
        every_n_steps=2, args={"gradient_accumulation_steps": 2, "max_steps": 5}
    ) == [2, 4]


def test_options_and_loaders(tmp_path):
    history = NCHistory()
    trainer = trainer_of(tmp_path)
    callback = NeuralCollapseCallback(
        trainer,
        [{"x": x, "labels": y} for x, y in DataLoader(TEST, B)],
        held_out=False,
        history=history,
        prefix="collapse",
        metrics=["nc1_cdnv"],
        head="net.4",
    )
    trainer.add_callback(callback)
    trainer.train()
    train, _ = by_hand(trainer.model.net, TEST, metrics=["nc1_cdnv"])
    assert history[-1].train.to_json() == train.to_json()
    assert history[-1].held_out is None
    names = {name for row in trainer.state.log_history for name in row if "nc1" in name}
    assert names == {"collapse/train/nc1_cdnv"}


def test_several_evaluation_sets_are_refused_before_training(tmp_path):
    trainer = trainer_of(tmp_path)
    trainer.eval_dataset = {"a": rows(TEST), "b": rows(TEST)}
    trainer.add_callback(NeuralCollapseCallback(trainer))
    message = r"^There are 2 loaders to choose from: pass one with held_out=\.\.\.$"
    with pytest.raises(ValueError, match=message):
        trainer.train()
    assert trainer.state.global_step == 0


class Watched(transformers.TrainerCallback):
    """What the estimator reports of all steps so far, at the end of each epoch."""

    def on_train_begin(self, args, state, control, model=None, **parts):
        self.watch, self.reports = Watch(model.net), []

    def on_epoch_end(self, args, state, control, **parts):
        self.reports.append(self.watch.report())


@pytest.mark.parametrize("monitor", [True, "only"])
def test_monitor_logs_what_training_sees(tmp_path, monitor):
    watched, history = Watched(), NCHistory()
    trainer = trainer_of(tmp_path, watched, gradient_accumulation_steps=2)
    trainer.add_callback(
        NeuralCollapseCallback(
            trainer, monitor=monitor, half_life=float("inf"), history=history
        )
    )
    trainer.train()
    rows = [row for row in trainer.state.log_history if "nc/monitor/nc1_pinv" in row]
    for row, wanted in zip(rows, watched.reports, strict=True):
        found = {k[11:]: v for k, v in row.items() if k[:11] == "nc/monitor/"}
        assert found == pytest.approx(wanted.to_dict(), rel=0, nan_ok=True)
        assert ("nc/train/nc1_cdnv" in row) == (monitor is True)
    assert wanted.n_samples == 2 * len(TRAIN)
    assert history[-1].train.n_samples == (1 if monitor is True else 2) * len(TRAIN)
    assert len(trainer.model.net[-1]._forward_pre_hooks) == 1  # that of the test
    assert not trainer.model._forward_hooks


@pytest.mark.parametrize("monitor", [True, "only"])
def test_training_with_a_monitor_stays_the_same(tmp_path, monitor):
    without, measured = trainer_of(tmp_path), trainer_of(tmp_path)
    without.train()
    measured = trainer_of(tmp_path)
    measured.add_callback(
        NeuralCollapseCallback(measured, monitor=monitor, every_n_steps=1)
    )
    measured.train()
    assert are_equal(numbers_of(measured.model), numbers_of(without.model))


def test_monitor_without_labels_is_refused(tmp_path):
    trainer = trainer_of(tmp_path)
    trainer.compute_loss_func = lambda output, labels, **_: output["logits"].sum()
    trainer.add_callback(NeuralCollapseCallback(trainer, monitor=True))
    message = r"^The trainer does not pass labels= to the model, .* Leave monitor= out"
    with pytest.raises(RuntimeError, match=message):
        trainer.train()


def test_monitor_of_a_compiled_model_is_refused(tmp_path):
    torch._dynamo.reset()
    options = {"torch_compile": True, "torch_compile_backend": "eager"}
    trainer = trainer_of(tmp_path, **options)
    trainer.add_callback(NeuralCollapseCallback(trainer, monitor="only"))
    message = r"^The trainer runs its steps without the hooks of the model, as compiled"
    with pytest.raises(RuntimeError, match=message):
        trainer.train()


@pytest.mark.slow
def test_processes_measure_their_parts_of_all_samples(tmp_path):
    run_processes("transformers_process.py", 2, tmp_path)
    found = [pickle.loads((tmp_path / str(rank)).read_bytes()) for rank in range(2)]
    assert [result["same"] for result in found] == [True, True]
    assert found[0]["mean"] != found[1]["mean"]  # of batch norm: left as they were
    for i, n_samples in enumerate((71, 35)):
        mine, other = (result["reports"][i] for result in found)
        assert mine.to_json() == other.to_json()
        assert mine.n_samples == n_samples
        expected = found[0]["expected"][i].to_dict()
        assert mine.to_dict() == pytest.approx(
            expected, rel=1e-10, abs=1e-10, nan_ok=True
        )
        assert len(expected) > 10
