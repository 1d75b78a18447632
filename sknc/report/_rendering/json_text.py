"""Reports as JSON text, and back without loss."""

import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, TypeVar

import numpy as np

from sknc._version import __version__
from sknc.convention import Convention
from sknc.metrics import TABLE, select
from sknc.metrics._catalogue.missing import Request
from sknc.metrics._catalogue.regression_table import REGRESSION_TABLE
from sknc.report._rendering.content import Content, Directions, Measured
from sknc.report._rendering.regression_content import RegressionContent

T = TypeVar("T")

# Incremented when earlier documents can no longer be read.
SCHEMA_VERSION = 1
_REGRESSION = "regression"
# JSON lacks infinite numbers. NaN is null.
_INFINITIES = {math.inf: "Infinity", -math.inf: "-Infinity"}
_FROM_TEXT = {text: value for value, text in _INFINITIES.items()}
# Exceptions from reading a damaged part.
_UNREADABLE = (TypeError, ValueError, AttributeError, KeyError, OverflowError)


# Writing --------------------------------------------------------------------------


def to_json(content: Content, **options: Any) -> str:
    """Return the content as the text of a JSON object."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "sknc_version": __version__,
        "score": _number(content.score),
        "metrics": _numbers(content.values),
        "standard_error": _numbers(content.standard_error),
        "per_class": {name: _column(x) for name, x in content.per_class.items()},
        "per_class_dtype": {
            name: str(x.dtype) for name, x in content.per_class.items()
        },
        "quantiles": {
            key: {str(level): _number(value) for level, value in levels.items()}
            for key, levels in content.quantiles.items()
        },
        "notes": dict(content.notes),
        "convention": convention_document(content.convention),
        **asdict(content.measured),
        **{name: _number(x) for name, x in asdict(content.directions).items()},
        "requested": content.request.metrics,
        "inputs": sorted(content.request.inputs),
    }
    return json.dumps(document, **{"allow_nan": False, **options})


def _number(value: Any) -> Any:
    """Return a number for JSON, or a string in place of it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return _INFINITIES.get(value)
    return value


def _numbers(values: Mapping[str, float]) -> dict[str, Any]:
    return {key: _number(value) for key, value in values.items()}


def _column(array: np.ndarray) -> list[Any]:
    """Return the values of a column over the classes, with times as text."""
    if array.dtype.kind in "Mm":
        array = array.astype(np.int64) if array.dtype.kind == "m" else array.astype(str)
    return [_number(value) for value in array.tolist()]


def convention_document(convention: Convention) -> dict[str, Any]:
    """Return a convention as JSON data."""
    fields = {name: _number(value) for name, value in asdict(convention).items()}
    if isinstance(convention.minority, tuple):
        fields["minority"] = [_label(label) for label in convention.minority]
    return fields


def _label(label: Any) -> Any:
    """Return a label in a convention; a label that JSON lacks gets its dtype."""
    array = np.asarray(label)
    if array.dtype.kind in "Mm":
        return {"dtype": str(array.dtype), "value": _column(array[None])[0]}
    return _number(label)


def regression_to_json(content: RegressionContent, **options: Any) -> str:
    """Return the content of a regression report as the text of a JSON object."""
    parts = {name: _number(value) for name, value in vars(content).items()}
    document = {
        "schema_version": SCHEMA_VERSION,
        "kind": _REGRESSION,
        "sknc_version": __version__,
        **parts,
        "values": _numbers(content.values),
        "notes": dict(content.notes),
        "per_target": {name: _column(x) for name, x in content.per_target.items()},
        "explained_variance_ratio": _column(content.explained_variance_ratio),
    }
    return json.dumps(document, **{"allow_nan": False, **options})


# Reading --------------------------------------------------------------------------


def from_json(text: str | bytes) -> Content:
    """Return the content from the text of `to_json`, or raise."""
    document = _parse(text)
    _check_version(document)

    part = partial(_part, document)
    measured = Measured(
        part("n_samples", _count),
        part("n_classes", _count),
        part("n_features", _count),
        part("dtype", _text),
        part("device", _text),
        part("weighted", _flag),
    )
    dtypes = part("per_class_dtype", _texts)
    rank = part("rank", lambda found: None if found is None else _count(found))
    condition = part("condition", _read_number)
    inputs = frozenset(part("inputs", _texts_of_list))
    return Content(
        score=part("score", _read_number),
        values=part("metrics", _read_metrics),
        standard_error=part("standard_error", _read_metrics),
        per_class=part(
            "per_class", lambda found: _read_columns(found, dtypes, measured.n_classes)
        ),
        quantiles=part("quantiles", _read_quantiles),
        notes=part("notes", _texts),
        convention=part("convention", read_convention),
        measured=measured,
        directions=Directions() if rank is None else Directions(rank, condition),
        request=part("requested", lambda found: _read_request(found, inputs)),
    )


def regression_from_json(text: str | bytes) -> RegressionContent:
    """Return the content from the text of `regression_to_json`, or raise."""
    name = "NRCReport"
    document = _parse(text, name)
    _check_version(document, name)
    if document.get("kind") != _REGRESSION:
        msg = f"{name}.from_json expected a report of regression. Try NCReport."
        raise ValueError(msg)
    part = partial(_part, document)
    n_targets, n_features = part("n_targets", _count), part("n_features", _count)
    has_head = part("has_head", _flag)
    return RegressionContent(
        score=part("score", _read_number),
        values=part("values", partial(_read_metrics, table=REGRESSION_TABLE)),
        notes=part("notes", _texts),
        per_target=part(
            "per_target",
            lambda found: {key: _floats(x, n_targets) for key, x in found.items()},
        ),
        explained_variance_ratio=part(
            "explained_variance_ratio", lambda found: _floats(found, n_features)
        ),
        gamma=part("gamma", _read_number) if has_head else None,
        least_target_variance=part("least_target_variance", _read_number),
        n_samples=part("n_samples", _count),
        n_features=n_features,
        n_targets=n_targets,
        weighted=part("weighted", _flag),
        dtype=part("dtype", _text),
        device=part("device", _text),
        has_head=has_head,
    )


def _floats(found: Any, size: int) -> np.ndarray:
    column = _read_column(_expect(found, list, "a list"), np.dtype(np.float64))
    if column.shape != (size,):
        msg = f"expected {size} numbers, got {len(column)}"
        raise ValueError(msg)
    return column


def _part(document: dict[str, Any], name: str, read: Callable[[Any], T]) -> T:
    """Return one part of a document; raise if it is missing or damaged."""
    if name not in document:
        raise ValueError(_damaged(name, "it is missing"))
    try:
        return read(document[name])
    except _UNREADABLE as error:
        raise ValueError(_damaged(name, str(error))) from error


def _parse(text: Any, name: str = "NCReport") -> dict[str, Any]:
    start = f"{name}.from_json expected the text that {name}.to_json returns, got "
    if not isinstance(text, (str, bytes)):
        msg = (
            f"{start}{type(text).__name__}. Read a file first: Path(file).read_text()."
        )
        raise TypeError(msg)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"{start}text that is not JSON ({error})."
        raise ValueError(msg) from error
    if not isinstance(document, dict) or "schema_version" not in document:
        msg = f'{start}other JSON: an object with "schema_version" was expected.'
        raise ValueError(msg)
    return document


def _check_version(document: dict[str, Any], name: str = "NCReport") -> None:
    version = document["schema_version"]
    if version != SCHEMA_VERSION:
        msg = (
            f"{name}.from_json of sknc {__version__} reads schema version "
            f"{SCHEMA_VERSION}, got version {version!r}, written by sknc "
            f"{document.get('sknc_version', 'unknown')}. Read it with that version."
        )
        raise ValueError(msg)


def _damaged(name: str, what: str) -> str:
    return f"The JSON of this report is damaged: {name!r} cannot be read ({what})."


def _expect(found: Any, kind: type[T], what: str) -> T:
    """Return a value, or raise if it has the wrong type."""
    if not isinstance(found, kind) or (isinstance(found, bool) and kind is not bool):
        msg = f"expected {what}, got {found!r}"
        raise TypeError(msg)
    return found


_text = partial(_expect, kind=str, what="text")
_flag = partial(_expect, kind=bool, what="true or false")


def _count(found: Any) -> int:
    count = _expect(found, int, "a number of at least 0")
    if count < 0:
        msg = f"expected a number of at least 0, got {count}"
        raise ValueError(msg)
    return count


def _texts(found: Any) -> dict[str, str]:
    return {key: _text(value) for key, value in found.items()}


def _read_number(found: Any) -> float:
    if found is None:
        return math.nan
    if found in _FROM_TEXT:
        return _FROM_TEXT[found]
    kind = int if isinstance(found, int) else float
    return float(_expect(found, kind, "a number"))


def _read_metrics(found: Any, table: Collection[str] = TABLE) -> dict[str, float]:
    unknown = [key for key in found if key not in table]
    if unknown:
        msg = f"sknc {__version__} has no metrics {unknown}"
        raise ValueError(msg)
    return {key: _read_number(value) for key, value in found.items()}


def _read_columns(
    found: Any, dtypes: Mapping[str, str], n_classes: int
) -> dict[str, np.ndarray]:
    columns = {}
    for name, values in found.items():
        column = _read_column(values, np.dtype(dtypes[name]))
        if column.shape != (n_classes,) or _column(column) != values:
            msg = f"{name!r} does not hold {n_classes} values of dtype {column.dtype}"
            raise ValueError(msg)
        columns[name] = column
    return columns


def _read_column(values: list[Any], dtype: np.dtype[Any]) -> np.ndarray:
    if dtype.kind not in "biufUMm":
        msg = f"no column has the dtype {dtype}"
        raise ValueError(msg)
    if dtype.kind == "f":
        values = [_read_number(value) for value in values]
    if dtype.kind == "m":
        return np.array(values, np.int64).astype(dtype)
    return np.array(values, dtype)


def _read_quantiles(found: Any) -> dict[str, dict[float, float]]:
    return {
        _text(key): {
            float(level): _read_number(value) for level, value in levels.items()
        }
        for key, levels in found.items()
    }


def read_convention(found: Any) -> Convention:
    """Return the convention from the document of `convention_document`."""
    fields = dict(found)
    if isinstance(fields["minority"], list):
        fields["minority"] = tuple(map(_read_label, fields["minority"]))
    return Convention(**fields)


def _read_label(found: Any) -> Any:
    if not isinstance(found, dict):
        return found
    dtype = np.dtype(found["dtype"])
    if dtype.kind not in "Mm":  # other dtypes could claim a length beyond memory
        msg = f"no label is written with the dtype {dtype}"
        raise ValueError(msg)
    return _read_column([found["value"]], dtype)[0]


def _read_request(requested: Any, inputs: frozenset[str]) -> Request:
    metrics = requested if isinstance(requested, str) else _texts_of_list(requested)
    select(metrics)
    return Request(metrics, inputs)


def _texts_of_list(found: Any) -> tuple[str, ...]:
    return tuple(map(_text, _expect(found, list, "a list")))
