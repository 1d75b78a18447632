"""Scatters as plain NumPy arrays; symmetric matrices as their upper triangle."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from sknc._utils import arrays
from sknc._utils.label_kinds import label_keys
from sknc.statistics.class_scatters import ClassScatters, ClassSpread

_TILE = 128
# For each class with samples: its number of samples, count, mean and scatter.
_PLACES, _N_SAMPLES = "class_scatter_places", "class_scatter_samples"
_COUNTS, _MEANS = "class_scatter_counts", "class_scatter_means"
_SCATTERS = "class_scatters"
SCATTER_NAMES = (_PLACES, _N_SAMPLES, _COUNTS, _MEANS, _SCATTERS)


def packed(scatter: np.ndarray) -> np.ndarray:
    """Return the upper triangle row by row, or all if it is not symmetric."""
    n_features = len(scatter)
    if not np.array_equal(scatter, scatter.T, equal_nan=True):
        return scatter.copy()  # some libraries' products are not symmetric
    out = np.empty(n_features * (n_features + 1) // 2)
    start = 0
    for row in range(n_features):
        end = start + n_features - row
        out[start:end] = scatter[row, row:]
        start = end
    return out


def unpacked(values: np.ndarray, n_features: int) -> np.ndarray:
    """Return the matrix from its `packed` values."""
    if values.ndim == 2:
        return values.copy()
    scatter = np.empty((n_features, n_features))
    start = 0
    for tile in arrays.tiles(n_features, _TILE):
        for row in range(tile.start, tile.stop):
            end = start + n_features - row
            scatter[row, row:] = values[start:end]
            scatter[row : tile.stop, row] = scatter[row, row : tile.stop]
            start = end
        # Below the tile, many columns together, because columns are not contiguous.
        scatter[tile.stop :, tile] = scatter[tile, tile.stop :].T
    return scatter


def arrays_of_scatters(
    scatters: ClassScatters, classes: np.ndarray
) -> dict[str, np.ndarray]:
    """
    Return copies of the scatters of classes, on the host.

    For each class with samples: its position in `classes`, numbers, mean and scatter.
    """
    places = [k for k, c in enumerate(label_keys(classes)) if c in scatters.by_label]
    labels = label_keys(classes[places])
    if len(labels) < len(scatters.by_label):
        other = [label for label in scatters.by_label if label not in labels]
        msg = f"The scatters of classes {other[:5]} have unknown labels."
        raise ValueError(msg)
    spreads = [scatters.by_label[label] for label in labels]
    triangles = [packed(arrays.to_numpy(spread.scatter)) for spread in spreads]
    if len({triangle.ndim for triangle in triangles}) > 1:
        triangles = [np.array(arrays.to_numpy(spread.scatter)) for spread in spreads]
    means = [arrays.to_numpy(spread.mean) for spread in spreads]
    return {
        _PLACES: np.array(places, np.int64),
        _N_SAMPLES: np.array([spread.n_samples for spread in spreads], np.int64),
        _COUNTS: np.array([spread.count for spread in spreads], np.float64),
        _MEANS: np.array(means, np.float64),
        _SCATTERS: np.array(triangles, np.float64),
    }


def scatters_of_arrays(
    found: Mapping[str, np.ndarray], classes: np.ndarray, n_features: int
) -> ClassScatters:
    """Return the scatters from the arrays of `arrays_of_scatters`, bit for bit."""
    _check(found, len(classes), n_features)
    labels = label_keys(classes[found[_PLACES]])
    columns = (found[name].tolist() for name in (_N_SAMPLES, _COUNTS))
    means = [np.array(mean) for mean in found[_MEANS]]
    scatters = [unpacked(triangle, n_features) for triangle in found[_SCATTERS]]
    spreads = map(ClassSpread, *columns, means, scatters)
    return ClassScatters(MappingProxyType(dict(zip(labels, spreads, strict=True))))


def _check(found: Mapping[str, np.ndarray], n_classes: int, n_features: int) -> None:
    n_held = found[_PLACES].shape[0] if found[_PLACES].ndim else 0
    rows = [(n_held,)]
    triangles = (n_held, n_features * (n_features + 1) // 2)
    shapes: dict[str, tuple[str, list[tuple[int, ...]]]] = {
        _PLACES: ("int64", [*rows]),
        _N_SAMPLES: ("int64", [*rows]),
        _COUNTS: ("float64", [*rows]),
        _MEANS: ("float64", [(n_held, n_features)]),
        _SCATTERS: ("float64", [triangles, (n_held, n_features, n_features)]),
    }
    if not n_held:  # NumPy then sees only one axis
        shapes[_MEANS] = shapes[_SCATTERS] = ("float64", [(0,)])
    for name, (dtype, expected) in shapes.items():
        if str(found[name].dtype) != dtype or found[name].shape not in expected:
            msg = (
                f"{name!r} must be {dtype} of shape {expected[0]}, got "
                f"{found[name].dtype} of {found[name].shape}."
            )
            raise ValueError(msg)
    places, n_samples, counts = (found[n] for n in (_PLACES, _N_SAMPLES, _COUNTS))
    rising = bool(np.all(places[1:] > places[:-1]))
    inside = not n_held or (places[0] >= 0 and places[-1] < n_classes)
    if not (rising and inside and np.all(n_samples > 0) and np.all(counts > 0)):
        msg = (
            f"{_PLACES!r} must be positions below {n_classes} of classes with samples."
        )
        raise ValueError(msg)
