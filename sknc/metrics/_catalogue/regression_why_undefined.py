"""Why a value of regression is NaN, in words; and notes on values that are not."""

from sknc._utils.arrays import namespace
from sknc.head import LinearHead
from sknc.metrics._catalogue.regression import Reason
from sknc.metrics._shared.subspaces import collapsed_directions, principal_directions
from sknc.metrics._shared.target_gram import least_variance, total_variance


def _has_weights(head: LinearHead) -> bool:
    return bool(namespace(head.weights).any(head.weights != 0))


NO_FEATURES = Reason(
    "all features are zero", lambda case: not case.statistics.share_of_directions
)
NO_TARGETS = Reason(
    "the targets do not vary", lambda case: not total_variance(case.statistics)
)
ZERO_HEAD = Reason(
    "every row of the head's weights is zero",
    lambda case: case.head is not None and not _has_weights(case.head),
)
SOME_ZERO = Reason(
    "Samples whose features are all zero have no direction and are skipped.",
    lambda case: case.statistics.share_of_directions < 1,
)
ALL_DIRECTIONS = Reason(
    "There are at least as many targets as features, so nothing can lie outside.",
    lambda case: case.statistics.n_targets >= case.statistics.n_features,
)
ONE_TARGET = Reason(
    "With one target it is 0 for every head.",
    lambda case: case.statistics.n_targets == 1,
)
SINGULAR = Reason(
    "The covariance of the targets is singular, so gamma can only be 0.",
    lambda case: case.gamma is None and not least_variance(case.fitted),
)
OUTSIDE = Reason(
    "gamma is not below the least eigenvalue of the covariance of the targets, as the "
    "definition requires.",
    lambda case: case.gamma is not None and case.gamma >= least_variance(case.fitted),
)
FEW_DIRECTIONS = Reason(
    "The features vary along fewer directions than there are targets.",
    lambda case: (
        collapsed_directions(case.fitted, center=case.center).shape[0]
        < min(case.fitted.n_targets, case.fitted.n_features)
    ),
)
NO_VARIANCE = Reason(
    "the features do not vary",
    lambda case: not principal_directions(case.fitted)[0].shape[0],
)
