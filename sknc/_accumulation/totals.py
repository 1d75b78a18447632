"""All that is summed."""

from dataclasses import dataclass

from sknc._array import Array
from sknc._moments import Moments


@dataclass(frozen=True, eq=False)
class Totals:
    """
    All that is summed. Where the library can, its arrays change in place.

    Parameters
    ----------
    moments : Moments
        Sums of residuals.
    projector : array of shape (D, R), or None
        Directions on which the residuals' squared lengths are summed too.
    energies : float64 array of shape (K,), or None
        Those sums.
    """

    moments: Moments
    projector: Array | None = None
    energies: Array | None = None
