"""A linear head as a rule for the largest affine score, like the nearest center."""

from sknc.head import LinearHead
from sknc.statistics.affine_rule import AffineRule, scaled


def head_rule(head: LinearHead, nearest: AffineRule) -> AffineRule:
    """Return the rule for the largest logit, compatible with another rule."""
    weights, unit = scaled(head.weights)
    offsets = weights @ nearest.origin
    if head.bias is not None:
        offsets = offsets + head.bias / unit / nearest.unit
    return AffineRule(nearest.origin, weights, offsets, nearest.unit)
