"""The plane of three class means, turned so that their simplex stands upright."""

import math
from dataclasses import dataclass

import numpy as np

# Corners of an equilateral triangle of radius 1: top, bottom left, bottom right.
CORNERS = np.array([[0, 1], [-math.sqrt(3) / 2, -0.5], [math.sqrt(3) / 2, -0.5]])


@dataclass(frozen=True, eq=False)
class Plane:
    """
    Two directions of feature space, and three class means in them.

    The simplex nearest to the means has its corners at `CORNERS`.
    """

    center: np.ndarray  # (D,), mean of the three class means
    directions: np.ndarray  # (D, 2), orthonormal
    radius: float  # of the nearest simplex
    length: float  # norm of the means' offsets from the center

    @classmethod
    def of(cls, means: np.ndarray) -> "Plane":
        """Return the plane of three means, (3, D), which do not all coincide."""
        center = means.mean(axis=0)
        offsets = means - center
        directions = np.linalg.svd(offsets, full_matrices=False)[2][:2].T
        if directions.shape[1] < 2:  # one feature: the other direction is empty
            directions = np.column_stack([directions, np.zeros(len(center))])
        left, values, right = np.linalg.svd((offsets @ directions).T @ CORNERS)
        length = float(np.linalg.norm(offsets))
        return cls(center, directions @ left @ right, float(values.sum()) / 3, length)

    def place(self, points: np.ndarray) -> np.ndarray:
        """Return coordinates of points of feature space, (N, 2)."""
        found: np.ndarray = (points - self.center) @ self.directions / self.radius
        return found

    def place_head(self, rows: np.ndarray) -> np.ndarray:
        """Return coordinates of rows of a head, centered and as long as the means."""
        offsets = rows - rows.mean(axis=0)
        length = np.linalg.norm(offsets)
        factor = self.length / length if length else 0.0
        found: np.ndarray = factor * offsets @ self.directions / self.radius
        return found
