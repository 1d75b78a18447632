"""Save and restore all random number generators that batches may depend on."""

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch

# Attributes by which loaders, samplers, data sets and transformations refer to
# each other.
_PARTS = (
    "sampler",
    "batch_sampler",
    "dataset",
    "datasets",
    "transform",
    "target_transform",
    "transforms",
    "collate_fn",
    "dataloader",
    "_dataloader",
    "base_dataloader",
)
_DEPTH = 6


class RandomNumbers:
    """The state of all generators that loaders, or parts of them, may draw from."""

    def __init__(self, loaders: Iterable[Any]) -> None:
        self._restorers = list(_restorers(loaders))

    def rewind(self) -> None:
        """Reset all generators to the saved state."""
        for restore in self._restorers:
            restore()


def _restorers(loaders: Iterable[Any]) -> Iterator[Callable[[], None]]:
    """Yield a function for each generator that resets it to its present state."""
    python, cpu = random.getstate(), torch.get_rng_state()
    # Some data sets draw from NumPy's global generator.
    numpy = np.random.get_state()  # noqa: NPY002
    yield lambda: random.setstate(python)
    yield lambda: np.random.set_state(numpy)  # noqa: NPY002
    yield lambda: torch.set_rng_state(cpu)
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        cuda = torch.cuda.get_rng_state_all()
        yield lambda: torch.cuda.set_rng_state_all(cuda)
    if torch.backends.mps.is_available():
        mps = torch.mps.get_rng_state()
        yield lambda: torch.mps.set_rng_state(mps)
    generators = {
        id(value): value
        for loader in loaders
        for owner in owners_in(loader)
        for value in getattr(owner, "__dict__", {}).values()
    }
    for generator in generators.values():
        restore = _restorer_of(generator)
        if restore is not None:
            yield restore


def _restorer_of(generator: Any) -> Callable[[], None] | None:
    """Return a function that resets a generator; None for other objects."""
    if isinstance(generator, np.random.Generator):
        bits = generator.bit_generator
        before = bits.state
        return lambda: setattr(bits, "state", before)
    if isinstance(generator, (torch.Generator, np.random.RandomState)):
        state = generator.get_state()
        return lambda: generator.set_state(state)
    if isinstance(generator, random.Random):
        inner = generator.getstate()
        return lambda: generator.setstate(inner)
    return None


def owners_in(loader: Any) -> list[Any]:
    """Return a loader and its parts: samplers, data sets, transformations."""
    found: dict[int, Any] = {}
    waiting = [(loader, _DEPTH)]
    while waiting:
        part, depth = waiting.pop()
        if part is None or id(part) in found or not depth:
            continue
        found[id(part)] = part
        for name in _PARTS:
            # Not getattr, which may run code: data sets compute attributes.
            value = getattr(part, "__dict__", {}).get(name)
            inner = value if isinstance(value, (list, tuple)) else [value]
            if len(inner) <= 100:
                waiting += [(item, depth - 1) for item in inner]
    return list(found.values())
