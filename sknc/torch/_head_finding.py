"""Find the head of a model: the one module whose output is the model's logits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from sknc.estimators.reading import linear_head_of
from sknc.torch._head_modules import could_be_head, is_compiled
from sknc.torch._outputs import Call, aligned, logits_among, shares_memory
from sknc.torch._weights import excess_error


@dataclass(frozen=True, eq=False)
class FoundHead:
    """The head of a model."""

    name: str  # as in ``model.named_modules()``; empty if the model is its head
    module: nn.Module
    # Where the logits are in the model's output; None if they are not there, and the
    # head's own output is used.
    path: str | None


def rows_of(
    found: FoundHead, call: Call, output: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return features and logits of a forward pass, (..., D) and (..., K)."""
    if found.path is None:
        return call.features, call.output
    outputs = dict(logits_among(output))
    # A model may return a mapping in one call and a tuple in the next.
    for path in (found.path,) if found.path in outputs else outputs:
        rows = aligned(call, outputs[path])
        if rows is not None:
            return rows
    return call.features, call.output


def find_head(
    calls: Sequence[Call], output: Any, names: dict[nn.Module, str]
) -> FoundHead:
    """
    Return the one linear module whose output is the model's output.

    `calls` are the last calls of modules during one forward pass, in the order in which
    they ended. If no module fits, or several do, the error lists candidates.
    """
    heads: dict[nn.Module, FoundHead] = {}
    reasons: dict[nn.Module, str] = {}
    outputs = logits_among(output)
    for path, logits in outputs:
        call = _maker_of(logits, calls, reasons)
        if call is not None:
            found = FoundHead(names[call.module], call.module, path)
            heads.setdefault(call.module, found)
    if len(heads) == 1:
        return next(iter(heads.values()))
    if heads:
        listed = "; ".join(
            f"{head.name!r} makes output{head.path}" for head in heads.values()
        )
        msg = (
            f"The model has several heads: {listed}. Pass the name of the one to "
            "measure: head='...'."
        )
        raise ValueError(msg)
    raise _not_found(outputs, calls, names, reasons)


def named_head(call: Call, output: Any, name: str) -> FoundHead:
    """Return the head that a user named, after checking that it is linear."""
    for path, logits in logits_among(output):
        if _maker_of(logits, [call], {}):
            return FoundHead(name, call.module, path)
    reason = why_not_linear(call, call.features, call.output)
    if reason is None:  # the model may change its output, for example cap it
        return FoundHead(name, call.module, None)
    msg = (
        f"The module {name!r}, a {type(call.module).__name__}, cannot be the head: "
        f"{reason}. Pass the name of the linear layer that computes the logits. If "
        "they are not linear in any features, pass the input of their product with the "
        "weights to a NeuralCollapseAnalyzer."
    )
    raise ValueError(msg)


def _maker_of(
    logits: torch.Tensor, calls: Sequence[Call], reasons: dict[nn.Module, str]
) -> Call | None:
    """Return the innermost linear call that made the logits."""
    # Shared memory first: the inner layer of an adapter may return the same values.
    for group in _likely(logits, calls):
        for call in group:
            rows = aligned(call, logits)
            if rows is None:
                continue
            reason = why_not_linear(call, *rows)
            if reason is None:
                return call
            reasons.setdefault(call.module, reason)
    return None


def _likely(logits: torch.Tensor, calls: Sequence[Call]) -> Iterable[list[Call]]:
    yield [call for call in calls if shares_memory(call, logits)]
    yield [call for call in calls if _has_values(call, logits)]


def _has_values(call: Call, logits: torch.Tensor) -> bool:
    rows = aligned(call, logits)
    if rows is None or call.output.device != logits.device:
        return False
    if rows[1].numel() != call.output.numel():
        return True  # already compared, to align the rows
    return bool(
        torch.equal(call.output.to(logits.dtype).reshape(rows[1].shape), rows[1])
    )


def why_not_linear(
    call: Call, features: torch.Tensor, logits: torch.Tensor
) -> str | None:
    """Return why a module is not a linear head of these features, or None."""
    module = call.module
    if not bool(torch.isfinite(logits).all()):
        return "its output contains NaN or infinity"
    try:
        head = linear_head_of(module, features.shape[-1])
    except (TypeError, ValueError) as refusal:
        return _reason_in(str(refusal))
    if tuple(head.weights.shape) != (logits.shape[-1], features.shape[-1]):
        return f"its weights are of shape {tuple(head.weights.shape)}"
    error, allowed = excess_error(call, head, features, logits)
    if error <= allowed:
        return None
    return f"W h + b differs from the logits by {error:.1e} of their size"


def _reason_in(message: str) -> str:
    """Return the part of an error message that says what the module does."""
    _, which, rest = message.partition(", which ")
    return rest.split(". ")[0].rstrip(".") if which else message


def _not_found(
    outputs: Sequence[tuple[str, torch.Tensor]],
    calls: Sequence[Call],
    names: dict[nn.Module, str],
    reasons: dict[nn.Module, str],
) -> ValueError:
    shapes = [f"output{path} of shape {tuple(t.shape)}" for path, t in outputs[:4]]
    inner: dict[nn.Module, Call] = {
        call.module: call
        for call in calls
        if not any(map(could_be_head, call.module.children()))
    }
    listed = []
    for module, call in list(inner.items())[-5:]:
        reason = reasons.get(module, "its output is not the model's")
        listed.append(
            f"{names[module]!r} ({type(module).__name__}, "
            f"{call.features.shape[-1]} to {call.output.shape[-1]}: {reason})"
        )
    compiled = (
        "If it is in a part that is compiled, run the model inside "
        "torch.compiler.set_stance('force_eager'). "
        if any(map(is_compiled, names))
        else ""
    )
    return ValueError(
        "No linear layer makes the model's logits: expected W h + b of some layer as "
        f"{' or '.join(shapes) or 'a floating-point output, got none'}. Candidates "
        f"that ran last: {'; '.join(listed) or 'none'}. If one of them is the head, "
        f"pass its name: head='...'. {compiled}If the logits are not linear in any "
        "features, as those of a cosine classifier, pass what is multiplied to a "
        "NeuralCollapseAnalyzer instead."
    )
