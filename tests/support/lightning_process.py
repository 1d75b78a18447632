"""One of several processes in which Lightning trains a model, with and without us."""

import math
import os
import pickle
import sys
import warnings
from pathlib import Path

import lightning.pytorch as lightning
import torch
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies import DDPStrategy
from process_group import of_processes
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset
from training_runs import B, Watch, are_equal, by_hand, network, numbers_of, samples

from sknc import NCHistory, NeuralCollapseAnalyzer
from sknc.torch.lightning import NeuralCollapseCallback

# Neither divides by two. In double precision, in which it hardly matters which samples
# are in one batch.
TRAIN, TEST = (
    TensorDataset(torch.tensor(x).double(), torch.tensor(y))
    for x, y in map(samples, (71, 35))
)


class Module(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = network().double()

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, batch_idx):
        return functional.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        loss = functional.cross_entropy(self(batch[0]), batch[1])
        self.log("val_loss", loss, sync_dist=True)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


class Recorder(lightning.Callback):
    """What one process finds out about all samples, at the end of each epoch."""

    def __init__(self):
        self.reports = []

    def on_train_start(self, trainer, pl_module):
        self.watch = Watch(pl_module.net, TRAIN)

    def on_train_epoch_end(self, trainer, pl_module):
        with torch.random.fork_rng():  # to iterate over a loader draws a number
            self.reports.append(by_hand(pl_module.net, TRAIN, TEST, metrics="all"))


def fit(size, *callbacks):
    """Train for two epochs, and return the trainer."""
    lightning.seed_everything(0, verbose=False)
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=size,
        strategy=DDPStrategy(process_group_backend="gloo"),
        plugins=[LightningEnvironment()],
        max_epochs=2,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loader = DataLoader(TRAIN, B, shuffle=True, drop_last=True)
    trainer.fit(Module(), loader, DataLoader(TEST, B))
    return trainer


def seen_by_all(watch, net, size):
    """Return what an estimator reports of the training steps of all processes."""
    found = [None] * size
    torch.distributed.all_gather_object(found, watch.batches)
    batches = [batch for batches in found for batch in batches]
    return NeuralCollapseAnalyzer(net[-1]).fit_batches(batches).report()


def run(rank, size):
    """Return what this process finds out."""
    os.environ |= {"LOCAL_RANK": str(rank), "NODE_RANK": "0"}
    history, recorder = NCHistory(), Recorder()
    callbacks = [
        NeuralCollapseCallback(history=history, metrics="all"),
        NeuralCollapseCallback(
            # Batches, and a part of the data set: the same in all processes.
            [(TRAIN.tensors[0][:20], TRAIN.tensors[1][:20])],
            held_out=DataLoader(TEST, 5, sampler=range(7)),
            prefix="part",
        ),
        NeuralCollapseCallback(cache="none", metrics="all", prefix="two_passes"),
        NeuralCollapseCallback(monitor="only", half_life=math.inf),
    ]
    trainer = fit(size, *callbacks, recorder)
    with_us = numbers_of(trainer.lightning_module.net)
    return {
        "reports": [callback.analysis for callback in callbacks[:3]],
        "seen": seen_by_all(recorder.watch, trainer.lightning_module.net, size),
        "history": [(entry.train, entry.held_out) for entry in history],
        "expected": recorder.reports,
        "logged": {k: v.item() for k, v in trainer.callback_metrics.items()},
        "net": with_us,
        "part": [
            [tensor[:n].numpy() for tensor in dataset.tensors]
            for dataset, n in ((TRAIN, 20), (TEST, 7))
        ],
        "same": are_equal(with_us, numbers_of(fit(size).lightning_module.net)),
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    number, n_processes, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    with of_processes(number, n_processes, folder):
        found = run(number, n_processes)
    Path(folder, str(number)).write_bytes(pickle.dumps(found))
