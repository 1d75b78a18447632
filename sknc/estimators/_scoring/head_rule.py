"""A linear head decides like a nearest center: by the greatest affine score."""

from sknc.head import LinearHead
from sknc.statistics.affine_rule import AffineRule, scaled


def head_rule(head: LinearHead, nearest: AffineRule) -> AffineRule:
    """Return the rule that decides for the greatest logit, beside another rule."""
    weights, unit = scaled(head.weights)
    offsets = weights @ nearest.origin
    if head.bias is not None:
        offsets = offsets + head.bias / unit / nearest.unit
    return AffineRule(nearest.origin, weights, offsets, nearest.unit)
