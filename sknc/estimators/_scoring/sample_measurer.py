"""Measure single samples for metrics that need them, batch by batch."""

from dataclasses import dataclass, fields

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc.convention import Convention
from sknc.head import LinearHead
from sknc.metrics._shared.rows import unit_rows
from sknc.statistics.class_statistics import ClassStatistics
from sknc.statistics.sample_measures import SampleMeasures

# Relative to the longest row: shorter rows are rounding errors without direction.
_NOISE = 8 * float(np.finfo(np.float64).eps)
_ELEMENTS = 1 << 20  # 8 MiB of float64 per temporary


@dataclass(frozen=True, eq=False)
class SampleMeasurer:
    """Measures samples about fitted centers."""

    centers: ClassStatistics
    head: LinearHead | None  # rows of the same classes
    directions: Array | None  # (D, R), over singular values, for energies
    unit: float  # unit of lengths along them
    needs: frozenset[str]  # inputs of the requested metrics
    convention: Convention  # defines the global mean for cosine margins

    def measure(
        self,
        features: Array,
        index: Array,
        weights: Array | None,
        correct: Array | None,
    ) -> SampleMeasures:
        """Return the measures of a batch; `correct` is whether the head is right."""
        widest = max(self.centers.n_classes, self.centers.n_features)
        parts = [
            self._measure_block(
                features[tile, :],
                index[tile],
                None if weights is None else weights[tile],
            )
            for tile in arrays.tiles(
                int(features.shape[0]), max(1, _ELEMENTS // widest)
            )
        ]
        whole = SampleMeasures.joined(parts)
        known = {
            item.name: getattr(whole, item.name)
            for item in fields(whole)
            if getattr(whole, item.name) is not None
        }
        if weights is not None:
            # A copy, because a loader may reuse the memory for its next weights.
            known["weights"] = np.array(arrays.to_numpy(weights))
        if correct is not None:
            known["correct"] = arrays.to_numpy(correct)
        return SampleMeasures(**known)

    def _measure_block(
        self, features: Array, index: Array, weights: Array | None
    ) -> SampleMeasures:
        xp = namespace(features)
        residuals = self._residuals(features, index)
        means = self.centers.equally_centered_means
        own = xp.take(means, index, axis=0)
        energies = ncc = cosine = directional = None
        if self.directions is not None and "energies" in self.needs:
            lengths = arrays.row_squared_norms(residuals @ self.directions)
            energies = arrays.to_numpy(lengths / self.unit / self.unit)
        if self.needs & {"ncc_margins", "directional"}:
            along = residuals @ means.T
            along = along - xp.sum(residuals * own, axis=1)[:, None]
            if "ncc_margins" in self.needs:
                ncc = arrays.to_numpy(_ncc_margins(along, own, means, index))
            if "directional" in self.needs:
                directional = self._directional(along, index, weights)
        if "cosine_margins" in self.needs and self.head is not None:
            about = means - self._global_mean(means)
            noise = _NOISE * xp.sqrt(xp.max(arrays.row_squared_norms(about)))
            rows = unit_rows(residuals + xp.take(about, index, axis=0), noise)
            cosine = arrays.to_numpy(_cosine_margins(rows, self.head, index))
        ones = np.ones(int(features.shape[0]))
        return SampleMeasures(ones, energies, None, ncc, cosine, directional)

    def _residuals(self, features: Array, index: Array) -> Array:
        """Return the features minus their class mean, whatever offset both have."""
        xp, moments = namespace(features), self.centers.moments
        anchors = xp.astype(xp.take(moments.anchors, index, axis=0), xp.float64)
        offsets = moments.sums / self.centers.counts[:, None]
        rows = xp.astype(features, xp.float64) - anchors
        return rows - xp.take(offsets, index, axis=0)

    def _directional(self, along: Array, index: Array, weights: Array | None) -> Array:
        xp, n_classes = namespace(along), self.centers.n_classes
        place = {"dtype": xp.float64, "device": arrays.device_of(along)}
        zeros = xp.zeros((n_classes, n_classes), **place)
        largest = xp.max(arrays.row_squared_norms(self.centers.equally_centered_means))
        along = along / xp.where(largest > 0, largest, 1.0)
        return arrays.add_rows_at(zeros, index, along**2, weights)

    def _global_mean(self, means: Array) -> Array:
        """Return the convention's global mean minus the mean of class means."""
        if self.convention.center == "none":
            return means[0, :] - self.centers.class_means[0, :]
        return self.convention.center_weights(self.centers.counts) @ means


def _ncc_margins(along: Array, own: Array, means: Array, index: Array) -> Array:
    """Return the signed distance of each sample to its class's cell boundary."""
    xp = namespace(along)
    half = arrays.row_squared_norms(means) / 2
    squared = 2 * (half + xp.take(half, index, axis=0)[:, None] - own @ means.T)
    distances = xp.sqrt(xp.where(squared > 0, squared, xp.nan))
    # (|x - m_j|^2 - |x - m_y|^2) / 2 = |m_j - m_y|^2 / 2 - (x - m_y)(m_j - m_y)
    margins = distances / 2 - along / distances
    others = ~_is_own(margins, index) & ~xp.isnan(distances)
    return xp.min(xp.where(others, margins, xp.inf), axis=1)


def _cosine_margins(units: Array, head: LinearHead, index: Array) -> Array:
    """Return the lead of the true class's cosine with the head over the others."""
    xp = namespace(units)
    cosines = units @ head.cached("centered_units", lambda: _centered_units(head)).T
    is_own = _is_own(cosines, index)
    own = xp.sum(xp.where(is_own, cosines, 0.0), axis=1)
    return own - xp.max(xp.where(is_own, -xp.inf, cosines), axis=1)


def _centered_units(head: LinearHead) -> Array:
    """Return the centered rows of the head at unit length; NaN for zero rows."""
    xp, weights = namespace(head.weights), head.weights
    largest = xp.max(xp.abs(weights))
    weights = weights / xp.where(largest > 0, largest, 1.0)
    noise = _NOISE * xp.sqrt(xp.max(arrays.row_squared_norms(weights)))
    return unit_rows(weights - xp.mean(weights, axis=0), noise)


def _is_own(values: Array, index: Array) -> Array:
    """Return a mask of each row's own class, (B, K)."""
    classes = namespace(values).arange(values.shape[1], device=arrays.device_of(values))
    return classes == index[:, None]
