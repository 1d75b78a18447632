"""Classes about a simplex, displays of them, and what is in a figure."""

import numpy as np

from sknc import (
    AgreementDisplay,
    ClassMeanGeometryDisplay,
    NeuralCollapseAnalyzer,
    SimplexProjectionDisplay,
)


def simplex_of(n_classes, n_features):
    """Return the corners of a simplex of unit length, turned at random."""
    corners = np.eye(n_classes) - 1 / n_classes
    corners /= np.linalg.norm(corners, axis=1, keepdims=True)
    rng = np.random.default_rng(n_classes)
    turn = np.linalg.qr(rng.normal(size=(n_features, n_features)))[0]
    return corners @ turn[:n_classes]


def make_fitted(n_classes=3, n_features=8, spread=0.1, n=10, labels=None, **options):
    """Return an analyzer with a head, and samples of classes about a simplex."""
    rng = np.random.default_rng(0)
    corners = simplex_of(n_classes, n_features)
    y = np.repeat(np.arange(n_classes), n)
    X = 5 + corners[y] + spread * rng.normal(size=(len(y), n_features))
    head = 3 * corners + spread * rng.normal(size=corners.shape)
    y = y if labels is None else np.array(labels)[y]
    analyzer = NeuralCollapseAnalyzer((head, -head @ np.full(n_features, 5.0)))
    return analyzer.fit(X, y, **options), X, y


def texts_of(figure):
    """Return all texts of a figure that are seen."""
    from matplotlib.text import Text

    figure.canvas.draw()
    found = [item for item in figure.findobj(Text) if item.get_visible()]
    return [item.get_text() for item in found if item.get_text()]


def grey(color):
    """Return how light a color is, in [0, 1]."""
    from matplotlib.colors import to_rgb

    return float(np.dot(to_rgb(color), (0.299, 0.587, 0.114)))


def make_displays():
    """Return a display of each kind, and the names of their keyword styles."""
    analyzer, X, y = make_fitted(4)
    return {
        "geometry": ClassMeanGeometryDisplay.from_estimator(analyzer),
        "simplex": SimplexProjectionDisplay.from_estimator(analyzer, X, y),
        "agreement": AgreementDisplay.from_estimator(analyzer, X, y),
    }
