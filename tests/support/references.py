"""
Every headline metric, written from its formula in 50 digits.

Shares no code with the library: plain loops over lists of mpmath numbers.
"""

import copy
import math
from dataclasses import dataclass

import mpmath as mp
import numpy as np

DIGITS = 50
NOTHING = mp.mpf(10) ** -40  # a share that only rounding leaves
NC1 = ("nc1_pinv", "nc1_trace_ratio", "nc1_within_fraction", "nc1_cdnv")
NC2 = ("nc2_equinorm", "nc2_cos_std", "nc2_equiangular", "nc2_etf")
NC3 = ("nc3_self_duality", "nc3_structure", "nc3_cosine")
HEAD = ("nc0_weight_sum", *(f"{key}_head" for key in NC2))
DECISIONS = ("nc4_mismatch", "nc4_ncc_accuracy", "nc4_head_accuracy")
HEADLINE = (*NC1, *NC2, *NC3, *HEAD, *DECISIONS, "nc4_bias_collapse")


@dataclass(frozen=True)
class Choices:
    """The columns of the table of conventions."""

    center: str = "class"
    between: str = "uniform"
    within: str = "sample"
    divide: bool = True
    rank: str = "numerical"
    squared: bool = False


PRESETS = {
    "default": Choices(),
    "papyan2020": Choices(squared=True),
    "han2022": Choices(divide=False, rank="full", squared=True),
    "zhu2021": Choices(center="sample"),
    "frequency": Choices(center="sample", between="frequency"),
    "he_su2023": Choices(center="sample", between="frequency", divide=False),
}


class Reference:
    """Exact class statistics of some samples, and the metrics of them."""

    def __init__(self, X, y, W, b=None, choices=None, weights=None):
        self.choices = choices or Choices()
        with mp.workdps(DIGITS):
            self.X, self.W = _rows(X), _rows(W)
            self.b = None if b is None else _row(b)
            labels = sorted(set(np.asarray(y).tolist()))
            self.y = [labels.index(label) for label in np.asarray(y).tolist()]
            self.w = [mp.mpf(1)] * len(self.X) if weights is None else _row(weights)
            self.K, self.D = len(labels), len(self.X[0])
            self._known = {}
            self._moments()
            self._decisions = self._decide()
            self.centered = self._centered()

    def _shared(self, name, compute, *choices):
        """Compute once what is the same for all references with the same choices."""
        key = name, choices
        if key not in self._known:
            self._known[key] = compute()
        return self._known[key]

    def choosing(self, choices):
        """Return the same samples under other choices; what is of both is shared."""
        other = copy.copy(self)
        other.choices = choices
        with mp.workdps(DIGITS):
            other.centered = other._centered()
        return other

    def _moments(self):
        self.n = [mp.mpf(0)] * self.K
        sums = [[mp.mpf(0)] * self.D for _ in range(self.K)]
        for x, k, w in zip(self.X, self.y, self.w, strict=True):
            self.n[k] += w
            sums[k] = [s + w * v for s, v in zip(sums[k], x, strict=True)]
        self.N = mp.fsum(self.n)
        self.mu = [[s / n for s in row] for row, n in zip(sums, self.n, strict=True)]
        self.residuals = [
            _minus(x, self.mu[k]) for x, k in zip(self.X, self.y, strict=True)
        ]
        self.squares = [_dot(r, r) for r in self.residuals]
        self.var = [mp.mpf(0)] * self.K
        for square, k, w in zip(self.squares, self.y, self.w, strict=True):
            self.var[k] += w * square / self.n[k]
        self.mu_s = _weighted(self.mu, [n / self.N for n in self.n])

    def _centered(self):
        center = self._center()
        return _without_rounding([_minus(row, center) for row in self.mu])

    def _center(self):
        if self.choices.center == "none":
            return [mp.mpf(0)] * self.D
        if self.choices.center == "sample":
            return self.mu_s
        return _weighted(self.mu, [mp.mpf(1) / self.K] * self.K)

    def _between_weights(self):
        if self.choices.between == "frequency":
            return [n / self.N for n in self.n]
        return [mp.mpf(1) / self.K] * self.K

    def _sample_weights(self):
        if self.choices.within == "class":
            pairs = zip(self.y, self.w, strict=True)
            return [w / (self.K * self.n[k]) for k, w in pairs]
        return [w / self.N for w in self.w]

    def metrics(self):
        """Return every headline metric; NaN where the choices define no value."""
        with mp.workdps(DIGITS):
            center = self.choices.center
            of_means = self._shared("NC2", lambda: _nc2(self.centered), center)
            of_head = self._shared("NC2 of head", lambda: _nc2(self.W))
            values = self._nc1() | of_means | self._nc3() | self._nc4()
            values |= {f"{key}_head": value for key, value in of_head.items()}
            total = [mp.fsum(column) for column in zip(*self.W, strict=True)]
            scale = mp.sqrt(self.K) * _frobenius(self.W)
            values["nc0_weight_sum"] = _ratio(_norm(total), scale)
            return {key: float(value) for key, value in values.items()}

    # NC1 -------------------------------------------------------------------------

    def _nc1(self):
        weights = zip(self._sample_weights(), self.squares, strict=True)
        within = mp.fsum(w * square for w, square in weights)
        parts = zip(self._between_weights(), self.centered, strict=True)
        between = mp.fsum(w * _dot(m, m) for w, m in parts)
        return {
            "nc1_pinv": self._pinv(),
            "nc1_trace_ratio": _ratio(within, between),
            "nc1_within_fraction": _ratio(within, within + between),
            "nc1_cdnv": self._shared("CDNV", self._cdnv),
        }

    def _cdnv(self):
        total = []
        for i in range(self.K):
            for j in range(i + 1, self.K):
                gap = _minus(self.mu[i], self.mu[j])
                total.append(_ratio(self.var[i] + self.var[j], 2 * _dot(gap, gap)))
        return mp.fsum(total) / len(total)

    def spectrum(self):
        """Return eigenvalues of the weighted Gram matrix, vectors, and its factor."""
        choices = self.choices.center, self.choices.between
        return self._shared("spectrum", self._spectrum, *choices)

    def _spectrum(self):
        roots = [mp.sqrt(w) for w in self._between_weights()]
        B = [[r * v for v in m] for r, m in zip(roots, self.centered, strict=True)]
        gram = mp.matrix([[_dot(a, c) for c in B] for a in B])
        values, vectors = mp.eigsy(gram)
        order = sorted(range(self.K), key=lambda r: -values[r])
        columns = [[vectors[k, r] for k in range(self.K)] for r in order]
        return [values[r] for r in order], columns, B

    def rank_and_condition(self):
        with mp.workdps(DIGITS):
            values, _, _ = self.spectrum()
            rank = self._rank(values)
            return rank, float(mp.sqrt(values[0] / values[rank - 1]))

    def _rank(self, values):
        cutoff = values[0] * (max(self.K, self.D) * mp.mpf(2) ** -52) ** 2
        return sum(value > cutoff for value in values)

    def _pinv(self):
        values, vectors, B = self.spectrum()
        rank = self._rank(values)
        possible = min(self.K - (self.choices.center != "none"), self.D)
        if not rank or (self.choices.rank == "full" and rank < possible):
            return mp.nan

        def along_means():
            directions = [
                [v / values[r] for v in _weighted(B, vectors[r])] for r in range(rank)
            ]
            return [
                mp.fsum(_dot(v, x) ** 2 for v in directions) for x in self.residuals
            ]

        choices = self.choices.center, self.choices.between
        squares = self._shared("along the means", along_means, *choices)
        total = _dot(self._sample_weights(), squares)
        return total / self.K if self.choices.divide else total

    # NC3 and NC4 -----------------------------------------------------------------

    def _nc3(self):
        choices = self.choices.center, self.choices.squared
        return self._shared("NC3", self._duality, *choices)

    def _duality(self):
        w, m = _frobenius(self.W), _frobenius(self.centered)
        squared = mp.mpf(0)
        for a, c in zip(self.W, self.centered, strict=True):
            for u, v in zip(a, c, strict=True):
                squared += (_ratio(u, w) - _ratio(v, m)) ** 2
        cosines = [
            _ratio(_dot(a, c), _norm(a) * _norm(c))
            for a, c in zip(self.W, self.centered, strict=True)
        ]
        return {
            "nc3_self_duality": squared if self.choices.squared else mp.sqrt(squared),
            "nc3_structure": _from_simplex(self.W, self.centered),
            "nc3_cosine": 1 - mp.fsum(cosines) / self.K,
        }

    def _nc4(self):
        values = dict(self._decisions)
        if self.b is not None:
            pairs = zip(self.W, self.b, strict=True)
            values["nc4_bias_collapse"] = _norm(
                [_dot(r, self.mu_s) + c for r, c in pairs]
            )
        return values

    def _decide(self):
        b = self.b or [mp.mpf(0)] * self.K
        agree = correct = right = mp.mpf(0)
        for x, k, w in zip(self.X, self.y, self.w, strict=True):
            gaps = [_minus(x, mu) for mu in self.mu]
            distances = [_dot(gap, gap) for gap in gaps]
            logits = [_dot(row, x) + c for row, c in zip(self.W, b, strict=True)]
            nearest = distances.index(min(distances))
            chosen = logits.index(max(logits))
            agree += w * (nearest == chosen)
            correct += w * (nearest == k)
            right += w * (chosen == k)
        return {
            "nc4_mismatch": 1 - agree / self.N,
            "nc4_ncc_accuracy": correct / self.N,
            "nc4_head_accuracy": right / self.N,
        }


def _nc2(rows):
    K = len(rows)
    norms = [_norm(row) for row in rows]
    mean = mp.fsum(norms) / K
    std = mp.sqrt(mp.fsum((n - mean) ** 2 for n in norms) / (K - 1))
    cosines = [
        _ratio(_dot(rows[i], rows[j]), norms[i] * norms[j])
        for i in range(K)
        for j in range(i + 1, K)
    ]
    middle = mp.fsum(cosines) / len(cosines)
    spread = mp.fsum((c - middle) ** 2 for c in cosines)
    one_pair = len(cosines) == 1
    return {
        "nc2_equinorm": _ratio(std, mean),
        "nc2_cos_std": mp.nan if one_pair else mp.sqrt(spread / (len(cosines) - 1)),
        "nc2_equiangular": mp.fsum(abs(c + mp.mpf(1) / (K - 1)) for c in cosines)
        / len(cosines),
        "nc2_etf": _from_simplex(rows, rows),
    }


def _from_simplex(left, right):
    K = len(left)
    product = [[_dot(a, c) for c in right] for a in left]
    norm = _frobenius(product)
    if norm <= NOTHING * _frobenius(left) * _frobenius(right):
        return mp.nan
    squared = mp.mpf(0)
    for i in range(K):
        for j in range(K):
            target = ((i == j) - mp.mpf(1) / K) / mp.sqrt(K - 1)
            squared += (_ratio(product[i][j], norm) - target) ** 2
    return mp.sqrt(squared)


def _without_rounding(rows):
    longest = max(_norm(row) for row in rows)
    return [
        row if _norm(row) > NOTHING * longest else [mp.mpf(0)] * len(row)
        for row in rows
    ]


def _ratio(a, b):
    if b == 0:
        return mp.inf if a > 0 else mp.nan
    return a / b


def _rows(X):
    return [_row(row) for row in np.asarray(X).tolist()]


def _row(values):
    return [mp.mpf(value) for value in np.asarray(values).tolist()]


def _dot(a, b):
    return mp.fdot(a, b)


def _norm(a):
    return mp.sqrt(_dot(a, a))


def _minus(a, b):
    return [u - v for u, v in zip(a, b, strict=True)]


def _weighted(rows, weights):
    return [_dot(column, weights) for column in zip(*rows, strict=True)]


def _frobenius(rows):
    return mp.sqrt(mp.fsum(_dot(row, row) for row in rows))


def large_nc1(X, y):
    """
    Return the truth of ``nc1_trace_ratio`` and ``nc1_pinv`` of a large float32 array.

    Float64 from the same values: the first row is subtracted first, without error,
    and class sums are rounded once.
    """
    X = X.astype(np.float64) - X[0].astype(np.float64)
    labels = np.unique(y)
    of_classes = [X[y == k] for k in labels]
    means = np.array(
        [[math.fsum(c) / len(rows) for c in rows.T.tolist()] for rows in of_classes]
    )
    residuals = X - means[np.searchsorted(labels, y)]
    centered = means - means.mean(0)
    within = math.fsum((residuals**2).ravel().tolist()) / len(X)
    between = math.fsum((centered**2).ravel().tolist()) / len(labels)
    _, s, directions = np.linalg.svd(centered / len(labels) ** 0.5, full_matrices=False)
    rank = len(labels) - 1
    along = residuals @ (directions[:rank] / s[:rank, None]).T
    pinv = math.fsum((along**2).ravel().tolist()) / len(X) / len(labels)
    return within / between, pinv


def disagreements(got, want, *, rtol=1e-10, atol=1e-14, scale=1.0, keys=None):
    """
    Return the keys whose values differ, with both values.

    NC1 is compared by its relative error only, the others, whose natural scale is
    one, within `atol` too; `scale` is the natural scale of the bias collapse.
    """
    bad = {}
    for key in want if keys is None else keys:
        a, b = got[key], want[key]
        if a == b or (math.isnan(a) and math.isnan(b)):
            continue
        slack = 0.0 if key in NC1 else atol
        slack *= scale if key == "nc4_bias_collapse" else 1.0
        if not abs(a - b) <= rtol * abs(b) + slack:
            bad[key] = (a, b, abs(a - b) / abs(b) if b else math.inf)
    return bad
