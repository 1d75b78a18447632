"""Shared by all reports: a single number with a table of metrics."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from sknc._utils import arrays
from sknc.report._rendering import Shown, as_html, as_text, report_frame, write_page


class MetricReport(float):
    """Base of reports: metrics by key or attribute, shown and exported as a table."""

    _content: Shown
    notes: Mapping[str, str]
    n_samples: int
    n_features: int
    weighted: bool
    dtype: str
    device: str

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy by construction."""
        return type(self), (self._content,)

    def __setattr__(self, name: str, value: Any) -> None:
        """Raise, because reports are read-only."""
        msg = f"{type(self).__name__} is read-only: cannot set {name!r}."
        raise AttributeError(msg)

    # Reading -------------------------------------------------------------------

    def __getitem__(self, key: str) -> float:
        """Return a metric by its key."""
        try:
            return self._content.values[key]
        except KeyError:
            raise KeyError(self._missing(key)) from None

    def __getattr__(self, name: str) -> float:
        """Return a metric as an attribute."""
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._content.values[name]
        except KeyError:
            raise AttributeError(self._missing(name)) from None

    def _missing(self, key: str) -> str:
        """Return why a key is missing."""
        raise NotImplementedError

    def __dir__(self) -> list[str]:
        """Include the metrics, for completion."""
        return [*super().__dir__(), *self.keys()]

    def __contains__(self, key: object) -> bool:
        """Whether the report has a metric."""
        return key in self._content.values

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys."""
        return iter(self._content.values)

    def keys(self) -> list[str]:
        """
        Return the keys of the metrics.

        Returns
        -------
        list of str
            In the order of the catalogue.
        """
        return list(self._content.values)

    def values(self) -> list[float]:
        """
        Return the values of the metrics.

        Returns
        -------
        list of float
            In the order of `keys`.
        """
        return list(self._content.values.values())

    def items(self) -> list[tuple[str, float]]:
        """
        Return the metrics as pairs.

        Returns
        -------
        list of (str, float)
            Key and value, in the order of `keys`.
        """
        return list(self._content.values.items())

    # Exporting -----------------------------------------------------------------

    def to_dict(self) -> dict[str, float]:
        """
        Return the metrics as a new dictionary.

        Returns
        -------
        dict of str to float
            Value by key: a row for ``pd.DataFrame([report.to_dict()])``.
        """
        return dict(self._content.values)

    def to_frame(self, backend: str = "pandas") -> Any:
        """
        Return the metrics as a data frame.

        Parameters
        ----------
        backend : str, default="pandas"
            "pandas", "polars" or another library that narwhals knows.

        Returns
        -------
        DataFrame
            One row per metric: "metric", "value", "standard_error" (NaN if unknown),
            "group", "direction" and "note".

        Raises
        ------
        ImportError
            If narwhals or the backend is not installed.
        """
        caller = f"{type(self).__name__}.to_frame"
        return report_frame(self._content, backend, caller)

    def to_html(self, path: Any, *, title: str | None = None) -> None:
        """
        Write the report as a page, one file that any browser shows.

        It has the verdict, figures, a table of all metrics with their direction, value
        at collapse, source and notes, a sortable table of classes, and the measurement
        settings. The file loads nothing else, sends nothing, works without scripts, and
        can be printed.

        Parameters
        ----------
        path : str or path-like
            File to write; an existing file is replaced.
        title : str, default=None
            Heading of the page, such as the name of the model.

        Raises
        ------
        OSError
            If the folder does not exist or is not writable, or `path` is a folder.
        TypeError
            If `path` is not a path.
        ValueError
            If `title` is not a string.

        Examples
        --------
        >>> import tempfile
        >>> from sklearn.datasets import load_iris
        >>> from sknc import NeuralCollapseAnalyzer
        >>> report = NeuralCollapseAnalyzer().fit(*load_iris(return_X_y=True)).report()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report.to_html(f"{folder}/iris.html", title="Iris")
        """
        write_page(path, self._page(title))

    def _page(self, title: str | None) -> str:
        """Return the text of the page."""
        raise NotImplementedError

    def to_json(self, **options: Any) -> str:
        """
        Return the whole report as JSON text, which `from_json` reads.

        Parameters
        ----------
        **options
            Passed to `json.dumps`.

        Returns
        -------
        str
            NaN is null, infinite values are "Infinity" and "-Infinity".
        """
        raise NotImplementedError

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """
        Read a report from the text that `to_json` returned.

        Parameters
        ----------
        text : str or bytes
            The JSON text.

        Returns
        -------
        MetricReport
            With the numbers of the one that was written.

        Raises
        ------
        TypeError
            If it is not text.
        ValueError
            If the text is not that of such a report, is damaged, or was written by a
            version of sknc whose reports this one cannot read.
        """
        raise NotImplementedError

    # Showing -------------------------------------------------------------------

    def __repr__(self) -> str:
        """Return a text table."""
        return as_text(self._content)

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        """Format the number, or the whole table without a format."""
        return float.__format__(float(self), spec) if spec else str(self)

    def _repr_html_(self) -> str:
        return as_html({"": self._content})


def read_only(value: Any) -> Any:
    """Return a read-only view of nested mappings and arrays."""
    if isinstance(value, Mapping):
        return MappingProxyType({k: read_only(item) for k, item in value.items()})
    return arrays.read_only(value) if isinstance(value, np.ndarray) else value
