"""State files: the same bits after loading, and everything that was saved."""

from pathlib import Path

import numpy as np
import pytest
import states
from sklearn.linear_model import LogisticRegression

from sknc import (
    ClassStatistics,
    Convention,
    LinearHead,
    NearestClassCenter,
    NeuralCollapseAnalyzer,
)

GOLDEN = Path(__file__).parent / "golden"


OPTIONS = {
    "plain": {},
    "no scatter": {"covariance": False},
    "groups": {"n_jackknife": 3},
    "scatters of classes": {"covariance": "by_class", "n_jackknife": 2},
}


class TestBits:
    """What is loaded goes on as if nothing had happened, and so does what was saved."""

    # Of 5 000 rows, some batches are added and others wait, and buffers fill up.
    @pytest.mark.parametrize("rows", [40, 5000])
    @pytest.mark.parametrize(
        ("dtype", "weights"),
        [(np.float32, False), (np.float32, True), (np.float64, False)],
    )
    @pytest.mark.parametrize("name", OPTIONS)
    def test_numpy(self, rows, dtype, weights, name):
        width = 260 if name == "plain" and rows < 1000 else 4
        parts = states.batches(rows, width, dtype, weights=weights, strings=weights)
        unbroken = states.accumulate(NeuralCollapseAnalyzer(**OPTIONS[name]), parts)
        saved, resumed = NeuralCollapseAnalyzer(**OPTIONS[name]), None
        for number, part in enumerate(parts):
            states.accumulate(saved, [part])
            if resumed is not None:
                states.accumulate(resumed, [part])
            if number in (0, 4, 6):
                resumed = states.loaded(saved)
        want = states.everything(unbroken)
        assert states.everything(saved) == want
        assert states.everything(resumed) == want
        assert resumed.report().to_json() == unbroken.report().to_json()

    @pytest.mark.parametrize("covariance", [True, False])
    def test_many_rows_after_loading(self, covariance):
        # More than one full buffer, whose products are of float32.
        rng = np.random.default_rng(0)
        X = rng.standard_normal((9000, 257)).astype(np.float32)
        y = np.arange(9000) % 4
        saved = NeuralCollapseAnalyzer(covariance=covariance).partial_fit(X, y)
        resumed = states.loaded(saved)
        for _ in range(4):
            states.accumulate(saved, [(X, y, None)])
            states.accumulate(resumed, [(X, y, None)])
        assert states.everything(resumed) == states.everything(saved)

    def test_after_a_refused_batch_of_new_classes(self):
        X, y = np.eye(100, 4), np.arange(100) % 2
        saved = NeuralCollapseAnalyzer().partial_fit(X, y)
        with pytest.raises(ValueError, match="NaN or infinity"):
            saved.partial_fit(np.where(X == 1, np.nan, X), np.arange(100))
        assert states.everything(states.loaded(saved)) == states.everything(saved)

    def test_that_test_can_fail(self):
        parts = states.batches(5000, 4, np.float64)
        unbroken = states.accumulate(NeuralCollapseAnalyzer(), parts)
        other = states.accumulate(NeuralCollapseAnalyzer(), parts[:5])
        other.report()  # adds the rows that wait, so that blocks are others
        states.accumulate(other, parts[5:])
        assert states.everything(other) != states.everything(unbroken)

    @pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
    @pytest.mark.parametrize("name", OPTIONS)
    def test_tensors(self, dtype, name, torch):
        width = 260 if name == "plain" else 20  # from 257 on kept in float32
        found = states.batches(60, width, np.float32, weights=True)
        parts = [
            (torch.tensor(X).to(getattr(torch, dtype)), torch.tensor(y), w)
            for X, y, w in found
        ]
        unbroken = states.accumulate(NeuralCollapseAnalyzer(**OPTIONS[name]), parts)
        saved = states.accumulate(NeuralCollapseAnalyzer(**OPTIONS[name]), parts[:4])
        resumed = states.accumulate(states.loaded(saved), parts[4:])
        assert torch.is_tensor(resumed.class_means_)
        assert states.everything(resumed) == states.everything(unbroken)
        assert resumed.report().to_json() == unbroken.report().to_json()

    def test_weights_after_rows_without(self):
        parts = [
            *states.batches(40, 3, np.float64),
            *states.batches(40, 3, np.float64, weights=True),
        ]
        unbroken = states.accumulate(NeuralCollapseAnalyzer(), parts)
        resumed = states.loaded(states.accumulate(NeuralCollapseAnalyzer(), parts[:9]))
        states.accumulate(resumed, parts[9:])
        assert states.everything(resumed) == states.everything(unbroken)

    def test_wider_rows_later(self):
        parts = [
            *states.batches(40, 300, np.float32),
            *states.batches(40, 300, np.float64),
        ]
        unbroken = states.accumulate(NeuralCollapseAnalyzer(), parts)
        resumed = states.loaded(states.accumulate(NeuralCollapseAnalyzer(), parts[:5]))
        states.accumulate(resumed, parts[5:])
        assert states.everything(resumed) == states.everything(unbroken)

    def test_same_state_gives_the_same_file(self):
        analyzer = states.analyzer_of_strings()
        assert (
            states.stored(analyzer)
            == states.stored(analyzer)
            == states.stored(states.loaded(analyzer))
        )

    def test_sums_that_overflowed(self):
        X = np.array([[1e200, 1.0], [-1e200, 2.0], [3.0, 0.0], [4.0, 1.0]])
        analyzer = NeuralCollapseAnalyzer().fit(X, [0, 0, 1, 1])
        assert states.everything(states.loaded(analyzer)) == states.everything(analyzer)

    def test_scatter_that_is_not_symmetric(self):
        X = np.random.default_rng(0).normal(size=(20, 5))
        arrays = ClassStatistics.from_samples(X, np.arange(20) % 2).to_arrays()
        assert arrays["scatter"].shape == (15,)
        square = np.arange(25.0).reshape(5, 5)
        again = ClassStatistics.from_arrays(arrays | {"scatter": square})
        assert again.to_arrays()["scatter"].tolist() == square.tolist()

    @pytest.mark.parametrize("width", [1, 127, 128, 300])
    def test_triangle_of_any_width(self, width):
        X = np.random.default_rng(0).normal(size=(30, width))
        before = ClassStatistics.from_samples(X, np.arange(30) % 3)
        after = ClassStatistics.from_arrays(before.to_arrays())
        np.testing.assert_array_equal(before.moments.scatter, after.moments.scatter)


LABELS = {
    "integers": np.array([7, -3, 2**62]),
    "unsigned": np.array([1, 2, 2**64 - 1], np.uint64),
    "flags": np.array([True, False, True]),
    "numbers": np.array([1.0, 7.0, 1e9]),
    "strings": np.array(["ü\n", "a", "long name"]),
    "dates": np.array(["2020-01-01", "1999-01-01", "2020-01-02"], "M8[D]"),
    "durations": np.array([1, 5, 3], "m8[s]"),
}


class TestContents:
    @pytest.mark.parametrize("name", LABELS)
    def test_labels(self, name):
        y = np.tile(LABELS[name], 8)
        analyzer = NeuralCollapseAnalyzer().fit(states.whole_numbers(), y)
        found = states.loaded(analyzer)
        assert found.classes_.dtype == analyzer.classes_.dtype
        assert found.classes_.tolist() == analyzer.classes_.tolist()
        found.partial_fit(states.whole_numbers(), y)
        assert found.n_samples_seen_ == 48

    def test_parameters(self):
        convention = Convention(minority=("b", "c"), within="class")
        analyzer = NeuralCollapseAnalyzer(
            convention=convention,
            metrics=("nc1_cdnv", "NC2"),
            covariance=np.False_,
            n_jackknife=np.int64(2),
        )
        y = np.array(["a", "b", "c"])[np.arange(24) % 3]
        found = states.loaded(analyzer.fit(states.whole_numbers(), y))
        assert found.get_params() == {
            "head": None,
            "convention": convention,
            "metrics": ["nc1_cdnv", "NC2"],
            "covariance": False,
            "n_jackknife": 2,
        }
        dates = np.array(["2020-01-01", "2021-01-01"], "M8[D]")
        analyzer = NeuralCollapseAnalyzer(convention=Convention(minority=dates[:1]))
        analyzer.fit(states.whole_numbers(), dates[np.arange(24) % 2])
        assert states.loaded(analyzer).convention == analyzer.convention

    def test_classifier(self):
        X, y = states.whole_numbers(), np.arange(24) % 3
        model = NearestClassCenter("cosine").fit(X, y)
        found = states.loaded(model)
        assert type(found) is NearestClassCenter
        assert found.get_params() == model.get_params()
        np.testing.assert_array_equal(found.predict(X), model.predict(X))
        model = NearestClassCenter(priors=[1, 2, 3]).fit(X, y)
        probabilities = states.loaded(model).predict_proba(X)
        np.testing.assert_array_equal(probabilities, model.predict_proba(X))

    @pytest.mark.parametrize("kind", ["classifier", "pair", "weights", "head"])
    def test_head(self, kind):
        X, y = states.whole_numbers(), np.array(["b", "c", "a"])[np.arange(24) % 3]
        W, b = np.arange(12.0).reshape(3, 4) % 5, np.array([0.5, 1, 2])
        head = {
            "classifier": LogisticRegression(max_iter=500).fit(X, y),
            "pair": (W.astype(np.float32), b),
            "weights": W.astype(int),
            "head": LinearHead(W, b),
        }[kind]
        analyzer = NeuralCollapseAnalyzer(head).fit(X, y)
        found = states.loaded(analyzer)
        assert found.score(X, y).to_json() == analyzer.score(X, y).to_json()
        assert states.stored(found) == states.stored(states.loaded(found))

    def test_head_of_two_classes(self):
        X, y = states.whole_numbers(), np.arange(24) % 2
        head = LogisticRegression().fit(X, y)
        analyzer = NeuralCollapseAnalyzer(head).fit(X, y)
        assert (
            states.loaded(analyzer).score(X, y).to_json()
            == analyzer.score(X, y).to_json()
        )

    @pytest.mark.parametrize("kind", ["linear", "adapter", "bfloat16"])
    def test_module_as_head(self, kind, torch):
        X, y = torch.tensor(states.whole_numbers()).float(), torch.arange(24) % 3
        torch.manual_seed(0)
        nn = torch.nn
        layers = {
            "linear": nn.Linear(4, 3),
            "adapter": torch.nn.Sequential(
                torch.nn.Linear(4, 2), torch.nn.Linear(2, 3)
            ),
            "bfloat16": nn.Linear(4, 3).bfloat16(),
        }
        analyzer = NeuralCollapseAnalyzer(layers[kind]).fit(X, y)
        before = analyzer.score(X, y).to_json()
        assert states.loaded(analyzer).score(X, y).to_json() == before

    def test_head_is_that_of_the_moment(self, torch):
        analyzer = states.analyzer_of_tensors(torch)
        before = analyzer.report().nc3_self_duality
        found = states.loaded(analyzer)
        with torch.no_grad():
            analyzer.head.weight.zero_()
        assert found.report().nc3_self_duality == before

    def test_names_of_features(self):
        pandas = pytest.importorskip("pandas")
        X = pandas.DataFrame(states.whole_numbers(), columns=["a", "b", "ü", "d"])
        found = states.loaded(NeuralCollapseAnalyzer().fit(X, np.arange(24) % 3))
        assert found.feature_names_in_.tolist() == ["a", "b", "ü", "d"]
        found.partial_fit(X, np.arange(24) % 3)
        with pytest.raises(ValueError, match="feature names"):
            found.partial_fit(X[["b", "a", "ü", "d"]], np.arange(24) % 3)

    def test_classes_that_were_named(self):
        analyzer = NeuralCollapseAnalyzer()
        analyzer.partial_fit([[1.0], [2.0]], [0, 1], classes=[0, 1, 5])
        found = states.loaded(analyzer)
        assert found.classes_.tolist() == [0, 1, 5]
        with pytest.raises(ValueError, match="not among the 3 classes"):
            found.partial_fit([[1.0]], [2])

    def test_groups_without_rows(self):
        analyzer = NeuralCollapseAnalyzer(n_jackknife=9).fit([[1.0], [2.0]], [0, 1])
        found = states.loaded(analyzer)
        empty = [part is None for part in states.everything(states.loaded(analyzer))]
        assert empty.count(True) >= 7
        parts = states.batches(30, 1, np.float64)
        assert states.everything(states.accumulate(found, parts)) == states.everything(
            states.accumulate(analyzer, parts)
        )

    def test_scatters_of_classes(self):
        parts = states.batches(20, 5, np.float32, strings=True)
        analyzer = NeuralCollapseAnalyzer(metrics="spectrum", covariance="by_class")
        states.accumulate(analyzer, parts)
        found = states.loaded(analyzer)
        assert "class_scatters" in found.statistics_.to_arrays()
        assert "spec_class_nuclear_ratio" in found.report()
        assert found.report().to_json() == analyzer.report().to_json()
        for moved in (analyzer.to("cpu").statistics_, analyzer.statistics_.to("cpu")):
            for label, spread in moved.class_scatters.by_label.items():
                held = analyzer.statistics_.class_scatters.by_label[label]
                assert spread.scatter is not held.scatter
                np.testing.assert_array_equal(spread.scatter, held.scatter)
        assert len(moved.class_scatters.by_label) == len(analyzer.classes_)

    def test_merge_of_what_was_loaded(self):
        parts = states.batches(60, 5, np.float32)
        first, second = (
            states.accumulate(NeuralCollapseAnalyzer(), part)
            for part in (parts[:4], parts[4:])
        )
        merged = states.loaded(first).merge(states.loaded(second))
        assert states.everything(merged) == states.everything(first.merge(second))

    def test_what_numpy_alone_reads(self, tmp_path):
        path = tmp_path / "state.sknc"
        NeuralCollapseAnalyzer().fit(states.whole_numbers(), np.arange(24) % 3).save(
            path
        )
        with np.load(path, allow_pickle=False) as archive:
            assert {"0/classes", "0/order", "0/waiting_rows"} <= set(archive.files)
            assert archive["header.json"].startswith(b'{"sknc_state": 1')


class TestPlaces:
    def test_tensors_as_numpy(self, torch):
        analyzer = states.analyzer_of_tensors(torch)
        for found in (states.loaded(analyzer, place="numpy"), analyzer.to("numpy")):
            assert isinstance(found.class_means_, np.ndarray)
            assert states.everything(found) == states.everything(analyzer)
            found.partial_fit(states.whole_numbers(), np.arange(24) % 3)
        assert torch.is_tensor(analyzer.class_means_)

    def test_numpy_as_tensors(self, torch):
        analyzer = NeuralCollapseAnalyzer().fit(
            states.whole_numbers(), np.arange(24) % 3
        )
        device = torch.device("cpu")
        assert isinstance(analyzer.to("cpu").class_means_, np.ndarray)
        assert isinstance(analyzer.to(device).class_means_, np.ndarray)
        assert isinstance(states.loaded(analyzer, place="cpu").class_means_, np.ndarray)
        found = states.loaded(analyzer, place="cpu:0")
        assert torch.is_tensor(found.class_means_)
        assert states.everything(found) == states.everything(analyzer)

    def test_rows_that_wait_stay_apart(self):
        parts = states.batches(5000, 4, np.float64)
        unbroken = states.accumulate(NeuralCollapseAnalyzer(), parts)
        first = states.accumulate(NeuralCollapseAnalyzer(), parts[:5])
        moved = first.to("cpu")
        states.accumulate(first, parts[:1])  # which must not reach the copy
        states.accumulate(moved, parts[5:])
        assert states.everything(moved) == states.everything(unbroken)

    def test_statistics(self, torch):
        X = torch.tensor(states.whole_numbers())
        statistics = ClassStatistics.from_samples(X, torch.arange(24) % 3)
        moved = statistics.to("numpy")
        assert isinstance(moved.class_means, np.ndarray)
        assert moved.merge(moved).n_samples == 48
        assert torch.is_tensor(statistics.to("cpu").class_means)

    @pytest.mark.parametrize("place", ["attic", "cuda:99", 3.5])
    def test_no_such_place(self, place, torch):
        analyzer = states.centers_of_dates()
        start = r'^place must be "numpy", "cpu" or a device of torch'
        for use in (analyzer.to, lambda place: states.loaded(analyzer, place=place)):
            with pytest.raises(ValueError, match=start):
                use(place)

    @pytest.mark.gpu
    def test_gpu(self, torch):
        X, y = torch.tensor(states.whole_numbers()).cuda(), torch.arange(24).cuda() % 3
        analyzer = (
            NeuralCollapseAnalyzer().fit(X[:12], y[:12]).partial_fit(X[12:], y[12:])
        )
        for found in (states.loaded(analyzer), analyzer.to("cpu")):
            assert found.class_means_.device.type == "cpu"
            found.partial_fit(X.cpu(), y.cpu())
            assert found.n_samples_seen_ == 48
        found = states.loaded(analyzer, place="cuda")
        assert found.partial_fit(X, y).class_means_.is_cuda
        assert analyzer.to("numpy").to("cuda").class_means_.is_cuda
