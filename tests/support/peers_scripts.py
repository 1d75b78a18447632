"""What code beside papers computes, restated as in `peers`."""

import numpy as np
from peers import above_diagonal, computes, cosines_by_row, grid, structure, unit
from peers_notebook import FORMULAS
from scipy import optimize
from sklearn.neighbors import NearestCentroid

__all__ = ["FORMULAS"]


def sigma_b(s):
    """Between-class covariance of equal weights, about the mean of samples."""
    return s.about_samples.T @ s.about_samples / len(s.W)


def by_frequency(s):
    shares = np.bincount(s.y) / len(s.y)
    return s.about_samples.T @ (shares[:, None] * s.about_samples)


def class_covariances(s):
    members = [s.residuals[s.y == k] for k in range(len(s.W))]
    return np.array([m.T @ m / len(m) for m in members])


def pinv(matrix):
    return np.linalg.pinv(matrix, rcond=1e-10)


def of_identity(A, B):
    product = A @ B.T
    ideal = np.eye(len(A)) / np.sqrt(len(A))
    return np.linalg.norm(product / np.linalg.norm(product) - ideal)


def equinorm(rows):
    norms = np.linalg.norm(rows, axis=1)
    return norms.std(ddof=1) / norms.mean()


def cosines(rows):
    return above_diagonal(unit(rows) @ unit(rows).T)


def angle(rows):
    return np.mean(np.abs(cosines(rows) + 1 / (len(rows) - 1)))


def duality(W, M):
    return np.linalg.norm(W / np.linalg.norm(W) - M / np.linalg.norm(M))


def spectra(s):
    """Singular values of the features of each class."""
    return [np.linalg.svd(s.X[s.y == k], compute_uv=False) for k in range(len(s.W))]


def cosine_margin(cosines, y):
    others = np.where(np.arange(cosines.shape[1]) == y[:, None], -np.inf, cosines)
    return np.mean(cosines[np.arange(len(y)), y] - others.max(1))


def cdnv(s, power=1):
    variances = s.variances(ddof=0)
    means = grid(s.means, lambda gap: (gap @ gap) ** power)
    return np.mean(
        above_diagonal((variances[:, None] + variances) / 2 / (means + 1e-300))
    )


def margin(W):
    """Least distance of a direction from the hull of the others, by least squares."""
    found = []
    for k, row in enumerate(unit(W)):
        others = np.delete(unit(W), k, axis=0)
        # Convex weights: a heavy last equation asks for the sum of one.
        heavy = 1e6
        system = np.vstack([others.T, heavy * np.ones(len(others))])
        weights, _ = optimize.nnls(system, np.append(row, heavy))
        kept = others[weights > 0]
        ones = np.ones((1, len(kept)))
        blocks = [[kept @ kept.T, ones.T], [ones, np.zeros((1, 1))]]
        exact = np.linalg.solve(np.block(blocks), np.append(kept @ row, 1))[:-1]
        found.append(np.linalg.norm(row - exact @ kept))
    return min(found)


def nc1_of(X, y):
    K, mean = y.max() + 1, X.mean(0)
    means = np.array([X[y == k].mean(0) for k in range(K)])
    within = (X - means[y]).T @ (X - means[y]) / len(X)
    return np.trace(within @ pinv((means - mean).T @ (means - mean) / K)) / K


def principal_directions(X, rank):
    return np.linalg.svd(X, full_matrices=False)[2][:rank].T


FORMULAS |= {
    "tding1: collapse_metric": lambda s: nc1_of(s.X, s.y),
    "tding1: compute_ETF": lambda s: structure(s.W, s.W),
    "tding1: compute_W_H_relation": lambda s: structure(s.W, s.about_samples),
    "tding1: compute_Wh_b_relation": lambda s: np.linalg.norm(s.W @ s.X.mean(0) + s.b),
    "nc_mse: compute_ETF": lambda s: structure(s.W - s.W.mean(0), s.W - s.W.mean(0)),
    "nc_mse: compute_W_H_relation": lambda s: structure(
        s.W - s.W.mean(0), s.about_samples
    ),
    "nc_mse: compute_nuclear_frobenius": lambda s: np.mean(
        [v.sum() / np.linalg.norm(v) for v in spectra(s)]
    ),
    "guiding: compute_numerical_rank": lambda s: np.mean(
        [(v.sum() / np.linalg.norm(v)) ** 2 for v in spectra(s)]
    ),
    "guiding: W_equinorm": lambda s: equinorm(s.W),
    "guiding: H_equinorm": lambda s: equinorm(s.about_samples),
    "wanli: variability": lambda s: (
        np.trace(s.within @ pinv(by_frequency(s))) / len(s.W)
    ),
    "gnc: NC1 of unit features": lambda s: nc1_of(unit(s.X), s.y),
    "gnc: duality_distance": lambda s: 1 - cosines_by_row(s.W, s.about_samples).mean(),
    "gnc: margin of W": lambda s: margin(s.W),
    "gnc: NCC accuracy": lambda s: np.mean(s.nearest == s.y),
    "intermediate: Traces": lambda s: np.trace(class_covariances(s).mean(0)),
    "intermediate: NC1": lambda s: nc1_of(s.X, s.y),
    "intermediate: CDNV": cdnv,
    "intermediate: within spectrum": lambda s: np.linalg.eigvalsh(s.within),
    "galanti: cdnv": cdnv,
    "robust: nc2_angle_M": lambda s: angle(s.centered),
    "robust: nc2_angle_W": lambda s: angle(s.W),
    "robust: nc3": lambda s: duality(s.W, s.centered),
    "robust: nc4": lambda s: 1 - np.mean(s.agreement(s.b)),
    "glbreeze: nc2_h": lambda s: structure(s.centered, s.centered),
    "glbreeze: nc3_1": lambda s: structure(s.W, s.centered),
    "glbreeze: nc3_2": lambda s: np.mean(
        np.linalg.norm(unit(s.W) - unit(s.centered), axis=1)
    ),
    "glbreeze: h_mnorm": lambda s: np.linalg.norm(s.centered, axis=1).mean(),
    "glbreeze: w_mnorm": lambda s: np.linalg.norm(s.W, axis=1).mean(),
    "shallow: trace_S_W_div_S_B": lambda s: np.trace(s.within) / np.trace(sigma_b(s)),
    "dang: NC2_Identity_W": lambda s: of_identity(s.W, s.W),
    "dang: NC2_Identity_H": lambda s: of_identity(s.means, s.means),
    "dang: NC3_Identity_WH": lambda s: of_identity(s.W, s.means),
    "dang: NC3_W_sub_H": lambda s: duality(s.W, s.means),
    "equi: get_variation": lambda s: np.trace(
        class_covariances(s).mean(0) @ pinv(sigma_b(s))
    ),
    "equi: get_variation_imbalance": lambda s: np.trace(
        s.within @ pinv(by_frequency(s))
    ),
    "lpm: mean cosine": lambda s: cosines(s.W[-3:]).mean(),
    "lpm: std of cosines": lambda s: cosines(s.W[-3:]).std(),
    "benamira: nc1": lambda s: (
        np.trace(class_covariances(s).mean(0) @ pinv(sigma_b(s))) / len(s.W)
    ),
    "benamira: norm_std": lambda s: (
        np.linalg.norm(s.about_samples, axis=1).std()
        / np.linalg.norm(s.about_samples, axis=1).mean()
    ),
    "benamira: cos_std": lambda s: cosines(s.about_samples).std(),
    "benamira: cos_mean": lambda s: cosines(s.about_samples).mean(),
    "benamira: mean_cos": lambda s: cosines_by_row(s.W, s.about_samples).mean(),
    "benamira: nc5": lambda s: np.mean(
        np.abs(unit(s.means) @ unit(s.X_ood.mean(0)[None]).T)
    ),
    "kowalski: within_class_variability": lambda s: (
        np.trace(s.within @ pinv(s.within + by_frequency(s))) / len(s.X)
    ),
    "kowalski: classifier_etf": lambda s: structure(s.W, s.W),
    "kowalski: self_duality": lambda s: structure(s.W, s.about_samples),
    "kowalski: bias_collapse": lambda s: np.linalg.norm(s.W @ s.X.mean(0) + s.b),
    "optimizer: last_layer_rowsum": lambda s: np.linalg.norm(s.W.sum(0)),
    "linguistic: norms_log_var": lambda s: np.var(
        np.log(np.linalg.norm(s.centered, axis=1)), ddof=1
    ),
    "linguistic: interfere_mean": lambda s: above_diagonal(
        s.centered @ s.centered.T
    ).mean(),
    "linguistic: simcos_var": lambda s: np.var(cosines_by_row(s.W, s.centered), ddof=1),
    "linguistic: cdnv, dist_exp=2": lambda s: cdnv(s, power=2),
}


@computes("nc_mse: avg_cos_margin")
def _(s):
    lengths = np.linalg.norm(s.X - s.X.mean(0), axis=1)
    rows = s.W - s.W.mean(0)
    return cosine_margin(
        s.X @ s.W.T / lengths[:, None] / np.linalg.norm(rows, axis=1), s.y
    )


@computes("guiding: avg_cos_margin")
def _(s):
    return cosine_margin(unit(s.X - s.X.mean(0)) @ unit(s.W - s.W.mean(0)).T, s.y)


@computes("guiding: VCI")
def _(s):
    total = s.within + sigma_b(s)
    rank = min(len(s.W) - 1, len(total))
    return 1 - np.trace(pinv(total) @ sigma_b(s)) / rank


@computes("intermediate: traces ratio")
def _(s):
    return np.trace(class_covariances(s).mean(0)) / np.trace(sigma_b(s))


@computes("intermediate: within fraction")
def _(s):
    within = np.trace(class_covariances(s).mean(0))
    return within / (within + np.trace(sigma_b(s)))


@computes("intermediate: AngleBetweenSubspaces")
def _(s):
    K = len(s.W)
    first, second = (principal_directions(rows, K) for rows in (s.W, s.means))
    return np.sum(np.linalg.svd(first.T @ second, compute_uv=False)) / K


@computes("intermediate: ActivationStableRank")
def _(s):
    """By class, once its power iterations have converged."""
    counts = np.bincount(s.y)
    largest = [np.linalg.eigvalsh(c)[-1] for c in class_covariances(s)]
    return counts * s.variances(ddof=0) / np.array(largest) ** 2


@computes("robust: nc1 of perturbed samples")
def _(s):
    residuals = 1.1 * s.X - s.means[s.y]
    return np.trace(residuals.T @ residuals / len(s.X) @ pinv(sigma_b(s)))


@computes("glbreeze: nc1")
def _(s):
    between = s.centered.T @ s.centered / len(s.W)
    return np.trace(s.within @ pinv(between))


@computes("rfm: NC2")
def _(s):
    K, directions = len(s.W), unit(s.centered)
    gaps = directions @ directions.T - (K * np.eye(K) - 1) / (K - 1)
    return np.mean(gaps**2)


@computes("kowalski: rankme")
def _(s):
    values = np.linalg.svd(s.X, compute_uv=False)
    shares = values / values.sum() + 1e-6
    return np.exp(-np.sum(shares * np.log(shares)))


@computes("nc_ood: w_LS")
def _(s):
    K, decay, mean = len(s.W), 0.5 * s.weight_decay, s.means.mean(0)
    total = s.within + s.centered.T @ s.centered / K
    total += decay / (decay + 1) * np.outer(mean, mean) + decay * np.eye(len(mean))
    W = (s.means - mean / (1 + decay)) / K @ np.linalg.inv(total)
    return np.c_[W, (1 / K - W @ mean) / (1 + decay)]


@computes("neco: neco without maxlogit")
def _(s):
    mean, std = s.X.mean(0), s.X.std(0)
    axes = principal_directions((s.X - mean) / std, 4)
    rows = (s.X_ood - mean) / std
    return np.linalg.norm(rows @ axes, axis=1) / np.linalg.norm(rows, axis=1)


@computes("openood: neco, center=False")
def _(s):
    axes = principal_directions(s.X, 4)
    return np.linalg.norm(s.X_ood @ axes, axis=1) / np.linalg.norm(s.X_ood, axis=1)


@computes("openood: nci")
def _(s):
    chosen = (s.X_ood @ s.W.T + s.b).argmax(1)
    rows = s.X_ood - s.X.mean(0)
    along = np.sum(s.W[chosen] * rows, axis=1) / np.linalg.norm(rows, axis=1)
    return along + 0.001 * np.abs(s.X_ood).sum(1)


def shrunk_centroids(s, **options):
    return NearestCentroid(shrink_threshold=0.5, **options).fit(s.X, s.y)


FORMULAS["NearestCentroid(shrink_threshold=0.5).fit(X, y).centroids_"] = lambda s: (
    shrunk_centroids(s).centroids_
)
FORMULAS["NearestCentroid(shrink_threshold=0.5).fit(X, y).predict(X)"] = lambda s: (
    shrunk_centroids(s).predict(s.X)
)


@computes("NearestCentroid(priors=shares, shrink_threshold=0.5).fit(X, y).predict(X)")
def _(s):
    shares = np.arange(1, len(s.W) + 1)
    return shrunk_centroids(s, priors=list(shares / shares.sum())).predict(s.X)
