"""Decide for the class with the largest affine score, block by block."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc._utils.cached import Cached

# 8 MiB of float32 scores per block; more for many classes, whose weights are read
# again for each block of rows.
_SCORE_ELEMENTS = 1 << 21
_MOST_SCORE_ELEMENTS = 1 << 23
_FEW_ROWS = 512
_ROW_ELEMENTS = 1 << 21  # 8 MiB of float32 rows
_USUAL_EXPONENT = 30  # squares of such numbers are far from the limits of float32


@dataclass(frozen=True, eq=False)
class AffineRule(Cached):
    """Decides for the largest ``(x / unit - origin) weights^T + offsets``."""

    # Both a linear head and the nearest center have this form. Scores are computed in
    # the precision of the features. If the two largest differ by less than rounding, or
    # overflow, they are recomputed in float64. If rounding in float64 cannot separate
    # scores, the first class wins.
    # The origin costs a common offset of features no digits. The unit is a power of
    # two, so that features of any size have scores that neither over- nor underflow.
    origin: Array  # (D,) float64
    weights: Array  # (K, D) float64
    offsets: Array  # (K,) float64
    unit: float = 1.0

    def decide(self, features: Array) -> Array:
        """Return the index of the chosen class of each row, (B,)."""
        return decide_all((self,), features)[0]

    def _decide_rows(
        self, rows: Array, lengths: Array, features: Array, out: Array | None
    ) -> Array:
        """
        Decide for centered rows with a final 1.

        Their `lengths` bound the rounding error; `features` are the original rows.
        """
        xp = namespace(rows)
        factors, longest, greatest_offset = self._cast(rows.dtype)
        if out is None:
            scores = rows @ factors.T
        else:
            scores = np.matmul(rows, factors.T, out=out)
        best, lead = arrays.argmax_and_gap(scores)
        error = _relative_error(rows) * (lengths * longest + greatest_offset)
        where = xp.nonzero(~(lead > error))[0]  # NaN is doubtful too
        if not where.shape[0]:
            return best
        chosen = self._decide_exactly(xp.take(features, where, axis=0))
        return arrays.set_at(best, where, chosen)

    def _decide_exactly(self, features: Array) -> Array:
        """Decide in float64, for the first class within rounding of the maximum."""
        xp = namespace(features)
        factors, longest, greatest_offset = self._cast(xp.float64)
        rows = _centered(features, self.origin, self.unit)
        inner = rows[:, : features.shape[1]]
        # Only ratios of scores matter. Rows of at most one do not overflow.
        peaks = xp.max(xp.abs(inner), axis=1)
        peaks = xp.where(peaks > 1e-99 * greatest_offset, peaks, 1.0)
        scores = (rows / peaks[:, None]) @ factors.T
        lengths = xp.sqrt(arrays.row_squared_norms(inner / peaks[:, None]))
        error = lengths * longest + greatest_offset / peaks
        least = xp.max(scores, axis=1) - _relative_error(rows) * error
        return xp.argmax(xp.astype(scores >= least[:, None], xp.uint8), axis=1)

    def _cast(self, dtype: Any) -> tuple[Array, float, float]:
        """Return weights and offsets, largest row norm and offset, in a dtype."""
        return self.cached(("in", str(dtype)), lambda: self._converted(dtype))

    def _converted(self, dtype: Any) -> tuple[Array, float, float]:
        xp = namespace(self.weights)
        # The rounded origin is subtracted, so offsets must account for it.
        origin = xp.astype(xp.astype(self.origin, dtype), xp.float64)
        offsets = self.offsets + self.weights @ (origin - self.origin)
        n_classes, n_features = self.weights.shape
        shape = (n_classes, _padded(n_features) - n_features - 1)
        zeros = xp.zeros(shape, dtype=xp.float64, device=arrays.device_of(offsets))
        factors = xp.concat([self.weights, offsets[:, None], zeros], axis=1)
        longest = xp.sqrt(xp.max(arrays.row_squared_norms(self.weights)))
        greatest = xp.max(xp.abs(offsets))
        return xp.astype(factors, dtype), float(longest), float(greatest)


def _relative_error(rows: Array) -> float:
    """Bound the rounding of a difference of two scores, relative to their sizes."""
    # Products sum in at least four lanes, so errors grow at most with D / 4.
    return 2 * arrays.unit_roundoff(rows) * (int(rows.shape[1]) / 4 + 16)


def decide_all(rules: Sequence[AffineRule], features: Array) -> tuple[Array, ...]:
    """Decide by rules with the same origin and unit: indices, (B,), by rule."""
    return Decider(rules).decide(features)


class Decider:
    """Decides by rules with the same origin and unit, reusing its memory."""

    def __init__(self, rules: Sequence[AffineRule]) -> None:
        self._rules = rules
        self._work: _Workspace | None = None

    def decide(self, features: Array) -> tuple[Array, ...]:
        """Return the index of the chosen class of each row, (B,), by rule."""
        xp = namespace(features)
        most = max(int(rule.weights.shape[0]) for rule in self._rules)
        n_rows, n_features = (int(size) for size in features.shape)
        few = min(_FEW_ROWS, _MOST_SCORE_ELEMENTS // most)
        step = max(_SCORE_ELEMENTS // most, few)
        step = max(16, min(step, _ROW_ELEMENTS // n_features))
        work = self._workspace(min(step, n_rows), arrays.working_dtype(features))
        parts: list[list[Array]] = [[] for _ in self._rules]
        # Scores that overflow are recomputed.
        with np.errstate(over="ignore", invalid="ignore"):
            for tile in arrays.tiles(n_rows, step):
                block = features[tile, :]
                rows = work.centered(block)
                lengths = xp.sqrt(arrays.row_squared_norms(rows))
                for rule, found in zip(self._rules, parts, strict=True):
                    out = work.scores(rule, rows)
                    found.append(rule._decide_rows(rows, lengths, block, out))
        return tuple(p[0] if len(p) == 1 else xp.concat(p) for p in parts)

    def _workspace(self, n_rows: int, dtype: Any) -> "_Workspace":
        work = self._work
        if work is None or work.dtype != dtype or work.n_rows < n_rows:
            work = self._work = _Workspace(self._rules, n_rows, dtype)
        return work


class _Workspace:
    """Memory shared by blocks of rows (NumPy only)."""

    def __init__(self, rules: Sequence[AffineRule], n_rows: int, dtype: Any) -> None:
        xp = namespace(rules[0].weights)
        self.dtype, self.n_rows = dtype, n_rows
        self._origin, self._unit = xp.astype(rules[0].origin, dtype), rules[0].unit
        self._rows = self._scores = None
        if isinstance(self._origin, np.ndarray):
            width = _padded(len(self._origin))
            self._rows = np.zeros((n_rows, width), dtype)
            self._rows[:, len(self._origin)] = 1
            most = max(len(rule.weights) for rule in rules)
            self._scores = np.empty(n_rows * most, dtype)

    def centered(self, block: Array) -> Array:
        """Return the block minus the origin, with a final 1, padded with zeros."""
        if self._rows is None:
            return _centered(block, self._origin, self._unit)
        rows = self._rows[: len(block)]
        inner = rows[:, : len(self._origin)]
        if self._unit == 1:
            np.subtract(block, self._origin, out=inner)
        else:
            np.divide(block, self._unit, out=inner, dtype=self.dtype)
            np.subtract(inner, self._origin, out=inner)
        return rows

    def scores(self, rule: AffineRule, rows: Array) -> Array | None:
        """Return memory for the scores of the block."""
        if self._scores is None:
            return None
        shape = (len(rows), len(rule.weights))
        return self._scores[: shape[0] * shape[1]].reshape(shape)


def _padded(n_features: int) -> int:
    """Return the width of rows with a final 1, as a multiple of a cache line."""
    return (n_features + 16) // 16 * 16


def _centered(block: Array, origin: Array, unit: float) -> Array:
    """Return the block minus the origin, with a final 1, padded with zeros."""
    xp = namespace(block)
    rows = xp.astype(block, origin.dtype, copy=False)
    rows = (rows if unit == 1 else rows / unit) - origin
    n_rows, n_features = rows.shape
    place = {"dtype": rows.dtype, "device": arrays.device_of(rows)}
    one = xp.ones((n_rows, 1), **place)
    zeros = xp.zeros((n_rows, _padded(n_features) - n_features - 1), **place)
    return xp.concat([rows, one, zeros], axis=1)


def scaled(rows: Array) -> tuple[Array, float]:
    """Divide rows of extreme size by a power of two; return both (1 for other rows)."""
    xp = namespace(rows)
    largest = max(float(xp.max(rows)), -float(xp.min(rows)))
    exponent = math.frexp(largest)[1] if math.isfinite(largest) else 0
    if abs(exponent) <= _USUAL_EXPONENT:
        return rows, 1.0
    unit = 2.0 ** max(-1000, min(exponent, 1000))
    return rows / unit, unit
