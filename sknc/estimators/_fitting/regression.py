"""A stream of checked batches for regression statistics."""

from sknc._utils import arrays
from sknc.estimators._fitting.stream import Locked, check_same_place
from sknc.estimators._inputs.targets import RegressionBatch
from sknc.statistics._accumulation import JointAccumulator
from sknc.statistics.regression_statistics import RegressionStatistics


class RegressionStream(Locked):
    """
    Accumulates batches with targets; a rejected batch changes nothing.

    It starts with the first batch, or continues from statistics.
    """

    def __init__(self, begin: RegressionBatch | RegressionStatistics) -> None:
        super().__init__()
        self._statistics: RegressionStatistics | None = None
        if isinstance(begin, RegressionStatistics):
            self._statistics = begin
            self._n_targets, self._dtype = begin.n_targets, begin.input_dtype
            self._accumulator = JointAccumulator(
                begin.directions.sums,
                begin.n_targets,
                (begin.joint, begin.directions),
                begin.n_rows,
            )
        else:
            self._n_targets = int(begin.targets.shape[1])
            self._dtype = arrays.dtype_name(begin.features)
            self._accumulator = JointAccumulator(begin.features, self._n_targets)
            self.update(begin)

    def update(self, batch: RegressionBatch) -> None:
        """Add a batch, or raise and change nothing."""
        with self.lock():
            check_same_place(batch.features, self._accumulator.like, "This batch")
            check_n_targets(batch, self._n_targets)
            dtype = arrays.dtype_name(batch.features)
            self._dtype = arrays.common_dtype_name(self._dtype, dtype)
            self._statistics = None
            self._accumulator.update(batch.features, batch.targets, batch.weights)

    def statistics(self) -> RegressionStatistics:
        """Return the statistics of all batches so far."""
        with self.lock():
            if self._statistics is None:
                with arrays.plain_arithmetic(self._accumulator.like):
                    self._statistics = RegressionStatistics.of_accumulator(
                        self._accumulator, self._n_targets, self._dtype
                    )
            return self._statistics


def check_n_targets(batch: RegressionBatch, n_targets: int) -> None:
    """Raise if a batch has another number of targets."""
    found = int(batch.targets.shape[1])
    if found != n_targets:
        msg = (
            f"y has {found} targets, but the samples so far have {n_targets}: expected "
            f"y of shape (n_samples, {n_targets}). Use the same targets in every batch."
        )
        raise ValueError(msg)
