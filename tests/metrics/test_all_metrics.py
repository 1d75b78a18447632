"""What holds of every row of the table of metrics."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from every_metric import (
    EVERYTHING,
    long_tailed,
    long_tailed_values,
    same,
    strangers,
    values_of,
)
from tolerances import TIGHT
from toys import Toy, simplex, toy

from sknc import ClassStatistics, LinearHead, NeuralCollapseAnalyzer, metrics
from sknc.convention import Convention
from sknc.metrics import TABLE
from sknc.report._building import Inputs, metric_values

OOD = tuple(key for key, metric in TABLE.items() if metric.group == "NC5")
KEYS = tuple(TABLE)
BALANCED, UNBALANCED = (9,) * 5, (16, 16, 8, 8, 4)
# Defined only where counts differ, or only for classes of the same count among them.
OF_COUNTS = tuple(
    key for key in KEYS if key.startswith(("imb_minority", "imb_norm", "imb_block"))
)
OF_FRAMES = ("nc2_welch", "nc2_welch_head")  # only with fewer features than classes
ALPHA = 2.5


# At collapse -----------------------------------------------------------------------

FORMULAS = {
    "-inf": lambda K: -math.inf,
    "1/(K-1)": lambda K: 1 / (K - 1),
    "-1/(K-1)": lambda K: -1 / (K - 1),
    "arccos(-1/(K-1))": lambda K: math.acos(-1 / (K - 1)),
    "K/(K-1)": lambda K: K / (K - 1),
    "K-1": lambda K: K - 1,
    "-log(2K/(K-1))/2": lambda K: -math.log(2 * K / (K - 1)) / 2,
    "(2K/(K-1))**(-1/2)": lambda K: (2 * K / (K - 1)) ** -0.5,
    "0 without centering, sqrt(2-2sqrt((K-1)/K)) for a simplex about 0": (
        lambda K: math.sqrt(2 - 2 * math.sqrt((K - 1) / K))
    ),
    # Of the simplex of norm 3 below; the distance of two corners is 3 sqrt(2K/(K-1)).
    "half the distance to the nearest center": (
        lambda K: 1.5 * math.sqrt(2 * K / (K - 1))
    ),
    "1 for the fitted classes, lower otherwise": lambda K: 1.0,
}


def ideal(key, K):
    value = TABLE[key].ideal
    return FORMULAS[value](K) if isinstance(value, str) else value


def corners(K, D):
    """Return a simplex of norm 3, for D = K - 1 in coordinates of its span."""
    if D >= K:
        return 3 * simplex(K, D)
    _, values, axes = np.linalg.svd(np.eye(K) - 1 / K)
    assert values[D - 1] > 0.5
    return 3 * math.sqrt(K / (K - 1)) * axes[:D].T


def shape_for(key, K=5):
    """Return number of features, and whether counts differ, so that a key exists."""
    return K - 1 if key in OF_FRAMES else K + 4, key in OF_COUNTS


def exact(K, D, counts, *, fits=False):
    """Return a collapsed configuration, with the least-squares head if it `fits`."""
    means = corners(K, D)
    y = np.repeat(np.arange(K), counts)
    X = means[y]
    W = means * ((K - 1) / (9 * K) if fits else ALPHA)
    return Toy(X, y, W, np.full(K, 1 / K) if fits else -W @ X.mean(0))


@cache
def at_collapse(K, D, unbalanced):
    item = exact(K, D, UNBALANCED if unbalanced else 9)
    # Strangers orthogonal to all classes.
    values = values_of(item, np.linalg.svd(item.X)[2][K:] if D > K else None)
    values["mse_lperp"] = values_of(exact(K, D, 9, fits=True))["mse_lperp"]
    analyzer = NeuralCollapseAnalyzer().fit(item.X, item.y)
    return values | {"nc5_neco": analyzer.score_ood(item.X)["nc5_neco"]}


def test_every_formula_is_known():
    found = {m.ideal for m in TABLE.values() if isinstance(m.ideal, str)}
    assert found == set(FORMULAS)


def test_ideal_value():
    for key in [key for key in KEYS if TABLE[key].ideal is not None]:
        value = at_collapse(5, *shape_for(key))[key]
        assert value == pytest.approx(ideal(key, 5), rel=1e-11, abs=1e-11), key


@pytest.mark.parametrize(("K", "D"), [(3, 5), (8, 12)])
def test_ideal_value_of_other_sizes(K, D):
    values = at_collapse(K, D, unbalanced=False)
    for key, metric in TABLE.items():
        if metric.ideal is not None and key not in (*OF_COUNTS, *OF_FRAMES):
            want = pytest.approx(ideal(key, K), rel=1e-11, abs=1e-11)
            assert values[key] == want, key


def test_loss_of_the_fitting_head():
    values = values_of(exact(5, 9, 9, fits=True))
    for key in ("mse_total", "mse_lnc1", "mse_lnc23", "mse_lperp"):
        assert values[key] == pytest.approx(0, abs=1e-25)


def test_collapse_has_reasons_for_what_is_undefined():
    item = exact(5, 9, 9)
    analyzer = NeuralCollapseAnalyzer(item.head, **EVERYTHING).fit(item.X, item.y)
    report = analyzer.score(item.X, item.y)
    undefined = [key for key in report if not math.isfinite(report[key])]
    assert undefined
    for key in undefined:
        assert report.notes[key].startswith(("Undefined", "Minus infinity")), key


# Generic ---------------------------------------------------------------------------


def test_finite():
    of_frames = values_of(toy("more_classes_imbalanced"))
    for key in KEYS:
        values = of_frames if key in OF_FRAMES else long_tailed_values()
        assert math.isfinite(values[key]), key


def test_every_key_is_there():
    assert set(long_tailed_values()) == set(KEYS)
    assert set(KEYS) - set(values_of(long_tailed())) == set(OOD)


def test_order_of_the_table():
    values = values_of(long_tailed())
    assert list(values) == [key for key in KEYS if key not in OOD]


# Order -----------------------------------------------------------------------------


def test_permuted_classes():
    item, order = long_tailed(), np.array([3, 5, 0, 1, 4, 2])
    place = np.argsort(order)
    other = replace(item, y=place[item.y], W=item.W[order], b=item.b[order])
    same(values_of(other, strangers(8)), long_tailed_values(), keys=KEYS)


def test_relabeling():
    names = ["a", "bb", "c", "d", "dd", "e"]
    relabeled = values_of(long_tailed().relabeled(names), strangers(8))
    same(relabeled, long_tailed_values(), rel=1e-14, keys=KEYS)


def test_order_of_the_samples():
    item = long_tailed()
    order = np.random.default_rng(7).permutation(len(item.X))
    shuffled = replace(item, X=item.X[order], y=item.y[order])
    same(values_of(shuffled, strangers(8)), long_tailed_values(), keys=KEYS)


# Paths -----------------------------------------------------------------------------

PATHS = (
    "long_tailed",
    "random_balanced",
    "more_classes_than_dimensions",
    "two_classes",
)


@pytest.mark.parametrize("name", PATHS)
def test_torch(name, torch):
    item = toy(name)
    X, y, Z = torch.asarray(item.X), torch.asarray(item.y), strangers(item.X.shape[1])
    analyzer = NeuralCollapseAnalyzer(item.head, **EVERYTHING).fit(X, y)
    got = analyzer.score(X, y).to_dict() | analyzer.score_ood(torch.asarray(Z))
    want = values_of(item, Z)
    assert list(got) == list(want)
    assert {type(value) for value in got.values()} == {float}
    same(got, want)
    got, want = analyzer.report(), NeuralCollapseAnalyzer(item.head, **EVERYTHING)
    want = want.fit(item.X, item.y).report()
    assert list(got) == list(want)
    same(got, want.to_dict())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", PATHS)
def test_batches(name, weighted):
    item = toy(name)
    weights = 0.5 + np.arange(len(item.X)) % 3 if weighted else np.ones(len(item.X))
    parts = [
        (item.X[i : i + 17], item.y[i : i + 17], weights[i : i + 17])
        for i in range(0, len(item.X), 17)
    ]
    whole = NeuralCollapseAnalyzer(item.head, **EVERYTHING)
    whole.fit(item.X, item.y, sample_weight=weights)
    pieces = NeuralCollapseAnalyzer(item.head, **EVERYTHING).fit_batches(parts)
    same(pieces.report(), whole.report().to_dict())
    want = whole.score(item.X, item.y, sample_weight=weights).to_dict()
    same(pieces.score_batches(parts), want)


@pytest.mark.parametrize("name", PATHS)
def test_weights_are_repetitions(name):
    item = toy(name)
    repeats = 1 + np.arange(len(item.X)) % 3
    weights = repeats.astype(float)
    analyzer = NeuralCollapseAnalyzer(item.head, **EVERYTHING)
    got = analyzer.fit(item.X, item.y, weights).score(item.X, item.y, weights)
    want = values_of(
        replace(item, X=np.repeat(item.X, repeats, 0), y=np.repeat(item.y, repeats))
    )
    # The adjustment counts samples, not weights.
    same(got, want, keys=[k for k in want if k != "nc1_vci_adjusted"])


@pytest.mark.parametrize("name", PATHS)
def test_score_of_the_fitted_samples_is_the_report(name):
    item = toy(name)
    analyzer = NeuralCollapseAnalyzer(item.head, **EVERYTHING).fit(item.X, item.y)
    want, got = analyzer.report(), analyzer.score(item.X, item.y)
    same(got, want.to_dict())


def test_one_at_a_time():
    item = toy("long_tailed")
    everything = values_of(item)
    for key in [key for key in KEYS if key not in OOD]:
        got = values_of(item, metrics=[key])
        assert list(got) == [key]
        same(got, everything, rel=TIGHT, keys=[key])


@pytest.mark.parametrize("key", OOD)
def test_metrics_of_strangers_by_name(key):
    item, Z = long_tailed(), strangers(8)
    statistics = NeuralCollapseAnalyzer().fit(item.X, item.y).statistics_
    inputs = Inputs(statistics, Convention(), ood_mean=Z.mean(0), ood_features=Z)
    got = metric_values(inputs, [key])
    same(got, long_tailed_values(), keys=[key])


# Direction -------------------------------------------------------------------------


@cache
def at_noise(spread, n_features, unbalanced, fits):
    K, D = 5, n_features
    rng = np.random.default_rng(30)
    item = exact(K, D, UNBALANCED if unbalanced else 9, fits=fits)
    X = item.X + spread * rng.standard_normal(item.X.shape)
    scale = abs(item.W).max() / 3
    W = item.W + scale * spread * 0.3 * rng.standard_normal((K, D))
    b = item.b + scale * spread * rng.standard_normal(K)
    if D < K:
        return values_of(Toy(X, item.y, W, b))
    Z = rng.standard_normal((60, D))
    outside = np.linalg.svd(item.X)[2][K:]
    Z = 3 * Z[:, K:] @ outside + spread * Z
    return values_of(Toy(X, item.y, W, b), Z)


def noisy(key, spread):
    return at_noise(spread, *shape_for(key), key == "mse_lperp")[key]


DIRECTED = [
    key
    for key, metric in TABLE.items()
    if metric.lower_is_collapsed is not None and metric.ideal is not None
]
# Lower than in minority collapse; noise may lie on either side of the ideal.
TWO_SIDED = ("imb_minority_cosine", "imb_minority_cosine_head")


def test_direction():
    for key in [key for key in DIRECTED if key not in TWO_SIDED]:
        sign = 1 if TABLE[key].lower_is_collapsed else -1
        most, less, least = (sign * noisy(key, spread) for spread in (1.5, 0.3, 0.03))
        if key == "nc4_mismatch":
            assert most > less >= least  # no sample is left to be decided otherwise
        else:
            assert most > less > least, key


@pytest.mark.parametrize("key", ["nc1_wrong", "mse_total", "mse_lnc1", "mse_lnc23"])
def test_direction_without_an_ideal(key):
    spreads = (1.5, 1.2) if key == "nc1_wrong" else (1.5, 0.3, 0.03)
    values = [at_noise(s, 9, False, key != "nc1_wrong")[key] for s in spreads]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1]


@pytest.mark.parametrize("key", TWO_SIDED)
def test_minority_collapse(key):
    # The two rarest classes drawn together, step by step.
    item = exact(5, 9, UNBALANCED)
    values = []
    for share in (0.0, 0.5, 0.9):
        means = corners(5, 9)
        middle = means[3:].mean(0)
        means[3:] += share * (middle - means[3:])
        other = replace(item, X=means[item.y], W=ALPHA * means)
        values.append(values_of(other)[key])
    assert values[0] < values[1] < values[2]


def test_limit_is_the_ideal():
    for key in DIRECTED:
        value = noisy(key, 1e-7)
        if TABLE[key].ideal == "-inf":
            assert value < -25, key
        else:
            assert value == pytest.approx(ideal(key, 5), abs=1e-5), key


# Arguments ----------------------------------------------------------------------


def test_statistics_and_heads_of_another_kind():
    head = LinearHead(np.eye(3), None)
    text = (
        r"statistics must be ClassStatistics, got LinearHead\(.*analyzer\.statistics_"
    )
    with pytest.raises(ValueError, match=text):
        metrics.nc1_pinv(head)
    text = r"head must be a LinearHead, got .*\. Pass sknc\.LinearHead\(weights, bias\)"
    with pytest.raises(ValueError, match=text):
        metrics.nc2_equinorm_head(np.eye(3))


def test_a_head_of_other_classes():
    statistics = ClassStatistics.from_samples(np.eye(3), np.arange(3))
    text = (
        r"head must have weights of shape \(3, 3\), a row for each class and a "
        r"column for each feature of the statistics, got \(2, 3\)\. To select some"
    )
    with pytest.raises(ValueError, match=text):
        metrics.nc3_self_duality(statistics, LinearHead(np.eye(2, 3), None))


def test_a_convention_is_checked_where_it_makes_no_difference():
    statistics = ClassStatistics.from_samples(np.eye(3), np.arange(3))
    with pytest.raises(ValueError, match="convention must be a Convention or one of"):
        metrics.nc1_vci(statistics, convention="nope")
