"""`SimplexProjectionDisplay`: three classes in the plane of their simplex."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from sknc._utils.docstrings import documented
from sknc._utils.label_kinds import in_common, shown_labels
from sknc._utils.optional import require_matplotlib
from sknc._utils.parameters import check_integer
from sknc.estimators.reading import frames_of, samples_of
from sknc.metrics._catalogue import sources as by
from sknc.plotting._frames import check_labels, check_rows
from sknc.plotting._panels import make_panels
from sknc.plotting._plane import CORNERS, Plane
from sknc.plotting._triangle import Look, draw_triangle
from sknc.plotting._words import plain, short_label


@documented(by.references(by.PAPYAN))
class SimplexProjectionDisplay:
    """
    Features, class means and rows of the head of three classes, in one plane.

    The plane is that of the three class means, rotated and scaled so that the nearest
    simplex is an upright triangle. At collapse, the features of a class, its mean and
    its row of the head all meet in one corner, as in figure 1 of [1]_.

    Parameters
    ----------
    means : array-like of shape (3, D)
        Class means.
    features : array-like of shape (N, D), default=None
        Features of the samples to draw.
    labels : int array-like of shape (N,), default=None
        Class of each sample: 0, 1 or 2.
    head : array-like of shape (3, D), default=None
        Rows of the head. They are centered, and scaled to the size of the means.
    classes : array-like of shape (3,), default=None
        Labels of the classes; by default 0, 1 and 2.

    Attributes
    ----------
    classes : ndarray of shape (3,)
        Labels of the classes.
    means : ndarray of shape (3, 2)
        Coordinates of the class means. The corners of the simplex have distance 1 from
        the center.
    features : ndarray of shape (N, 2)
        Coordinates of the samples.
    labels : int ndarray of shape (N,)
        Class of each sample.
    head : ndarray of shape (3, 2) or None
        Coordinates of the rows of the head.
    ax_ : matplotlib Axes
        The axes, once `plot` was called.
    figure_ : matplotlib Figure
        The figure of `ax_`.

    Raises
    ------
    ValueError
        If there are not three classes, their means coincide, or shapes do not match.

    See Also
    --------
    ClassMeanGeometryDisplay : The angles of all classes.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknc import NeuralCollapseAnalyzer, SimplexProjectionDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> analyzer = NeuralCollapseAnalyzer().fit(X, y)
    >>> display = SimplexProjectionDisplay.from_estimator(analyzer, X, y)
    >>> display.means.round(2)
    array([[-0.51,  1.66],
           [-0.04, -0.39],
           [ 0.55, -1.27]])
    >>> display.plot().figure_.savefig("simplex.png")  # doctest: +SKIP
    """

    ax_: Any
    figure_: Any

    def __init__(
        self,
        means: Any,
        features: Any = None,
        labels: Any = None,
        head: Any = None,
        *,
        classes: Any = None,
    ) -> None:
        found = check_rows("means", means, 3)
        self.classes = check_labels(classes, 3)
        if not np.ptp(found, axis=0).any():
            msg = (
                f"The means of the classes {shown_labels(self.classes)} coincide, so "
                "they do not span a plane. Choose other classes, or an epoch at which "
                "they differ."
            )
            raise ValueError(msg)
        plane = Plane.of(found)
        self.means = plane.place(found)
        self.head = None
        if head is not None:
            rows = check_rows("head", head, 3)
            _check_width("head", rows, found)
            self.head = plane.place_head(rows)
        self.features, self.labels = np.zeros((0, 2)), np.zeros(0, np.int64)
        if features is not None:
            rows = check_rows("features", features)
            _check_width("features", rows, found)
            self.features = plane.place(rows)
            self.labels = _check_members(labels, len(rows))

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        y: Any = None,
        *,
        classes: Any = None,
        max_samples: int = 300,
    ) -> Self:
        """
        Project samples onto the plane of the class means of a fitted analyzer.

        Parameters
        ----------
        estimator : NeuralCollapseAnalyzer
            Fitted.
        X : array-like of shape (n_samples, n_features), default=None
            Features of the samples to draw, from training or others.
        y : array-like of shape (n_samples,), default=None
            Class labels. Samples of other classes are skipped.
        classes : sequence of three labels, default=None
            Three classes; by default the first three that have samples.
        max_samples : int, default=300
            Maximum number of samples per class, chosen at random.

        Returns
        -------
        SimplexProjectionDisplay
            Not yet drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If `estimator` is not one of sknc, or one of `X` and `y` is missing.
        ValueError
            If there are not three classes with samples, or the input is malformed.
        """
        check_integer("max_samples", max_samples, "at least 1", lambda n: n >= 1)
        frames = frames_of(estimator, "SimplexProjectionDisplay.from_estimator")
        rows = _rows_of_classes(classes, frames.classes)
        labels = frames.classes[rows]
        features, members = None, None
        if (X is None) != (y is None):
            msg = "from_estimator expected both X and y, or neither: got one of them."
            raise TypeError(msg)
        if X is not None:
            features, members = _samples(estimator, X, y, labels, int(max_samples))
        head = None if frames.head is None else frames.head[rows]
        return cls(frames.class_means[rows], features, members, head, classes=labels)

    @property
    def alt_text(self) -> str:
        """Description of the figure, for captions and screen readers."""
        names = [short_label(label) for label in self.classes.tolist()]
        text = (
            f"Classes {names[0]}, {names[1]} and {names[2]} in the plane of their "
            f"means: {len(self.features):,} samples. As shares of the distance of a "
            "corner of the nearest simplex from its center, class means are up to "
            f"{_farthest(self.means)} off their corners"
        )
        if self.head is None:
            return f"{text}."
        return f"{text}, and rows of the head up to {_farthest(self.head)}."

    def plot(
        self,
        ax: Any = None,
        *,
        feature_kw: Mapping[str, Any] | None = None,
        mean_kw: Mapping[str, Any] | None = None,
        head_kw: Mapping[str, Any] | None = None,
        simplex_kw: Mapping[str, Any] | None = None,
        legend: bool = True,
    ) -> Self:
        """
        Draw the plane.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default a new figure.
        feature_kw : mapping, default=None
            Passed to `matplotlib.axes.Axes.scatter` for the features of each class.
        mean_kw : mapping, default=None
            Passed to `matplotlib.axes.Axes.scatter` for the class means.
        head_kw : mapping, default=None
            Passed to `matplotlib.axes.Axes.plot` for the rows of the head.
        simplex_kw : mapping, default=None
            Passed to `matplotlib.axes.Axes.plot` for the simplex.
        legend : bool, default=True
            Whether to draw a legend.

        Returns
        -------
        SimplexProjectionDisplay
            The display itself, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        Notes
        -----
        Classes differ in marker and color, and colors differ in lightness.
        """
        require_matplotlib("SimplexProjectionDisplay.plot")
        self.figure_, panels = make_panels(ax, 1, (4.2, 4.4))
        self.ax_ = panels[0]
        look = Look(feature_kw or {}, mean_kw or {}, head_kw or {}, simplex_kw or {})
        parts = [self.features[self.labels == k] for k in range(3)]
        names = [str(label) for label in self.classes.tolist()]
        draw_triangle(self.ax_, parts, self.means, self.head, names, look)
        if legend:
            look.explain(self.ax_)
        return self


def _farthest(points: np.ndarray) -> str:
    return plain(float(np.linalg.norm(points - CORNERS, axis=1).max()), 2)


def _check_width(name: str, rows: np.ndarray, means: np.ndarray) -> None:
    if rows.shape[1] != means.shape[1]:
        msg = (
            f"{name} must have the same number of features as means, {means.shape[1]}, "
            f"got {rows.shape[1]}. Use those of the same layer."
        )
        raise ValueError(msg)


def _check_members(labels: Any, n_samples: int) -> np.ndarray:
    """Return the class of each sample."""
    found = np.asarray(() if labels is None else labels)
    if found.shape != (n_samples,) or not np.isin(found, (0, 1, 2)).all():
        msg = (
            f"labels must be one of 0, 1 and 2 for each of the {n_samples} features, "
            f"got shape {found.shape} with labels {shown_labels(np.unique(found))}."
        )
        raise ValueError(msg)
    return found.astype(np.int64)


def _rows_of_classes(classes: Any, known: np.ndarray) -> np.ndarray:
    """Return the positions of three labels among the classes with samples."""
    if classes is None:
        if len(known) < 3:
            msg = (
                "SimplexProjectionDisplay draws 3 classes: expected at least 3 with "
                f"samples, got {shown_labels(known)}. ClassMeanGeometryDisplay draws "
                "any number from 2."
            )
            raise ValueError(msg)
        return np.arange(3)
    asked = np.asarray(classes)
    same_kind = asked.ndim == 1 and (asked.dtype.kind in "biuf") == (
        known.dtype.kind in "biuf"
    )
    if same_kind:
        mine, theirs = in_common(known, asked)
        rows = np.array([r for label in theirs for r in np.flatnonzero(mine == label)])
        if len(asked) == 3 and len(np.unique(rows)) == 3:
            return rows
    msg = (
        "classes must be 3 different labels of classes with samples, among "
        f"{shown_labels(known)}, got {classes!r:.100}."
    )
    raise ValueError(msg)


def _samples(
    estimator: Any, X: Any, y: Any, classes: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return features and classes of some samples of three classes."""

    def choose(labels: np.ndarray) -> np.ndarray:
        rng, chosen = np.random.default_rng(0), []
        for label in classes:
            found = np.flatnonzero(labels == label)
            if len(found) > most:
                found = np.sort(rng.choice(found, most, replace=False))
            chosen.append(found)
        return np.concatenate(chosen)

    features, labels = samples_of(estimator, X, y, choose)
    return features, np.argmax(labels[:, None] == classes, axis=1)
