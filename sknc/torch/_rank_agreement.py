"""Check that the states of all ranks can be merged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sknc._utils import arrays
from sknc._utils.label_kinds import kind_of, union
from sknc._utils.parameters import shown
from sknc.convention import Convention
from sknc.estimators.base import CenterEstimator
from sknc.metrics import select
from sknc.statistics.class_statistics import ClassStatistics


@dataclass(frozen=True)
class Header:
    """The statistics of a rank without their sums."""

    classes: np.ndarray  # (K,), sorted labels
    n_features: int
    anchor_dtype: str  # plain names of dtypes
    has_scatter: bool
    weighted: bool  # whether counts are sums of weights
    n_samples: int
    input_dtype: str
    place: str  # array library and kind of device


@dataclass(frozen=True)
class PartHeader(Header):
    """The header of the statistics of one rank."""

    n_bytes: int  # of the sums, with half of the symmetric scatter
    has_class_scatters: bool

    @classmethod
    def of(cls, part: ClassStatistics) -> "PartHeader":
        """Describe statistics."""
        moments, (n_classes, width) = part.moments, part.moments.sums.shape
        anchor_dtype = str(moments.anchors.dtype).rpartition(".")[2]
        n_numbers = n_classes * width + 2 * n_classes
        if moments.scatter is not None:
            n_numbers += width * (width + 1) // 2
        n_anchors = n_classes * width * np.dtype(anchor_dtype).itemsize
        return cls(
            classes=part.classes,
            n_features=part.n_features,
            anchor_dtype=anchor_dtype,
            has_scatter=moments.scatter is not None,
            weighted=part.weighted,
            n_samples=part.n_samples,
            input_dtype=part.input_dtype,
            place=arrays.describe(moments.sums).partition(":")[0],
            n_bytes=8 * n_numbers + n_anchors,
            has_class_scatters=part.class_scatters is not None,
        )


@dataclass(frozen=True)
class StateHeader:
    """The state of an estimator without its sums."""

    kind: str
    parameters: tuple[tuple[str, str], ...]  # constructor parameters
    # One per group of the jackknife; None for groups without samples.
    parts: tuple[PartHeader | None, ...]
    fixed: bool = True  # whether the classes were passed by the user
    names: tuple[str, ...] | None = None

    @property
    def seen(self) -> list[PartHeader]:
        """The parts that have samples."""
        return [part for part in self.parts if part is not None]


def state_header(
    estimator: Any, parts: Sequence[ClassStatistics | None], fixed: bool
) -> StateHeader:
    """Describe the state of an estimator, given its statistics by group."""
    names = vars(estimator).get("feature_names_in_")
    return StateHeader(
        kind=type(estimator).__name__,
        parameters=_parameters(estimator),
        parts=tuple(None if p is None else PartHeader.of(p) for p in parts),
        fixed=fixed,
        names=None if names is None else tuple(names.tolist()),
    )


def _parameters(estimator: CenterEstimator) -> tuple[tuple[str, str], ...]:
    """Return the parameters as texts that compare equal if they mean the same."""
    texts = []
    for name, value in sorted(estimator.get_params(deep=False).items()):
        if name == "head":  # each rank has its own copy of the model
            value = "given" if value is not None else None
        elif name == "convention":
            value = Convention.preset(value)
        elif name == "metrics":
            value = [metric.key for metric in select(value)]
        elif not isinstance(value, (str, int, np.bool_)):
            value = np.asarray(value).tolist()
        texts.append((name, repr(value)))
    return tuple(texts)


def check_agreement(headers: Sequence[StateHeader]) -> None:
    """
    Raise the same error on every rank if the states cannot be merged.

    The headers are those of all ranks, in order.
    """
    check_alike("estimators of one class", [h.kind for h in headers])
    for i, (name, _) in enumerate(headers[0].parameters):
        check_alike(
            f"the same {name}",
            [header.parameters[i][1] for header in headers],
            "Construct the estimators of all ranks alike.",
        )
    check_alike("the same number of groups", [len(h.parts) for h in headers])

    def check(what: str, values: list[list[Any]], remedy: str) -> None:
        check_alike(what, [v[0] if v else None for v in values], remedy)

    seen = [header.seen for header in headers]
    check(
        "features of the same width",
        [[part.n_features for part in parts] for parts in seen],
        "Merge only statistics of the same layer.",
    )
    check(
        "arrays of the same library and kind of device",
        [[part.place for part in parts] for parts in seen],
        "Accumulate all of them from the same kind of array.",
    )
    check(
        "labels of the same kind",
        [[kind_of(part.classes) for part in parts] for parts in seen],
        "Use the same labels on all of them.",
    )
    check_alike(
        "the same names of features",
        [header.names for header in headers],
        "Fit all of them on the same columns in the same order.",
    )
    _check_exchanged(seen)
    # Labels that cannot be compared raise here, and so on every rank.
    union(np.empty(0), *(part.classes for parts in seen for part in parts))


def _check_exchanged(seen: Sequence[Sequence[PartHeader]]) -> None:
    """Check that ranks can send their arrays to each other."""
    for rank, parts in enumerate(seen):
        library, _, device = parts[0].place.partition(" on ") if parts else ("",) * 3
        if parts and library not in ("NumPy", "torch"):
            msg = (
                "Ranks can only exchange statistics of NumPy arrays or torch tensors, "
                f"got {library} arrays on {device} on rank {rank}. Accumulate NumPy "
                "arrays."
            )
            raise ValueError(msg)


def check_alike(what: str, values: Sequence[Any], remedy: str = "") -> None:
    """
    Raise if values differ between ranks; a rank without one has None.

    `what` says what must be the same. The values are those of all ranks, in order.
    """
    known = [(rank, value) for rank, value in enumerate(values) if value is not None]
    for rank, value in known:
        first, expected = known[0]
        if value != expected:
            msg = (
                f"All ranks must have {what}, got {_text(expected)} on rank {first} "
                f"and {_text(value)} on rank {rank}. {remedy}"
            )
            raise ValueError(msg.rstrip())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)
