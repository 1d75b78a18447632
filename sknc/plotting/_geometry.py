"""`ClassMeanGeometryDisplay`: angles of class means and head, versus a simplex."""

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np

from sknc._utils.docstrings import documented
from sknc._utils.optional import require_matplotlib
from sknc._utils.parameters import check_choice
from sknc.estimators.reading import frames_of
from sknc.metrics._catalogue import sources as by
from sknc.plotting._cosines import PairRange, all_cosines, range_of
from sknc.plotting._frames import check_labels, check_rows
from sknc.plotting._grids import (
    draw_heatmaps,
    draw_histogram,
    draw_ideal,
    mark_ideal,
    write_values,
)
from sknc.plotting._panels import make_panels
from sknc.plotting._words import count_of, digits

_MOST_IN_HEATMAP = 40  # classes, by default
_NAMES = {"means": "class means", "head": "rows of the head"}


@documented(by.references(by.PAPYAN))
class ClassMeanGeometryDisplay:
    """
    Cosines between class means, and between rows of the head, versus a simplex.

    At collapse, every pair of centered class means has cosine -1 / (K - 1), and so does
    every pair of rows of the head (NC2). Few classes are drawn as heatmaps, with that
    cosine in the middle of the color scale; many classes as a histogram, with that
    cosine as a line.

    Parameters
    ----------
    means : array-like of shape (K, D)
        Class means minus their global mean.
    head : array-like of shape (K, D), default=None
        Rows of the head.
    classes : array-like of shape (K,), default=None
        Labels; by default 0 to K - 1.

    Attributes
    ----------
    classes : ndarray of shape (K,)
        Labels.
    vectors : dict of str to ndarray of shape (K, D)
        "means" and, if there is one, "head".
    ideal : float
        Cosine of a simplex, -1 / (K - 1).
    n_without : int
        Number of classes without samples, which are skipped.
    kind_ : {"heatmap", "histogram"}
        What was drawn, once `plot` was called.
    axes_ : ndarray of matplotlib Axes of shape (n_panels,)
        The panels.
    ax_ : matplotlib Axes
        The first panel.
    figure_ : matplotlib Figure
        The figure of the panels.

    Raises
    ------
    ValueError
        If there are fewer than two classes, or shapes do not match.

    See Also
    --------
    sknc.metrics.nc2_equiangular : The mean distance of these cosines from the ideal.
    sknc.metrics.pair_grid : The cosines as an array.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknc import ClassMeanGeometryDisplay, NeuralCollapseAnalyzer
    >>> X, y = load_iris(return_X_y=True)
    >>> analyzer = NeuralCollapseAnalyzer().fit(X, y)
    >>> display = ClassMeanGeometryDisplay.from_estimator(analyzer)
    >>> display.cosines()[0].round(4)
    array([    nan, -0.9179, -0.9936])
    >>> display.plot().figure_.savefig("means.png")  # doctest: +SKIP
    """

    kind_: str
    axes_: np.ndarray
    ax_: Any
    figure_: Any

    def __init__(self, means: Any, head: Any = None, *, classes: Any = None) -> None:
        self.vectors = {"means": check_rows("means", means)}
        n_classes = len(self.vectors["means"])
        if n_classes < 2:
            msg = (
                "ClassMeanGeometryDisplay compares classes: expected at least 2 with "
                f"samples, got {n_classes}."
            )
            raise ValueError(msg)
        if head is not None:
            self.vectors["head"] = check_rows("head", head, n_classes)
        self.classes = check_labels(classes, n_classes)
        self.ideal = -1 / (n_classes - 1)
        self.n_without = 0

    @classmethod
    def from_estimator(cls, estimator: Any) -> Self:
        """
        Get the class means and the head of a fitted analyzer.

        Parameters
        ----------
        estimator : NeuralCollapseAnalyzer
            Fitted. Classes without samples are skipped, with their rows of the head.

        Returns
        -------
        ClassMeanGeometryDisplay
            Not yet drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If `estimator` is not an estimator of sknc.
        ValueError
            If fewer than two classes have samples, or the head does not fit.
        """
        frames = frames_of(estimator, "ClassMeanGeometryDisplay.from_estimator")
        self = cls(frames.centered, frames.head, classes=frames.classes)
        self.n_without = frames.n_without
        return self

    # Numbers -------------------------------------------------------------------

    def cosines(self, of: Literal["means", "head"] = "means") -> np.ndarray:
        """
        Return the cosines of all pairs.

        Parameters
        ----------
        of : {"means", "head"}, default="means"
            Between class means, or between rows of the head.

        Returns
        -------
        ndarray of shape (K, K)
            NaN on the diagonal, and for vectors of length 0.

        Raises
        ------
        ValueError
            If there is no head, or `of` is invalid.
        """
        check_choice("of", of, ("means", "head"))
        if of not in self.vectors:
            msg = "This display has no head. Pass head=, or fit an analyzer with one."
            raise ValueError(msg)
        return all_cosines(self.vectors[of])

    @property
    def alt_text(self) -> str:
        """Description of the figure, for captions and screen readers."""
        count = count_of(len(self.classes), "class", "classes")
        parts = [f"Cosines of pairs of {count}. A simplex has {digits(self.ideal)}."]
        for name, found in self._ranges().items():
            parts.append(
                f"{_NAMES[name].capitalize()}: mean {digits(found.mean)}, from "
                f"{digits(found.low)} to {digits(found.high)}."
                if found.n_pairs
                else f"{_NAMES[name].capitalize()}: all of length 0."
            )
        if self.n_without:
            without = count_of(self.n_without, "class", "classes")
            parts.append(f"{without} without samples left out.")
        return " ".join(parts)

    def _ranges(self) -> dict[str, PairRange]:
        return {name: range_of(vectors) for name, vectors in self.vectors.items()}

    # Drawing -------------------------------------------------------------------

    def plot(
        self,
        ax: Any = None,
        *,
        kind: Literal["auto", "heatmap", "histogram"] = "auto",
        values: bool | None = None,
        cmap: str = "cividis",
        heatmap_kw: Mapping[str, Any] | None = None,
        histogram_kw: Mapping[str, Any] | None = None,
        ideal_kw: Mapping[str, Any] | None = None,
    ) -> Self:
        """
        Draw the cosines.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            One axes to draw on, or to divide for two heatmaps; or one for each heatmap.
            By default a new figure.
        kind : {"auto", "heatmap", "histogram"}, default="auto"
            "auto" draws heatmaps for up to 40 classes, and a histogram for more.
        values : bool, default=None
            Whether to write numbers into heatmaps; by default if they fit.
        cmap : str, default="cividis"
            Colors of heatmaps, from low to high cosine. The default is even in
            grayscale and for color-blind readers.
        heatmap_kw : mapping, default=None
            Passed to `matplotlib.axes.Axes.imshow`.
        histogram_kw : mapping, default=None
            Passed to `matplotlib.axes.Axes.stairs`.
        ideal_kw : mapping, default=None
            Passed to the line that marks the cosine of a simplex.

        Returns
        -------
        ClassMeanGeometryDisplay
            The display itself, with `axes_`, `ax_`, `figure_` and `kind_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `kind` is invalid, or `ax` has too few axes.

        Notes
        -----
        The diagonal and classes with a zero vector have no color.
        """
        check_choice("kind", kind, ("auto", "heatmap", "histogram"))
        require_matplotlib("ClassMeanGeometryDisplay.plot")
        few = len(self.classes) <= _MOST_IN_HEATMAP
        self.kind_ = ("heatmap" if few else "histogram") if kind == "auto" else kind
        if self.kind_ == "heatmap":
            look = {"cmap": cmap, **(heatmap_kw or {})}
            self._plot_heatmaps(ax, values, look, ideal_kw or {})
        else:
            self.figure_, self.axes_ = make_panels(ax, 1)
            panel = self.axes_[0]
            options = histogram_kw or {}
            draw_histogram(panel, self.vectors, self._ranges(), self.ideal, options)
            draw_ideal(panel, self.ideal, ideal_kw or {})
            panel.set_title(self._title(), loc="left", fontsize=10)
        self.ax_ = self.axes_[0]
        return self

    def _plot_heatmaps(
        self,
        ax: Any,
        values: bool | None,
        options: Mapping[str, Any],
        ideal_kw: Mapping[str, Any],
    ) -> None:
        grids = {name: all_cosines(rows) for name, rows in self.vectors.items()}
        self.figure_, self.axes_ = make_panels(ax, len(grids), (4.2, 3.8))
        bar = draw_heatmaps(self.axes_, grids, self.classes, self.ideal, options)
        mark_ideal(bar, self.ideal, ideal_kw)
        write_values(self.axes_, grids, values)

    def _title(self) -> str:
        return f"Pairs of {count_of(len(self.classes), 'class', 'classes')}"
