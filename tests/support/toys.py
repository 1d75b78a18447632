"""Named configurations of features, labels and a head, with known structure."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from sknc import NeuralCollapseAnalyzer


@dataclass(frozen=True, eq=False)
class Toy:
    """Features, labels, and a head whose rows are in the order of sorted labels."""

    X: np.ndarray
    y: np.ndarray
    W: np.ndarray
    b: np.ndarray
    ties: bool = False  # two centers coincide, so the nearest one is not defined

    @property
    def head(self):
        return self.W, self.b

    @property
    def class_means(self):
        """Return the mean of each class, in the order of sorted labels."""
        return np.array([self.X[self.y == k].mean(0) for k in np.unique(self.y)])

    def analyzer(self, **options):
        """Return an analyzer fitted on all samples."""
        options = {"head": self.head, **options}
        return NeuralCollapseAnalyzer(**options).fit(self.X, self.y)

    def report(self, **options):
        """Return the report with every headline metric."""
        return self.analyzer(**options).score(self.X, self.y)

    def relabeled(self, labels):
        """Return the same samples with label ``labels[k]``, ascending, for class k."""
        return replace(self, y=np.asarray(labels)[self.y])


def simplex(n_classes, n_features, seed=0):
    """Return rows of unit length with all cosines -1/(K - 1), summing to zero."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((n_features, n_classes)))[0]
    centering = np.eye(n_classes) - 1 / n_classes
    return np.sqrt(n_classes / (n_classes - 1)) * centering @ basis.T


def around(means, counts, spread, seed=0, head_noise=0.3):
    """Return samples about class means, and a head that is roughly aligned."""
    rng = np.random.default_rng(seed)
    means = np.asarray(means, float)
    y = np.repeat(np.arange(len(means)), counts)
    X = means[y] + spread * rng.standard_normal((len(y), means.shape[1]))
    order = rng.permutation(len(y))
    W = means - means.mean(0) + head_noise * rng.standard_normal(means.shape)
    b = head_noise * rng.standard_normal(len(means))
    return Toy(X[order], y[order], W, b)


def collapsed(n_classes=5, n_features=8, counts=6, alpha=2.5, scale=3.0, shift=0.0):
    """Return an exact simplex without any spread, and W = alpha M with its bias."""
    means = scale * simplex(n_classes, n_features)
    y = np.repeat(np.arange(n_classes), counts)
    X = (means + shift)[y]
    W = alpha * means
    return Toy(X, y, W, -W @ X.mean(0))


def _random(n_classes, n_features, counts, seed, **options):
    means = np.random.default_rng(seed).standard_normal((n_classes, n_features))
    return around(means, counts, 0.7, seed + 1, **options)


def _identical_means():
    # Whole numbers, so that the two means are the same to the last digit.
    offsets = np.array([[2.0, 1, 0, 0], [-2, -1, 0, 0], [0, 0, 3, 1], [0, 0, -3, -1]])
    means = np.array([[8.0, 0, 0, 0], [0, 8, 0, 4], [0, 8, 0, 4], [0, 0, 8, -4]])
    y = np.repeat(np.arange(4), 4)
    X = means[y] + np.tile(offsets, (4, 1)) * (1.0 + y[:, None])
    rng = np.random.default_rng(5)
    return Toy(X, y, rng.standard_normal((4, 4)), rng.standard_normal(4), ties=True)


def _ill_conditioned():
    rng = np.random.default_rng(6)
    left = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    right = np.linalg.qr(rng.standard_normal((6, 4)))[0]
    means = left @ np.diag([1, 1e-2, 1e-3, 1e-4]) @ right.T
    return around(means, 20, 0.05, 7)


def _collinear():
    means = np.outer([0.0, 8, 16, 40], [4.0, 8, 16])
    y = np.repeat(np.arange(4), 4)
    offsets = np.array([[2.0, 0, 1], [-2, 0, -1], [1, 4, 0], [-1, -4, 0]])
    rng = np.random.default_rng(8)
    W, b = rng.standard_normal((4, 3)), rng.standard_normal(4)
    return Toy(means[y] + np.tile(offsets, (4, 1)), y, W, b)


def plus_minus_pairs():
    """Return ten random unit directions and their negatives, in 64 dimensions."""
    rows = np.random.default_rng(1).standard_normal((10, 64))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.concatenate([rows, -rows])


SQUARE = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
NORMS_1551 = SQUARE * np.array([[1.0], [5.0], [5.0], [1.0]])

BUILDERS = {
    "exact_simplex": collapsed,
    "noisy_simplex": lambda: around(simplex(6, 9), 15, 0.05, 3, head_noise=0.01),
    "random_balanced": lambda: _random(5, 7, 20, 10),
    "long_tailed": lambda: _random(5, 6, [400, 200, 50, 20, 5], 20),
    "more_classes_than_dimensions": lambda: _random(12, 4, 6, 30),
    "more_classes_imbalanced": lambda: _random(9, 3, [9, 2, 5, 7, 3, 2, 4, 8, 20], 35),
    "one_sample_class": lambda: _random(4, 5, [12, 1, 9, 30], 40),
    "identical_means": _identical_means,
    "ill_conditioned": _ill_conditioned,
    "collinear_means": _collinear,
    "two_classes": lambda: _random(2, 3, [8, 14], 50),
    "labels_3_7": lambda: _random(2, 3, [8, 14], 50).relabeled([3, 7]),
    "labels_strings": lambda: _random(3, 4, [8, 14, 3], 60).relabeled(["a", "bb", "c"]),
    "labels_spread": lambda: _random(5, 6, [9, 4, 3, 5, 20], 70).relabeled(
        [-4, 0, 3, 90, 10**12]
    ),
    "square": lambda: around(SQUARE, 7, 0.1, 80),
    "plus_minus_pairs": lambda: around(plus_minus_pairs(), 3, 0.02, 90),
    "norms_1551": lambda: around(NORMS_1551, 5, 0.1, 100),
    "offset_1e4": lambda: around(1e4 + simplex(4, 6), 12, 0.2, 110),
    "tiny_scale": lambda: around(1e-9 * simplex(4, 6), 12, 1e-10, 120),
    "huge_scale": lambda: around(1e9 * simplex(4, 6), 12, 1e8, 130),
}


@cache
def toy(name):
    """Return the toy of that name, always the same object."""
    return BUILDERS[name]()
