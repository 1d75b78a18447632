"""Estimators and reports of dask arrays and data frames, merged in a tree."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar
from uuid import uuid4

import numpy as np
from sklearn.base import clone

from sknc._utils.merge_tree import merge_all
from sknc._utils.optional import required
from sknc._utils.parameters import shown
from sknc.estimators.analyzer import NeuralCollapseAnalyzer
from sknc.estimators.base import CenterEstimator
from sknc.estimators.second_pass import PartialScore
from sknc.report import NCReport

Estimator = TypeVar("Estimator", bound=CenterEstimator)

# Number of states that one task merges and holds in memory.
_FAN_IN = 4


def fit(
    analyzer: Estimator,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    classes: Any = None,
) -> Estimator:
    """
    Return an estimator of all samples of a dask array or data frame.

    Every block is fitted where it is stored, and the states are merged on the cluster,
    four at a time. Only states are moved, and labels to the blocks of their rows.

    Parameters
    ----------
    analyzer : NeuralCollapseAnalyzer or NearestClassCenter
        Parameters of the fit; it is not changed.
    X : dask array of shape (n_samples, n_features), or dask data frame
        Features. Merging is cheaper than fitting if blocks have more rows than there
        are classes and features.
    y : dask array or series of shape (n_samples,), or array-like
        Class labels of any kind that `NeuralCollapseAnalyzer.fit` accepts.
    sample_weight : dask array or series of shape (n_samples,), array-like, or float
        Non-negative weights, or one weight for all samples; by default none.
    classes : array-like of shape (n_classes,), default=None
        All possible labels, as in `NeuralCollapseAnalyzer.fit`.

    Returns
    -------
    NeuralCollapseAnalyzer or NearestClassCenter
        A new estimator with the parameters and the head of `analyzer`. It does not
        depend on scheduling or on lost workers.

    Raises
    ------
    ImportError
        If dask is not installed.
    TypeError
        If `analyzer` or `X` has another type.
    ValueError
        If there are no rows, if the rows of `X`, `y` and `sample_weight` do not match,
        or if they are malformed.

    See Also
    --------
    sknc.distributed.score : A report on samples about the fitted centers.

    Notes
    -----
    Runs on the connected client, or on the local scheduler of dask. The labels of a
    block of a data frame must have the same index. The head must be picklable and
    readable on the workers.

    Examples
    --------
    >>> import dask.array as da
    >>> from sklearn.datasets import load_iris
    >>> from sknc import NeuralCollapseAnalyzer
    >>> from sknc.distributed import fit
    >>> X, y = load_iris(return_X_y=True)
    >>> analyzer = fit(NeuralCollapseAnalyzer(), da.from_array(X, chunks=(50, 4)), y)
    >>> analyzer.n_samples_seen_
    150
    """
    with required("fit", "dask", "dask"):
        import dask
    _check_kind("fit", CenterEstimator, analyzer)
    analyzer._check_parameters()
    new = analyzer._unfitted()
    template, named = _one_node(new), _one_node(classes)
    fitted = dask.delayed(_fitted, pure=False)
    leaves = [
        fitted(template, *block, named) for block in _blocks("fit", X, y, sample_weight)
    ]
    merged = _computed(_tree(leaves, _merged))
    if not merged.__sklearn_is_fitted__():
        msg = "fit got an X without rows: expected at least one sample."
        raise ValueError(msg)
    return new.merge(merged)


def score(
    analyzer: NeuralCollapseAnalyzer, X: Any, y: Any, sample_weight: Any = None
) -> NCReport:
    """
    Report the metrics of a dask array or data frame about the fitted centers.

    Parameters
    ----------
    analyzer : NeuralCollapseAnalyzer
        Fitted on NumPy arrays or, with `fit`, on dask arrays.
    X : dask array of shape (n_samples, n_features), or dask data frame
        Features, of any samples.
    y : dask array or series of shape (n_samples,), or array-like
        Class labels, all of them fitted.
    sample_weight : dask array or series of shape (n_samples,), array-like, or float
        Non-negative weights, or one weight for all samples; by default none.

    Returns
    -------
    NCReport
        The same as that of `analyzer.score` on all samples.

    Raises
    ------
    ImportError
        If dask is not installed.
    NotFittedError
        If the analyzer is not fitted.
    TypeError
        If `analyzer` or `X` has another type.
    ValueError
        If there are no rows, if the rows of `X`, `y` and `sample_weight` do not match,
        if they are malformed, or if the head does not fit.

    See Also
    --------
    sknc.distributed.fit : Fits the centers.

    Examples
    --------
    >>> import dask.array as da
    >>> from sklearn.datasets import load_iris
    >>> from sknc import NeuralCollapseAnalyzer
    >>> from sknc.distributed import score
    >>> X, y = load_iris(return_X_y=True)
    >>> analyzer = NeuralCollapseAnalyzer().fit(X, y)
    >>> report = score(analyzer, da.from_array(X, chunks=(50, 4)), y)
    >>> round(report.nc4_ncc_accuracy, 4)
    0.9267
    """
    with required("score", "dask", "dask"):
        import dask
    _check_kind("score", NeuralCollapseAnalyzer, analyzer)
    analyzer.partial_score([])  # checks the head before any work
    fixed = _one_node(analyzer)
    scored = dask.delayed(_scored, pure=False)
    leaves = [scored(fixed, *block) for block in _blocks("score", X, y, sample_weight)]
    return analyzer.report_of([_computed(_tree(leaves, merge_all))])


# On the workers ---------------------------------------------------------------------


def _fitted(template: Any, X: Any, y: Any, weights: Any, classes: Any) -> Any:
    """Fit one block, and return the estimator without the head."""
    _check_index(X, y, weights)
    new = template._unfitted()
    if len(X):
        new.fit(X, y, weights, classes=classes)
    return new.set_params(head=None) if "head" in new.get_params(deep=False) else new


def _merged(states: Sequence[Any]) -> Any:
    """Merge states without changing them."""
    return clone(states[0]).merge(*states)


def _scored(analyzer: Any, X: Any, y: Any, weights: Any) -> PartialScore:
    """Score one block."""
    _check_index(X, y, weights)
    found: PartialScore = analyzer.partial_score([(X, y, weights)] if len(X) else [])
    return found


def _check_index(X: Any, *others: Any) -> None:
    """Raise if labels or weights have another index than a block of a data frame."""
    index = getattr(X, "index", None)
    for other in others:
        found = getattr(other, "index", None)
        if index is not None and hasattr(found, "equals") and not index.equals(found):
            msg = (
                "X and y or sample_weight have partitions with different indices. Take "
                "them from the same data frame."
            )
            raise ValueError(msg)


def _check_kind(caller: str, kind: type, value: Any) -> None:
    """Raise if an object is not an estimator of this kind."""
    if not isinstance(value, kind):
        expected = "NeuralCollapseAnalyzer"
        if kind is CenterEstimator:
            expected += " or NearestClassCenter"
        msg = f"{caller} expected a {expected}, got {shown(value)}."
        raise TypeError(msg)


# Graphs -----------------------------------------------------------------------------


def _tree(leaves: Sequence[Any], merge: Callable[[Sequence[Any]], Any]) -> Any:
    """Merge delayed values, neighbors first."""
    import dask

    merged = dask.delayed(merge, pure=False)
    while len(leaves) > 1:
        leaves = [
            merged(list(leaves[i : i + _FAN_IN]))
            for i in range(0, len(leaves), _FAN_IN)
        ]
    return leaves[0]


def _one_node(value: Any) -> Any:
    """Return a delayed value as one node of the graph, without traversing it."""
    import dask

    return dask.delayed(value, name=f"sknc-{uuid4().hex}", traverse=False)


def _computed(delayed: Any) -> Any:
    with warnings.catch_warnings():
        # The state has to be sent, once.
        warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
        return delayed.compute()


def _blocks(caller: str, X: Any, y: Any, weights: Any) -> Iterator[Iterable[Any]]:
    """Return (X, y, weights) of each block, delayed."""
    import dask

    if not dask.is_dask_collection(X) or getattr(X, "ndim", 0) != 2:
        msg = (
            f"{caller} expected X as a dask array or data frame with two dimensions, "
            f"got {shown(X)}. For data in memory, use analyzer.{caller}."
        )
        raise TypeError(msg)
    if hasattr(X, "chunks") and X.numblocks[1] > 1:
        X = X.rechunk({1: -1})
    rows = _delayed_blocks(X)
    columns = [
        [None] * len(rows) if column is None else _cut_like(X, rows, name, column)
        for name, column in (("y", y), ("sample_weight", weights))
    ]
    return zip(rows, *columns, strict=True)


def _cut_like(X: Any, rows: Sequence[Any], name: str, column: Any) -> list[Any]:
    """Split labels or weights into the blocks of X."""
    import dask

    in_memory = not dask.is_dask_collection(column)
    if not isinstance(column, (list, tuple)) and np.ndim(column) == 0:
        # One number for all rows, or an object that fit refuses.
        return [column] * len(rows)
    n_rows, n_entries = X.shape[0], len(column) if in_memory else column.shape[0]
    if isinstance(n_rows, int) and isinstance(n_entries, int):
        if n_rows != n_entries:
            msg = f"X has {n_rows} rows, but {name} has {n_entries}."
            raise ValueError(msg)
        if in_memory:
            return _slices(column, X.chunks[0])
        column = column.rechunk({0: X.chunks[0]})
    found = [_one_node(column)] if in_memory else _delayed_blocks(column)
    if len(found) != len(rows):
        msg = (
            f"X has {len(rows)} blocks, but {name} has {len(found)}, and the numbers "
            "of rows in them are unknown. Use the same blocks for both, or call "
            "compute_chunk_sizes()."
        )
        raise ValueError(msg)
    return found


def _slices(column: Any, sizes: Sequence[int]) -> list[Any]:
    """Split a column in memory into blocks of these sizes."""
    if not isinstance(column, (list, tuple)):
        column = np.asarray(column)  # slices of pandas may use labels
    ends = np.cumsum(sizes)
    return [
        _one_node(column[end - size : end])
        for size, end in zip(sizes, ends, strict=True)
    ]


def _delayed_blocks(collection: Any) -> list[Any]:
    """Return the blocks of rows."""
    found = collection.to_delayed()
    return list(found.ravel()) if hasattr(found, "ravel") else list(found)
