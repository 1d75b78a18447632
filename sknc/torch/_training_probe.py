"""Record the inputs of the head while a model is trained."""

from dataclasses import dataclass
from typing import Any

import torch

from sknc.estimators.reading import linear_head_of
from sknc.head import LinearHead
from sknc.torch._head_modules import is_compiled
from sknc.torch._shift import loss_in
from sknc.torch.probe import FeatureProbe


@dataclass(frozen=True, eq=False)
class TrainingPass:
    """One forward pass in training mode, with gradients on."""

    features: torch.Tensor  # (..., D), a copy of the head's input
    logits: torch.Tensor  # (..., K), the head's output
    loss: torch.Tensor | None  # the loss in the model's output, if any


class TrainingProbe(FeatureProbe):
    """
    A probe of forward passes in training, which leaves compiled parts compiled.

    Each pass is returned once. For other passes, such as validation, only the fact that
    the last pass was one is known.
    """

    _last: TrainingPass | None = None
    _was_other = False
    _n_features = 0

    @property
    def is_open(self) -> bool:
        """Whether the model is watched."""
        return self._is_open

    def take(self) -> TrainingPass | None:
        """Return the last forward pass, once; None if it was not one of training."""
        found, self._last, self._rows = self._last, None, None
        if found is None and not self._was_other:
            raise self._no_pass()
        self._was_other = False
        return found

    def current_head(self) -> LinearHead:
        """Return the current weights and bias of the head."""
        return linear_head_of(self.head, self._n_features)

    def close(self) -> None:
        """Remove the hooks."""
        self._close()

    def _is_watched(self) -> bool:
        return bool(self._model.training) and torch.is_grad_enabled()

    def _run_eagerly(self) -> None:
        """Leave compiled parts compiled, because training would be slower otherwise."""

    def _begin(self, module: torch.nn.Module, args: Any) -> None:
        super()._begin(module, args)
        if torch.compiler.is_compiling():
            return
        self._last, self._was_other = None, not self._is_watched()

    def _end(self, module: torch.nn.Module, args: Any, output: Any) -> None:
        super()._end(module, args, output)
        if self._rows is not None and self._last is None:
            self._last = TrainingPass(*self._rows, loss_in(output))
            self._n_features = int(self._last.features.shape[-1])

    def _no_pass(self) -> RuntimeError:
        if is_compiled(self._outer):
            remedy = (
                "Compiled code skips hooks: compile only the layers before the head, "
                "or run the model inside torch.compiler.set_stance('force_eager')."
            )
        else:
            remedy = (
                "Call model(...), not model.forward(...) or a part of the model, and "
                "call update(labels) once after each call."
            )
        return RuntimeError(
            f"No forward pass of the model was seen since the last update. {remedy}"
        )
