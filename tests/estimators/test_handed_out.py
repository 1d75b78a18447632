"""What was handed out cannot change an estimator, a state or a report."""

import copy

import numpy as np
import pytest
from toys import toy

from sknc import NearestClassCenter, NeuralCollapseAnalyzer

ATTRIBUTES = (
    "classes_",
    "class_count_",
    "class_means_",
    "global_mean_",
    "within_class_covariance_",
    "between_class_covariance_",
    "total_covariance_",
)
OF_STATISTICS = ("classes", "counts", "class_means", "class_variances")


@pytest.fixture(params=["numpy", "torch"])
def analyzer(request):
    item = toy("random_balanced")
    X, y = item.X, item.y
    if request.param == "torch":
        torch = pytest.importorskip("torch")
        X, y = torch.as_tensor(X), torch.as_tensor(y)
    return NeuralCollapseAnalyzer(item.head).fit(X, y)


def overwrite(array):
    """Write zeros, unless the array is read-only."""
    if isinstance(array, np.ndarray) and not array.flags.writeable:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    else:
        array[...] = 0


def everything(analyzer, X):
    """Return all that an analyzer says, as text."""
    found = [getattr(analyzer, name) for name in ATTRIBUTES]
    reports = [analyzer.report(), analyzer.score(X, np.arange(5))]
    return repr([np.asarray(item).tolist() for item in found]) + repr(
        [report.to_json() for report in reports]
    )


def test_attributes(analyzer):
    X = analyzer.class_means_ + 1
    before = everything(analyzer, X)
    for name in ATTRIBUTES:
        overwrite(getattr(analyzer, name))
    assert everything(analyzer, X) == before


def test_reports(analyzer):
    X = analyzer.class_means_ + 1
    before = everything(analyzer, X)
    for report in (analyzer.report(), analyzer.score(X, np.arange(5))):
        text = report.to_json()
        for values in report.per_class.values():
            with pytest.raises(ValueError, match="read-only"):
                values[...] = 0
        again = copy.deepcopy(report)
        for values in again.per_class.values():
            with pytest.raises(ValueError, match="read-only"):
                values[...] = 0
        assert report.to_json() == text
    assert everything(analyzer, X) == before


@pytest.mark.parametrize("name", ["per_class", "notes", "quantiles", "standard_error"])
def test_mappings_of_a_report(name):
    item = toy("random_balanced")
    metrics = ["nc4_ncc_margin", "nc1_cdnv"]
    analyzer = NeuralCollapseAnalyzer(metrics=metrics, n_jackknife=3)
    report = analyzer.fit(item.X, item.y).score(item.X, item.y)
    found = [getattr(report, name)]
    found += [value for value in found[0].values() if hasattr(value, "keys")]
    assert len(found) == 1 + (name == "quantiles")
    for mapping in found:
        with pytest.raises(TypeError, match="does not support item assignment"):
            mapping["nc1_cdnv"] = 0


def test_statistics():
    item = toy("random_balanced")
    analyzer = NeuralCollapseAnalyzer().fit(item.X, item.y)
    before = everything(analyzer, item.X[:5])
    statistics = analyzer.statistics_
    for array in (
        *(getattr(statistics, name) for name in OF_STATISTICS),
        statistics.within_scatter,
        *vars(statistics.moments).values(),
    ):
        overwrite(array)
    assert everything(analyzer, item.X[:5]) == before


def test_decisions_about_centers():
    item = toy("random_balanced")
    model = NearestClassCenter().fit(item.X, item.y)
    distances = model.transform(item.X)
    for name in ("class_means_", "class_count_", "classes_"):
        overwrite(getattr(model, name))
    np.testing.assert_array_equal(model.transform(item.X), distances)


def test_a_stream_goes_on_beside_what_was_handed_out():
    item = toy("random_balanced")
    analyzer = NeuralCollapseAnalyzer().fit(item.X, item.y)
    held = [(name, getattr(analyzer, name)) for name in ATTRIBUTES]
    copies = copy.deepcopy(held)
    analyzer.partial_fit(item.X + 1, item.y)
    for (name, array), (_, before) in zip(held, copies, strict=True):
        np.testing.assert_array_equal(array, before, err_msg=name)
    twice = NeuralCollapseAnalyzer().fit(
        np.concatenate([item.X, item.X + 1]), np.concatenate([item.y, item.y])
    )
    np.testing.assert_allclose(analyzer.class_means_, twice.class_means_)
