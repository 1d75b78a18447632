"""Batches from any iterable; errors say which batch was wrong."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn, Self

from sknc._utils.optional import required
from sknc._utils.parameters import check_flag, refuse

_ITERABLE = ("__iter__", "__getitem__")
_OF_BATCHES = (TypeError, ValueError)
_EXPECTED = "(X, y) or (X, y, sample_weight)"


def refuse_no_batches(method: str) -> NoReturn:
    """Raise the error of a method for an iterable without batches."""
    msg = f"{method} got an iterable without batches: expected at least one."
    raise ValueError(msg)


class Batches:
    """The batches of an iterable; as a context it adds the batch number to errors."""

    def __init__(self, batches: Iterable[Any], progress: bool = False) -> None:
        # Calling iter() on a loader may start its workers.
        if not any(hasattr(type(batches), name) for name in _ITERABLE):
            remedy = "A DataLoader is one, and a list: [(X, y)]."
            refuse("batches", f"an iterable of {_EXPECTED}", batches, remedy)
        self._batches = batches
        if check_flag("progress", progress):
            with required("progress=True", "tqdm", "progress"):
                from tqdm.auto import tqdm
            batches = tqdm(batches, desc="batches", unit="batch")
        self._source = batches
        self._number: int | None = None  # of the batch in use

    def __iter__(self) -> Iterator[tuple[Any, Any, Any]]:
        """Yield features, labels and weights (None if there are none)."""
        for number, batch in enumerate(self._source):
            self._number = number
            if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
                raise self._malformed(batch)
            X, y, *rest = batch
            yield X, y, rest[0] if rest else None
            self._number = None  # errors of the iterable are not about a batch

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        """Add the number of the batch to the message of an error."""
        alone = isinstance(self._batches, list) and len(self._batches) == 1
        if alone or self._number is None or not isinstance(error, _OF_BATCHES):
            return
        if len(error.args) == 1 and isinstance(error.args[0], str):
            where = f"This was batch {self._number}, counted from 0."
            error.args = (f"{error.args[0]} {where}",)

    def _malformed(self, batch: Any) -> ValueError:
        is_tuple = isinstance(batch, (tuple, list))
        found = f"{len(batch)} parts" if is_tuple else type(batch).__name__
        if isinstance(self._batches, Mapping):
            remedy = "pass its arrays: [(data['features'], data['labels'])]."
        elif isinstance(batch, Mapping):
            remedy = (
                "select its parts, for example with "
                "((batch['features'], batch['labels']) for batch in loader)."
            )
        elif hasattr(self._batches, "shape") or (
            isinstance(self._batches, (tuple, list)) and hasattr(batch, "shape")
        ):
            remedy = "put one batch in a list, [(X, y)], or call fit(X, y)."
        else:
            remedy = (
                "convert its batches, for example with "
                "((model.features(x), y) for x, y in loader)."
            )
        return ValueError(f"batches must yield {_EXPECTED}, got {found}: {remedy}")
