"""Displays of classes: each can be drawn anywhere, at any size, and read."""

import sys
import warnings

import numpy as np
import pytest
from class_figures import make_displays, make_fitted, texts_of
from sklearn.exceptions import NotFittedError
from tolerances import TIGHT

from sknc import (
    AgreementDisplay,
    ClassMeanGeometryDisplay,
    CollapseTrajectoryDisplay,
    NeuralCollapseAnalyzer,
    SimplexProjectionDisplay,
)

LONG = "a name of a class that is far too long for the axes of a figure"


KINDS = ["geometry", "simplex", "agreement"]


class TestAll:
    @pytest.mark.parametrize("kind", KINDS)
    def test_given_axes_are_used(self, kind, pyplot):
        figure, (other, ax) = pyplot.subplots(1, 2)
        pyplot.sca(other)
        before = dict(pyplot.rcParams)
        display = make_displays()[kind]
        assert display.plot(ax=ax) is display
        assert display.figure_ is figure
        assert display.ax_.figure is figure
        assert pyplot.get_fignums() == [figure.number]
        assert dict(pyplot.rcParams) == before
        assert pyplot.gca() is other
        if kind != "geometry":  # which divides them
            assert display.ax_ is ax

    @pytest.mark.parametrize("kind", KINDS)
    def test_new_figure(self, kind, pyplot):
        display = make_displays()[kind].plot()
        assert pyplot.get_fignums() == [display.figure_.number]
        first = display.figure_
        assert display.plot().figure_ is not first

    @pytest.mark.parametrize("kind", KINDS)
    def test_subfigures(self, kind, pyplot):
        figure = pyplot.figure(layout="constrained", figsize=(9, 4))
        _, right = figure.subfigures(1, 2)
        display = make_displays()[kind].plot(right.subplots())
        assert display.figure_ is right
        figure.canvas.draw()

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(
        ("n_classes", "inches"),
        [
            (3, (2.4, 2.2)),
            pytest.param(10, (6, 5), marks=pytest.mark.slow),
            (100, (2.4, 2.2)),
            pytest.param(100, (6, 5), marks=pytest.mark.slow),
        ],
    )
    def test_sizes(self, kind, n_classes, inches, pyplot):
        labels = [f"{LONG} {i}" if i % 3 else str(i) for i in range(n_classes)]
        analyzer, X, y = make_fitted(n_classes, 128, 0.3, 4, labels)
        makers = {
            "geometry": lambda: ClassMeanGeometryDisplay.from_estimator(analyzer),
            "simplex": lambda: SimplexProjectionDisplay.from_estimator(analyzer, X, y),
            "agreement": lambda: AgreementDisplay.from_estimator(analyzer, X, y),
        }
        _, ax = pyplot.subplots(figsize=inches, layout="constrained")
        display = makers[kind]()
        figure = display.plot(ax).figure_
        seen = texts_of(figure)
        assert max(len(line) for t in seen for line in t.split("\n")) < 55
        assert LONG not in "".join(seen)
        assert display.alt_text.endswith(".")

    @pytest.mark.parametrize("kind", KINDS)
    def test_alternative_text_can_be_stored(self, kind, pyplot, tmp_path):
        display = make_displays()[kind].plot()
        for name in ("figure.svg", "figure.png"):
            target = tmp_path / name
            display.figure_.savefig(target, metadata={"Description": display.alt_text})
            stored = target.read_bytes().decode("latin-1")
            assert display.alt_text[:20] in stored

    @pytest.mark.parametrize("kind", KINDS)
    def test_without_matplotlib(self, kind, monkeypatch):
        display = make_displays()[kind]
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        match = "Display.plot requires matplotlib, from the extra 'plot': in a clone"
        with pytest.raises(ImportError, match=match):
            display.plot()

    @pytest.mark.parametrize(
        "make",
        [
            ClassMeanGeometryDisplay.from_estimator,
            SimplexProjectionDisplay.from_estimator,
            lambda estimator: AgreementDisplay.from_estimator(estimator, [[0]], [0]),
        ],
    )
    def test_not_fitted(self, make):
        with pytest.raises(NotFittedError):
            make(NeuralCollapseAnalyzer())

    @pytest.mark.parametrize(
        "make",
        [
            ClassMeanGeometryDisplay.from_estimator,
            SimplexProjectionDisplay.from_estimator,
        ],
    )
    def test_no_estimator(self, make):
        match = (
            r"Display.from_estimator expected a fitted NeuralCollapseAnalyzer, got 3"
        )
        with pytest.raises(TypeError, match=match):
            make(3)

    def test_tensors(self, torch):
        analyzer, X, y = make_fitted(4)
        X, y = torch.tensor(X), torch.tensor(y)
        head = tuple(map(torch.tensor, analyzer.head))
        of_tensors = NeuralCollapseAnalyzer(head).fit(X, y)
        expected = SimplexProjectionDisplay.from_estimator(analyzer, X.numpy(), y)
        found = SimplexProjectionDisplay.from_estimator(of_tensors, X, y)
        np.testing.assert_allclose(found.features, expected.features, atol=TIGHT)
        np.testing.assert_allclose(found.head, expected.head, atol=TIGHT)
        cosines = ClassMeanGeometryDisplay.from_estimator(of_tensors).cosines()
        expected = ClassMeanGeometryDisplay.from_estimator(analyzer).cosines()
        np.testing.assert_allclose(cosines, expected, atol=TIGHT)


def test_trajectory_of_one_metric_uses_the_axes(pyplot):
    display = CollapseTrajectoryDisplay([1, 2], {"nc1_cdnv": [0.5, 0.1]})
    _, (other, ax) = pyplot.subplots(1, 2)
    pyplot.sca(other)
    assert display.plot(ax).axes_.tolist() == [ax]
    assert pyplot.gca() is other


def test_no_warnings_at_small_sizes(pyplot):
    """Constrained layout warns where texts leave no room for axes."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for display in make_displays().values():
            _, ax = pyplot.subplots(figsize=(2.4, 2), layout="constrained")
            display.plot(ax).figure_.canvas.draw()
