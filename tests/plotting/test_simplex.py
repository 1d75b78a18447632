"""Three classes in the plane of their simplex."""

import numpy as np
import pytest
from class_figures import grey, make_displays, make_fitted, simplex_of, texts_of
from tolerances import TIGHT

from sknc import (
    NeuralCollapseAnalyzer,
    SimplexProjectionDisplay,
)


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
        np.testing.assert_allclose(display.means, corners(), atol=TIGHT)
        np.testing.assert_allclose(display.head, corners(), atol=TIGHT)
        np.testing.assert_allclose(display.features, corners()[[2, 0]], atol=TIGHT)
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
        np.testing.assert_allclose(other.features, display.features, atol=TIGHT)

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
        np.testing.assert_allclose(drawn, corners(), atol=TIGHT)
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
        np.testing.assert_allclose(found.features, expected.features, atol=TIGHT)
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
        half = X.astype(np.float16)  # placed as the numbers that they are
        expected = make(analyzer, half.astype(np.float64), y).features
        found = make(analyzer, half, y).features
        np.testing.assert_allclose(found, expected, rtol=TIGHT)

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
        match = r"draws 3 classes: expected at least 3 with samples, got \[0, 1\]\."
        with pytest.raises(ValueError, match=match):
            SimplexProjectionDisplay.from_estimator(analyzer)

    def test_wrong_samples(self):
        analyzer, X, y = make_fitted(3)
        make = SimplexProjectionDisplay.from_estimator
        with pytest.raises(TypeError, match="expected both X and y, or neither"):
            make(analyzer, X)
        with pytest.raises(ValueError, match=r"y has labels \[7\] without fitted"):
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
            ([np.ones((3, 4))], r"classes \[0, 1, 2\] coincide, so they do not span"),
            (
                [np.eye(4)],
                r"means must have one row per class, shape \(3, "
                r"n_features\)",
            ),
            (
                [np.eye(3), np.eye(4), [0] * 4],
                "features must have the same number of features as",
            ),
            (
                [np.eye(3), np.eye(3), [0, 1]],
                "labels must be one of 0, 1 and 2",
            ),
            ([np.eye(3), np.eye(3), [0, 1, 3]], "labels must be one of 0, 1 and 2"),
            (
                [np.eye(3), None, None, np.eye(3, 4)],
                "head must have the same number of features",
            ),
        ],
    )
    def test_wrong_arrays(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            SimplexProjectionDisplay(*arguments)
