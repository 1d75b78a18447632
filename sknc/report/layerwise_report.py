"""`LayerwiseReport`: the reports of a model's layers, and how they change."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from sknc._utils.docstrings import documented
from sknc._utils.parameters import check_choice, check_flag, check_number
from sknc.metrics._catalogue import sources as by
from sknc.report._layer_forms import as_lines, layers_page
from sknc.report._rendering import data_frame, write_page
from sknc.report._separation import separation_correlation, separation_rate
from sknc.report.nc_report import NCReport

_ROUNDING = 1e-12  # of a share of samples


@dataclass(frozen=True, eq=False, repr=False)
class LayerwiseReport:
    """
    Neural collapse layer by layer.

    Parameters
    ----------
    train : mapping of str to NCReport
        Report of each layer on the training samples, in the order in which they run.
    held_out : mapping of str to NCReport, default=None
        The same on held-out samples, about the class means of `train`.
    train_mismatch, held_out_mismatch : array-like of shape (n_layers,), default=None
        Share of samples for which the nearest class center of a layer differs from the
        decision of the model.
    at : {"input", "output"}, default="output"
        Whether the features of a layer are what it reads or what it returns.
    pooling : {"mean", "flatten"}, default="mean"
        How maps and sequences become features.
    notes : tuple of str, default=()
        Notes on the layers. Notes on metrics are in the reports.

    Raises
    ------
    ValueError
        If there are no layers, `held_out` has other layers, a mismatch has another
        length, or `at` or `pooling` is invalid.

    See Also
    --------
    sknc.torch.analyze_layers : Creates it from a PyTorch model and a loader.
    LayerwiseDisplay : Plots it.

    Notes
    -----
    ``report["name"]`` is the report of a layer on the training samples,
    ``report.layers`` are the names of the layers, and ``len(report)`` is their number.

    Examples
    --------
    Three layers, each of which separates the classes by a further factor of two:

    >>> import numpy as np
    >>> from sknc import LayerwiseReport, NeuralCollapseAnalyzer
    >>> X, y = np.array([[-3.0], [-1.0], [1.0], [3.0]]), np.array([0, 0, 1, 1])
    >>> means = np.array([[-2.0], [-2.0], [2.0], [2.0]])
    >>> found = {}
    >>> for depth in range(3):
    ...     features = X + (2**depth - 1) * means
    ...     analyzer = NeuralCollapseAnalyzer(metrics="all").fit(features, y)
    ...     found[f"layer{depth}"] = analyzer.score(features, y)
    >>> report = LayerwiseReport(found)
    >>> round(report.layer_separation_rate(), 6), report.layer_effective_depth()
    (0.25, 0)
    >>> report.metric("nc1_cdnv")
    array([0.0625    , 0.015625  , 0.00390625])
    """

    train: Mapping[str, NCReport]
    held_out: Mapping[str, NCReport] | None = None
    train_mismatch: np.ndarray | None = None
    held_out_mismatch: np.ndarray | None = None
    at: str = "output"
    pooling: str = "mean"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that all parts have the same layers, and make them read-only."""
        names = list(self.train)
        if not names:
            msg = "train must have the report of at least one layer, got none."
            raise ValueError(msg)
        if self.held_out is not None and list(self.held_out) != names:
            msg = (
                "held_out must have the layers of train in the same order, "
                f"{names}, got {list(self.held_out)}."
            )
            raise ValueError(msg)
        check_choice("at", self.at, ("input", "output"))
        check_choice("pooling", self.pooling, ("mean", "flatten"))
        for side in ("train", "held_out"):
            reports, name = getattr(self, side), f"{side}_mismatch"
            if reports is not None:
                frozen = MappingProxyType(dict(reports))
                object.__setattr__(self, side, frozen)
            if getattr(self, name) is not None:
                shares = _shares(name, getattr(self, name), len(names))
                object.__setattr__(self, name, shares)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy by construction."""
        sides = (None if s is None else dict(s) for s in (self.train, self.held_out))
        shares = (self.train_mismatch, self.held_out_mismatch)
        return type(self), (*sides, *shares, self.at, self.pooling, self.notes)

    # Reading --------------------------------------------------------------------

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers in the order in which they run."""
        return tuple(self.train)

    def __len__(self) -> int:
        """Return the number of layers."""
        return len(self.train)

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the layers."""
        return iter(self.train)

    def __contains__(self, layer: object) -> bool:
        """Whether a layer with this name was measured."""
        return layer in self.train

    def __getitem__(self, layer: str) -> NCReport:
        """Return the report of a layer on the training samples."""
        if layer in self.train:
            return self.train[layer]
        msg = f"No layer {layer!r} was measured, only: {', '.join(self.layers)}."
        raise KeyError(msg)

    def __repr__(self) -> str:
        """Return the measures of all layers and a line for each layer."""
        return as_lines(self)

    def metric(self, key: str, *, held_out: bool = False) -> np.ndarray:
        """
        Return a metric of every layer.

        Parameters
        ----------
        key : str
            Key of the metric.
        held_out : bool, default=False
            Whether to use the reports on held-out samples.

        Returns
        -------
        ndarray of shape (n_layers,)
            Values; NaN for layers without the metric. Head metrics exist only for the
            layer that the head reads.

        Raises
        ------
        KeyError
            If no layer has the metric.
        ValueError
            If there are no held-out samples.
        """
        reports = self._side(held_out)
        if not any(key in report for report in reports.values()):
            known = ", ".join(self._keys(reports))
            msg = f"No layer has the metric {key!r}. The reports have: {known}."
            raise KeyError(msg)
        return self._values(key, held_out)

    @documented(NCReport.to_frame)
    def to_frame(self, backend: str = "pandas") -> Any:
        """
        Return the reports as a data frame.

        Returns
        -------
        DataFrame
            One row per layer: "layer", "depth" (from 0), "n_features", and "train/..."
            and "held_out/..." for each metric and for "layer_ncc_mismatch".
        """
        columns: dict[str, list[Any]] = {
            "layer": list(self.layers),
            "depth": list(range(len(self))),
            "n_features": [report.n_features for report in self.train.values()],
        }
        for side, shares in (
            ("train", self.train_mismatch),
            ("held_out", self.held_out_mismatch),
        ):
            if getattr(self, side) is None:
                continue
            for key in self._keys(getattr(self, side)):
                values = self.metric(key, held_out=side == "held_out")
                columns[f"{side}/{key}"] = values.tolist()
            if shares is not None:
                columns[f"{side}/layer_ncc_mismatch"] = shares.tolist()
        rows = zip(*columns.values(), strict=True)
        return data_frame(list(columns), rows, backend, "LayerwiseReport.to_frame")

    @documented(NCReport.to_html)
    def to_html(self, path: Any, *, title: str | None = None) -> None:
        """
        Write the layers as a page, one file that any browser shows.

        It has the measures of all layers, figures of metrics by depth, and a table of
        all metrics of all layers.
        """
        write_page(path, layers_page(self, title))

    # Measures of all layers --------------------------------------------------------

    @documented(by.references(by.HE_SU))
    def layer_separation_rate(self, *, held_out: bool = False) -> float:
        r"""
        Return the factor by which a layer reduces the separation fuzziness.

        .. math::
            \rho = \exp(\text{slope of } \log D_l \text{ on } l), \quad
            D_l = \operatorname{tr}(\Sigma_W \Sigma_B^\dagger)

        over the layers l = 0, 1, ..., by least squares. The law of data separation [1]_
        says that :math:`D_l` decreases by the same factor in every layer.

        Parameters
        ----------
        held_out : bool, default=False
            Whether to use the reports on held-out samples.

        Returns
        -------
        float
            Below 1 if classes separate with depth. NaN for fewer than 3 layers, or if
            ``nc1_fuzziness`` of a layer is missing or not finite.

        Raises
        ------
        ValueError
            If there are no held-out samples.

        Notes
        -----
        The source uses ``convention="he_su2023"``. Constant factors of
        :math:`D_l`, such as K, do not change the rate.
        """
        return separation_rate(self._values("nc1_fuzziness", held_out))

    @documented(layer_separation_rate)
    def layer_separation_correlation(self, *, held_out: bool = False) -> float:
        """
        Return how well the law of data separation holds.

        Returns
        -------
        float
            Pearson's correlation of ``nc1_fuzziness`` with depth, -1 if the law holds
            exactly. NaN if `layer_separation_rate` is, or if all layers have the same
            value.
        """
        return separation_correlation(self._values("nc1_fuzziness", held_out))

    @documented(layer_separation_rate)
    def layer_effective_depth(
        self, epsilon: float = 0.01, *, held_out: bool = False
    ) -> int | None:
        """
        Return the first layer in which the nearest class center is almost always right.

        Parameters
        ----------
        epsilon : float, default=0.01
            Allowed error rate of the nearest class center, in [0, 1].

        Returns
        -------
        int or None
            Position in `layers` of the first one with an ``nc4_ncc_accuracy`` of at
            least ``1 - epsilon``; None if there is none.

        Raises
        ------
        KeyError
            If no layer has ``nc4_ncc_accuracy``.
        ValueError
            If `epsilon` is not in [0, 1], or there are no held-out samples.

        References
        ----------
        .. [1] T. Galanti, L. Galanti, I. Ben-Shaul. "On the implicit bias towards
           minimal depth of deep neural networks." 2022.
           https://arxiv.org/abs/2202.09028
        """
        wanted = "a number from 0 to 1"
        allowed = check_number("epsilon", epsilon, wanted, lambda x: 0 <= x <= 1)
        accuracy = self.metric("nc4_ncc_accuracy", held_out=held_out)
        reached = np.flatnonzero(accuracy >= 1 - allowed - _ROUNDING)
        return int(reached[0]) if len(reached) else None

    @documented(layer_separation_rate)
    def layer_ncc_mismatch(self, *, held_out: bool = False) -> np.ndarray:
        """
        Return how often the nearest class center differs from the model's decision.

        Returns
        -------
        ndarray of shape (n_layers,)
            Share of samples whose nearest class center in that layer is not the class
            of the model's largest logit.

        Raises
        ------
        ValueError
            If the decisions of the model are unknown, or there are no held-out samples.

        References
        ----------
        .. [1] I. Ben-Shaul, S. Dekel. "Nearest class-center simplification through
           intermediate layers." 2022. https://arxiv.org/abs/2201.08924
        """
        self._side(held_out)
        name = "held_out_mismatch" if held_out else "train_mismatch"
        found: np.ndarray | None = getattr(self, name)
        if found is None:
            msg = (
                "The decisions of the model are unknown. Create the report with "
                f"sknc.torch.analyze_layers, or pass {name}=."
            )
            raise ValueError(msg)
        return found

    def _side(self, held_out: bool) -> Mapping[str, NCReport]:
        if not check_flag("held_out", held_out):
            return self.train
        if self.held_out is None:
            msg = "There are no held-out samples. Pass held_out= when measuring."
            raise ValueError(msg)
        return self.held_out

    def _values(self, key: str, held_out: bool) -> np.ndarray:
        """Return a metric of every layer; NaN where it is missing."""
        tables = [report.to_dict() for report in self._side(held_out).values()]
        return np.array([table.get(key, math.nan) for table in tables])

    @staticmethod
    def _keys(reports: Mapping[str, NCReport]) -> list[str]:
        return list(dict.fromkeys(key for report in reports.values() for key in report))


def _shares(name: str, values: Any, n_layers: int) -> np.ndarray:
    found = np.array(values, dtype=float)
    if found.shape != (n_layers,):
        msg = (
            f"{name} must have one share per layer, shape ({n_layers},), got "
            f"{found.shape}."
        )
        raise ValueError(msg)
    found.flags.writeable = False
    return found
