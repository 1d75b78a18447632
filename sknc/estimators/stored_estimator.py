"""Save fitted estimators, and move them to another device."""

import io
from collections.abc import Mapping
from typing import Any, BinaryIO, Self

from sknc._utils.places import copier_to
from sknc._utils.storage.atomic import checked_target, replacing
from sknc.estimators._fitting.groups import map_held, stream_of_held
from sknc.estimators._stored.state_file import write_state
from sknc.estimators.base import CenterEstimator


class StoredEstimator(CenterEstimator):
    """The part of estimators that stores them in files and on devices."""

    def save(self, path: Any) -> None:
        """
        Write the fitted estimator to a file, which `sknc.load` reads.

        The file has only arrays and text, no code: sums, parameters, the current
        weights of the head, labels and feature names, with a checksum. A loaded
        estimator has the same numbers, bit for bit, and continues to accumulate with
        the same bits. Saving does not change the estimator.

        Parameters
        ----------
        path : str, path-like, or binary file
            The file, or an object open for writing. An existing file is replaced once
            the new one is on disk, so a killed program leaves either the old or the new
            file.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
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
        Return a copy whose sums are on another device, with the same numbers.

        To merge estimators from several devices, or from tensors and NumPy arrays,
        first move them to the same place.

        Parameters
        ----------
        place : str or torch.device
            "numpy", for NumPy arrays; "cpu", for the same library on the CPU; or
            another torch device, for tensors there.

        Returns
        -------
        object
            An estimator with the same parameters, for features in that library and on
            that device. The head is the same object.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the place does not exist.

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
