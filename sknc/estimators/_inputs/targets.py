"""Check batches of features and targets."""

from dataclasses import dataclass
from typing import Any

from sknc._utils.arrays import Array, namespace
from sknc._utils.numeric import numeric_targets
from sknc.estimators._inputs.validation import (
    check_features,
    check_finite,
    check_weights,
)


@dataclass(frozen=True, eq=False)
class RegressionBatch:
    """A checked batch."""

    features: Array  # (B, D), finite
    targets: Array  # (B, n) float64, finite, on the device of the features
    weights: Array | None  # (B,) float64; rows with weight zero are removed


def check_regression_batch(
    estimator: Any, X: Any, y: Any, sample_weight: Any = None, *, reset: bool
) -> RegressionBatch:
    """Check one batch; of the estimator only the feature names are changed."""
    features, invalid = check_features(estimator, X, reset=reset)
    if y is None:
        msg = (
            f"{type(estimator).__name__} requires y to be passed, but the target y is "
            "None: expected one row of targets per sample."
        )
        raise ValueError(msg)
    targets = numeric_targets(y, features)
    weights = check_weights(sample_weight, features)
    check_finite(features, invalid)
    if weights is None:
        return RegressionBatch(features, targets, None)
    used = weights > 0
    if bool(namespace(weights).all(used)):
        return RegressionBatch(features, targets, weights)
    return RegressionBatch(features[used], targets[used], weights[used])
