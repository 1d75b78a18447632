"""Fit an estimator on files, with several processes."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import accumulate, pairwise
from typing import Any, TypeVar

from joblib import Parallel, delayed, effective_n_jobs

from sknc._utils.optional import required
from sknc._utils.parameters import check_flag
from sknc.estimators.base import CenterEstimator
from sknc.io.feature_files import BATCH_ROWS, FeatureFiles, open_features

Estimator = TypeVar("Estimator", bound=CenterEstimator)

# Parts of this size take so long that a state for each is cheap. Several parts per
# process show progress and balance the load.
_PART_BYTES, _MOST_PARTS_PER_JOB = 1 << 30, 8


def fit_files(
    analyzer: Estimator,
    paths: Any,
    labels: Any = None,
    *,
    key: str | None = None,
    label_key: str | None = None,
    classes: Any = None,
    rows: int = BATCH_ROWS,
    n_jobs: int | None = None,
    progress: bool = False,
) -> Estimator:
    """
    Fit an estimator on all rows of files.

    Parameters
    ----------
    analyzer : NeuralCollapseAnalyzer or NearestClassCenter
        The estimator to fit; earlier samples are dropped.
    paths : str, path-like, iterable of these or FeatureFiles
        Files, as in `open_features`, or its result.
    labels : array-like, or path or paths as for `paths`, default=None
        Labels, as in `open_features`.
    key : str, default=None
        Name of the features in files that hold several arrays.
    label_key : str, default=None
        Name of the labels in files that hold several arrays.
    classes : array-like of shape (n_classes,), default=None
        All possible labels, as in ``fit_batches``.
    rows : int, default=8192
        Number of rows in a batch.
    n_jobs : int, default=None
        Number of processes, as in scikit-learn: None means 1, unless in a
        `joblib.parallel_config` context; -1 means one per core.
    progress : bool, default=False
        Whether to show a progress bar; requires tqdm.

    Returns
    -------
    NeuralCollapseAnalyzer or NearestClassCenter
        The fitted estimator itself.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If files or labels do not match, or rows are malformed. The estimator is then
        unchanged.
    ImportError
        If the library that reads a format is not installed.

    See Also
    --------
    open_features : Which files are read, and batches for your own loop.

    Notes
    -----
    Each process sums parts of the rows, and the sums are merged in the order of the
    rows, so the result does not depend on timing. Different `n_jobs` give different
    rounding. The groups of ``n_jackknife`` are assigned separately in each part.

    Starting processes takes some seconds. On a machine with few cores this saves
    little, because one process already uses all cores.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from sknc import NeuralCollapseAnalyzer
    >>> from sknc.io import fit_files
    >>> X = np.array([[2.0, 0.0], [4.0, 0.0], [-2.0, 0.0], [-4.0, 0.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(Path(folder, "X.npy"), X)
    ...     analyzer = fit_files(NeuralCollapseAnalyzer(), folder, [0, 0, 1, 1])
    >>> analyzer.class_means_[:, 0]
    array([ 3., -3.])
    """
    analyzer._check_parameters()
    files = _opened(paths, labels, key, label_key)
    n_processes = effective_n_jobs(n_jobs)
    with _bar(files.shape[0], progress) as advance:
        if n_processes < 2:
            new = _fitted(analyzer, files, (0, files.shape[0]), rows, classes, advance)
        else:
            n_parts = n_processes * _parts_per_job(files, n_processes)
            edges = part_edges(files.lengths, n_parts, rows)
            new = _merged(analyzer, files, edges, rows, classes, n_jobs, advance)
    analyzer._take_fit_of(new)
    return analyzer


def _opened(paths: Any, labels: Any, key: str | None, label_key: str | None) -> Any:
    if isinstance(paths, FeatureFiles):
        if any(value is not None for value in (labels, key, label_key)):
            msg = (
                "labels=, key= and label_key= belong to paths. Pass them to "
                "open_features, or pass paths to fit_files."
            )
            raise ValueError(msg)
        return paths
    return open_features(paths, labels, key=key, label_key=label_key)


def _parts_per_job(files: FeatureFiles, n_processes: int) -> int:
    n_bytes = files.shape[0] * files.shape[1] * files.dtype.itemsize
    return min(max(n_bytes // (n_processes * _PART_BYTES), 1), _MOST_PARTS_PER_JOB)


def part_edges(lengths: Iterable[int], n_parts: int, rows: int) -> list[int]:
    """Return the edges of at most `n_parts` parts of about equal length."""
    # Between files if such a place is near, otherwise between batches.
    between = [*accumulate(lengths, initial=0)]
    n_rows = between[-1]
    near = n_rows / (8 * n_parts)
    edges = {0, n_rows}
    for part in range(1, n_parts):
        wanted = n_rows * part // n_parts
        edge = min(between, key=lambda place: abs(place - wanted))
        if abs(edge - wanted) > near:
            begin = max(place for place in between if place <= wanted)
            edge = wanted - (wanted - begin) % rows
        edges.add(edge)
    return sorted(edges)


def _merged(
    analyzer: Estimator,
    files: FeatureFiles,
    edges: list[int],
    rows: int,
    classes: Any,
    n_jobs: int | None,
    advance: Callable[[int], None],
) -> Estimator:
    """Fit all parts in several processes, and merge the estimators."""
    new, parts = analyzer._unfitted(), [*pairwise(edges)]
    results = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_fitted)(new, files, part, rows, classes) for part in parts
    )
    total = analyzer._unfitted()
    for (start, stop), result in zip(parts, results, strict=True):
        total.merge(result)
        advance(stop - start)
    return total


def _fitted(
    analyzer: Estimator,
    files: FeatureFiles,
    part: tuple[int, int],
    rows: int,
    classes: Any,
    advance: Callable[[int], None] | None = None,
) -> Estimator:
    """Return a new estimator fitted on some of the rows."""
    new = analyzer._unfitted()
    row, stop = part
    for X, y in files.batches(rows, start=row, stop=stop):
        with _naming_rows(files, row, len(y)):
            new.partial_fit(X, y, classes=classes)
        row += len(y)
        if advance is not None:
            advance(len(y))
    return new


@contextmanager
def _naming_rows(files: FeatureFiles, row: int, n_rows: int) -> Iterator[None]:
    """Add the position of the rows to an error about them."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if len(error.args) == 1 and isinstance(error.args[0], str):
            path, first = files.place_of(row)
            where = f"These were rows {first} to {first + n_rows - 1} of {path}."
            error.args = (f"{error.args[0]} {where}",)
        raise


@contextmanager
def _bar(n_rows: int, progress: bool) -> Iterator[Callable[[int], None]]:
    """Yield a function that counts rows, and shows them if requested."""
    if not check_flag("progress", progress):
        yield lambda n: None
        return
    with required("progress=True", "tqdm", "progress"):
        from tqdm.auto import tqdm
    with tqdm(total=n_rows, desc="rows", unit="row", unit_scale=True) as bar:
        yield bar.update
