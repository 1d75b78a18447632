"""A regression network that collapses, as docs/examples/regression.py trains it."""

import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "regression.py"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not EXAMPLE.exists(), reason="needs the repository"),
]


@pytest.mark.parametrize("seed", [0, 1])
def test_figures_fall_by_an_order_of_magnitude(torch, seed):
    example = runpy.run_path(str(EXAMPLE))
    reports = example["train"](seed=seed)
    first, *_, last = reports.values()
    for key in ("nrc1", "nrc2", "deep_nrc1"):
        assert last[key] < first[key] / 20, key
    assert last.nrc3 < first.nrc3 / 1000
    assert last.deep_nrc2 > 0.95 > first.deep_nrc2
    assert last.deep_nrc3 > 0.999 > first.deep_nrc3
    # As the theory says: gamma, and the error of each target, are this product.
    assert last.gamma == pytest.approx(example["DECAY"] ** 2, rel=0.03)
    assert last.mse == pytest.approx(example["DECAY"] ** 2, rel=0.03)


def test_figure(torch, tmp_path):
    pytest.importorskip("matplotlib")
    example = runpy.run_path(str(EXAMPLE))
    example["draw"](example["train"](n_steps=8), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000
