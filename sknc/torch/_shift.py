"""Whether a token model predicts the label of the next token."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from sknc.torch._batches import ModelBatch, takes_labels

_TOLERANCE = 1e-3  # relative, for half precision; the two candidates differ by more
SAY_SHIFT = (
    "Pass shift=True if a token predicts the label of the next one, as in causal "
    "language models, or else shift=False."
)


def is_shifted(
    model: nn.Module,
    batch: ModelBatch,
    labels: torch.Tensor,
    logits: torch.Tensor,
    ignore_index: int | None,
) -> bool:
    """
    Whether the model's own loss compares a token with the next one's label.

    Labels are (B, T), logits (B, T, K). Raises if the loss does not decide this.
    """
    if labels.shape[1] < 2:
        return False
    loss = _own_loss(model, batch, labels)
    if loss is None:
        if _are_inputs(batch, labels, ignore_index):
            msg = (
                "The labels of the tokens are the tokens themselves, and the model "
                "returns no loss that would show which labels its tokens are compared "
                f"with. {SAY_SHIFT}"
            )
            raise ValueError(msg)
        return False
    return is_loss_shifted(float(loss), labels, logits, ignore_index)


def is_loss_shifted(
    loss: float, labels: torch.Tensor, logits: torch.Tensor, ignore_index: int | None
) -> bool:
    """Whether a loss compares a token with the next one's label; raises if unclear."""
    here = _cross_entropy(logits, labels, ignore_index)
    ahead = _cross_entropy(logits[:, :-1], labels[:, 1:], ignore_index)
    errors = sorted([(abs(here - loss), False), (abs(ahead - loss), True)])
    allowed = _TOLERANCE * max(1.0, abs(loss))
    is_clear = errors[0][0] <= allowed and errors[0][0] < 0.5 * errors[1][0]
    if not is_clear:
        msg = (
            f"The model's own loss, {loss:.6g}, does not show which labels its tokens "
            f"are compared with: their own labels would give {here:.6g}, those of the "
            f"next tokens {ahead:.6g}. {SAY_SHIFT}"
        )
        raise ValueError(msg)
    return errors[0][1]


def _own_loss(
    model: nn.Module, batch: ModelBatch, labels: torch.Tensor
) -> torch.Tensor | None:
    """Return the loss that a model computes from labels, if it does."""
    if not takes_labels(model):
        return None
    kwargs = {key: value for key, value in batch.kwargs.items() if key != "labels"}
    plain = ModelBatch(labels, batch.args, kwargs)
    return loss_in(plain.call(model, labels.device, labels=labels))


def loss_in(output: Any) -> torch.Tensor | None:
    """Return the loss in a model's output, if there is one."""
    found = output.get("loss") if isinstance(output, Mapping) else None
    if found is None:
        found = getattr(output, "loss", None)
    if found is None and isinstance(output, tuple) and output:
        found = output[0] if isinstance(output[0], torch.Tensor) else None
    if isinstance(found, torch.Tensor) and found.numel() == 1:
        return found.detach()
    return None


def _are_inputs(
    batch: ModelBatch, labels: torch.Tensor, ignore_index: int | None
) -> bool:
    """Whether the labels equal the inputs, except where they are ignored."""
    keep = labels == labels if ignore_index is None else labels != ignore_index
    return any(
        isinstance(value, torch.Tensor)
        and value.shape == labels.shape
        and not value.is_floating_point()
        and bool((value.to(labels.device) == labels)[keep].all())
        for value in (*batch.args, *batch.kwargs.values())
    )


def _cross_entropy(
    logits: torch.Tensor, labels: torch.Tensor, ignore_index: int | None
) -> float:
    options: dict[str, Any] = {}
    if ignore_index is not None:
        options["ignore_index"] = ignore_index
    loss = nn.functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]).float(),
        labels.reshape(-1).to(logits.device),
        **options,
    )
    return float(loss)
