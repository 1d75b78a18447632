"""One class label for each row of features; soft labels raise an error."""

from dataclasses import dataclass
from typing import Any

import torch

_EXPECTED = "Labels must be one integer class a sample"
_UNPACK = "unpack=lambda batch: (inputs, labels)"


@dataclass(frozen=True)
class TokenRule:
    """Which labels belong to which tokens."""

    shift: bool = False  # whether a token predicts the label of the next one
    ignore_index: int | None = -100  # label of rows to skip, such as padding
    n_classes: int = 2  # number of classes of the head
    remedy: str = _UNPACK  # how to pass other labels, for error messages


def hard_labels(
    labels: Any, features: torch.Tensor, n_classes: int, remedy: str = _UNPACK
) -> torch.Tensor:
    """Return labels in the shape of the rows of features, or raise."""
    labels = _as_tensor(labels, remedy)
    rows = tuple(features.shape[:-1])
    shape = tuple(labels.shape)
    found = f"got {str(labels.dtype).removeprefix('torch.')} of shape {shape}"
    is_whole = not (labels.is_floating_point() or labels.is_complex())
    if is_whole and shape != rows and labels.numel() == features.shape[:-1].numel():
        labels = labels.reshape(rows)  # (N, 1)
    elif len(shape) == len(rows) + 1 and n_classes > 1 and n_classes in shape[1:]:
        msg = (
            f"{_EXPECTED}, {found}: soft, one-hot or multi-label targets. Use a loader "
            f"without mixup or label smoothing; for one-hot targets pass {remedy}, "
            "with labels = batch[1].argmax(1)."
        )
        raise ValueError(msg)
    elif not is_whole:
        msg = (
            f"{_EXPECTED}, {found}. If they are whole numbers, pass {remedy}, with "
            "labels = batch[1].long(). Regression targets have no classes."
        )
        raise ValueError(msg)
    elif shape != rows:
        msg = (
            f"{_EXPECTED}, or a token: {found} for features of shape "
            f"{tuple(features.shape)}. If the model drops or adds positions, pass "
            f"{remedy}, with labels of shape {rows}."
        )
        raise ValueError(msg)
    return labels.to(features.device, torch.int64)


def _as_tensor(labels: Any, remedy: str) -> torch.Tensor:
    if isinstance(labels, torch.Tensor):
        return labels
    if isinstance(labels, (tuple, list)) and any(
        getattr(part, "ndim", 0) for part in labels
    ):
        msg = (
            f"{_EXPECTED}, got {len(labels)} parts, as with mixup or several targets. "
            f"Use a loader without mixing, or pass {remedy}, with one of them."
        )
        raise ValueError(msg)
    try:
        return torch.as_tensor(labels)
    except (TypeError, ValueError, RuntimeError) as error:
        msg = (
            f"{_EXPECTED}, got a {type(labels).__name__} that cannot become a tensor: "
            f"{error}. Pass {remedy}, with labels numbered from 0."
        )
        raise ValueError(msg) from error


def labeled_rows(
    features: torch.Tensor, labels: torch.Tensor, weights: Any, rule: TokenRule
) -> tuple[torch.Tensor, torch.Tensor, Any]:
    """Return features (N, D), labels (N,) and weights of the rows to measure."""
    if weights is not None:
        weights = _weights_of(weights, labels)
    features, labels, weights = flat_rows(features, labels, weights, rule.shift)
    if rule.ignore_index is not None:
        keep = labels != rule.ignore_index
        if not bool(keep.all()):
            features, labels = features[keep], labels[keep]
            weights = None if weights is None else weights[keep]
    check_range(labels, rule)
    return features, labels, weights


def flat_rows(
    features: torch.Tensor, labels: torch.Tensor, weights: Any, shift: bool
) -> tuple[torch.Tensor, torch.Tensor, Any]:
    """Return features (N, D), labels (N,) and weights of all rows."""
    if shift and features.ndim == 3:
        features, labels = features[:, :-1], labels[:, 1:]
        weights = None if weights is None else weights[:, 1:]
    features = features.reshape(-1, features.shape[-1])
    weights = None if weights is None else weights.reshape(-1)
    return features, labels.reshape(-1), weights


def check_range(labels: torch.Tensor, rule: TokenRule) -> None:
    """Raise for labels that are not rows of the head, as cross-entropy does."""
    wrong = (labels < 0) | (labels >= rule.n_classes)
    if bool(wrong.any()):
        found = labels[wrong].unique()[:5].tolist()
        msg = (
            f"Labels must be from 0 to {rule.n_classes - 1}, one for each row of the "
            f"head, got {found}. Number them like the rows: {rule.remedy}. Samples "
            "without a class may have the label ignore_index."
        )
        raise ValueError(msg)


def _weights_of(weights: Any, labels: torch.Tensor) -> torch.Tensor:
    """Return sample weights in the shape of the labels."""
    weights = torch.as_tensor(weights, device=labels.device)
    if weights.numel() == labels.numel():
        return weights.reshape(labels.shape)
    msg = (
        f"Sample weights must be one a label: expected shape {tuple(labels.shape)}, "
        f"got {tuple(weights.shape)}."
    )
    raise ValueError(msg)
