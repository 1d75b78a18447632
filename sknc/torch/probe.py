"""`FeatureProbe`: the inputs of a model's head in each forward pass."""

from collections import deque
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import nn

from sknc._utils.wrappers import unwrapped
from sknc.estimators.reading import linear_head_of
from sknc.head import LinearHead
from sknc.torch._head_finding import FoundHead, find_head, named_head, rows_of
from sknc.torch._head_modules import (
    could_be_head,
    is_compiled,
    multiplies,
    name_of,
    named_module,
)
from sknc.torch._outputs import Call

# Calls kept while searching for the head. It is among the last, and keeping all
# would take the memory of a training step.
_N_KEPT = 16
_COMPILED = (
    "Compiled code skips hooks: run the model inside "
    "torch.compiler.set_stance('force_eager')."
)


class FeatureProbe:
    """
    Expose the last-layer features of a model in your own loop.

    While the context is open, each call of the model sets `features`, the input of its
    linear head, and `logits`, which are ``features @ W.T + b``. The head is found
    during the first call: it is the module whose output is the model's, checked against
    its weights and bias in the precision of the model. The model is restored when the
    context closes, even after an error.

    Parameters
    ----------
    model : torch.nn.Module
        Any classifier, also wrapped for data parallelism. A compiled model must run
        inside ``torch.compiler.set_stance("force_eager")``.
    head : str or torch.nn.Module, default=None
        The head, or its name as in ``model.named_modules()``, if it cannot be found
        automatically, as in a model with several heads.

    Attributes
    ----------
    features : tensor of shape (..., D)
        A copy of the head's input in the last forward pass, without gradients: (B, D),
        or (B, T, D) for token models, or (B, H, W, D) for maps. It has the precision of
        the model, or of autocast if it is on.
    logits : tensor of shape (..., K)
        The head's output.
    head : torch.nn.Module
        The head.
    head_name : str
        Name of the head in the model; empty if the model is its own head.
    n_forwards : int
        Number of forward passes since the context was entered.

    Raises
    ------
    ValueError
        During the first call of the model, if the head is not found or there are
        several; on entering, if `head` is not a part of the model.
    RuntimeError
        During a call of the model in which the head did not run exactly once; on
        reading `features`, if the model was not called.

    See Also
    --------
    sknc.torch.analyze : A report from a model and a loader.

    Notes
    -----
    The probe does not change the mode of the model: in training mode, features include
    dropout. Calls of the head outside of a call of the model, such as those of
    activation checkpointing in the backward pass, do not count.

    Examples
    --------
    >>> import torch
    >>> from sknc import NeuralCollapseAnalyzer
    >>> from sknc.torch import FeatureProbe
    >>> model = torch.nn.Sequential(
    ...     torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)
    ... )
    >>> x, y = torch.eye(4)[[0, 1, 2, 0, 1, 3]], torch.tensor([0, 1, 2, 0, 1, 2])
    >>> analyzer = NeuralCollapseAnalyzer()
    >>> with FeatureProbe(model.eval()) as probe, torch.no_grad():
    ...     logits = model(x)
    ...     analyzer = analyzer.partial_fit(probe.features, y)
    >>> probe.head_name, probe.features.shape
    ('2', torch.Size([6, 8]))
    """

    def __init__(self, model: nn.Module, head: str | nn.Module | None = None) -> None:
        if not isinstance(model, nn.Module):
            msg = (
                f"model must be a torch.nn.Module, got {type(model).__name__}. "
                f"{_COMPILED if callable(model) else ''}"
            )
            raise TypeError(msg.rstrip())
        if isinstance(model, torch.jit.ScriptModule):
            msg = (
                "model is a torch.jit module, whose parts run without hooks: expected "
                "an ordinary torch.nn.Module. Pass the original module, before "
                "scripting or tracing."
            )
            raise TypeError(msg)
        self._outer = model
        self._model = unwrapped(model)
        self._given = None if head is None else named_module(self._model, head)
        self._found: FoundHead | None = None
        self._rows: tuple[torch.Tensor, torch.Tensor] | None = None
        # Keyed by the owning module; None for hooks of the whole model.
        self._handles: dict[nn.Module | None, list[Any]] = {}
        self._calls: deque[Call] = deque()
        self._inputs: dict[nn.Module, list[torch.Tensor | None]] = {}
        # Parts that `compile` changed in place, with their compiled calls.
        self._compiled: dict[nn.Module, Any] = {}
        self._is_running = self._is_open = False
        self._n_before = 0
        self.n_forwards = 0

    # Reading --------------------------------------------------------------------

    @property
    def features(self) -> torch.Tensor:
        """The head's input in the last forward pass, (..., D)."""
        return self._last_rows()[0]

    @property
    def logits(self) -> torch.Tensor:
        """The head's output in the last forward pass, (..., K)."""
        return self._last_rows()[1]

    @property
    def head(self) -> nn.Module:
        """The head."""
        return self._head().module

    @property
    def head_name(self) -> str:
        """Name of the head in the model."""
        return self._head().name

    def linear_head(self) -> LinearHead:
        """
        Return the current weights and bias of the head.

        Returns
        -------
        LinearHead
            In float64; later training does not change it.
        """
        return linear_head_of(self.head, self.features.shape[-1])

    def _last_rows(self) -> tuple[torch.Tensor, torch.Tensor]:
        if self._rows is None:
            raise self._never_ran()
        return self._rows

    def _head(self) -> FoundHead:
        if self._found is None:
            raise self._never_ran()
        return self._found

    def _never_ran(self) -> RuntimeError:
        remedy = (
            _COMPILED
            if is_compiled(self._outer)
            else "Call model(...) inside the context, not model.forward(...) or a part "
            "of the model."
        )
        return RuntimeError(f"No forward pass of the model was seen. {remedy}")

    # Hooks ----------------------------------------------------------------------
    # They do nothing during compilation, or they would enter graphs that outlive the
    # probe.

    def __enter__(self) -> Self:
        """Add the hooks."""
        if self._is_open:
            msg = "The FeatureProbe is already open. Use one for each `with`."
            raise RuntimeError(msg)
        self._found, self._rows, self.n_forwards = None, None, 0
        self._is_running, self._is_open = False, True
        try:
            self._add_hooks()
            self._run_eagerly()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        """Remove the hooks."""
        self._close()

    def _close(self) -> None:
        self._remove_hooks()
        while self._compiled:
            part, call = self._compiled.popitem()
            part._compiled_call_impl = call
        self._is_open = False

    def _run_eagerly(self) -> None:
        """Remove the compiled calls of parts, which would skip hooks."""
        for part in self._model.modules():
            if vars(part).get("_compiled_call_impl") is not None:
                self._compiled[part] = part._compiled_call_impl
                part._compiled_call_impl = None

    def _is_watched(self) -> bool:
        """Whether forward passes are being recorded."""
        return True

    def _add_hooks(self) -> None:
        model, outer, given = self._model, self._outer, self._given
        # The model's hooks enclose those of its parts, even if it is its own head.
        first = model.register_forward_pre_hook(self._begin)
        self._handles[None] = [first]
        for part in [given] if given is not None else model.modules():
            is_candidate = multiplies(part) if part is model else could_be_head(part)
            if given is not None or is_candidate:
                self._handles[part] = [
                    part.register_forward_pre_hook(self._read, with_kwargs=True),
                    part.register_forward_hook(self._made),
                ]
        last = [model.register_forward_hook(self._end)]
        if outer is not model:
            last += [
                outer.register_forward_pre_hook(self._begin_outer),
                outer.register_forward_hook(self._end_outer),
            ]
        self._handles[None] += last

    def _remove_hooks(self, keep: Callable[[Any], bool] = lambda owner: False) -> None:
        for owner in [owner for owner in self._handles if not keep(owner)]:
            for handle in self._handles.pop(owner):
                handle.remove()

    def _begin(self, module: nn.Module, args: Any) -> None:
        """Start a forward pass."""
        if torch.compiler.is_compiling():
            return
        known = self._found is not None or self._given is not None
        self._calls = deque(maxlen=None if known else _N_KEPT)
        self._inputs, self._rows, self._is_running = {}, None, self._is_watched()

    def _read(self, module: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        """Copy the input of a module, because the model may overwrite it."""
        if torch.compiler.is_compiling() or not self._is_running:
            return
        tensors = (v for v in (*args, *kwargs.values()) if isinstance(v, torch.Tensor))
        found = next(tensors, None)
        if found is not None and found.is_floating_point() and found.ndim:
            found = found.detach().clone(memory_format=torch.contiguous_format)
        else:
            found = None
        self._inputs.setdefault(module, []).append(found)

    def _made(self, module: nn.Module, args: Any, output: Any) -> None:
        """Record a call that ended."""
        if torch.compiler.is_compiling() or not self._is_running:
            return
        features = self._inputs[module].pop()
        is_tensor = isinstance(output, torch.Tensor) and output.is_floating_point()
        if features is not None and is_tensor and output.ndim:
            self._calls.append(Call.of(module, features, output))

    def _end(self, module: nn.Module, args: Any, output: Any) -> None:
        """Find the head, or check how often it ran."""
        # In nested calls, such as Lightning's, the inner one has ended the pass.
        if torch.compiler.is_compiling() or not self._is_running:
            return
        calls, self._calls, self._is_running = self._calls, deque(), False
        if self._found is None and self._given is None:
            names = {part: name for name, part in self._model.named_modules()}
            self._found = find_head(list(calls), output, names)
            head = self._found.module
            self._remove_hooks(lambda owner: owner in (head, None))
            calls = deque(call for call in calls if call.module is head)
        head = self._given if self._found is None else self._found.module
        if len(calls) != 1:
            raise _wrong_count(name_of(self._model, head), len(calls))
        if self._found is None:
            self._found = named_head(calls[0], output, name_of(self._model, head))
        self._rows = rows_of(self._found, calls[0], output)
        self.n_forwards += 1

    def _begin_outer(self, module: nn.Module, args: Any) -> None:
        self._n_before, self._rows = self.n_forwards, None

    def _end_outer(self, module: nn.Module, args: Any, output: Any) -> None:
        """Raise if the model inside a wrapper ran without its hooks."""
        if self.n_forwards == self._n_before and self._is_watched():
            msg = f"The model ran without its hooks. {_COMPILED}"
            raise RuntimeError(msg)


def _wrong_count(name: str, n_calls: int) -> RuntimeError:
    remedy = (
        "Pass a layer that runs once for all samples: head='...'."
        if n_calls
        else "If the model multiplies by the head's weight without calling the layer, "
        "as fused losses do, make it call the layer. If it is compiled, run it inside "
        "torch.compiler.set_stance('force_eager')."
    )
    ran = f"ran {n_calls} times" if n_calls else "never ran"
    return RuntimeError(
        f"The head {name!r} {ran} in a forward pass of the model: expected once. "
        f"{remedy}"
    )
