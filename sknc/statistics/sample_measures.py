"""Values of single samples, for metrics that need them."""

from dataclasses import dataclass, fields

import numpy as np

from sknc._utils.arrays import Array


@dataclass(frozen=True, eq=False)
class SampleMeasures:
    """Values of each of N samples, float64, on the host: about 40 bytes per sample."""

    weights: np.ndarray
    # Squared length of the residual in the inverse between-class covariance.
    energies: np.ndarray | None = None
    # Whether the head decides for the true class, bool.
    correct: np.ndarray | None = None
    # Signed distance to the nearest boundary of the nearest-center cell.
    ncc_margins: np.ndarray | None = None
    # Lead of the true class in the cosines with the centered rows of the head, about
    # the global mean of the convention.
    cosine_margins: np.ndarray | None = None
    # (K, K), weighted sum over the samples of class i of the squared product of the
    # residual and the line from center i to center j, both relative to the largest
    # distance of a center from the mean of all centers.
    directional: Array | None = None

    @classmethod
    def joined(cls, parts: "list[SampleMeasures]") -> "SampleMeasures":
        """Concatenate the measures of several batches."""
        values = {}
        for item in fields(cls):
            found = [getattr(part, item.name) for part in parts]
            if found[0] is None:
                continue
            joined = sum(found) if item.name == "directional" else np.concatenate(found)
            values[item.name] = joined
        return cls(**values)
