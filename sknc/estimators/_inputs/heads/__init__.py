"""Objects that can be a linear head, checked against classes and features."""

from sknc.estimators._inputs.heads.checks import (
    check_head,
    check_head_shape,
    default_classes,
    n_unused_rows,
)
from sknc.estimators._inputs.heads.digest import digest_of_head
from sknc.estimators._inputs.heads.parts import (
    check_head_kind,
    classes_of_head,
    is_head,
    parts_of,
)

__all__ = [
    "check_head",
    "check_head_kind",
    "check_head_shape",
    "classes_of_head",
    "default_classes",
    "digest_of_head",
    "is_head",
    "n_unused_rows",
    "parts_of",
]
