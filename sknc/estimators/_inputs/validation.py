"""Turn features, labels, weights and head into checked arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import array_api_compat
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc._utils.numeric import numeric_features, numeric_weights
from sknc._utils.tensors import check_tensor
from sknc.estimators._inputs.labels import check_labels

_HOST_FLOATS = [np.float64, np.float32, np.float16]


@dataclass(frozen=True, eq=False)
class Batch:
    """A checked batch, except for one flag that is not yet read."""

    features: Array  # (B, D); finite unless `invalid`
    labels: Array  # (B,); integer tensor, or NumPy of any kind
    weights: Array | None  # (B,) float64; rows with weight zero are removed
    invalid: Any  # whether some are not finite, bool or 0-d tensor; None: unknown


# Features ---------------------------------------------------------------------


def check_features(estimator: Any, X: Any, *, reset: bool) -> tuple[Array, Any]:
    """
    Check features, and return them with a flag that is true if they are not finite.

    Tensors are recognized before scikit-learn could convert them to NumPy, and stay on
    their device, where reading the flag may have to wait. For NumPy arrays the flag is
    None; the next pass over the numbers checks them.
    """
    if arrays.is_tensor(X):
        check_tensor("X", X)
    else:
        X = numeric_features(X)
    if getattr(X, "ndim", 2) != 2:
        raise _not_rows(X, type(estimator).__name__)
    if arrays.is_tensor(X):
        return _check_tensor(estimator, X, reset=reset)
    if not reset and _needs_no_conversion(estimator, X):
        checked = X
    else:
        checked = validate_data(
            estimator, X, reset=reset, dtype=_kept_dtypes(X), ensure_all_finite=False
        )
    if isinstance(checked, np.ndarray):
        return checked, None
    return checked, not arrays.all_finite(checked)


def _needs_no_conversion(estimator: Any, X: Any) -> bool:
    """Whether scikit-learn would return X unchanged; it takes 0.2 ms per batch."""
    return (
        type(X) is np.ndarray
        and X.dtype in _kept_dtypes(X)
        and X.ndim == 2
        and len(X) > 0
        and X.shape[1] == estimator.n_features_in_
        and not hasattr(estimator, "feature_names_in_")
    )


def _kept_dtypes(X: Any) -> list[Any]:
    """Return the dtypes that features may keep; others are converted to the first."""
    if _dispatched(X):
        xp = namespace(X)
        return [xp.float64, xp.float32]
    if isinstance(X, np.ndarray) and X.dtype.kind in "biuf" and X.itemsize <= 8:
        return [*_HOST_FLOATS, X.dtype]  # converted block by block
    return _HOST_FLOATS


def _dispatched(X: Any) -> bool:
    """Whether scikit-learn would keep the array library of X."""
    import sklearn

    return (
        sklearn.get_config()["array_api_dispatch"]
        and array_api_compat.is_array_api_obj(X)
        and not array_api_compat.is_numpy_array(X)
    )


def _not_rows(X: Any, name: str) -> ValueError:
    """Return the error for features that are not 2-D."""
    remedy = (
        "Reshape your data with X.reshape(1, -1) if it is one sample, or "
        "X.reshape(-1, 1) if it is one feature."
        if X.ndim < 2
        else "Flatten or pool the other axes, for example with X.mean(axis=(2, 3)) for "
        "images and X.reshape(-1, X.shape[-1]) for tokens, with y.reshape(-1). If "
        "these are inputs of the model, pass those of its last layer instead."
    )
    return ValueError(
        f"Expected 2D array, got {X.ndim}D {type(X).__name__} of shape "
        f"{tuple(X.shape)} instead: {name} requires features of shape (n_samples, "
        f"n_features). {remedy}"
    )


def check_finite(X: Array, invalid: Any) -> None:
    """Raise if features are not finite, by the flag or else by checking them."""
    if not arrays.all_finite(X) if invalid is None else bool(invalid):
        raise not_finite(X)


def not_finite(X: Array) -> ValueError:
    """Return the error for features with NaN or infinity."""
    n_nan, n_infinite = arrays.count_not_finite(X)
    return ValueError(
        f"Input X contains NaN or infinity: expected finite features, got {n_nan} NaN "
        f"and {n_infinite} infinite values in {tuple(X.shape)}. Remove those samples, "
        "or find where the network produced them; nothing of this batch was used."
    )


def _check_tensor(estimator: Any, X: Array, *, reset: bool) -> tuple[Array, Any]:
    torch = arrays.torch_module()
    assert torch is not None
    name = type(estimator).__name__
    for count, what in zip(X.shape, ("sample", "feature"), strict=True):
        if not count:
            msg = (
                f"Found array with 0 {what}(s) (shape={tuple(X.shape)}) while a "
                "minimum "
                f"of 1 is required by {name}."
            )
            raise ValueError(msg)
    if X.is_complex():
        msg = (
            f"Complex data not supported: X must be real numbers, got {X.dtype}. Pass "
            "the real and imaginary parts side by side: torch.hstack([X.real, X.imag])."
        )
        raise ValueError(msg)
    if X.device.type == "mps":
        msg = (
            f"{name} computes sums in float64, which device 'mps' does not support. "
            "Move the features with X.cpu() first."
        )
        raise ValueError(msg)
    X = X.detach()
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    if not X.is_floating_point():
        return X, False  # converted block by block
    if X.element_size() == 1:
        X = X.to(torch.float32)  # 8-bit floats, which support few operations
    return X, ~arrays.finite_flag(X)


# Weights and batches ----------------------------------------------------------


def check_weights(sample_weight: Any, X: Array) -> Array | None:
    """Return non-negative float64 weights for the rows of X, or None."""
    if sample_weight is None:
        return None
    if arrays.is_tensor(sample_weight):
        check_tensor("sample_weight", sample_weight)
    xp = namespace(X)
    n_samples = X.shape[0]
    weights = arrays.move_like(numeric_weights(sample_weight), X, xp.float64)
    if weights.ndim == 0:
        weights = (
            xp.zeros(n_samples, dtype=xp.float64, device=arrays.device_of(X)) + weights
        )
    if tuple(weights.shape) != (n_samples,):
        msg = (
            f"sample_weight.shape == {tuple(weights.shape)}, expected ({n_samples},): "
            "one weight per row of X."
        )
        raise ValueError(msg)
    finite, negative, positive = arrays.read_flags(
        xp.all(xp.isfinite(weights)), xp.any(weights < 0), xp.any(weights > 0)
    )
    if not finite or negative:
        what = "NaN or infinite" if not finite else "negative"
        msg = f"sample_weight has {what} values: expected finite weights of at least 0."
        raise ValueError(msg)
    if not positive:
        msg = (
            "All sample_weight values are zero: expected at least one positive weight, "
            "because samples with weight zero are skipped."
        )
        raise ValueError(msg)
    return weights


def check_batch(
    estimator: Any, X: Any, y: Any, sample_weight: Any = None, *, reset: bool
) -> Batch:
    """Check one batch; of the estimator only the feature names are changed."""
    features, invalid = check_features(estimator, X, reset=reset)
    labels = check_labels(y, features.shape[0], type(estimator).__name__)
    weights = check_weights(sample_weight, features)
    if weights is None:
        return Batch(features, labels, None, invalid)
    if invalid is None:
        check_finite(features, None)  # before rows with weight zero are removed
    used = weights > 0
    if bool(namespace(weights).all(used)):
        return Batch(features, labels, weights, invalid)
    if arrays.is_tensor(labels):
        mask = arrays.move_like(used, labels)
    else:
        mask = arrays.to_numpy(used)
    return Batch(features[used], labels[mask], weights[used], invalid)


def check_same_names(estimators: Sequence[BaseEstimator]) -> None:
    """Raise if feature names differ, or have another order."""
    found = [vars(item).get("feature_names_in_") for item in estimators]
    names = [item.tolist() for item in found if item is not None]
    for other in names:
        if len(other) == len(names[0]) and other != names[0]:
            msg = (
                "Cannot merge estimators with different features: expected "
                f"{names[0][:10]}, got {other[:10]}. Fit all of them on the same "
                "columns in the same order."
            )
            raise ValueError(msg)
