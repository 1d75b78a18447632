"""Grids over pairs of classes, whole and in tiles."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from tables import each
from tolerances import CLOSE, LOOSE, TIGHT
from toys import around

from sknc import ClassStatistics, Convention, LinearHead
from sknc.metrics import (
    gnc2_energy_log,
    gnc2_energy_riesz,
    nc1_cdnv,
    pair_grid,
    pair_grid_rows,
)

KINDS = ["inner_product", "cosine", "distance", "log_energy", "riesz_energy", "cdnv"]
ITEM = around(np.random.default_rng(0).standard_normal((7, 5)), 30, 0.4)
STATISTICS = ClassStatistics.from_samples(ITEM.X, ITEM.y)


def direct(kind, rows, variances=None, power=1.0):
    """Compute a grid with another library's distances."""
    U = rows / np.linalg.norm(rows, axis=1)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        grid = {
            "inner_product": lambda: np.einsum("id,jd->ij", rows, rows),
            "cosine": lambda: 1 - cdist(rows, rows, "cosine"),
            "distance": lambda: cdist(U, U),
            "log_energy": lambda: -np.log(cdist(U, U)),
            "riesz_energy": lambda: cdist(U, U) ** -power,
            "cdnv": lambda: (
                np.add.outer(variances, variances) / 2 / cdist(rows, rows) ** 2
            ),
        }[kind]()
    if kind in ("log_energy", "riesz_energy", "cdnv"):
        np.fill_diagonal(grid, np.nan)
    return grid


@pytest.mark.parametrize("kind", KINDS)
def test_of_class_means(kind):
    means = np.stack([ITEM.X[ITEM.y == k].mean(0) for k in range(7)])
    variances = np.array(
        [((ITEM.X[ITEM.y == k] - means[k]) ** 2).sum(1).mean() for k in range(7)]
    )
    want = direct(kind, means - means.mean(0), variances, power=2.5)
    got = pair_grid(STATISTICS, kind, power=2.5)
    np.testing.assert_allclose(got, want, rtol=CLOSE, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_of_a_head(kind):
    got = pair_grid(LinearHead(ITEM.W, None), kind)
    np.testing.assert_allclose(got, direct(kind, ITEM.W), rtol=CLOSE, atol=1e-13)


@each("kind", KINDS)
@each("n_rows", [1, 3, 7, 100])
def test_tiles_make_the_whole(kind, n_rows):
    whole, seen = pair_grid(STATISTICS, kind), []
    for rows, grid in pair_grid_rows(STATISTICS, kind, n_rows=n_rows):
        assert grid.shape == (rows.stop - rows.start, 7)
        assert rows.stop - rows.start <= n_rows
        np.testing.assert_allclose(grid, whole[rows], rtol=TIGHT, atol=1e-14)
        seen += range(rows.start, rows.stop)
    assert seen == list(range(7))


def test_metrics_are_means_of_grids():
    convention = Convention(center="sample", bias_correction=True)
    pairs = np.triu_indices(7, 1)

    def mean(kind, **options):
        grid = pair_grid(STATISTICS, kind, convention=convention, **options)
        return grid[pairs].mean()

    given = {"convention": convention}
    assert mean("cdnv") == pytest.approx(nc1_cdnv(STATISTICS, **given), rel=TIGHT)
    energy = gnc2_energy_log(STATISTICS, **given)
    assert mean("log_energy") == pytest.approx(energy, rel=TIGHT)
    energy = gnc2_energy_riesz(STATISTICS, power=3.0, **given)
    assert mean("riesz_energy", power=3.0) == pytest.approx(energy, rel=TIGHT)


def test_close_pairs_keep_their_digits():
    rows = np.array([[1.0, 0.0], [1.0, 1e-9], [-1.0, 0.0]])
    got = pair_grid(LinearHead(rows, None), "distance")
    assert got[0, 1] == pytest.approx(1e-9, rel=LOOSE)
    assert (np.diagonal(got) == 0).all()


def test_coinciding_directions():
    head = LinearHead(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]), None)
    assert pair_grid(head, "log_energy")[0, 1] == np.inf
    assert pair_grid(head, "riesz_energy")[0, 1] == np.inf


def test_tensors():
    torch = pytest.importorskip("torch")
    X, y = torch.from_numpy(ITEM.X), torch.from_numpy(ITEM.y)
    statistics = ClassStatistics.from_samples(X, y)
    for kind in KINDS:
        got = pair_grid(statistics, kind)
        assert isinstance(got, torch.Tensor)
        want = pair_grid(STATISTICS, kind)
        np.testing.assert_allclose(got.numpy(), want, rtol=CLOSE, atol=1e-13)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (STATISTICS, {"kind": "angle"}, r'kind must be "inner_product", "cosine",'),
        (STATISTICS, {"n_rows": 0}, r"n_rows must be an integer of .* 1, got 0\."),
        (
            LinearHead(ITEM.W[:1], None),
            {},
            r"Pairs of classes require a head with at least 2 rows, got 1 row\.",
        ),
        (
            LinearHead(ITEM.W, None),
            {"kind": "cdnv"},
            'kind "cdnv" requires class means and variances: pass statistics, such '
            r"as analyzer\.statistics_, not a head\.",
        ),
    ],
)
def test_errors_at_the_call(source, options, message):
    with pytest.raises(ValueError, match=message):
        pair_grid_rows(source, **options)
