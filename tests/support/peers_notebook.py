"""The notebook of Papyan & Han restated as in `peers`, and scikit-learn."""

import numpy as np
from peers import FORMULAS, between, computes, first_directions, sample_variance, unit
from sklearn.neighbors import NearestCentroid


@computes("Sw_invSb")
def _(s):
    K = len(s.W)
    return np.trace(s.within @ first_directions(between(s, K), K - 1))


def spread_of_norms(rows):
    norms = np.linalg.norm(rows, axis=1)
    return np.sqrt(sample_variance(norms)) / norms.mean()


def coherence(rows):
    K, directions = len(rows), unit(rows)
    gaps = np.abs(directions @ directions.T + 1 / (K - 1))
    return (gaps.sum() - np.trace(gaps)) / (K * (K - 1))


FORMULAS.update(
    {
        "norm_M_CoV": lambda s: spread_of_norms(s.centered),
        "norm_W_CoV": lambda s: spread_of_norms(s.W),
        "cos_M": lambda s: coherence(s.centered),
        "cos_W": lambda s: coherence(s.W),
        "NCC_mismatch": lambda s: 1 - s.agreement(s.b).mean(),
        "accuracy": lambda s: np.mean((s.X @ s.W.T + s.b).argmax(1) == s.y),
    }
)


@computes("W_M_dist")
def _(s):
    means = s.centered / np.linalg.norm(s.centered)
    return np.sum((s.W / np.linalg.norm(s.W) - means) ** 2)


@computes("loss")
def squared_loss(s):
    errors = s.X @ s.W.T + s.b - np.eye(len(s.W))[s.y]
    return np.sum(errors**2) / len(s.X)


@computes("MSE_wd_features")
def _(s):
    squares = np.sum(s.W**2) + np.sum(s.b**2)
    return (squared_loss(s) + 0.5 * s.weight_decay * squares) / 2


def least_squares_head(s):
    """Best head of balanced classes, and the covariance of features and bias."""
    (K, D), decay, mean = s.W.shape, 0.5 * s.weight_decay, s.means.mean(0)
    total = s.within + between(s, K)
    shrunk = total + decay / (decay + 1) * np.outer(mean, mean) + decay * np.eye(D)
    W = (s.means - mean / (1 + decay)) / K @ np.linalg.inv(shrunk)
    b = (1 / K - W @ mean) / (1 + decay)
    second = total + np.outer(mean, mean) + decay * np.eye(D)
    corner = np.array([[1 + decay]])
    return W, b, np.block([[second, mean[:, None]], [mean[None], corner]])


@computes("LNC1")
def _(s):
    W, b, _ = least_squares_head(s)
    decay = 0.5 * s.weight_decay
    noise = s.within + decay * np.eye(len(s.within))
    return (np.trace(W @ noise @ W.T) + decay * b @ b) / 2


@computes("LNC23")
def _(s):
    W, b, _ = least_squares_head(s)
    return np.sum((s.means @ W.T + b - np.eye(len(W))) ** 2) / (2 * len(W))


@computes("Lperp")
def _(s):
    W, b, second = least_squares_head(s)
    gap = np.c_[s.W - W, s.b - b]
    return np.trace(gap @ second @ gap.T) / 2


# scikit-learn, which is installed and so need not be restated ------------------------


def nearest_centroid(s, priors="uniform"):
    return NearestCentroid(priors=priors).fit(s.X, s.y)


FORMULAS.update(
    {
        "NearestCentroid().fit(X, y).centroids_": lambda s: (
            nearest_centroid(s).centroids_
        ),
        "NearestCentroid().fit(X, y).predict(X)": lambda s: nearest_centroid(s).predict(
            s.X
        ),
        "NearestCentroid().fit(X, y).predict_proba(X)": lambda s: nearest_centroid(
            s
        ).predict_proba(s.X),
        'NearestCentroid(priors="empirical").fit(X, y).class_prior_': lambda s: (
            nearest_centroid(s, "empirical").class_prior_
        ),
        'NearestCentroid(priors="empirical").fit(X, y).predict(X)': lambda s: (
            nearest_centroid(s, "empirical").predict(s.X)
        ),
    }
)
