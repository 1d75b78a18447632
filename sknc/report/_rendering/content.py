"""The parts of a report, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sknc.convention import Convention
from sknc.metrics._catalogue.missing import Request


@dataclass(frozen=True)
class Measured:
    """
    The samples that a report describes.

    Parameters
    ----------
    n_samples, n_classes, n_features : int
        Their size; classes with samples only.
    dtype, device : str
        Of the features.
    weighted : bool
        Whether samples had weights.
    """

    n_samples: int
    n_classes: int
    n_features: int
    dtype: str
    device: str
    weighted: bool = False


@dataclass(frozen=True)
class Directions:
    """
    The directions of the class means that ``nc1_pinv`` compares.

    Parameters
    ----------
    rank : int or None
        How many; None without ``nc1_pinv``.
    condition : float or None
        Largest over smallest singular value.
    """

    rank: int | None = None
    condition: float | None = None


@dataclass(frozen=True, eq=False)
class Content:
    """
    Everything in a report; see the attributes of `NCReport`.

    Parameters
    ----------
    score : float
        The report as a number.
    values, standard_error : mapping of str to float
        The metrics and their errors, by key.
    per_class : mapping of str to ndarray of shape (K,)
        Columns over the classes.
    quantiles : mapping of str to mapping of float to float
        Quantiles of margins.
    notes : mapping of str to str
        Notes for the reader, by key.
    convention : Convention
        Choices.
    measured : Measured
        The samples.
    directions : Directions
        Of the class means.
    request : Request
        What was asked for, and the inputs that there were.
    """

    score: float
    values: Mapping[str, float]
    standard_error: Mapping[str, float]
    per_class: Mapping[str, np.ndarray]
    quantiles: Mapping[str, Mapping[float, float]]
    notes: Mapping[str, str]
    convention: Convention
    measured: Measured
    directions: Directions
    request: Request

    def why_missing(self, key: str) -> str:
        """Return why a metric of the table is not among the values."""
        return self.request.why_missing(
            key, self.convention.within, self.measured.n_classes
        )
