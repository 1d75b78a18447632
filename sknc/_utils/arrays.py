"""
Array libraries, devices and dtypes, and functions that the array API lacks.

Nothing here depends on classes, metrics or estimators. Torch is never imported: a
tensor can only arrive if the user has imported torch already.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, TypeAlias

import array_api_compat
import array_api_compat.numpy
import numpy as np
from scipy import sparse

# No static type covers NumPy arrays, torch tensors and other array API objects.
Array: TypeAlias = Any

_FINITE_ELEMENTS = 1 << 18  # checked in one block, to fit in a core's cache
_WORK_ELEMENTS = 1 << 19  # 4 MiB of float64 in a temporary array
_GPU_ELEMENTS = 1 << 24


def torch_module() -> ModuleType | None:
    """Return torch if the program has imported it, else None."""
    return sys.modules.get("torch")


def is_tensor(x: object) -> bool:
    """Whether `x` is a torch tensor."""
    torch = torch_module()
    return torch is not None and isinstance(x, torch.Tensor)


def on_gpu(x: Array) -> bool:
    """Whether `x` is a torch tensor whose values the host must wait for."""
    return is_tensor(x) and x.device.type != "cpu"


def namespace(*arrays: Array) -> Any:
    """Return the array API namespace of the arrays."""
    if len(arrays) == 1 and type(arrays[0]) is np.ndarray:
        return array_api_compat.numpy  # faster than asking the library
    return array_api_compat.array_namespace(*arrays)


def device_of(x: Array) -> Any:
    """Return the device that holds `x`."""
    return array_api_compat.device(x)


def describe(x: Array) -> str:
    """Return the array library and device of `x`, for error messages."""
    if isinstance(x, np.ndarray):
        return "NumPy on cpu"
    library = type(x).__module__.partition(".")[0]
    return f"{library} on {device_of(x)}"


def same_place(x: Array, other: Array) -> bool:
    """Whether both arrays have the same library and device."""
    return namespace(x) is namespace(other) and device_of(x) == device_of(other)


def to_numpy(x: Array) -> np.ndarray:
    """Copy `x` to the host as a NumPy array."""
    if isinstance(x, np.ndarray):
        return x
    if is_tensor(x):
        x = x.detach()
        torch = torch_module()
        assert torch is not None
        x = (x.float() if x.dtype == torch.bfloat16 else x).cpu().numpy()
    if array_api_compat.is_array_api_obj(x) and not array_api_compat.is_numpy_array(x):
        x = np.from_dlpack(array_api_compat.to_device(x, cpu_of(x)))
    host: np.ndarray = np.asarray(x)
    return host


def read_only(x: Array, *, copy: bool = True) -> Array:
    """
    Return a read-only view of `x`.

    Libraries other than NumPy have none: they return a copy, or `x` itself if not
    `copy`.
    """
    if isinstance(x, np.ndarray):
        x = x.view()
        x.flags.writeable = False
        return x
    return namespace(x).asarray(x, copy=True) if copy else x


def cpu_of(x: Array) -> Any:
    """Return the CPU device of the library of `x`."""
    library = namespace(x)
    if library.__name__ == "array_api_strict":
        return library.Device("CPU_DEVICE")
    return "cpu"


def move_like(x: Array, like: Array, dtype: Any = None) -> Array:
    """Return `x` in the library and on the device of `like`, as `dtype`."""
    xp = namespace(like)
    if is_tensor(x) and is_tensor(like):
        return x.detach().to(device=like.device, dtype=dtype)
    if not isinstance(x, np.ndarray) and array_api_compat.is_array_api_obj(x):
        if same_place(x, like):
            return x if dtype is None else xp.astype(x, dtype, copy=False)
        x = to_numpy(x)
    x = np.asarray(x)
    if is_tensor(like) and not x.flags.writeable:
        x = x.copy()  # torch warns about tensors that share read-only memory
    return xp.asarray(x, dtype=dtype, device=device_of(like))


def working_dtype(x: Array) -> Any:
    """
    Return the dtype in which products of `x` are computed.

    Half precision is promoted to float32, integers and booleans to float64.
    """
    xp = namespace(x)
    single = [getattr(xp, name, None) for name in ("float32", "float16", "bfloat16")]
    is_single = any(x.dtype == dtype for dtype in single if dtype is not None)
    return xp.float32 if is_single else xp.float64


def dtype_name(x: Array) -> str:
    """Return the name of the dtype of `x`; 'float64' if it is not a float."""
    name = str(x.dtype).rpartition(".")[2]
    return name if name in ("float16", "bfloat16", "float32") else "float64"


def common_dtype_name(first: str, second: str) -> str:
    """Return the name of a dtype that holds the values of both."""
    if first == second:
        return first
    single = {"float16", "bfloat16", "float32"}
    return "float32" if {first, second} <= single else "float64"


def unit_roundoff(x: Array) -> float:
    """Return the unit roundoff of products in `x`'s dtype."""
    torch = torch_module()
    if (
        on_gpu(x)
        and torch is not None
        and x.dtype == torch.float32
        and torch.get_float32_matmul_precision() != "highest"
    ):
        return 2.0**-11  # TensorFloat-32 keeps 10 explicit bits of each factor
    return float(namespace(x).finfo(x.dtype).eps) / 2


@contextmanager
def plain_arithmetic(x: Array) -> Iterator[None]:
    """Switch off gradients, inference mode and autocast for a tensor `x`."""
    torch = torch_module()
    if torch is None or not is_tensor(x):
        yield
        return
    # Device "meta" is refused later.
    device = "cpu" if x.device.type == "meta" else x.device.type
    # Sums computed in inference mode could not be used outside of it.
    with (
        torch.inference_mode(False),
        torch.no_grad(),
        torch.autocast(device, enabled=False),
    ):
        yield


def read_flags(*flags: Any) -> list[bool]:
    """Copy boolean scalars to the host, in one transfer."""
    on_device = [i for i, flag in enumerate(flags) if is_tensor(flag)]
    values = list(flags)
    if on_device:
        torch = torch_module()
        assert torch is not None
        transferred = torch.stack([flags[i] for i in on_device]).tolist()
        for i, value in zip(on_device, transferred, strict=True):
            values[i] = value
    return [bool(value) for value in values]


def tiles(n_rows: int, step: int) -> Iterator[slice]:
    """Split ``range(n_rows)`` into slices of at most `step` rows."""
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def map_rows(
    function: Callable[[Array], Array], rows: Array, n_columns: int = 0
) -> Array:
    """
    Concatenate ``function(block)`` over blocks of rows (N, D), in working dtype.

    The function returns as many rows as it gets, with up to max(D, n_columns) columns.
    """
    xp, dtype, n_rows = namespace(rows), working_dtype(rows), rows.shape[0]
    n_elements = _GPU_ELEMENTS if on_gpu(rows) else _WORK_ELEMENTS
    out = None
    for tile in tiles(n_rows, max(1, n_elements // max(rows.shape[1], n_columns))):
        part = function(xp.astype(rows[tile, ...], dtype, copy=False))
        if part.shape[0] == n_rows:
            return part
        if out is None:
            shape, device = (n_rows, *part.shape[1:]), device_of(part)
            out = xp.empty(shape, dtype=part.dtype, device=device)
        out[tile, ...] = part
    return out


def all_finite(x: Array) -> bool:
    """Whether `x`, with two axes, is finite; computed without a copy."""
    if isinstance(x, np.ndarray):
        if x.dtype.kind in "biu":
            return True
        plain = x.flags.c_contiguous or x.flags.f_contiguous
        if plain and x.dtype in (np.float32, np.float64):
            flat = x.ravel(order="K")
            with np.errstate(over="ignore", invalid="ignore"):
                if np.isfinite(np.dot(flat, flat)):
                    return True
        # Squares of finite numbers may overflow, so check each number.
    return all(bool(flag) for flag in _finite_flags(x, _FINITE_ELEMENTS))


def finite_flag(x: Array) -> Any:
    """Return whether a tensor is finite, without waiting for its device."""
    flags = list(_finite_flags(x, _GPU_ELEMENTS))
    return namespace(x).stack(flags).all() if len(flags) > 1 else flags[0]


def _finite_flags(x: Array, n_elements: int) -> Iterator[Any]:
    """Yield whether each block of rows is finite."""
    xp = namespace(x)
    for tile in tiles(x.shape[0], max(1, n_elements // x.shape[1])):
        if isinstance(x, np.ndarray) and x.dtype == np.float16:
            # Only NaN and infinity have all bits of the exponent set.
            yield np.max(x[tile].view(np.uint16) & 0x7C00) < 0x7C00
        else:
            yield xp.all(xp.isfinite(x[tile, ...]))


def count_not_finite(x: Array) -> tuple[int, int]:
    """Return the numbers of NaN and of infinite values."""
    xp, counts = namespace(x), [0, 0]
    for tile in tiles(x.shape[0], max(1, _FINITE_ELEMENTS // x.shape[1])):
        rows = x[tile, ...]
        for place, found in enumerate((xp.isnan(rows), ~xp.isfinite(rows))):
            counts[place] += int(xp.sum(xp.astype(found, xp.int64)))
    return counts[0], counts[1] - counts[0]


# Kernels ------------------------------------------------------------------


def row_squared_norms(rows: Array) -> Array:
    """Return the squared Euclidean norm of each row, (B,)."""
    return row_products(rows, rows)


def row_products(left: Array, right: Array) -> Array:
    """Return the inner product of matching rows, (B,)."""
    if isinstance(left, np.ndarray) and not hasattr(np, "vecdot"):  # NumPy < 2
        return np.einsum("ij,ij->i", left, right)
    return namespace(left).vecdot(left, right)


def gram(rows: Array) -> Array:
    """Return ``rows.T @ rows``; NumPy computes it as a symmetric update."""
    return rows.T @ rows


def upper_factor(rows: Array) -> Array:
    """Return the factor R of QR, without Q in NumPy and torch."""
    if isinstance(rows, np.ndarray):
        return np.linalg.qr(rows, mode="r")
    if is_tensor(rows):
        torch = torch_module()
        assert torch is not None
        return torch.linalg.qr(rows, mode="r")[1]
    return namespace(rows).linalg.qr(rows)[1]


def add_rows_at(
    target: Array, index: Array, rows: Array, factors: Array | None = None
) -> Array:
    """
    Add ``factors[i] * rows[i]`` to ``target[index[i]]``, and return `target`.

    NumPy and torch work in place; other libraries return a new array.
    """
    if factors is not None and not isinstance(target, np.ndarray):
        rows = rows * factors[:, None]
    if is_tensor(target):
        return target.index_add_(0, index, rows.to(target.dtype))
    if isinstance(target, np.ndarray):
        return add_sums(target, *sums_by_index(index, rows, factors, len(target)))
    xp = namespace(target)
    classes = xp.arange(target.shape[0], device=device_of(target))
    selected = xp.astype(index[None, :] == classes[:, None], target.dtype)
    return target + selected @ xp.astype(rows, target.dtype)


def sums_by_index(
    index: np.ndarray, rows: np.ndarray, factors: np.ndarray | None, n_sums: int
) -> tuple[np.ndarray | None, np.ndarray]:
    """
    Sum ``factors[i] * rows[i]`` for each value of `index` (NumPy only).

    Returns the indices and their sums. If there are more possible values than rows, the
    indices are the sorted unique ones; otherwise they are None, and there is a sum for
    each of ``range(n_sums)``.
    """
    n_rows, ids, position = len(rows), None, index
    if n_sums > n_rows:
        ids, position = np.unique(index, return_inverse=True)
        n_sums = len(ids)
    values = np.ones(n_rows, dtype=rows.dtype) if factors is None else factors
    columns = np.arange(n_rows + 1, dtype=np.int32)
    parts = (values, position.astype(np.int32), columns)
    return ids, sparse.csc_array(parts, (n_sums, n_rows)) @ rows


def add_sums(target: np.ndarray, ids: np.ndarray | None, sums: Array) -> np.ndarray:
    """Add the result of `sums_by_index` to `target`, in place."""
    target[slice(None) if ids is None else ids] += sums
    return target


def add_at(target: Array, index: Array, values: Array | None) -> Array:
    """Add ``values[i]``, or one, to ``target[index[i]]``, and return `target`."""
    if is_tensor(target):
        source = index.new_ones(index.shape) if values is None else values
        return target.index_add_(0, index, source.to(target.dtype))
    if isinstance(target, np.ndarray):
        target += np.bincount(index, values, minlength=target.shape[0]).astype(
            target.dtype, copy=False
        )
        return target
    xp = namespace(target)
    source = xp.ones_like(index) if values is None else values
    rows = xp.astype(source, target.dtype)[:, None]
    return add_rows_at(target[:, None], index, rows)[:, 0]


def take_rows(values: Array, index: Any) -> Array:
    """Return rows of `values`; the positions may be on another device."""
    xp = namespace(values)
    return xp.take(values, move_like(index, values, xp.int64), axis=0)


def put_rows(target: Array, index: Array, rows: Array) -> Array:
    """Set row ``index[i]`` of `target` to ``rows[i]``, and return `target`."""
    if isinstance(target, np.ndarray) or is_tensor(target):
        target[index] = rows
        return target
    xp = namespace(target)
    for position in range(index.shape[0]):  # rare: other libraries, new classes only
        here = xp.arange(target.shape[0], device=device_of(target)) == index[position]
        target = xp.where(here[:, None], rows[position, :][None, :], target)
    return target


def set_at(target: Array, index: Array, values: Array) -> Array:
    """Set entry ``index[i]`` of `target` to ``values[i]``, and return `target`."""
    return put_rows(target[:, None], index, values[:, None])[:, 0]


def argmax_and_gap(scores: Array) -> tuple[Array, Array]:
    """
    Return the first argmax of each row, and its lead over the runner-up.

    The scores are overwritten. With one column the lead is infinite.
    """
    xp = namespace(scores)
    best = xp.argmax(scores, axis=1)
    if isinstance(scores, np.ndarray) or is_tensor(scores):
        rows = xp.arange(scores.shape[0], device=device_of(scores))
        top = scores[rows, best]
        scores[rows, best] = -xp.inf
        return best, top - xp.max(scores, axis=1)
    top = xp.max(scores, axis=1)
    columns = xp.arange(scores.shape[1], device=device_of(scores))
    rest = xp.where(columns[None, :] == best[:, None], -xp.inf, scores)
    return best, top - xp.max(rest, axis=1)
