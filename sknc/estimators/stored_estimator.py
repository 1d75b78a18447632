"""Saving what was fitted, and moving it to another device."""

import io
from collections.abc import Mapping
from typing import Any, BinaryIO, Self

from sknc._utils.places import copier_to
from sknc._utils.storage.atomic import checked_target, replacing
from sknc.estimators._fitting.groups import map_held, stream_of_held
from sknc.estimators._stored.state_file import write_state
from sknc.estimators.base import CenterEstimator


class StoredEstimator(CenterEstimator):
    """The part of both estimators that stores them, in files and on devices."""

    def save(self, path: Any) -> None:
        """
        Write all that was fitted to a file, which `sknc.load` reads.

        The file holds arrays and text, and nothing that could run: sums, parameters,
        the weights of the head as they are now, labels and names of features, with a
        checksum over all of it. Loaded, the estimator has the same numbers, bit for
        bit, and goes on to accumulate with the same bits. This one goes on as if it had
        not been saved.

        Parameters
        ----------
        path : str, path-like, or binary file
            Where to. A file of that name is replaced once the new one is on the disk,
            so a program that is killed leaves the one or the other. What is open for
            writing gets the same bytes.

        Raises
        ------
        NotFittedError
            If nothing was accumulated.
        FileNotFoundError, IsADirectoryError
            If its folder does not exist, or the path is a folder.
        ValueError
            If a parameter is malformed, or cannot be stored.

        See Also
        --------
        sknc.load : Reads the file.

        Examples
        --------
        >>> import tempfile, sknc
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> analyzer = sknc.NeuralCollapseAnalyzer().fit(X[:100], y[:100])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     analyzer.save(f"{folder}/iris.sknc")
        ...     loaded = sknc.load(f"{folder}/iris.sknc")
        >>> loaded = loaded.partial_fit(X[100:], y[100:])
        >>> loaded.n_samples_seen_
        150
        """
        self._fitted()
        self._check_parameters()  # they may have been set after fit
        if hasattr(path, "write"):
            memory = io.BytesIO()
            self._write(memory)
            path.write(memory.getbuffer())
            return
        with replacing(checked_target(path, "state", "state.sknc")) as file:
            self._write(file)

    def _write(self, file: BinaryIO, notes: Mapping[str, Any] | None = None) -> None:
        write_state(
            file,
            type(self).__name__,
            self.get_params(deep=False),
            self._fitted(),
            getattr(self, "feature_names_in_", None),
            notes,
        )

    def to(self, place: Any) -> Self:
        """
        Return a copy whose sums lie elsewhere, with the same numbers.

        To merge what was accumulated on several devices, or from tensors and from NumPy
        arrays, bring all of it to one place first.

        Parameters
        ----------
        place : str or torch.device
            "numpy", for sums of NumPy arrays; "cpu", for the same library on the CPU;
            or another device of torch, for tensors there.

        Returns
        -------
        object
            An estimator of the same parameters; it takes features of that library and
            device. The head is the same object.

        Raises
        ------
        NotFittedError
            If nothing was accumulated.
        ValueError
            If there is no such place.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sknc import NeuralCollapseAnalyzer
        >>> analyzer = NeuralCollapseAnalyzer().fit(*load_iris(return_X_y=True))
        >>> analyzer.to("cpu").report().to_dict() == analyzer.report().to_dict()
        True
        """
        stream, copied = self._fitted(), copier_to(place)
        groups, n_groups = map_held(stream, lambda held: held.map(copied))
        new = self._unfitted()
        stream = stream_of_held(groups, n_groups, covariance=self._keeps_scatter)
        new._resume(stream, self.n_features_in_, self)
        return new
