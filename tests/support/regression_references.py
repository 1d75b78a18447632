"""Metrics of regression written anew, from whole arrays of samples."""

import itertools

import numpy as np
from scipy.linalg import sqrtm
from scipy.optimize import minimize_scalar

from sknc import LinearHead, RegressionStatistics
from sknc.metrics import deep_regression, regression, regression_fit


def mean_of(values, weights=None):
    return np.average(values, axis=0, weights=weights)


def covariance_of(X, weights=None):
    return np.cov(X.T, bias=True, aweights=weights).reshape(X.shape[1], -1)


def directions_of(X, n, *, center=True):
    centered = X - X.mean(0) if center else X
    return np.linalg.svd(centered, full_matrices=False)[2][:n].T


def outside(X, basis):
    """Mean squared distance of directions of rows from the span of columns."""
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    return np.mean(np.sum((unit - unit @ basis @ np.linalg.pinv(basis)) ** 2, axis=1))


def nrc1(X, Y, W, b, *, center=True):
    return outside(X, directions_of(X, Y.shape[1], center=center))


def nrc2(X, Y, W, b):
    return outside(X, W.T)


def nrc3_at(Y, W, gamma):
    shifted = sqrtm(covariance_of(Y)).real - np.sqrt(gamma) * np.eye(Y.shape[1])
    gram = W @ W.T
    gap = gram / np.linalg.norm(gram) - shifted / np.linalg.norm(shifted)
    return np.linalg.norm(gap) ** 2


def nrc3(X, Y, W, b):
    """The best gamma by a search in its root, from many starts."""
    bound = np.sqrt(np.linalg.eigvalsh(covariance_of(Y))[0])
    edges = np.linspace(0, bound * (1 - 1e-9), 40)
    found = [nrc3_at(Y, W, edges[0] ** 2), nrc3_at(Y, W, edges[-1] ** 2)]
    for bounds in itertools.pairwise(edges):
        best = minimize_scalar(
            lambda root: nrc3_at(Y, W, root**2),
            bounds=bounds,
            method="bounded",
            options={"xatol": 1e-12},
        )
        found.append(best.fun)
    return min(found)


def deep_nrc1(X, Y, W, b):
    covariance, V = covariance_of(X), directions_of(X, Y.shape[1])
    return 1 - np.trace(V.T @ covariance @ V) / np.trace(covariance)


def deep_nrc2(X, Y, W, b):
    """Of N x N kernels, as alignment is defined."""
    K, L = ((A - A.mean(0)) @ (A - A.mean(0)).T for A in (X, Y))
    return np.trace(K @ L) / np.sqrt(np.trace(K @ K) * np.trace(L @ L))


def deep_nrc3(X, Y, W, b):
    n = Y.shape[1]
    rows = np.linalg.svd(W, full_matrices=False)[2][:n]
    return np.linalg.svd(directions_of(X, n).T @ rows.T)[1].mean()


def deep_nrc4(X, Y, W, b):
    X, Y = X - X.mean(0), Y - Y.mean(0)
    return np.mean((X @ (np.linalg.pinv(X, rcond=1e-3) @ Y) - Y) ** 2)


def mse(X, Y, W, b):
    return np.mean((X @ W.T + b - Y) ** 2)


def r2(X, Y, W, b):
    return 1 - np.sum((X @ W.T + b - Y) ** 2) / np.sum((Y - Y.mean(0)) ** 2)


REFERENCES = {
    "nrc1": nrc1,
    "nrc2": nrc2,
    "nrc3": nrc3,
    "deep_nrc1": deep_nrc1,
    "deep_nrc2": deep_nrc2,
    "deep_nrc3": deep_nrc3,
    "deep_nrc4": deep_nrc4,
    "mse": mse,
    "r2": r2,
}


def measured(key, X, Y, W, b, **options):
    """Return a metric of whole arrays by the function of that name."""
    statistics = RegressionStatistics.from_samples(X, Y)
    for module in (regression, deep_regression, regression_fit):
        if hasattr(module, key):
            function = getattr(module, key)
    arguments = [statistics]
    if "head" in function.__wrapped__.__annotations__:
        arguments.append(LinearHead(W, b))
    return function(*arguments, **options)


def samples(seed, n_samples=60, n_features=8, n_targets=3, offset=0.3):
    """Return X, Y, W, b of a layer that has not quite collapsed."""
    rng = np.random.default_rng(seed)
    mix = rng.standard_normal((n_targets, n_targets))
    Y = rng.standard_normal((n_samples, n_targets)) @ mix
    X = Y @ rng.standard_normal((n_targets, n_features))
    X = X + 0.5 * rng.standard_normal(X.shape) + offset
    W = rng.standard_normal((n_targets, n_features))
    return X, Y, W, rng.standard_normal(n_targets)
