"""Sums of the evaluations of all ranks about the same centers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import reduce

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc.estimators.second_pass import EvaluationResult
from sknc.statistics.class_statistics import ClassStatistics
from sknc.statistics.decisions import Decisions
from sknc.statistics.held_out import HeldOutStatistics
from sknc.statistics.sample_measures import SampleMeasures
from sknc.torch._collectives import Ranks
from sknc.torch._rank_sums import squared, triangle

_OF_DECISIONS = tuple(item.name for item in fields(Decisions))


@dataclass(frozen=True)
class _Header:
    """An evaluation without its sums."""

    shapes: Mapping[str, tuple[int, ...]]
    weighted: bool  # whether counts are sums of weights
    n_samples: int
    input_dtype: str  # plain name of the dtype of the features
    measures: SampleMeasures | None  # numbers of single samples, which are not summed

    @classmethod
    def of(cls, result: EvaluationResult) -> "_Header":
        """Describe an evaluation."""
        samples, measures = result.held_out.samples, result.measures
        return cls(
            {name: tuple(array.shape) for name, array in _sums_of(result).items()},
            samples.weighted,
            samples.n_samples,
            samples.input_dtype,
            None if measures is None else replace(measures, directional=None),
        )


def merged_results(
    results: Sequence[EvaluationResult], ranks: Ranks
) -> list[EvaluationResult]:
    """
    Merge the evaluations of all ranks, by group; the same bits on every rank.

    This rank may have no evaluations. All ranks use the same centers.
    """
    headers = ranks.gathered([_Header.of(result) for result in results])
    return [
        _merged(result, [header for header in group if header.input_dtype], ranks)
        for result, group in zip(results, zip(*headers, strict=True), strict=True)
    ]


def _merged(
    mine: EvaluationResult, headers: Sequence[_Header], ranks: Ranks
) -> EvaluationResult:
    """Sum the evaluations of one group; those with batches have a header."""
    if not headers:
        return mine
    like = mine.held_out.samples.moments.sums
    xp, place = namespace(like), arrays.device_of(like)
    own = {} if mine.empty else _sums_of(mine)
    sums: dict[str, Array] = {}
    for name, shape in headers[0].shapes.items():
        is_count = name == "counts" and not any(header.weighted for header in headers)
        dtype = xp.int64 if is_count else xp.float64
        array = own.get(name)
        if array is None:
            array = xp.zeros(shape, dtype=dtype, device=place)
        sums[name] = ranks.total(xp.astype(array, dtype))
    measures = [header.measures for header in headers if header.measures is not None]
    joined = SampleMeasures.joined(measures) if measures else None
    if joined is not None and "directional" in sums:
        joined = replace(joined, directional=sums["directional"])
    dtype_name = reduce(arrays.common_dtype_name, (h.input_dtype for h in headers))
    n_samples = sum(header.n_samples for header in headers)
    return _of_sums(mine, sums, joined, n_samples, dtype_name)


def _sums_of(result: EvaluationResult) -> dict[str, Array]:
    """Return the sums of an evaluation by name."""
    moments, projection = result.held_out.samples.moments, result.held_out.projection
    sums = {
        "counts": moments.counts,
        "sums": moments.sums,
        "squares": moments.squares,
        "scatter": None if moments.scatter is None else triangle(moments.scatter),
        "energies": None if projection is None else projection.energies,
    }
    for name in _OF_DECISIONS:
        held = result.decisions
        sums[f"decisions.{name}"] = None if held is None else getattr(held, name)
    if result.measures is not None:
        sums["directional"] = result.measures.directional
    return {name: array for name, array in sums.items() if array is not None}


def _of_sums(
    mine: EvaluationResult,
    sums: Mapping[str, Array],
    measures: SampleMeasures | None,
    n_samples: int,
    input_dtype: str,
) -> EvaluationResult:
    """Return an evaluation about the same centers, with other sums."""
    held_out, centers = mine.held_out, mine.held_out.centers
    scatter = sums.get("scatter")
    if scatter is not None:
        scatter = squared(scatter, centers.n_features)
    moments = replace(
        held_out.samples.moments,
        counts=sums["counts"],
        sums=sums["sums"],
        squares=sums["squares"],
        scatter=scatter,
    )
    samples = ClassStatistics(centers.classes, moments, n_samples, input_dtype)
    projection = held_out.projection
    if projection is not None:
        projection = replace(projection, energies=sums["energies"])
    decisions = None
    if "decisions.counts" in sums:
        decisions = Decisions(
            *(sums.get(f"decisions.{name}") for name in _OF_DECISIONS)
        )
    return EvaluationResult(
        HeldOutStatistics(centers, samples, projection), decisions, measures
    )
