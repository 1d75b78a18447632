"""Copy arrays to NumPy, to the CPU, or to a torch device."""

from collections.abc import Callable
from typing import Any

import array_api_compat
import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array
from sknc._utils.parameters import refuse


def copier_to(place: Any) -> Callable[[Array], Array]:
    """
    Return a function that copies arrays to a place, without changing values.

    The place is "numpy"; "cpu", which keeps the library of each array; or another torch
    device, such as "cuda".
    """
    if isinstance(place, str) and place == "numpy":
        return _to_numpy
    if str(place) == "cpu":
        return _to_cpu
    return _to_torch(place)


def _to_numpy(array: Array) -> np.ndarray:
    return np.array(arrays.to_numpy(array))


def _to_cpu(array: Array) -> Array:
    if isinstance(array, np.ndarray):
        return array.copy()
    if arrays.is_tensor(array):
        return array.detach().to(device="cpu", copy=True)
    moved = array_api_compat.to_device(array, arrays.cpu_of(array))
    return arrays.namespace(moved).asarray(moved, copy=True)


def _to_torch(place: Any) -> Callable[[Array], Array]:
    expected = '"numpy", "cpu" or a device of torch, such as "cuda"'
    torch = arrays.torch_module()
    if torch is None:
        refuse("place", expected, place, "Import torch first to use its devices.")
    try:
        device = torch.device(place)
        torch.empty(1, device=device)
    except (RuntimeError, TypeError, AssertionError) as error:
        what = str(error).partition("\n")[0]
        refuse("place", f"{expected}, of this machine", place, f"torch: {what}")

    def copied(array: Array) -> Array:
        if not arrays.is_tensor(array):
            array = torch.from_numpy(_to_numpy(array))
        return array.detach().to(device=device, copy=True)

    return copied
