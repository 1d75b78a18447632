"""Values worked out by hand, away from collapse, and identities."""

import math

import numpy as np
import pytest
from references import HEADLINE
from toys import NORMS_1551, SQUARE, Toy, plus_minus_pairs, simplex, toy

from sknc import NeuralCollapseAnalyzer

CLOSE = {"rel": 1e-12}


def of_means(means, spread=0.0, **options):
    """Two samples a class, at +- spread along the first axis."""
    means = np.asarray(means, float)
    y = np.repeat(np.arange(len(means)), 2)
    X = means[y]
    X[:, 0] += np.resize([spread, -spread], len(X))
    return NeuralCollapseAnalyzer(**options).fit(X, y).score(X, y)


def test_square_in_the_plane():
    report = of_means(SQUARE, 0.1, head=SQUARE)
    # Four pairs at 90 and two at 180 degrees, where a simplex has cosines of -1/3.
    assert report.nc2_equinorm == pytest.approx(0, abs=1e-15)
    assert report.nc2_equiangular == pytest.approx(4 / 9, **CLOSE)
    assert report.nc2_cos_std == pytest.approx(math.sqrt(4 / 15), **CLOSE)
    assert report.nc2_etf == pytest.approx(math.sqrt(2 - 2 * math.sqrt(2 / 3)), **CLOSE)
    for key in ("nc2_equiangular", "nc2_cos_std", "nc2_etf"):
        assert report[f"{key}_head"] == pytest.approx(report[key], **CLOSE)
    # Variance 0.01 a class; Sigma_B = I / 2; squared distances 2 and 4.
    assert report.nc1_trace_ratio == pytest.approx(0.01, **CLOSE)
    assert report.nc1_within_fraction == pytest.approx(0.01 / 1.01, **CLOSE)
    assert report.nc1_pinv == pytest.approx(0.01 * 2 / 4, **CLOSE)
    assert report.nc1_cdnv == pytest.approx((4 * 0.01 / 2 + 2 * 0.01 / 4) / 6, **CLOSE)
    assert report.nc3_cosine == pytest.approx(0, abs=1e-15)
    assert report.nc3_structure == pytest.approx(report.nc2_etf, **CLOSE)


def test_norms_1_5_5_1():
    report = of_means(NORMS_1551)
    # Means (1,0), (0,5), (-5,0), (0,-1) have the mean (-1, 1).
    centered = NORMS_1551 - [-1, 1]
    norms = np.hypot(*centered.T)
    assert report.nc2_equinorm == pytest.approx(
        norms.std(ddof=1) / norms.mean(), **CLOSE
    )
    uncentered = of_means(NORMS_1551, head=NORMS_1551)
    # The head is not centered: mean 3, standard deviation 4/sqrt(3).
    assert uncentered.nc2_equinorm_head == pytest.approx(4 / math.sqrt(3) / 3, **CLOSE)
    assert uncentered.nc2_equiangular_head == pytest.approx(4 / 9, **CLOSE)
    # Its rows sum to (-4, 4), its squared norm is 52.
    assert uncentered.nc0_weight_sum == pytest.approx(math.sqrt(32 / 4 / 52), **CLOSE)


def test_plus_minus_pairs():
    means = plus_minus_pairs()
    report = of_means(means)
    cosines = (means @ means.T)[np.triu_indices(20, 1)]
    assert report.nc2_equinorm == pytest.approx(0, abs=1e-15)
    assert report.nc2_cos_std == pytest.approx(cosines.std(ddof=1), **CLOSE)
    assert report.nc2_cos_std > 0.25
    assert report.nc2_equiangular == pytest.approx(
        abs(cosines + 1 / 19).mean(), **CLOSE
    )
    assert report.nc2_etf > 0.5  # rank 10 of 19


def test_two_classes_by_hand():
    X = np.array([[3.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-3.0, 0.0]])
    y = [0, 0, 1, 1]
    head = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0.0, 2.0])
    report = NeuralCollapseAnalyzer(head).fit(X, y).score(X, y)
    assert report.nc1_trace_ratio == pytest.approx(0.25, **CLOSE)
    assert report.nc1_within_fraction == pytest.approx(0.2, **CLOSE)
    assert report.nc1_pinv == pytest.approx(0.125, **CLOSE)
    assert report.nc1_cdnv == pytest.approx(0.0625, **CLOSE)
    assert report.nc0_weight_sum == pytest.approx(math.sqrt(0.5), **CLOSE)
    assert report.nc3_cosine == pytest.approx(0.5, **CLOSE)
    # W/|W| = (1,0;0,1)/sqrt2 against (1,0;-1,0)/sqrt2.
    assert report.nc3_self_duality == pytest.approx(1, **CLOSE)
    # Logits (3,2), (1,2), (-1,2), (-3,2): the head says 0, 1, 1, 1.
    assert report.nc4_mismatch == 0.25
    assert report.nc4_head_accuracy == 0.75
    assert report.nc4_ncc_accuracy == 1
    assert report.nc4_bias_collapse == pytest.approx(2, **CLOSE)


def test_imbalanced_conventions_by_hand():
    # Means 4 and 0 with 3 samples and 1; variance 2/3 and 0.
    X, y = np.array([[5.0], [4.0], [3.0], [0.0]]), [0, 0, 0, 1]
    fitted = NeuralCollapseAnalyzer().fit(X, y)
    ratios = {
        "default": 0.5 / 4,  # about 2
        "zhu2021": 0.5 / 5,  # about 3: (1 + 9)/2
        "frequency": 0.5 / 3,  # about 3: 3/4 + 9/4
    }
    for preset, ratio in ratios.items():
        report = fitted.set_params(convention=preset).report()
        assert report.nc1_trace_ratio == pytest.approx(ratio, **CLOSE)
        assert report.nc1_pinv == pytest.approx(ratio / 2, **CLOSE)
    whole = fitted.set_params(convention="he_su2023").report()
    assert whole.nc1_pinv == pytest.approx(0.5 / 3, **CLOSE)
    # The unweighted mean of variances 2/3 and 0, over squared distance 16.
    assert whole.nc1_cdnv == pytest.approx(2 / 3 / 32, **CLOSE)


def test_nc4_counts_the_bias():
    item = toy("noisy_simplex")
    plain = item.report(head=item.W)
    biased = item.report(head=(item.W, np.array([50.0, 0, 0, 0, 0, 0])))
    assert plain.nc4_mismatch == 0
    assert biased.nc4_mismatch == pytest.approx(5 / 6, **CLOSE)
    assert biased.nc4_head_accuracy == pytest.approx(1 / 6, **CLOSE)
    assert biased.nc4_ncc_accuracy == plain.nc4_ncc_accuracy == 1


def participation(means):
    centered = means - means.mean(0)
    squares = np.linalg.svd(centered, compute_uv=False) ** 2
    return squares.sum() ** 2 / (squares**2).sum()


@pytest.mark.parametrize(
    ("n_classes", "n_features"), [(3, 2), (5, 9), (12, 4), (40, 16)]
)
def test_etf_error_follows_from_the_participation_ratio(n_classes, n_features):
    rng = np.random.default_rng(n_classes)
    means = rng.standard_normal((n_classes, n_features)) + 3
    share = math.sqrt(participation(means) / (n_classes - 1))
    want = math.sqrt(2 - 2 * share)
    assert of_means(means).nc2_etf == pytest.approx(want, rel=1e-11)


@pytest.mark.parametrize(("n_classes", "n_features"), [(40, 8), (100, 3)])
def test_etf_error_has_a_floor_with_many_classes(n_classes, n_features):
    rng = np.random.default_rng(n_classes)
    rows = rng.standard_normal((n_classes, n_features))
    rows -= rows.mean(0)
    tight = np.linalg.qr(rows)[0]  # equal singular values: at the floor
    report = of_means(tight, head=tight)
    floor = math.sqrt(2 - 2 * math.sqrt(n_features / (n_classes - 1)))
    for key in ("nc2_etf", "nc2_etf_head", "nc3_structure"):
        assert report[key] == pytest.approx(floor, rel=1e-11)
        assert f"{floor:.6g}" in report.notes[key]
    assert of_means(rows).nc2_etf > floor * (1 + 1e-6)


def test_trace_ratio_and_fraction_are_one_number():
    for name in ("random_balanced", "long_tailed", "one_sample_class"):
        report = toy(name).report()
        ratio = report.nc1_trace_ratio
        assert report.nc1_within_fraction == pytest.approx(ratio / (1 + ratio), **CLOSE)


def test_nc1_pinv_of_isotropic_noise_on_a_simplex():
    # Sigma_W = v I and Sigma_B = I/(K-1) on K-1 directions give v (K-1)^2 / K.
    means, axes = simplex(4, 5), np.concatenate([np.eye(5), -np.eye(5)])
    X = (means[:, None, :] + 0.3 * axes[None]).reshape(-1, 5)
    y = np.repeat(np.arange(4), 10)
    # Sigma_B = (4/3)/4 on 3 directions, Sigma_W = 0.09 * 2/10 on each.
    report = NeuralCollapseAnalyzer().fit(X, y).report()
    assert report.nc1_pinv == pytest.approx(0.018 / (1 / 3) * 3 / 4, **CLOSE)


def test_all_headline_metrics_are_positive_away_from_collapse():
    report = toy("random_balanced").report()
    assert all(report[key] > 0.01 for key in HEADLINE)


def test_toy_without_head_order_assumptions():
    # Labels that sort differently as numbers and as strings.
    item = toy("long_tailed")
    names = np.array([9, 10, 100, 11, 2])
    order = np.argsort(names)
    turned = Toy(item.X, names[item.y], item.W[order], item.b[order])
    assert turned.report().nc3_cosine == pytest.approx(
        item.report().nc3_cosine, **CLOSE
    )
    text = np.argsort(names.astype(str))
    turned = Toy(item.X, names.astype(str)[item.y], item.W[text], item.b[text])
    assert turned.report().nc3_cosine == pytest.approx(
        item.report().nc3_cosine, **CLOSE
    )
