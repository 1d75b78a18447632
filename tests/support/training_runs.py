"""Small training data, and what callbacks should find out about networks on it."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from sknc import NeuralCollapseAnalyzer

K, D, B = 4, 8, 16
_RNG = np.random.default_rng(0)


def samples(n):
    """Return so many samples and their classes."""
    y = np.arange(n) % K
    _RNG.shuffle(y)
    x = 2 * np.eye(K, D)[y] + _RNG.standard_normal((n, D))
    return x.astype(np.float32), y


X, Y = samples(70)  # the last batch of 16 is smaller
X_TEST, Y_TEST = samples(36)
TRAIN = TensorDataset(torch.tensor(X), torch.tensor(Y))
TEST = TensorDataset(torch.tensor(X_TEST), torch.tensor(Y_TEST))


def network():
    """Return a network whose training depends on random numbers and on batches."""
    return nn.Sequential(
        nn.Linear(D, 12),
        nn.BatchNorm1d(12),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(12, K),
    )


def by_hand(net, dataset=TRAIN, held_out=TEST, **options):
    """Return what the estimator reports of the features of a network in evaluation."""
    training = [part.training for part in net.modules()]
    net.eval()
    with torch.no_grad():
        batches, others = (
            [(net[:-1](x), y) for x, y in DataLoader(data, B)]
            for data in (dataset, held_out)
        )
    for part, mode in zip(net.modules(), training, strict=True):
        part.training = mode
    analyzer = NeuralCollapseAnalyzer(net[-1], **options).fit_batches(batches)
    return analyzer.score_batches(batches), analyzer.score_batches(others)


def logged_names(train, held_out):
    """Return the values of both reports by the names under which they are logged."""
    return {
        **{f"nc/train/{key}": value for key, value in train.items()},
        **{f"nc/held_out/{key}": value for key, value in held_out.items()},
    }


def numbers_of(net):
    """Return copies of all weights and buffers."""
    return {name: value.clone() for name, value in net.state_dict().items()}


def are_equal(some, others):
    """Whether two networks have the same numbers, bit for bit."""
    return some.keys() == others.keys() and all(
        torch.equal(value, others[name]) for name, value in some.items()
    )


class Watch:
    """Features and labels of all training steps of a network, by hooks of its own."""

    def __init__(self, net, dataset=TRAIN):
        self.batches, self._net, self._data = [], net, dataset.tensors
        net.register_forward_pre_hook(self._begin)
        net[-1].register_forward_pre_hook(self._read)

    def _begin(self, net, args):
        x, y = self._data
        self._labels = y[(args[0][:, None] == x).all(-1).int().argmax(1)]

    def _read(self, head, args):
        if self._net.training and torch.is_grad_enabled():
            self.batches.append((args[0].detach().clone(), self._labels))

    def report(self, **options):
        """Return what an estimator reports of them, with the head as it is."""
        return (
            NeuralCollapseAnalyzer(self._net[-1], **options)
            .fit_batches(self.batches)
            .report()
        )
