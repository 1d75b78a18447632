"""Shared by estimators with a stream as state: fitting, merging, pickling."""

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import Any, Self

from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import Tags

from sknc._utils import arrays
from sknc._version import check_state_version
from sknc.estimators._fitting.stream import Locked
from sknc.estimators._inputs.batches import Batches, refuse_no_batches
from sknc.estimators._inputs.validation import check_same_names

_FITTED = ("_stream", "n_features_in_", "feature_names_in_")
# Held while the first batch is chosen among several threads.
_adopting = Locked()


class HeadEstimator(BaseEstimator):
    """Base of estimators with a head among their parameters."""

    def __sklearn_clone__(self) -> Self:
        """Keep the head itself; cloning it like a parameter would lose its fit."""
        new: Self = super().__sklearn_clone__()
        new.head = deepcopy(self.head)
        return new


class StreamEstimator(BaseEstimator):
    """Base of estimators that accumulate batches in a stream."""

    _stream: Any
    n_features_in_: int
    # A subclass defines how to check one batch, begin a stream with it, merge the
    # streams of estimators, pickle a stream with its version, and restore it from
    # these names in the pickle.
    _check_batch: Callable[..., Any]
    _first_stream: Callable[..., Any]
    _merged_stream: Callable[..., Any]
    _pickled_parts: Callable[..., dict[str, Any]]
    _resumed_stream: Callable[..., Any]
    _pickled: tuple[str, ...]

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

    # Pickling -------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the statistics, not the buffers."""
        state = dict(super().__getstate__())
        stream = state.pop("_stream", None)
        if stream is not None:
            state |= self._pickled_parts(stream)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Continue from pickled statistics."""
        state = dict(state)
        written_by = state.pop("_written_by", ("an earlier version", 0))
        parts = [state.pop(name) for name in self._pickled if name in state]
        super().__setstate__(state)
        if parts:
            check_state_version(*written_by)
            self._stream = self._resumed_stream(*parts)

    # Fitting --------------------------------------------------------------------

    def _unfitted(self) -> Self:
        """Return a new estimator with the same parameters, without copying them."""
        new = object.__new__(type(self))
        new.__dict__ = {k: v for k, v in vars(self).items() if k not in _FITTED}
        return new

    def _take_fit_of(self, other: Self, *, unless_fitted: bool = False) -> bool:
        """Replace the fitted state in one step; return whether this was done."""
        with _adopting.lock():
            if unless_fitted and hasattr(self, "_stream"):
                return False
            kept = {k: v for k, v in vars(self).items() if k not in _FITTED}
            fitted = {k: v for k, v in vars(other).items() if k in _FITTED}
            self.__dict__ = kept | fitted
            return True

    def _fitted_on(self, X: Any, y: Any, sample_weight: Any, **options: Any) -> Self:
        """Return a new estimator with the same parameters, fitted on one batch."""
        self._check_parameters()
        new = self._unfitted()
        with arrays.plain_arithmetic(X):
            batch = new._check_batch(X, y, sample_weight, reset=True)
            new._stream = new._first_stream(batch, **options)
        return new

    def _add(self, X: Any, y: Any, sample_weight: Any, **options: Any) -> Self:
        """Accumulate a batch."""
        if not hasattr(self, "_stream"):
            new = self._fitted_on(X, y, sample_weight, **options)
            if self._take_fit_of(new, unless_fitted=True):
                return self
        with arrays.plain_arithmetic(X):
            batch = self._check_batch(X, y, sample_weight, reset=False)
            self._stream.update(batch, **options)
        return self

    def _fit_each(self, batches: Iterable[Any], progress: bool, **options: Any) -> Self:
        """Fit each batch with `partial_fit`; earlier samples are dropped."""
        self._check_parameters()
        new: Any = self._unfitted()
        with Batches(batches, progress) as each:
            for X, y, sample_weight in each:
                new.partial_fit(X, y, sample_weight=sample_weight, **options)
        if not hasattr(new, "_stream"):
            refuse_no_batches("fit_batches")
        self._take_fit_of(new)
        return self

    # Merging --------------------------------------------------------------------

    def _merge(self, others: tuple[Any, ...]) -> Self:
        """Add the samples of other estimators."""
        fitted = self._to_merge(others)
        if fitted:
            new = self._unfitted()
            first = fitted[0]
            new._resume(self._merged_stream(fitted), first.n_features_in_, first)
            self._take_fit_of(new)
        return self

    def _resume(self, stream: Any, n_features: int, donor: Any = None) -> None:
        """Continue from a stream, with the feature names of another object."""
        self._stream, self.n_features_in_ = stream, n_features
        names = getattr(donor, "feature_names_in_", None)
        if names is not None:
            self.feature_names_in_ = names

    def _to_merge(self, others: tuple[Any, ...]) -> list[Self]:
        """Return the fitted ones of this estimator and others, after checks."""
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
        """Return a new estimator with the samples of both."""
        return self._sum(other) if isinstance(other, type(self)) else NotImplemented

    def __radd__(self, other: Any) -> Self:
        """Return a copy for zero, with which `sum` starts."""
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
