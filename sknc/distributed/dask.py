"""Estimators and reports of dask arrays and data frames: a tree of merges."""

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

# States that one task merges, and so has in memory.
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

    Every block is fitted where it lies, and the states are merged on the cluster, four
    at a time. Only states move: no rows, and labels only to the rows that they are of.

    Parameters
    ----------
    analyzer : NeuralCollapseAnalyzer or NearestClassCenter
        Parameters of the fit. It stays as it is.
    X : dask array of shape (n_samples, n_features), or dask data frame
        Features. Merging costs less than fitting where blocks have more rows than there
        are classes and features.
    y : dask array or series of shape (n_samples,), or array-like
        Class labels, of any kind that `NeuralCollapseAnalyzer.fit` takes.
    sample_weight : dask array or series of shape (n_samples,), array-like, or float
        Non-negative weights, or one of all samples; by default none.
    classes : array-like of shape (n_classes,), default=None
        All labels there may be, as in `NeuralCollapseAnalyzer.fit`.

    Returns
    -------
    NeuralCollapseAnalyzer or NearestClassCenter
        A new one, with the parameters and the head of `analyzer`. It does not depend on
        which worker did what, nor on workers that were lost meanwhile.

    Raises
    ------
    ImportError
        If dask is not installed.
    TypeError
        If `analyzer` or `X` is something else.
    ValueError
        If the rows of `X`, `y` and `sample_weight` do not go together, or are
        malformed, or there are none.

    See Also
    --------
    sknc.distributed.score : A report of samples about the fitted centers.

    Notes
    -----
    Runs on the client that is connected, or else on the local scheduler of dask. A
    block of a data frame whose labels have another index is an error. A head has to be
    one that can be pickled, and read where the workers are.

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
        Fitted on NumPy arrays or, as by `fit`, on dask arrays.
    X : dask array of shape (n_samples, n_features), or dask data frame
        Features, of any samples.
    y : dask array or series of shape (n_samples,), or array-like
        Class labels, all of them fitted.
    sample_weight : dask array or series of shape (n_samples,), array-like, or float
        Non-negative weights, or one of all samples; by default none.

    Returns
    -------
    NCReport
        That of `analyzer.score` of all samples.

    Raises
    ------
    ImportError
        If dask is not installed.
    NotFittedError
        If nothing was accumulated.
    TypeError
        If `analyzer` or `X` is something else.
    ValueError
        If the rows of `X`, `y` and `sample_weight` do not go together, or are
        malformed, or there are none; if the head does not fit.

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
    analyzer.partial_score([])  # refuses a head that does not fit, before any work
    fixed = _one_node(analyzer)
    scored = dask.delayed(_scored, pure=False)
    leaves = [scored(fixed, *block) for block in _blocks("score", X, y, sample_weight)]
    return analyzer.report_of([_computed(_tree(leaves, merge_all))])


# On the workers ---------------------------------------------------------------------


def _fitted(template: Any, X: Any, y: Any, weights: Any, classes: Any) -> Any:
    """Fit one block, and return what was fitted without the head."""
    _check_index(X, y, weights)
    new = template._unfitted()
    if len(X):
        new.fit(X, y, weights, classes=classes)
    return new.set_params(head=None) if "head" in new.get_params(deep=False) else new


def _merged(states: Sequence[Any]) -> Any:
    """Merge states, which stay as they are."""
    return clone(states[0]).merge(*states)


def _scored(analyzer: Any, X: Any, y: Any, weights: Any) -> PartialScore:
    """Score one block."""
    _check_index(X, y, weights)
    found: PartialScore = analyzer.partial_score([(X, y, weights)] if len(X) else [])
    return found


def _check_index(X: Any, *others: Any) -> None:
    """Refuse labels or weights of other rows than those of a block of a data frame."""
    index = getattr(X, "index", None)
    for other in others:
        found = getattr(other, "index", None)
        if index is not None and hasattr(found, "equals") and not index.equals(found):
            msg = (
                "X and y or sample_weight have partitions with different indices: "
                "take them from one data frame."
            )
            raise ValueError(msg)


def _check_kind(caller: str, kind: type, value: Any) -> None:
    """Refuse other objects than estimators."""
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
    """Return a delayed value that the graph holds once, without a look into it."""
    import dask

    return dask.delayed(value, name=f"sknc-{uuid4().hex}", traverse=False)


def _computed(delayed: Any) -> Any:
    with warnings.catch_warnings():
        # The state is what has to be sent, once.
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
    """Return the blocks of labels or weights, cut as the rows are."""
    import dask

    in_memory = not dask.is_dask_collection(column)
    if not isinstance(column, (list, tuple)) and np.ndim(column) == 0:
        return [column] * len(rows)  # a number for all rows, or what fit refuses
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
            f"X has {len(rows)} blocks, but {name} has {len(found)}, and nobody knows "
            "how many rows are in each: cut both alike, or call compute_chunk_sizes()."
        )
        raise ValueError(msg)
    return found


def _slices(column: Any, sizes: Sequence[int]) -> list[Any]:
    """Return the entries of blocks of these sizes, of a column in memory."""
    if not isinstance(column, (list, tuple)):
        column = np.asarray(column)  # of pandas, whose slices may go by label
    ends = np.cumsum(sizes)
    return [
        _one_node(column[end - size : end])
        for size, end in zip(sizes, ends, strict=True)
    ]


def _delayed_blocks(collection: Any) -> list[Any]:
    """Return the blocks of rows."""
    found = collection.to_delayed()
    return list(found.ravel()) if hasattr(found, "ravel") else list(found)
