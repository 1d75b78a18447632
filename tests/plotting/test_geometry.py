"""Angles of class means and head: the numbers, heatmaps and histograms."""

import numpy as np
import pytest
from class_figures import grey, make_fitted, simplex_of, texts_of
from tolerances import TIGHT

from sknc import (
    ClassMeanGeometryDisplay,
    NearestClassCenter,
    NeuralCollapseAnalyzer,
)


def cosines_of(vectors):
    """Return the cosines of all pairs, by their definition."""
    found = np.full((len(vectors), len(vectors)), np.nan)
    for i, u in enumerate(vectors):
        for j, v in enumerate(vectors):
            if i != j and u.any() and v.any():
                found[i, j] = u @ v / np.sqrt(u @ u) / np.sqrt(v @ v)
    return found


class TestGeometry:
    def test_numbers_and_images(self, pyplot):
        analyzer, X, y = make_fitted(5)
        display = ClassMeanGeometryDisplay.from_estimator(analyzer)
        means = np.array([X[y == k].mean(axis=0) for k in range(5)])
        expected = cosines_of(means - means.mean(axis=0))
        np.testing.assert_allclose(display.cosines(), expected, atol=TIGHT)
        of_head = cosines_of(analyzer.head[0])
        np.testing.assert_allclose(display.cosines("head"), of_head, atol=TIGHT)
        assert display.ideal == -1 / 4
        display.plot()
        assert display.kind_ == "heatmap"
        for panel, grid in zip(display.axes_, (expected, of_head), strict=True):
            drawn = panel.images[0].get_array()
            np.testing.assert_allclose(drawn.filled(np.nan), grid, atol=TIGHT)
        titles = [panel.get_title("left") for panel in display.axes_]
        assert titles == ["class means", "rows of the head"]

    def test_color_of_the_ideal_is_in_the_middle(self, pyplot):
        analyzer, _, _ = make_fitted(5)
        display = ClassMeanGeometryDisplay.from_estimator(analyzer).plot()
        for panel in display.axes_:
            norm = panel.images[0].norm
            assert norm(display.ideal) == pytest.approx(0.5)
            grid = panel.images[0].get_array()
            assert norm.vmin <= grid.min() <= grid.max() <= norm.vmax
        assert "(dashed: simplex, −0.25)" in "".join(texts_of(display.figure_))

    def test_collapse_is_one_color(self, pyplot):
        display = ClassMeanGeometryDisplay(simplex_of(6, 8)).plot()
        image = display.ax_.images[0]
        shades = image.norm(image.get_array().compressed())
        assert np.ptp(shades) < 1e-9  # rounding is not made a picture

    def test_values_are_written_where_they_fit(self, pyplot):
        analyzer, _, _ = make_fitted(4)
        display = ClassMeanGeometryDisplay.from_estimator(analyzer)
        written = [text.get_text() for text in display.plot().ax_.texts]
        expected = display.cosines()[~np.eye(4, dtype=bool)]
        assert written == [f"{x:.2f}".replace("-", "−") for x in expected]
        assert not display.plot(values=False).ax_.texts
        _, ax = pyplot.subplots(figsize=(1.5, 1.5))
        assert not display.plot(ax).ax_.texts
        assert display.plot(ax, values=True).ax_.texts

    def test_written_values_stand_out(self, pyplot):
        analyzer, _, _ = make_fitted(4, spread=0.6)
        display = ClassMeanGeometryDisplay.from_estimator(analyzer).plot()
        image = display.ax_.images[0]
        for text in display.ax_.texts:
            x, y = map(int, text.get_position())
            cell = image.cmap(image.norm(image.get_array()[y, x]))
            assert abs(grey(cell[:3]) - grey(text.get_color())) > 0.45

    def test_colors_are_even_in_grey(self, pyplot):
        display = ClassMeanGeometryDisplay(simplex_of(3, 4)).plot()
        cmap = display.ax_.images[0].cmap
        shades = [grey(cmap(x)[:3]) for x in np.linspace(0, 1, 50)]
        steps = np.diff(shades)
        assert steps.min() > 0
        assert steps.max() < 2.5 * steps.mean()

    def test_histogram(self, pyplot):
        analyzer, _, _ = make_fitted(60, 64, 0.3)
        display = ClassMeanGeometryDisplay.from_estimator(analyzer).plot()
        assert display.kind_ == "histogram"
        above = np.triu_indices(60, 1)
        drawn = {patch.get_label(): patch for patch in display.ax_.patches}
        for name, of in (("class means", "means"), ("rows of the head", "head")):
            shares, edges, _ = drawn[name].get_data()
            expected, _ = np.histogram(display.cosines(of)[above], edges)
            np.testing.assert_allclose(shares, expected / len(above[0]))
            assert shares.sum() == pytest.approx(1)
        assert display.ax_.lines[0].get_xdata() == [display.ideal] * 2
        assert "simplex: −0.0169" in texts_of(display.figure_)

    def test_legend_is_above_the_bars(self, pyplot):
        analyzer, _, _ = make_fitted(60, 64, 0.3)
        display = ClassMeanGeometryDisplay.from_estimator(analyzer)
        for inches in ((2.4, 1.8), (5, 4)):
            _, ax = pyplot.subplots(figsize=inches, layout="constrained")
            display.plot(ax).figure_.canvas.draw()
            legend = ax.get_legend().get_window_extent()
            tops = [patch.get_data().values.max() for patch in ax.patches]
            highest = ax.transData.transform((0, max(tops)))[1]
            assert highest <= legend.ymin + 2

    def test_thousand_classes(self, pyplot):
        means = np.random.default_rng(0).normal(size=(1000, 20))
        display = ClassMeanGeometryDisplay(means - means.mean(axis=0))
        assert display.plot().kind_ == "histogram"
        display.plot(kind="heatmap")
        assert len(display.ax_.get_xticks()) <= 20
        assert "Cosines of pairs of 1,000 classes. A simplex has −0.001." in (
            display.alt_text
        )

    def test_peaks_of_very_different_height(self, pyplot):
        rng = np.random.default_rng(0)
        tight = simplex_of(200, 256)
        display = ClassMeanGeometryDisplay(tight, rng.normal(size=tight.shape)).plot()
        assert display.ax_.get_yscale() == "log"
        assert max(display.ax_.get_yticks()) == 1
        # The bin of a simplex is about the line that marks one.
        shares, edges, _ = display.ax_.patches[0].get_data()
        place = int(np.argmax(shares))
        assert shares[place] == 1
        assert edges[place : place + 2].mean() == pytest.approx(display.ideal)

    def test_classes_without_samples(self):
        analyzer, X, y = make_fitted(4)
        head = np.random.default_rng(0).normal(size=(6, 8))
        labels = np.array([0, 2, 3, 5])[y]
        analyzer = NeuralCollapseAnalyzer(head).fit(X, labels, classes=range(6))
        display = ClassMeanGeometryDisplay.from_estimator(analyzer)
        assert display.classes.tolist() == [0, 2, 3, 5]
        assert display.ideal == -1 / 3
        expected = cosines_of(head[[0, 2, 3, 5]])
        np.testing.assert_allclose(display.cosines("head"), expected, atol=TIGHT)
        assert display.alt_text.endswith("2 classes without samples left out.")

    def test_vector_of_length_zero(self, pyplot):
        display = ClassMeanGeometryDisplay(np.diag([1.0, 2.0, 0.0]))
        np.testing.assert_equal(np.isnan(display.cosines()[2]), True)
        assert display.plot().ax_.get_title("left") == "class means (1 of length 0)"
        assert "mean 0, from 0 to 0." in display.alt_text
        nothing = ClassMeanGeometryDisplay(np.zeros((3, 2)))
        assert "Class means: all of length 0." in nothing.alt_text
        for kind in ("heatmap", "histogram"):
            nothing.plot(kind=kind).figure_.canvas.draw()

    def test_styles(self, pyplot):
        display = ClassMeanGeometryDisplay(simplex_of(4, 8), simplex_of(4, 8))
        options = {"vmin": -1, "vmax": 1, "alpha": 0.5}
        image = display.plot(heatmap_kw=options, cmap="gray").ax_.images[0]
        assert (image.norm.vmin, image.get_alpha()) == (-1, 0.5)
        assert image.cmap.name == "gray"
        display.plot(
            kind="histogram", histogram_kw={"linewidth": 7}, ideal_kw={"color": "C3"}
        )
        assert [patch.get_linewidth() for patch in display.ax_.patches] == [7, 7]
        assert display.ax_.lines[0].get_color() == "C3"

    def test_nearest_class_center(self):
        _, X, y = make_fitted(4)
        display = ClassMeanGeometryDisplay.from_estimator(
            NearestClassCenter().fit(X, y)
        )
        assert list(display.vectors) == ["means"]
        with pytest.raises(ValueError, match=r"This display has no head\. Pass head="):
            display.cosines("head")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([np.ones((1, 3))], "expected at least 2 with samples, got 1"),
            (
                [np.ones(3)],
                r"means must have one row per class, shape \(n_classes, "
                "n_f",
            ),
            (
                [np.eye(3), np.eye(2)],
                r"head must have one row per class, shape \(3, "
                "n_f",
            ),
            ([np.eye(3) * np.nan], "means must be finite, got NaN or infinity. Leave"),
        ],
    )
    def test_wrong_arrays(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            ClassMeanGeometryDisplay(*arguments)

    def test_wrong_choices(self, pyplot):
        display = ClassMeanGeometryDisplay(np.eye(3), np.eye(3))
        with pytest.raises(ValueError, match='kind must be "auto", "heatmap" or "hist'):
            display.plot(kind="graph")
        with pytest.raises(ValueError, match='of must be "means" or "head", got 3'):
            display.cosines(3)
        with pytest.raises(ValueError, match="classes must have one label per class"):
            ClassMeanGeometryDisplay(np.eye(3), classes=["a"])
