"""Evaluate a model, then restore everything that training depends on."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from sknc.torch._random import RandomNumbers, owners_in


@contextmanager
def training_left_as_it_was(
    model: nn.Module, *loaders: Any
) -> Iterator[Callable[[], None]]:
    """
    Evaluate a model without gradients, and restore everything at the end.

    Yields a function that resets all random numbers to their initial state, for a
    second pass over the loaders.
    """
    with ExitStack() as stack:
        numbers = RandomNumbers(loaders)
        stack.callback(numbers.rewind)
        for loader in loaders:
            stack.enter_context(_own_workers(loader))
        # A tensor made in inference mode and kept, such as a table of positions, could
        # never be used in training.
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.no_grad())
        # Otherwise the next training step under the same autocast would find weights
        # that were cast without gradients.
        stack.callback(torch.clear_autocast_cache)
        stack.enter_context(_eager())
        stack.enter_context(_evaluating(model))
        yield numbers.rewind


def _eager() -> Any:
    """Run compiled parts eagerly, and leave their graphs alone."""
    # Importing the compiler takes a second; if it is not imported, nothing is compiled.
    if "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance"):
        return torch.compiler.set_stance("force_eager")
    return nullcontext()


@contextmanager
def _own_workers(loader: Any) -> Iterator[None]:
    """Leave persistent workers alone: iterating would restart those of training."""
    changed = []
    try:
        for owner in owners_in(loader):
            if isinstance(owner, torch.utils.data.DataLoader):
                names = ("_iterator", "persistent_workers")
                changed.append((owner, {n: vars(owner).get(n) for n in names}))
                # Loaders refuse ordinary assignment.
                vars(owner).update(_iterator=None, persistent_workers=False)
        yield
    finally:
        for owner, before in changed:
            vars(owner).update(before)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Set evaluation mode, and restore the mode and buffers of every part."""
    modes = {part: part.training for part in model.modules()}
    buffers = {part: dict(part._buffers) for part in modes}
    copies = [(tensor, tensor.detach().clone()) for tensor in _changeable(modes)]
    try:
        _evaluate(model)
        yield
    finally:
        for part, mode in modes.items():
            # train() must undo what eval() did, such as merging an adapter.
            if _has_own_train(part) and part.training != mode:
                part.train(mode)
        for part, mode in modes.items():
            part.training = mode  # a frozen part stays frozen
            part._buffers.update(buffers[part])
        for tensor, copy in copies:
            if not torch.equal(tensor, copy):
                tensor.detach().copy_(copy)


def _evaluate(model: nn.Module) -> None:
    try:
        model.eval()
    except NotImplementedError as error:  # from torch.export
        msg = (
            f"The model cannot be put into evaluation mode: {error} Pass the original "
            "module, before export."
        )
        raise TypeError(msg) from error


def _changeable(modes: dict[nn.Module, bool]) -> Iterator[torch.Tensor]:
    """Yield the tensors that evaluation may change: buffers and merged weights."""
    for part in modes:
        tensors = list(part.buffers(recurse=False))
        if _has_own_train(part):
            tensors += part.parameters(recurse=False)
        for tensor in tensors:
            is_plain = tensor.layout == torch.strided and not tensor.is_meta
            if is_plain and not hasattr(tensor, "full_tensor"):
                yield tensor


def _has_own_train(module: nn.Module) -> bool:
    return type(module).train is not nn.Module.train or "train" in vars(module)
