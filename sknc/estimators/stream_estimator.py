"""What estimators share whose fitted state is a stream: adopting, merging, reading."""

from collections.abc import Iterable, Iterator
from typing import Any, Self

from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import Tags

from sknc.estimators._fitting.stream import Locked
from sknc.estimators._inputs.batches import Batches
from sknc.estimators._inputs.validation import check_same_names

_FITTED = ("_stream", "n_features_in_", "feature_names_in_")
# Held while one of two first batches in two threads becomes the first.
_adopting = Locked()


class StreamEstimator(BaseEstimator):
    """Base of estimators that accumulate batches in a stream."""

    _stream: Any
    n_features_in_: int

    def __sklearn_tags__(self) -> Tags:
        """Describe the estimator to scikit-learn."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.array_api_support = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        """Whether a batch has been accumulated."""
        return hasattr(self, "_stream")

    def _check_parameters(self) -> None:
        """Validate the constructor parameters."""

    # Adopting -------------------------------------------------------------------

    def _unfitted(self) -> Self:
        """Return a new estimator of the same parameters, not of copies of them."""
        new = object.__new__(type(self))
        new.__dict__ = {k: v for k, v in vars(self).items() if k not in _FITTED}
        return new

    def _take_fit_of(self, other: Self, *, unless_fitted: bool = False) -> bool:
        """Replace all that was fitted, in one step; return whether it was."""
        with _adopting.lock():
            if unless_fitted and hasattr(self, "_stream"):
                return False
            kept = {k: v for k, v in vars(self).items() if k not in _FITTED}
            fitted = {k: v for k, v in vars(other).items() if k in _FITTED}
            self.__dict__ = kept | fitted
            return True

    def _fit_each(self, batches: Iterable[Any], progress: bool, **options: Any) -> Self:
        """Forget what was accumulated, and pass each batch to `partial_fit`."""
        self._check_parameters()
        new: Any = self._unfitted()
        with Batches(batches, progress) as each:
            for X, y, sample_weight in each:
                new.partial_fit(X, y, sample_weight=sample_weight, **options)
        if not hasattr(new, "_stream"):
            msg = "fit_batches got an iterable without batches: expected at least one."
            raise ValueError(msg)
        self._take_fit_of(new)
        return self

    # Merging --------------------------------------------------------------------

    def _to_merge(self, others: tuple[Any, ...]) -> list[Self]:
        """Return those that are fitted of this estimator and others, checked."""
        if len(others) == 1 and isinstance(others[0], (list, tuple, Iterator)):
            others = tuple(others[0])
        for other in others:
            if not isinstance(other, type(self)):
                msg = (
                    f"merge expected fitted {type(self).__name__} estimators, got "
                    f"{type(other).__name__}."
                )
                raise TypeError(msg)
        fitted = [item for item in (self, *others) if item.__sklearn_is_fitted__()]
        check_same_names(fitted)
        return fitted

    def __add__(self, other: Any) -> Self:
        """Return a new estimator of the samples of both."""
        return self._sum(other) if isinstance(other, type(self)) else NotImplemented

    def __radd__(self, other: Any) -> Self:
        """Return a copy for zero, with which `sum` begins."""
        return self._sum() if isinstance(other, int) and not other else NotImplemented

    def _sum(self, *others: Any) -> Self:
        new: Any = clone(self)
        merged: Self = new.merge(self, *others)
        return merged

    # Reading --------------------------------------------------------------------

    def _fitted(self) -> Any:
        if not hasattr(self, "_stream"):
            msg = (
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit', "
                "'partial_fit' or 'fit_batches' with appropriate arguments before "
                "using this estimator."
            )
            raise NotFittedError(msg)
        return self._stream
