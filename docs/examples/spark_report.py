"""
Measure neural collapse of features in Parquet files, on Spark.

    spark-submit docs/examples/spark_report.py FEATURES [--head HEAD] [--json FILE]

FEATURES is a path that Spark reads as Parquet, with a column `x` of lists of one length
and a column `y` of labels, numbers or strings. HEAD is an .npz file with `weights` and
`bias`.

Every task fits the rows of its partition and yields one state file, as bytes. A second
level of tasks merges these, and the driver merges what is left. Then every task scores
its rows about the merged centers. There are only data frames and `mapInArrow`, so it
runs over Spark Connect, too. Rows and labels stay on the executors.

Executors need sknc. A task has one core by default, so give it one BLAS thread:
`--conf spark.executorEnv.OPENBLAS_NUM_THREADS=1`. A state has to be smaller than 2 GiB,
the most that Spark has in one value.
"""

import argparse
import io
import pickle
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

import sknc

Batches = Iterable[pa.RecordBatch]


def packed(analyzer: Any) -> bytes:
    """Return the state file of an analyzer, which runs no code when it is read."""
    file = io.BytesIO()
    analyzer.save(file)
    return file.getvalue()


def unpacked(state: bytes) -> Any:
    """Return the analyzer of a state file."""
    return sknc.load(io.BytesIO(state))


def rows_of(batches: Batches) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield features and labels as arrays."""
    for batch in batches:
        if batch.num_rows:
            y = batch.column("y").to_numpy(zero_copy_only=False)
            # Of a slice, `values` would return the rows that are not in it, too.
            x = batch.column("x").flatten().to_numpy(zero_copy_only=False)
            yield x.reshape(len(y), -1), y


def values_of(batches: Batches) -> Iterator[bytes]:
    """Yield the values of a partition, one at a time."""
    for batch in batches:
        for value in batch.column("value"):
            yield value.as_py()


def mapped(frame: DataFrame, function: Callable[[Batches], bytes | None]) -> DataFrame:
    """Make one value of each partition, or none."""

    def one_row(batches: Batches) -> Iterator[pa.RecordBatch]:
        value = function(batches)
        if value is not None:
            column = pa.array([value], pa.binary())
            yield pa.RecordBatch.from_arrays([column], ["value"])

    return frame.mapInArrow(one_row, "value binary")


def merged(
    values: DataFrame, merge: Callable[[Iterable[bytes]], bytes | None], n_tasks: int
) -> bytes | None:
    """Merge values in tasks, and what these return on the driver."""
    level = mapped(values.repartition(n_tasks), lambda found: merge(values_of(found)))
    return merge(bytes(row["value"]) for row in level.toLocalIterator())


def fit(analyzer: Any, frame: DataFrame, n_tasks: int) -> Any:
    """Return an analyzer with these parameters, of all rows."""

    def fit_partition(batches: Batches) -> bytes | None:
        new = sknc.NeuralCollapseAnalyzer(**analyzer.get_params())
        for x, y in rows_of(batches):
            new.partial_fit(x, y)
        return packed(new) if hasattr(new, "n_features_in_") else None

    def merge(states: Iterable[bytes]) -> bytes | None:
        total = None
        for state in states:  # two are in memory at a time
            total = unpacked(state) if total is None else total.merge(unpacked(state))
        return None if total is None else packed(total)

    state = merged(mapped(frame, fit_partition), merge, n_tasks)
    if state is None:
        msg = "There are no rows: name a path with some."
        raise SystemExit(msg)
    return unpacked(state)


def score(analyzer: Any, frame: DataFrame, n_tasks: int) -> sknc.NCReport:
    """Report the metrics of all rows about the fitted centers."""
    state = packed(analyzer)

    def score_partition(batches: Batches) -> bytes | None:
        found = unpacked(state).partial_score(rows_of(batches))
        return pickle.dumps(found) if found.n_rows else None

    def merge(scores: Iterable[bytes]) -> bytes | None:
        total = None
        for pickled in scores:  # only what the tasks of this job have pickled
            found = pickle.loads(pickled)
            total = found if total is None else total.merge(found)
        return None if total is None else pickle.dumps(total)

    found = merged(mapped(frame, score_partition), merge, n_tasks)
    return analyzer.report_of([pickle.loads(found)])


def main() -> None:
    """Fit, score and print."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("features")
    parser.add_argument("--head", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--merging-tasks", type=int, default=8)
    chosen = parser.parse_args()
    head = None
    if chosen.head:
        with np.load(chosen.head) as file:
            head = file["weights"], file["bias"]
    spark = SparkSession.builder.appName("sknc").getOrCreate()
    try:
        frame = spark.read.parquet(chosen.features).select("x", "y")
        analyzer = sknc.NeuralCollapseAnalyzer(head)
        analyzer = fit(analyzer, frame, chosen.merging_tasks)
        report = score(analyzer, frame, chosen.merging_tasks)
    finally:
        spark.stop()
    print(report)
    if chosen.json:
        chosen.json.write_text(report.to_json())


if __name__ == "__main__":
    main()
