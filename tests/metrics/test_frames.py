"""NC2 beyond the headline: known values, references, identities, invariances."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import labelled, rotations, seeds
from tables import each
from tolerances import LOOSE, TIGHT
from toys import SQUARE, plus_minus_pairs, simplex, toy
from vectors import UNCENTERED, exact_norms, exact_rows, of_means, random_rows

import sknc.metrics as frames
from sknc import ClassStatistics
from sknc.head import LinearHead
from sknc.metrics import simplex as headline
from sknc.metrics import spectral

KEYS = (
    "nc2_equiangular_max",
    "nc2_equiangular_rms",
    "nc2_log_equinorm",
    "nc2_cosgram",
    "nc2_etf_floor",
    "nc2_etf_excess",
    "nc2_orthoframe",
    "nc2_tightness",
    "nc2_coherence",
    "nc2_welch",
    "nc2_min_angle",
)
OF_DIRECTIONS = (
    "nc2_equiangular_max",
    "nc2_equiangular_rms",
    "nc2_cosgram",
    "nc2_coherence",
    "nc2_welch",
    "nc2_min_angle",
)
CLOSE = {"rel": 1e-12, "abs": 1e-14}
SHAPES = [(2, 1), (2, 5), (3, 2), (4, 2), (5, 9), (6, 5), (12, 4), (20, 7), (16, 15)]


def head(rows):
    return LinearHead(np.asarray(rows, float), None)


def both(key, rows, convention="default"):
    """The metric of class means, and of a head."""
    mean = getattr(frames, key)(of_means(rows), convention=convention)
    return mean, getattr(frames, f"{key}_head")(head(rows))


def reference(key, rows):
    """The metric of rows that are taken as they are, in 40 digits, with K x K."""
    with mp.workdps(40):
        return float(_reference(key, exact_rows(rows)))


def centered(rows):
    """Rows less their mean, rounded once."""
    with mp.workdps(40):
        columns = exact_rows(np.transpose(rows))
        means = [mp.fsum(column) / len(column) for column in columns]
        pairs = zip(columns, means, strict=True)
        return np.array([[float(v - m) for v in column] for column, m in pairs]).T


def _reference(key, rows):
    K, D = len(rows), len(rows[0])
    norms = exact_norms(rows)
    A = mp.matrix([[mp.fdot(a, b) for b in rows] for a in rows])
    cosines = [
        A[i, j] / norms[i] / norms[j] for i in range(K) for j in range(K) if i != j
    ]
    s = mp.mpf(1) / (K - 1)
    identity, ones = mp.eye(K), mp.ones(K)
    floor = mp.sqrt(2 - 2 * mp.sqrt(mp.mpf(min(D, K - 1)) / (K - 1)))
    if key == "nc2_equiangular_max":
        return max(abs(c + s) for c in cosines)
    if key == "nc2_equiangular_rms":
        return mp.sqrt(mp.fsum((c + s) ** 2 for c in cosines) / len(cosines))
    if key == "nc2_log_equinorm":
        logs = [mp.log(n) for n in norms]
        mean = mp.fsum(logs) / K
        return mp.sqrt(mp.fsum((v - mean) ** 2 for v in logs) / (K - 1))
    if key == "nc2_cosgram":
        U = mp.matrix(
            [[A[i, j] / norms[i] / norms[j] for j in range(K)] for i in range(K)]
        )
        target = (identity - ones / K) * K / (K - 1)
        return frobenius(U - target) / frobenius(target)
    if key == "nc2_etf_floor":
        return floor
    if key == "nc2_etf_excess":
        T = (identity - ones / K) / mp.sqrt(K - 1)
        return frobenius(A / frobenius(A) - T) - floor
    if key == "nc2_orthoframe":
        return frobenius(A / frobenius(A) - identity / mp.sqrt(K))
    if key == "nc2_tightness":
        return _reference_tightness(A, min(K - 1, D))
    if key == "nc2_coherence":
        return max(abs(c) for c in cosines)
    if key == "nc2_welch":
        if K <= D:
            return mp.nan
        bound = mp.sqrt(mp.mpf(K - D) / (D * (K - 1)))
        return max(abs(c) for c in cosines) - bound
    return mp.acos(max(-mp.mpf(1), *cosines))


def _reference_tightness(A, rank):
    # V^T V and V V^T have the same eigenvalues.
    values = sorted((v for v in mp.eigsy(A, eigvals_only=True)), reverse=True)
    shares = [v * rank / mp.fsum(values) for v in values]
    squares = [(v - (i < rank)) ** 2 for i, v in enumerate(shares)]
    return mp.sqrt(mp.fsum(squares) / rank)


def frobenius(matrix):
    return mp.sqrt(mp.fsum(v * v for v in matrix))


# Known values -------------------------------------------------------------------


def test_square_in_the_plane():
    want = {
        "nc2_equiangular_max": 2 / 3,
        "nc2_equiangular_rms": math.sqrt(2) / 3,
        "nc2_log_equinorm": 0,
        "nc2_cosgram": math.sqrt(0.5),
        "nc2_etf_floor": math.sqrt(2 - 2 * math.sqrt(2 / 3)),
        "nc2_etf_excess": 0,
        "nc2_orthoframe": math.sqrt(2 - 2 * math.sqrt(0.5)),
        "nc2_tightness": 0,
        "nc2_coherence": 1,
        "nc2_welch": 1 - math.sqrt(1 / 3),
        "nc2_min_angle": math.pi / 2,
    }
    assert set(want) == set(KEYS)
    for key, value in want.items():
        assert both(key, SQUARE) == pytest.approx((value, value), **CLOSE), key


@pytest.mark.parametrize(
    ("n_classes", "n_features"), [(2, 3), (5, 8), (9, 9), (30, 64)]
)
def test_exact_simplex(n_classes, n_features):
    rows = 3 * simplex(n_classes, n_features)
    s = 1 / (n_classes - 1)
    want = dict.fromkeys(KEYS, 0.0) | {
        "nc2_orthoframe": math.sqrt(2 - 2 * math.sqrt((n_classes - 1) / n_classes)),
        "nc2_coherence": s,
        "nc2_welch": math.nan,
        "nc2_min_angle": math.acos(-s),
    }
    for key, value in want.items():
        got = both(key, rows)
        # The angle of opposite directions has an error of the root of rounding
        # only if it is taken from their cosine.
        assert got == pytest.approx((value, value), abs=3e-15, nan_ok=True), key


def test_simplex_that_fills_its_space_meets_the_welch_bound():
    basis = np.linalg.svd(simplex(6, 8))[2][:5]
    rows = simplex(6, 8) @ basis.T
    assert both("nc2_welch", rows) == pytest.approx((0, 0), abs=1e-14)


def test_equiangular_lines_meet_the_welch_bound():
    # Six diagonals of an icosahedron; about their mean they are not equiangular.
    golden = (1 + math.sqrt(5)) / 2
    rows = [[0, 1, s * golden] for s in (1, -1)]
    rows += [[1, s * golden, 0] for s in (1, -1)]
    rows += [[s * golden, 0, 1] for s in (1, -1)]
    uncentered, of_head = both("nc2_welch", rows, UNCENTERED)
    assert uncentered == pytest.approx(0, abs=1e-14)
    assert of_head == pytest.approx(0, abs=1e-14)
    assert both("nc2_welch", rows)[0] > 0.1


def test_orthogonal_means_of_one_length():
    rows = 4 * rotations(7, 0)[:5]
    assert both("nc2_orthoframe", rows) == pytest.approx((0, 0), abs=1e-15)
    # They are a simplex about their mean, but not about the origin.
    mean, of_head = both("nc2_cosgram", rows)
    assert mean == pytest.approx(0, abs=1e-14)
    assert of_head > 0.1


def test_plus_minus_pairs():
    rows = plus_minus_pairs()
    mean, of_head = both("nc2_coherence", rows)
    assert mean == of_head == 1
    assert both("nc2_log_equinorm", rows) == pytest.approx((0, 0), abs=1e-15)
    cosines = (rows @ rows.T)[np.triu_indices(20, 1)]
    want = math.sqrt(((cosines + 1 / 19) ** 2).mean())
    assert both("nc2_equiangular_rms", rows) == pytest.approx((want, want), **CLOSE)
    assert want > 0.25
    # Ten of nineteen directions, so not tight although nearly so within their span.
    assert both("nc2_tightness", rows)[0] > math.sqrt(19 / 10 - 1)


# References ---------------------------------------------------------------------


@each("key", KEYS)
@pytest.mark.parametrize(("n_classes", "n_features"), SHAPES)
def test_equals_reference(key, n_classes, n_features):
    rows = random_rows(n_classes, n_features, 0.5)
    mean, of_head = both(key, rows)
    plain = key == "nc2_orthoframe"
    want = reference(key, rows if plain else centered(rows))
    assert mean == pytest.approx(want, rel=LOOSE, abs=1e-14, nan_ok=True)
    want = reference(key, rows)
    assert of_head == pytest.approx(want, rel=LOOSE, abs=1e-14, nan_ok=True)


@pytest.mark.parametrize("key", KEYS)
def test_conventions_choose_the_center(key):
    item = toy("long_tailed")
    statistics = ClassStatistics.from_samples(item.X, item.y)
    means = np.asarray(statistics.class_means)
    weights = np.asarray(statistics.counts) / len(item.y)
    function = getattr(frames, key)
    for convention, rows in (
        (UNCENTERED, means),
        ("zhu2021", means - weights @ means),
        ("frequency", means - weights @ means),
    ):
        rows = means if key == "nc2_orthoframe" else rows
        got = function(statistics, convention=convention)
        want = reference(key, rows)
        assert got == pytest.approx(want, rel=LOOSE, abs=1e-13, nan_ok=True)


@pytest.mark.parametrize(("n_classes", "n_features"), SHAPES)
def test_cosgram_is_the_root_mean_square_rescaled(n_classes, n_features):
    rows = random_rows(n_classes, n_features)
    K = n_classes
    for one, other in zip(
        both("nc2_cosgram", rows), both("nc2_equiangular_rms", rows), strict=True
    ):
        want = other * math.sqrt(K * (K - 1))
        assert one * K / math.sqrt(K - 1) == pytest.approx(want, **CLOSE)


@pytest.mark.parametrize(("n_classes", "n_features"), SHAPES)
def test_tightness_and_etf_error_follow_from_the_participation_ratio(
    n_classes, n_features
):
    statistics = of_means(random_rows(n_classes, n_features, 2.0))
    ratio = spectral.spec_between_pr(statistics)
    rank = min(n_classes - 1, n_features)
    want = math.sqrt(max(0, rank / ratio - 1))
    got = frames.nc2_tightness(statistics)
    assert got == pytest.approx(want, rel=LOOSE, abs=1e-7)
    etf = math.sqrt(max(0, 2 - 2 * math.sqrt(ratio / (n_classes - 1))))
    assert headline.nc2_etf(statistics) == pytest.approx(etf, rel=LOOSE, abs=1e-7)
    excess = etf - frames.nc2_etf_floor(statistics)
    got = frames.nc2_etf_excess(statistics)
    assert got == pytest.approx(excess, rel=LOOSE, abs=1e-7)


@pytest.mark.parametrize(("n_classes", "n_features"), [(40, 8), (100, 3), (9, 7)])
def test_tight_frames_of_many_classes_have_no_excess(n_classes, n_features):
    rows = random_rows(n_classes, n_features)
    rows = np.linalg.qr(rows - rows.mean(0))[0]
    for key in ("nc2_etf_excess", "nc2_tightness"):
        assert both(key, rows) == pytest.approx((0, 0), abs=TIGHT)
    mean, of_head = both("nc2_etf_floor", rows)
    assert mean == of_head == pytest.approx(headline.nc2_etf(of_means(rows)), **CLOSE)


# Precision ----------------------------------------------------------------------


@pytest.mark.parametrize("angle", [1e-2, 1e-4, 1e-6])
def test_small_angles_keep_their_digits(angle):
    # Lengths that are powers of two change nothing.
    rows = [[2.0, 0, 0], [math.cos(angle), math.sin(angle), 0], [0, 0, 1], [0, -1, 0]]
    assert frames.nc2_min_angle_head(head(rows)) == pytest.approx(angle, rel=LOOSE)
    got = frames.nc2_min_angle(of_means(rows), convention=UNCENTERED)
    assert got == pytest.approx(angle, rel=LOOSE)


@pytest.mark.parametrize("noise", [1e-6, 1e-9, 1e-12])
def test_almost_exact_simplex_keeps_its_digits(noise):
    rows = simplex(8, 10) + noise * random_rows(8, 10)
    for key in (*KEYS[:4], "nc2_etf_excess", "nc2_tightness"):
        mean, of_head = both(key, rows)
        want = reference(key, centered(rows))
        assert mean == pytest.approx(want, rel=1e-8, abs=1e-14)
        assert of_head == pytest.approx(reference(key, rows), rel=1e-8, abs=1e-14)
        assert noise / 10 < mean < noise * 10


def test_long_vectors_do_not_spoil_the_spread_of_log_norms():
    # Logarithms near 200 would have errors of 1e-14.
    rows = 2.0**300 * simplex(8, 10)
    assert both("nc2_log_equinorm", rows) == pytest.approx((0, 0), abs=1e-15)


def test_many_tiles_equal_one_block():
    rows = random_rows(1300, 20)
    unit = rows / np.linalg.norm(rows, axis=1)[:, None]
    cosines = (unit @ unit.T)[np.triu_indices(1300, 1)]
    of = head(rows)
    excess = cosines + 1 / 1299
    got = frames.nc2_equiangular_rms_head(of)
    assert got == pytest.approx(np.sqrt((excess**2).mean()), **CLOSE)
    assert frames.nc2_equiangular_max_head(of) == pytest.approx(
        abs(excess).max(), **CLOSE
    )
    assert frames.nc2_coherence_head(of) == pytest.approx(abs(cosines).max(), **CLOSE)
    got = frames.nc2_min_angle_head(of)
    assert got == pytest.approx(math.acos(cosines.max()), **CLOSE)


# Where a value is not defined ------------------------------------------------------


@pytest.mark.parametrize("place", [0, 3, 700])
def test_a_zero_row(place):
    # The place in the order of tiles makes no difference.
    rows = random_rows(1100, 3)
    rows[place] = 0
    for key in KEYS:
        value = getattr(frames, f"{key}_head")(head(rows))
        undefined = key in OF_DIRECTIONS or key == "nc2_log_equinorm"
        assert math.isnan(value) == undefined, key


def test_a_class_mean_at_the_global_mean():
    statistics = of_means([[2.0, 0], [-2, 0], [0, 0]])
    for key in KEYS:
        value = getattr(frames, key)(statistics)
        undefined = key in OF_DIRECTIONS or key == "nc2_log_equinorm"
        assert math.isnan(value) == undefined, key


@pytest.mark.parametrize("shape", [(3, 5), (5, 2)])
def test_all_means_coincide(shape):
    for key in set(KEYS) - {"nc2_etf_floor"}:
        mean, of_head = both(key, np.zeros(shape))
        assert math.isnan(mean), key
        assert math.isnan(of_head), key


def test_coinciding_directions():
    rows = [[1.0, 2], [2, 4], [-3, 1], [0, -7]]
    mean, of_head = both("nc2_min_angle", rows, UNCENTERED)
    assert mean == of_head == 0
    assert both("nc2_coherence", rows, UNCENTERED) == pytest.approx((1, 1), **CLOSE)


def test_welch_needs_more_classes_than_features():
    assert math.isnan(both("nc2_welch", random_rows(5, 5))[0])
    assert both("nc2_welch", random_rows(6, 5))[0] > 0


@pytest.mark.parametrize("key", KEYS)
def test_one_class_is_refused(key):
    with pytest.raises(ValueError, match="at least 2 classes"):
        getattr(frames, key)(of_means([[1.0, 2.0]]))


@pytest.mark.parametrize("key", KEYS)
def test_unknown_convention_is_refused(key):
    with pytest.raises(ValueError, match="convention"):
        getattr(frames, key)(of_means(SQUARE), convention="nobody")


# Invariances -------------------------------------------------------------------------


def values(X, y, W):
    statistics, of = ClassStatistics.from_samples(X, np.asarray(y)), head(W)
    found = {key: getattr(frames, key)(statistics) for key in KEYS}
    names = (f"{key}_head" for key in KEYS)
    return found | {key: getattr(frames, key)(of) for key in names}


def assert_same(got, want, rel=1e-8, abs=1e-11, without=()):
    for key in set(want) - set(without):
        assert got[key] == pytest.approx(want[key], rel=rel, abs=abs, nan_ok=True), key


@given(labelled(), seeds)
def test_rotation(item, seed):
    turn = rotations(item.X.shape[1], seed)
    want = values(item.X, item.y, item.W)
    assert_same(values(item.X @ turn, item.y, item.W @ turn), want)


@given(labelled(), st.sampled_from([2.0**-40, 2.0**-3, 2.0**20]))
def test_scale(item, factor):
    want = values(item.X, item.y, item.W)
    got = values(item.X * factor, item.y, item.W / factor)
    assert_same(got, want, rel=TIGHT, abs=1e-14)


@given(labelled(), st.floats(-50, 50))
def test_shift(item, shift):
    want = values(item.X, item.y, item.W)
    got = values(item.X + shift, item.y, item.W)
    assert_same(got, want, without={"nc2_orthoframe"})


@given(labelled(), st.randoms(use_true_random=False))
def test_permuted_classes(item, random):
    order = np.array(random.sample(range(len(item.W)), len(item.W)))
    want = values(item.X, item.y, item.W)
    assert_same(values(item.X, np.argsort(order)[item.y], item.W[order]), want)


@given(labelled())
def test_relabeling(item):
    names = np.array(["a", "ab", "c", "ca", "d", "e"])[item.y]
    assert values(item.X, names, item.W) == pytest.approx(
        values(item.X, item.y, item.W), rel=1e-14, nan_ok=True
    )


@given(labelled())
def test_ranges(item):
    for key, value in values(item.X, item.y, item.W).items():
        n_classes, n_features = item.W.shape
        upper = {
            "nc2_equiangular_max": 1 + 1 / (n_classes - 1),
            "nc2_equiangular_rms": 1 + 1 / (n_classes - 1),
            "nc2_cosgram": math.sqrt(n_classes),
            "nc2_etf_excess": 2,
            "nc2_orthoframe": math.sqrt(2),
            "nc2_tightness": math.sqrt(min(n_classes - 1, n_features) + 1),
            "nc2_coherence": 1,
            "nc2_min_angle": math.acos(-1 / (n_classes - 1)),
        }.get(key.removesuffix("_head"), math.inf)
        assert not value < 0, key
        assert not value > upper * (1 + 1e-12), key
    coherence = frames.nc2_coherence(ClassStatistics.from_samples(item.X, item.y))
    assert not coherence < (1 - 1e-9) / (len(item.W) - 1)


# Array libraries ------------------------------------------------------------------


def assert_same_elsewhere(convert, n_classes, n_features):
    rows = random_rows(n_classes, n_features, 1.0)
    rows[1] = rows[0] * (1 + 1e-4)  # a close pair
    array = convert(rows)
    statistics = ClassStatistics.from_samples(array, convert(np.arange(n_classes)))
    for key in KEYS:
        mean, of_head = both(key, rows)
        got = getattr(frames, key)(statistics)
        assert isinstance(got, float)
        assert got == pytest.approx(mean, rel=LOOSE, abs=1e-13, nan_ok=True), key
        got = getattr(frames, f"{key}_head")(LinearHead(array, None))
        assert isinstance(got, float)
        assert got == pytest.approx(of_head, rel=LOOSE, abs=1e-13, nan_ok=True), key


@pytest.mark.parametrize(("n_classes", "n_features"), [(6, 9), (12, 4), (700, 5)])
def test_torch(torch, n_classes, n_features):
    assert_same_elsewhere(torch.from_numpy, n_classes, n_features)


@pytest.mark.gpu
def test_cuda(torch):
    assert_same_elsewhere(lambda x: torch.from_numpy(x).cuda(), 700, 5)


@pytest.mark.parametrize(("n_classes", "n_features"), [(6, 9), (12, 4)])
def test_array_api_strict(n_classes, n_features):
    strict = pytest.importorskip("array_api_strict")
    assert_same_elsewhere(strict.asarray, n_classes, n_features)
