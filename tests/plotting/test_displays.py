"""Displays of classes: they draw the right numbers, and can be read."""

import sys
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError

from sknc import (
    AgreementDisplay,
    ClassMeanGeometryDisplay,
    CollapseTrajectoryDisplay,
    NearestClassCenter,
    NeuralCollapseAnalyzer,
    SimplexProjectionDisplay,
)

LONG = "a name of a class that is far too long for the axes of a figure"


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


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


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
        if kind != "geometry":
            assert display.ax_ is ax
            assert pyplot.gca() is other

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
    @pytest.mark.parametrize("n_classes", [3, 10, 100])
    @pytest.mark.parametrize("inches", [(2.4, 2.2), (6, 5)])
    def test_sizes(self, kind, n_classes, inches, pyplot):
        labels = [f"{LONG} {i}" if i % 3 else str(i) for i in range(n_classes)]
        analyzer, X, y = make_fitted(n_classes, 128, 0.3, 4, labels)
        makers = {
            "geometry": lambda: ClassMeanGeometryDisplay.from_estimator(analyzer),
            "simplex": lambda: SimplexProjectionDisplay.from_estimator(analyzer, X, y),
            "agreement": lambda: AgreementDisplay.from_estimator(analyzer, X, y),
        }
        _, ax = pyplot.subplots(figsize=inches, layout="constrained")
        figure = makers[kind]().plot(ax).figure_
        assert max(len(line) for t in texts_of(figure) for line in t.split("\n")) < 55
        assert LONG not in "".join(texts_of(figure))
        assert makers[kind]().alt_text.endswith(".")

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
        match = r"Display.plot requires matplotlib, of the extra 'plot': in a clone"
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
        np.testing.assert_allclose(found.features, expected.features, atol=1e-12)
        np.testing.assert_allclose(found.head, expected.head, atol=1e-12)
        cosines = ClassMeanGeometryDisplay.from_estimator(of_tensors).cosines()
        expected = ClassMeanGeometryDisplay.from_estimator(analyzer).cosines()
        np.testing.assert_allclose(cosines, expected, atol=1e-12)


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
        np.testing.assert_allclose(display.cosines(), expected, atol=1e-12)
        of_head = cosines_of(analyzer.head[0])
        np.testing.assert_allclose(display.cosines("head"), of_head, atol=1e-12)
        assert display.ideal == -1 / 4
        display.plot()
        assert display.kind_ == "heatmap"
        for panel, grid in zip(display.axes_, (expected, of_head), strict=True):
            drawn = panel.images[0].get_array()
            np.testing.assert_allclose(drawn.filled(np.nan), grid, atol=1e-12)
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
        display = ClassMeanGeometryDisplay(tight, rng.normal(size=tight.shape))
        assert display.plot(kind="histogram").ax_.get_yscale() == "log"

    def test_classes_without_samples(self, pyplot):
        analyzer, X, y = make_fitted(4)
        head = np.vstack([analyzer.head[0], np.ones((2, 8))])
        analyzer = NeuralCollapseAnalyzer(head).fit(X, y, classes=range(6))
        display = ClassMeanGeometryDisplay.from_estimator(analyzer)
        assert display.classes.tolist() == [0, 1, 2, 3]
        np.testing.assert_allclose(
            display.cosines("head"), cosines_of(head[:4]), atol=1e-12
        )
        assert display.alt_text.endswith("2 classes without samples left out.")

    def test_vector_of_length_zero(self, pyplot):
        display = ClassMeanGeometryDisplay(np.diag([1.0, 2.0, 0.0]))
        np.testing.assert_equal(np.isnan(display.cosines()[2]), True)
        assert display.plot().ax_.get_title("left") == "class means (1 of length 0)"
        assert "mean 0.000" in display.alt_text
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
        with pytest.raises(ValueError, match="This display has no head: pass head="):
            display.cosines("head")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([np.ones((1, 3))], "expected at least 2 with samples, got 1"),
            ([np.ones(3)], r"means must have one row a class, shape \(n_classes, n_f"),
            ([np.eye(3), np.eye(2)], r"head must have one row a class, shape \(3, n_f"),
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
        with pytest.raises(ValueError, match=r"classes must have one label a class"):
            ClassMeanGeometryDisplay(np.eye(3), classes=["a"])


def corners():
    """Return the corners of an upright triangle of radius 1."""
    angles = np.radians([90, 210, 330])
    return np.column_stack([np.cos(angles), np.sin(angles)])


class TestSimplex:
    @pytest.mark.parametrize("n_classes", [3, 7])
    def test_collapse_meets_in_the_corners(self, n_classes):
        means = 7 + 2.5 * simplex_of(n_classes, 9)[:3]
        display = SimplexProjectionDisplay(
            means, means[[2, 0]], [2, 0], 0.1 * means - 0.7
        )
        np.testing.assert_allclose(display.means, corners(), atol=1e-12)
        np.testing.assert_allclose(display.head, corners(), atol=1e-12)
        np.testing.assert_allclose(display.features, corners()[[2, 0]], atol=1e-12)
        assert "class means are up to 0.00 off" in display.alt_text

    def test_projection_keeps_distances_in_the_plane(self):
        rng = np.random.default_rng(0)
        means, weights = rng.normal(size=(3, 6)), rng.dirichlet(np.ones(3), 10)
        inside = weights @ means  # in the plane
        display = SimplexProjectionDisplay(means, inside, np.zeros(10, int))

        def distances(points):
            return np.linalg.norm(points[:, None] - points[None], axis=-1)

        ratio = distances(display.features)[0, 1:] / distances(inside)[0, 1:]
        np.testing.assert_allclose(ratio, ratio[0])
        ratios = distances(display.means) / np.where(np.eye(3), 1, distances(means))
        np.testing.assert_allclose(ratios[~np.eye(3, dtype=bool)], ratio[0])
        # What is off the plane lies where its foot is.
        off = np.linalg.svd(means - means.mean(axis=0))[2][-1]
        other = SimplexProjectionDisplay(means, inside + off, np.zeros(10, int))
        np.testing.assert_allclose(other.features, display.features, atol=1e-12)

    def test_no_turned_triangle_is_nearer_to_the_means(self):
        means = np.random.default_rng(1).normal(size=(3, 6))
        found = SimplexProjectionDisplay(means).means
        best = np.sum((found - corners()) ** 2)
        for angle in np.linspace(0.05, 2 * np.pi - 0.05, 30):
            turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
            for size in (0.9, 1, 1.1):
                assert np.sum((found - size * corners() @ turn) ** 2) > best

    def test_head_has_the_size_of_the_means(self):
        means, head = simplex_of(3, 5), np.random.default_rng(0).normal(size=(3, 5))
        small = SimplexProjectionDisplay(means, head=1e-6 * head + 3)
        large = SimplexProjectionDisplay(means, head=1e6 * head)
        np.testing.assert_allclose(small.head, large.head, atol=1e-8)
        assert np.linalg.norm(large.head) <= np.linalg.norm(large.means) + 1e-12
        none = SimplexProjectionDisplay(means, head=np.ones((3, 5)))
        np.testing.assert_array_equal(none.head, 0)

    def test_drawn_at_their_coordinates(self, pyplot):
        analyzer, X, y = make_fitted(4)
        classes = [3, 0, 2]
        display = SimplexProjectionDisplay.from_estimator(
            analyzer, X, y, classes=classes
        ).plot()
        drawn = [item.get_offsets() for item in display.ax_.collections]
        features, means = drawn[::2], drawn[1::2]
        np.testing.assert_allclose(np.vstack(means), display.means)
        for k in range(3):
            expected = display.features[display.labels == k]
            np.testing.assert_allclose(features[k], expected)
            assert len(expected) == 10
        lines = {line.get_label(): line for line in display.ax_.lines}
        drawn = lines["simplex"].get_xydata()[:3]
        np.testing.assert_allclose(drawn, corners(), atol=1e-12)
        ends = [line.get_xydata()[1] for line in display.ax_.lines[1:]]
        np.testing.assert_allclose(ends, display.head)
        names = [text.get_text() for text in display.ax_.texts]
        assert names == ["3", "0", "2"]
        found = texts_of(display.figure_)
        assert {"simplex", "class mean", "row of head (scaled)"} <= {*found}

    def test_features_are_those_of_the_samples(self):
        analyzer, X, y = make_fitted(4)
        found = SimplexProjectionDisplay.from_estimator(
            analyzer, X, y, classes=[1, 3, 0]
        )
        means = np.array([X[y == k].mean(axis=0) for k in (1, 3, 0)])
        order = np.concatenate([np.flatnonzero(y == k) for k in (1, 3, 0)])
        expected = SimplexProjectionDisplay(means, X[order], found.labels)
        np.testing.assert_allclose(found.features, expected.features, atol=1e-12)
        np.testing.assert_array_equal(found.labels, np.repeat([0, 1, 2], 10))

    def test_number_of_samples(self):
        analyzer, X, y = make_fitted(3, n=50)
        make = SimplexProjectionDisplay.from_estimator
        display = make(analyzer, X, y, max_samples=20)
        assert np.bincount(display.labels).tolist() == [20, 20, 20]
        again = make(analyzer, X, y, max_samples=20)
        np.testing.assert_array_equal(again.features, display.features)
        assert len(make(analyzer, X[:60], y[:60]).features) == 60
        assert len(make(analyzer).features) == 0

    def test_kinds_of_input(self):
        pandas = pytest.importorskip("pandas")
        analyzer, X, y = make_fitted(3, labels=["a", "b", "c"])
        make = SimplexProjectionDisplay.from_estimator
        expected = make(analyzer, X, y).features
        found = make(analyzer, X.tolist(), pandas.Series(y)).features
        np.testing.assert_allclose(found, expected)
        half = make(analyzer, X.astype(np.float16), y).features
        np.testing.assert_allclose(half, expected, atol=0.01)

    def test_colors_differ_in_grey_and_markers_do_too(self, pyplot):
        display = make_displays()["simplex"].plot()
        features = display.ax_.collections[::2]
        shades = [grey(item.get_facecolor()[0][:3]) for item in features]
        assert np.diff(shades).min() > 0.15
        marks = {item.get_paths()[0].vertices.shape for item in features}
        assert len(marks) == 3

    def test_legend_is_below_the_marks(self, pyplot):
        display = make_displays()["simplex"]
        for inches in ((2.2, 2.4), (3, 2), (6, 5)):
            _, ax = pyplot.subplots(figsize=inches, layout="constrained")
            display.plot(ax).figure_.canvas.draw()
            legend = ax.get_legend().get_window_extent()
            names = [text.get_window_extent() for text in ax.texts]
            assert min(name.ymin for name in names) >= legend.ymax - 2
            assert not names[1].overlaps(names[2])
        assert display.plot(legend=False).ax_.get_legend() is None

    def test_styles(self, pyplot):
        display = make_displays()["simplex"].plot(
            feature_kw={"s": 3, "color": "C4"},
            mean_kw={"linewidths": 4},
            head_kw={"color": "C5"},
            simplex_kw={"linestyle": ":"},
        )
        features, mean = display.ax_.collections[:2]
        assert features.get_sizes().tolist() == [3]
        assert mean.get_linewidths() == [4]
        assert display.ax_.lines[0].get_linestyle() == ":"
        assert display.ax_.lines[1].get_color() == "C5"

    def test_one_feature(self, pyplot):
        display = SimplexProjectionDisplay([[0.0], [1.0], [5.0]], [[2.0]], [1])
        assert np.isfinite(display.means).all()
        display.plot().figure_.canvas.draw()

    def test_means_in_a_line(self, pyplot):
        display = SimplexProjectionDisplay([[0.0, 0, 0], [1, 1, 0], [2, 2, 0]])
        assert np.isfinite(display.means).all()
        display.plot().figure_.canvas.draw()

    @pytest.mark.parametrize(
        "classes", [["a", "b"], ["a", "b", "b"], ["a", "b", "z"], [0, 1, 2], "abc", 3]
    )
    def test_wrong_classes(self, classes):
        analyzer, _, _ = make_fitted(4, labels=["a", "b", "c", "d"])
        match = (
            r"^classes must be 3 different labels of classes with samples, among "
            r"\['a', 'b', 'c', 'd'\], got "
        )
        with pytest.raises(ValueError, match=match):
            SimplexProjectionDisplay.from_estimator(analyzer, classes=classes)

    def test_class_without_samples(self):
        _, X, y = make_fitted(3)
        analyzer = NeuralCollapseAnalyzer().fit(X, y, classes=[-1, 0, 1, 2])
        display = SimplexProjectionDisplay.from_estimator(analyzer, X, y)
        assert display.classes.tolist() == [0, 1, 2]
        with pytest.raises(ValueError, match=r"among \[0, 1, 2\], got \[-1, 0, 1\]"):
            SimplexProjectionDisplay.from_estimator(analyzer, classes=[-1, 0, 1])

    def test_two_classes(self):
        analyzer, _, _ = make_fitted(2)
        match = r"draws 3 classes: expected as many with samples, got \[0, 1\]\. Class"
        with pytest.raises(ValueError, match=match):
            SimplexProjectionDisplay.from_estimator(analyzer)

    def test_wrong_samples(self):
        analyzer, X, y = make_fitted(3)
        make = SimplexProjectionDisplay.from_estimator
        with pytest.raises(TypeError, match="expected both X and y, or neither"):
            make(analyzer, X)
        with pytest.raises(ValueError, match=r"y holds labels \[7\] of which"):
            make(analyzer, X, np.full(len(y), 7))
        with pytest.raises(ValueError, match="X has 3 features, but"):
            make(analyzer, X[:, :3], y)
        bad = X.copy()
        bad[3, 3] = np.nan
        with pytest.raises(ValueError, match="Input X contains NaN or infinity"):
            make(analyzer, bad, y)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([np.ones((3, 4))], r"classes \[0, 1, 2\] coincide, so they have no plane"),
            ([np.eye(4)], r"means must have one row a class, shape \(3, n_features\)"),
            ([np.eye(3), np.eye(4), [0] * 4], "features must have as many features as"),
            (
                [np.eye(3), np.eye(3), [0, 1]],
                "labels must be one of 0, 1 and 2",
            ),
            ([np.eye(3), np.eye(3), [0, 1, 3]], "labels must be one of 0, 1 and 2"),
            ([np.eye(3), None, None, np.eye(3, 4)], "head must have as many features"),
        ],
    )
    def test_wrong_arrays(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            SimplexProjectionDisplay(*arguments)


@pytest.fixture
def disagreeing():
    """An analyzer, samples and labels on which head and centers differ."""
    return make_fitted(6, 8, 1.0, 40, labels=list("abcdef"))


class TestAgreement:
    def test_numbers(self, disagreeing):
        analyzer, X, y = disagreeing
        chosen = analyzer.classes_[
            np.argmax(X @ analyzer.head[0].T + analyzer.head[1], 1)
        ]
        centers = analyzer.class_means_
        distances = np.linalg.norm(X[:, None] - centers[None], axis=-1)
        nearest = analyzer.classes_[distances.argmin(axis=1)]
        differ = chosen != nearest
        assert differ.sum() > 20
        expected = [differ[y == label].mean() for label in "abcdef"]
        for display in (
            AgreementDisplay.from_estimator(analyzer, X, y),
            AgreementDisplay.from_report(analyzer.score(X, y)),
            AgreementDisplay.from_agreement(
                NearestClassCenter().fit(X, y).agreement(X, analyzer.head, y)
            ),
        ):
            np.testing.assert_allclose(display.mismatch, expected)
            assert display.classes.tolist() == list("abcdef")
            assert display.total == pytest.approx(differ.mean())
            assert display.by == "true class"

    def test_bars(self, disagreeing, pyplot):
        analyzer, X, y = disagreeing
        display = AgreementDisplay.from_estimator(analyzer, X, y).plot()
        order = np.argsort(-display.mismatch, kind="stable")
        widths = [bar.get_width() for bar in display.ax_.patches]
        np.testing.assert_allclose(widths, display.mismatch[order])
        names = [label.get_text() for label in display.ax_.get_yticklabels()]
        assert names == [*display.classes[order]]
        notes = [text.get_text() for text in display.ax_.texts]
        counts = [round(share * 40) for share in display.mismatch[order]]
        assert notes == [f"{count} of 40" for count in counts]
        assert display.ax_.yaxis_inverted()
        (line,) = display.ax_.lines
        assert line.get_xdata() == [display.total] * 2
        assert display.ax_.get_title("left") == "Head and nearest center differ"
        assert max(display.ax_.get_xticks()) <= 1

    def test_pairs(self, disagreeing, pyplot):
        analyzer, X, y = disagreeing
        report = NearestClassCenter().fit(X, y).agreement(X, analyzer.head, y)
        display = AgreementDisplay.from_agreement(report).plot(kind="pair")
        table = report.contingency.toarray() * (1 - np.eye(6, dtype=int))
        widths = [bar.get_width() for bar in display.ax_.patches]
        assert widths == sorted(table[table > 0], reverse=True)[: len(widths)]
        first = display.ax_.get_yticklabels()[0].get_text().split(" / ")
        row, column = ("abcdef".index(name) for name in first)
        assert table[row, column] == table.max()
        assert not display.ax_.lines
        assert display.ax_.get_ylabel() == "head / nearest center"

    def test_without_labels(self, disagreeing, pyplot):
        analyzer, X, y = disagreeing
        report = NearestClassCenter().fit(X, y).agreement(X, analyzer.head)
        display = AgreementDisplay.from_agreement(report).plot()
        assert display.ax_.get_ylabel() == "class chosen by the head"
        assert display.counts.sum() == len(X)

    def test_many_classes(self, pyplot):
        mismatch = np.zeros(1000)
        mismatch[[5, 7, 400]] = 0.1, 0.3, 0.2
        display = AgreementDisplay(mismatch).plot()
        names = [label.get_text() for label in display.ax_.get_yticklabels()]
        assert names == ["7", "400", "5"]
        title = "Head and nearest center differ\nin 3 of 1,000 classes"
        assert display.ax_.get_title("left") == title
        display = AgreementDisplay(np.linspace(0, 1, 1000)).plot()
        assert display.n_rows_ == 20
        title = "Head and nearest center differ\nthe 20 highest of 1,000 classes"
        assert display.ax_.get_title("left") == title
        assert display.plot(max_rows=5).n_rows_ == 5
        _, ax = pyplot.subplots(figsize=(4, 2))
        assert 3 <= display.plot(ax).n_rows_ < 12

    def test_classes_without_samples(self, pyplot):
        analyzer, X, y = make_fitted(4, spread=1.0, labels=list("abcd"))
        keep = y != "b"
        display = AgreementDisplay.from_estimator(analyzer, X[keep], y[keep]).plot()
        assert np.isnan(display.mismatch[1])
        assert display.ax_.get_yticklabels()[-1].get_text() == "b"
        assert display.ax_.texts[-1].get_text() == "no samples"
        # Where not all classes fit, there is no room for those without samples.
        few = AgreementDisplay([np.nan, 0.5, 0.1, np.nan]).plot(max_rows=3)
        assert few.n_rows_ == 2

    def test_agreement_on_every_sample(self, pyplot):
        display = AgreementDisplay([0.0, 0.0], total=0.0)
        assert display.alt_text.endswith("They agree on every sample.")
        assert display.plot().n_rows_ == 2
        table = sparse.csr_array(np.diag([3, 4]))
        display = AgreementDisplay([0.0, 0.0], contingency=table).plot(kind="pair")
        assert [text.get_text() for text in display.ax_.texts] == ["on no sample"]

    def test_weights(self, disagreeing, pyplot):
        analyzer, X, y = disagreeing
        weights = np.random.default_rng(0).uniform(0.5, 2, len(y))
        display = AgreementDisplay.from_report(analyzer.score(X, y, weights)).plot()
        largest = f"{display.mismatch.max():.3f}"
        assert display.ax_.texts[0].get_text() == largest

    def test_alternative_text(self):
        display = AgreementDisplay([0.5, 0.0, np.nan, 0.25], list("abcd"), total=0.3)
        assert display.alt_text == (
            "Shares of samples on which head and nearest class center differ, by true "
            "class. All samples: 0.3. They differ in 2 of 4 classes, most in a (0.5), "
            "d (0.25)."
        )

    def test_styles(self, pyplot):
        display = AgreementDisplay([0.5, 0.1], total=0.3)
        display.plot(bar_kw={"color": "C2"}, total_kw={"color": "C3"})
        from matplotlib.colors import to_rgba

        assert display.ax_.patches[0].get_facecolor() == to_rgba("C2")
        assert display.ax_.lines[0].get_color() == "C3"

    def test_report_without_decisions(self):
        analyzer, X, y = make_fitted(3)
        match = r"no decisions of a head: make it with NeuralCollapseAnalyzer\(head="
        for report in (
            analyzer.report(),
            NeuralCollapseAnalyzer().fit(X, y).score(X, y),
        ):
            with pytest.raises(ValueError, match=match):
                AgreementDisplay.from_report(report)

    def test_other_reports(self):
        analyzer, X, y = make_fitted(3)
        report = analyzer.score(X, y)
        agreement = NearestClassCenter().fit(X, y).agreement(X, analyzer.head)
        with pytest.raises(TypeError, match=r"NCReport\. from_report takes this"):
            AgreementDisplay.from_agreement(report)
        with pytest.raises(TypeError, match="from_agreement takes this one"):
            AgreementDisplay.from_report(agreement)
        with pytest.raises(TypeError, match=r"expected an NCReport, got 0\.5\."):
            AgreementDisplay.from_report(0.5)

    @pytest.mark.parametrize(
        ("arguments", "options", "message"),
        [
            ([[0.5, 1.5]], {}, r"mismatch must be shares in \[0, 1\], got 1.5"),
            (
                [[[0.5]]],
                {},
                r"mismatch must have one share a class, .* shape \(1, 1",
            ),
            ([[]], {}, r"mismatch must have one share a class"),
            ([[0.5]], {"counts": [1, 2]}, r"counts must have shape \(1,\), got \(2,\)"),
            (
                [[0.5]],
                {"contingency": sparse.csr_array(np.eye(2))},
                r"contingency must have shape \(1, 1\), got \(2, 2\)",
            ),
        ],
    )
    def test_wrong_arrays(self, arguments, options, message):
        with pytest.raises(ValueError, match=message):
            AgreementDisplay(*arguments, **options)

    def test_wrong_choices(self, pyplot):
        display = AgreementDisplay([0.5])
        with pytest.raises(ValueError, match='kind must be "class" or "pair", got 3'):
            display.plot(kind=3)
        with pytest.raises(ValueError, match="max_rows must be at least 1, got 0"):
            display.plot(max_rows=0)
        match = r"does not know pairs of decisions: make it with AgreementDisplay\.from"
        with pytest.raises(ValueError, match=match):
            display.plot(kind="pair")


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
