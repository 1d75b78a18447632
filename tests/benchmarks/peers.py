"""The same work by other libraries, where they can be imported."""

import math
import time
from importlib.util import find_spec
from typing import Any

import numpy as np
from _measure import Data, batches


def available(name: str) -> bool:
    """Whether a peer can be imported."""
    return find_spec(name) is not None


class NeuralCollapseLibrary:
    """The PyTorch library `neural_collapse`, as its README uses it."""

    def __init__(self, data: Data, batch: int = 4096, tile: int | None = None) -> None:
        import torch

        self._torch = torch
        self._data, self._tile = data, tile
        self._batches = [
            (torch.from_numpy(X), torch.from_numpy(y)) for X, y in batches(data, batch)
        ]
        self._W = torch.from_numpy(data.W)

    def means_and_variances(self) -> dict[str, float]:
        """Run the passes for means and for variances, and the measures of both."""
        self._moments()
        return self._measures()

    def seconds_of_means_and_variances(self, first: int) -> float:
        """Time `means_and_variances`, but its pairs for the first classes only."""
        from neural_collapse import measure

        start = time.perf_counter()
        self._moments()
        self._measures(pairs=False)
        rest = time.perf_counter() - start
        start = time.perf_counter()
        norms, means = self._norms[:first], self._means[:first]
        measure.variability_cdnv(norms, means, tile_size=self._tile)
        scale = (self._data.n_classes / first) ** 2
        return rest + scale * (time.perf_counter() - start)

    def everything(self) -> dict[str, float]:
        """Run all three passes and the measures."""
        from neural_collapse.accumulate import DecAccumulator
        from neural_collapse.measure import clf_ncc_agreement

        self._moments()
        k, d = self._data.W.shape
        decisions = DecAccumulator(k, d, "cpu", M=self._means, W=self._W)
        decisions.create_index(self._means)
        for X, y in self._batches:
            if decisions.index is None:
                decisions.accumulate(X, y, self._W, self._means)
            else:
                decisions.accumulate(X, y, self._W)
        return {**self._measures(), "agreement": clf_ncc_agreement(decisions)}

    def _moments(self) -> None:
        from neural_collapse.accumulate import (
            CovarAccumulator,
            MeanAccumulator,
            VarNormAccumulator,
        )

        k, d = self._data.W.shape
        means = MeanAccumulator(k, d, "cpu")
        for X, y in self._batches:
            means.accumulate(X, y)
        self._means, self._center = means.compute()
        norms = VarNormAccumulator(k, d, "cpu", M=self._means)
        within = CovarAccumulator(k, d, "cpu", M=self._means)
        for X, y in self._batches:
            norms.accumulate(X, y, self._means)
            within.accumulate(X, y, self._means)
        self._norms, self._within = norms.compute()[0], within.compute()

    def _measures(self, *, pairs: bool = True) -> dict[str, float]:
        from neural_collapse import measure

        means, center, W = self._means, self._center, self._W
        norms = measure.mean_norms(means, center)
        head_norms = measure.mean_norms(W)
        tile = {"tile_size": self._tile}
        return {
            "pinv": measure.covariance_ratio(self._within, means, center),
            "quotient": measure.covariance_ratio(
                self._within, means, center, "quotient"
            ),
            "cdnv": measure.variability_cdnv(self._norms, means, **tile)
            if pairs
            else math.nan,
            "equinorm": float(norms.std() / norms.mean()),
            "equinorm_head": float(head_norms.std() / head_norms.mean()),
            "etf": measure.simplex_etf_error(means, center),
            "etf_head": measure.simplex_etf_error(W),
            "duality": measure.self_duality_error(W, means, center),
            "cosine": float(measure.similarities(W, means, center, cos=True).mean()),
            "distance": float(measure.distance_norms(W, means, center).mean()),
        }


class NcToolbox:
    """The NumPy library `nc_toolbox`, as its demo uses it: all samples at once."""

    def __init__(self, data: Data) -> None:
        self._data = data

    def everything(self) -> list[Any]:
        """Compute the class statistics, its metrics of them, and the decisions."""
        import nc_toolbox

        X, y, W, b = self._data.X, self._data.y, self._data.W, self._data.b
        means = nc_toolbox.class_embedding_means(X, y)
        variances = nc_toolbox.class_embedding_variances(X, y, means)
        center = nc_toolbox.global_embedding_mean(X)
        return [
            nc_toolbox.nc1_strong(X, y, means, center),
            nc_toolbox.nc1_weak(X, y, means, center),
            nc_toolbox.nc1_cdnv(means, variances),
            nc_toolbox.nc2_equinormness(means, center),
            nc_toolbox.nc2_equiangularity(means, center),
            nc_toolbox.nc3_self_duality(W, means, center),
            nc_toolbox.nc4_classifier_agreement(X, W, b, means),
        ]


def faiss_index(centers: np.ndarray) -> Any:
    """Return an exact index of FAISS over the centers."""
    import faiss

    index = faiss.IndexFlatL2(centers.shape[1])
    index.add(np.ascontiguousarray(centers, dtype=np.float32))
    return index
