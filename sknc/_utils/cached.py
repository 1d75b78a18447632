"""Values that several functions derive from a frozen object, computed once."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Cached:
    """Base class of frozen objects that cache derived values."""

    def cached(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return ``make()``, computed at most once for `key`."""
        derived: dict[Hashable, Any] = self.__dict__.setdefault("_derived", {})
        if key not in derived:
            derived[key] = make()
        value: T = derived[key]
        return value

    def __getstate__(self) -> dict[str, Any]:
        """Leave derived values out of pickles."""
        names = getattr(self, "__dataclass_fields__", {})
        return {key: value for key, value in self.__dict__.items() if key in names}
