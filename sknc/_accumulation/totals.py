"""All that is summed, and what rows add to it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np

from sknc import _array
from sknc._array import Array
from sknc._moments import Moments
from sknc._parallel import Team, cut

# As `sums_by_index` returns them.
Sums: TypeAlias = tuple[np.ndarray | None, np.ndarray]


@dataclass(frozen=True, eq=False)
class Terms:
    """
    What some rows add to the totals.

    Parameters
    ----------
    index : int array of shape (B,)
        Class of each row.
    weights : float64 array of shape (B,), or None
        Sample weights.
    squares : array of shape (B,)
        Squared length of each residual, times the weight.
    energies : array of shape (B,), or None
        The same of its projection, if there is a projector.
    sums : sequence of (ids, sums)
        Sums of residuals by class, of which the sum is wanted (NumPy).
    rows : (array of shape (B, D), array of shape (B,) or None), or None
        Residuals of which the sum by class is wanted, and their factors.
    grams : sequence of array of shape (D, D)
        Products of residuals, of which the sum is wanted.
    """

    index: Array
    weights: Array | None
    squares: Array
    energies: Array | None = None
    sums: Sequence[Sums] = ()
    rows: tuple[Array, Array | None] | None = None
    grams: Sequence[Array] = ()


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

    def add(self, terms: Terms, team: Team) -> "Totals":
        """Return the totals with terms added; a team shares the large arrays."""
        moments, energies, index = self.moments, self.energies, terms.index
        scatter, sums = moments.scatter, moments.sums
        if isinstance(sums, np.ndarray):
            parts = cut(sums.shape[1], min(team.size, sums.shape[1]))
            grams = [partial(_add_grams, scatter, terms.grams, part) for part in parts]
            team.do([partial(_add_sums, sums, terms.sums), *grams])
        else:
            for gram in terms.grams:
                scatter += gram
        if terms.rows is not None:
            sums = _array.add_rows_at(sums, index, *terms.rows)
        if terms.energies is not None:
            energies = _array.add_at(energies, index, terms.energies)
        added = Moments(
            counts=_array.add_at(moments.counts, index, terms.weights),
            anchors=moments.anchors,
            sums=sums,
            squares=_array.add_at(moments.squares, index, terms.squares),
            scatter=scatter,
        )
        return replace(self, moments=added, energies=energies)


def _add_sums(target: np.ndarray, sums: Sequence[Sums]) -> None:
    for classes, found in sums:
        _array.add_sums(target, classes, found)


def _add_grams(target: Array, grams: Sequence[Array], rows: slice) -> None:
    for gram in grams:
        target[rows] += gram[rows]
