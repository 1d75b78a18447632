"""One of several processes in which a trainer of transformers trains a model."""

import os
import pickle
import sys
import warnings
from pathlib import Path

import torch
import transformers
from process_group import of_processes
from torch import nn
from torch.utils.data import TensorDataset
from training_runs import are_equal, by_hand, network, numbers_of, samples

from sknc.torch.transformers import NeuralCollapseCallback

# Neither divides by two; in double precision, as for Lightning.
TRAIN, TEST = (
    TensorDataset(torch.tensor(x).double(), torch.tensor(y))
    for x, y in map(samples, (71, 35))
)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = network().double()

    def forward(self, x, labels=None):
        logits = self.net(x)
        if labels is None:
            return {"logits": logits}
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def trainer_in(folder):
    """Return a trainer of a new model."""
    transformers.set_seed(0)
    arguments = transformers.TrainingArguments(
        f"{folder}/trainer",
        num_train_epochs=2,
        per_device_train_batch_size=16,
        eval_strategy="no",  # which would copy the buffers of the first process to all
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        ddp_backend="gloo",
    )
    train, test = (
        [{"x": x, "labels": int(y)} for x, y in part] for part in (TRAIN, TEST)
    )
    return transformers.Trainer(
        Model(), arguments, train_dataset=train, eval_dataset=test
    )


def run(rank, size, folder):
    """Return what this process finds out."""
    os.environ |= dict.fromkeys(("RANK", "LOCAL_RANK"), str(rank))
    os.environ |= dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE"), str(size))
    # Not used, as the processes have met.
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
    without, trainer = trainer_in(folder), trainer_in(folder)
    assert trainer.args.world_size == size
    callback = NeuralCollapseCallback(trainer)
    trainer.add_callback(callback)
    for each in (without, trainer):
        transformers.set_seed(0)
        each.train()
    return {
        "reports": (callback.analysis.train, callback.analysis.held_out),
        "expected": by_hand(trainer.model.net, TRAIN, TEST),
        "same": are_equal(numbers_of(trainer.model), numbers_of(without.model)),
        "mean": trainer.model.net[1].running_mean.tolist(),
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    number, n_processes, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    with of_processes(number, n_processes, folder):
        found = run(number, n_processes, folder)
    Path(folder, str(number)).write_bytes(pickle.dumps(found))
