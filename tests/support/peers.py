"""What other code computes, restated from its formulas in its own conventions."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

FORMULAS = {}


def computes(*calls):
    """Register a function of `Samples` as what these calls return."""

    def register(formula):
        FORMULAS.update(dict.fromkeys(calls, formula))
        return formula

    return register


@dataclass(frozen=True)
class Samples:
    """Features with labels 0 to K - 1, a head, and samples of other classes."""

    X: np.ndarray
    y: np.ndarray
    W: np.ndarray
    b: np.ndarray
    X_ood: np.ndarray
    y_ood: np.ndarray
    weight_decay: float

    @cached_property
    def means(self):
        return means_of(self.X, self.y)

    @cached_property
    def residuals(self):
        return self.X - self.means[self.y]

    @cached_property
    def within(self):
        """Covariance about the class means, divided by N."""
        return self.residuals.T @ self.residuals / len(self.X)

    @cached_property
    def centered(self):
        """Class means about their mean."""
        return self.means - self.means.mean(0)

    @cached_property
    def about_samples(self):
        """Class means about the mean of all samples."""
        return self.means - self.X.mean(0)

    def variances(self, ddof):
        """Mean squared distance to the class mean, by class."""
        members = [self.residuals[self.y == k] for k in range(len(self.W))]
        return np.array([np.sum(m**2) / (len(m) - ddof) for m in members])

    @cached_property
    def nearest(self):
        return np.array(
            [np.linalg.norm(self.means - x, axis=1).argmin() for x in self.X]
        )

    def agreement(self, bias):
        """Where the head decides as the nearest mean does."""
        return (self.X @ self.W.T + bias).argmax(1) == self.nearest


def means_of(X, y):
    return np.array([X[y == k].mean(0) for k in range(y.max() + 1)])


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1)[:, None]


def cosines_by_row(A, B):
    return np.array([a @ b for a, b in zip(unit(A), unit(B), strict=True)])


def grid(rows, function):
    """Return a function of the difference of every two rows."""
    return np.array([[function(a - b) for b in rows] for a in rows])


def above_diagonal(square):
    K = len(square)
    return np.array([square[i, j] for i in range(K) for j in range(i + 1, K)])


def cov(values):
    """Coefficient of variation, of the population."""
    return np.sqrt(np.mean((values - values.mean()) ** 2)) / values.mean()


def first_directions(matrix, rank):
    """Inverse of a symmetric matrix on its greatest eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    kept = vectors[:, -rank:]
    return kept @ np.diag(1 / values[-rank:]) @ kept.T


def structure(A, B):
    """Distance of the products of rows, of unit norm, from a simplex."""
    K, products = len(A), B @ A.T
    ideal = (np.eye(K) - 1 / K) / np.sqrt(K - 1)
    return np.linalg.norm(products / np.linalg.norm(products) - ideal)


# neural_collapse --------------------------------------------------------------------


def between(s, divisor):
    return s.centered.T @ s.centered / divisor


FORMULAS |= {
    "MeanAccumulator.compute()": lambda s: (s.means, s.means.mean(0)),
    "CovarAccumulator.compute()": lambda s: s.within,
    "VarNormAccumulator.compute()[0]": lambda s: s.variances(ddof=0),
}


@computes("covariance_ratio(V, M, m_G)")
def _(s):
    K = len(s.W)
    inverse = np.linalg.pinv(between(s, K), rcond=1e-10)
    return np.trace(inverse @ s.within) / K


@computes('covariance_ratio(V, M, m_G, "svd")')
def _(s):
    K = len(s.W)
    return np.trace(s.within @ first_directions(between(s, K), K - 1)) / K


@computes('covariance_ratio(V, M, m_G, "quotient")')
def _(s):
    return np.trace(s.within) / np.trace(between(s, len(s.W)))


@computes(
    "variability_pinv(V, M, m_G, svd=True)", "covariance_pinv(V, M, m_G, svd=True)"
)
def _(s):
    K, D = s.W.shape
    return np.trace(s.within @ first_directions(between(s, D), K - 1))


@computes("variability_pinv(V, M, m_G)", "covariance_pinv(V, M, m_G)")
def _(s):
    K, D = s.W.shape
    return np.trace(np.linalg.pinv(between(s, D), rcond=1e-10) @ s.within) / K


# Until November 2024; today's function of the last name is above.
@computes("variability_ratio(V, M, m_G)", "old covariance_ratio(V, M, m_G)")
def _(s):
    return np.trace(s.within) / np.trace(between(s, s.W.shape[1]))


def cdnv_grid(s, ddof=0, power=1):
    variances = s.variances(ddof)
    averages = (variances[:, None] + variances) / 2
    with np.errstate(divide="ignore"):
        return averages / grid(s.means, lambda gap: (gap @ gap) ** power)


def mean_cdnv(s, **options):
    return above_diagonal(cdnv_grid(s, **options)).mean()


FORMULAS |= {
    "variability_cdnv(v, M)": mean_cdnv,
    "variability_cdnv(v, M, 1)": mean_cdnv,
    "variability_cdnv(v, M, dist_exp=2)": lambda s: mean_cdnv(s, power=2),
    "class_dist_norm_vars(v, M)": cdnv_grid,
    "mean_norms(M, m_G)": lambda s: np.sqrt(np.sum(s.centered**2, axis=1)),
    "interference_grid(M, m_G)": lambda s: np.array(
        [[a @ b for b in s.centered] for a in s.centered]
    ),
    "simplex_etf_error(M, m_G)": lambda s: structure(s.centered, s.centered),
    "simplex_etf_error(W)": lambda s: structure(s.W, s.W),
    "simplex_etf_error(W, W.mean(0))": lambda s: structure(
        s.W - s.W.mean(0), s.W - s.W.mean(0)
    ),
    "self_duality_error(W, M, m_G)": lambda s: structure(s.centered, s.W),
    "structure_error(M - m_G, W)": lambda s: structure(s.centered, s.W),
}


def register_kernel(name, kernel):
    """Register the grid, mean and variance over pairs of a kernel."""

    def values(s):
        with np.errstate(divide="ignore"):
            directions = unit(s.centered)
            return grid(directions, lambda gap: kernel(np.linalg.norm(gap), s))

    def variance(s):
        found = above_diagonal(values(s))
        return np.sum((found - found.mean()) ** 2) / len(found)

    arguments = f"(M, m_G{name})"
    computes(f"kernel_grid{arguments}")(values)
    computes(f"kernel_stats{arguments}[0]")(lambda s: above_diagonal(values(s)).mean())
    computes(f"kernel_stats{arguments}[1]")(variance)


register_kernel("", lambda length, s: length)
register_kernel(", log_kernel", lambda length, s: np.log(1 / length))
register_kernel(", riesz_kernel", lambda length, s: (1 / length) ** (s.W.shape[1] - 2))


def dots(s):
    return np.array([w @ m for w, m in zip(s.W, s.centered, strict=True)])


def sample_variance(values):
    return np.sum((values - values.mean()) ** 2) / (len(values) - 1)


FORMULAS |= {
    "similarities(W, M, m_G)": dots,
    "similarities(W, M, m_G).var()": lambda s: sample_variance(dots(s)),
    "similarities(W, M, m_G, cos=True)": lambda s: cosines_by_row(s.W, s.centered),
    "similarities(W, M, m_G, cos=True).mean()": lambda s: cosines_by_row(
        s.W, s.centered
    ).mean(),
    "similarities(W, M, m_G, cos=True).var()": lambda s: sample_variance(
        cosines_by_row(s.W, s.centered)
    ),
    "distance_norms(W, M, m_G)": lambda s: np.linalg.norm(
        unit(s.W) - unit(s.centered), axis=1
    ),
    "distance_norms(W, M, m_G, norm=False)": lambda s: np.linalg.norm(
        s.W - s.centered, axis=1
    ),
    "clf_ncc_agreement(dec_accum)": lambda s: s.agreement(bias=0).sum() / len(s.X),
    "clf_ncc_agreement(ns_samples, totals)": lambda s: (
        s.agreement(bias=0).sum() / len(s.X)
    ),
}


@computes("clf_ncc_agreement(dec_accum, weighted=False)")
def _(s):
    agree = s.agreement(bias=0)
    return np.mean([agree[s.y == k].mean() for k in range(len(s.W))])


@computes("orthogonality_deviation(M, m_G_ood)")
def _(s):
    mean = means_of(s.X_ood, s.y_ood).mean(0)
    return np.mean([abs(m @ mean) for m in unit(s.means)]) / np.linalg.norm(mean)


# nc_toolbox -------------------------------------------------------------------------


def sigma_b(s):
    return s.about_samples.T @ s.about_samples / len(s.W)


FORMULAS |= {
    "class_embedding_means(H, L)": lambda s: s.means,
    "class_embedding_variances(H, L, mu_c)": lambda s: s.variances(ddof=1),
    "global_embedding_mean(H)": lambda s: s.X.mean(0),
    "within_class_covariance(H, L, mu_c)": lambda s: s.within,
    "between_class_covariance(mu_c, mu_g)": sigma_b,
    "ncc_classify(H, mu_c)": lambda s: s.nearest,
    "nc4_classifier_agreement(H, W, b, mu_c)": lambda s: s.agreement(s.b).mean(),
    "nc1_strong(H, L, mu_c, mu_g)": lambda s: (
        np.trace(s.within @ np.linalg.pinv(sigma_b(s), rcond=1e-10)) / len(s.W)
    ),
}


@computes("nc1_weak(H, L, mu_c, mu_g)")
def _(s):
    outer, inner = np.trace(sigma_b(s)), np.trace(s.within)
    return outer / (outer + inner), inner / (outer + inner)


FORMULAS |= {
    "nc1_cdnv(mu_c, var_c)": lambda s: mean_cdnv(s, ddof=1),
}


@computes("nc2_equinormness(mu_c, mu_g)")
def _(s):
    logs = np.log(np.linalg.norm(s.about_samples, axis=1))
    return above_diagonal(logs[:, None] - logs).mean()


@computes("nc2_equiangularity(mu_c, mu_g)")
def _(s):
    directions = unit(s.about_samples)
    return above_diagonal(directions @ directions.T).mean() + 1 / (len(s.W) - 1)


def log_energies(s):
    chords = grid(unit(s.about_samples), np.linalg.norm)
    return np.log(1 / above_diagonal(chords))


FORMULAS |= {
    "gnc2_hypershperical_uniformity(mu_c, mu_g)": lambda s: log_energies(s).mean(),
    'gnc2_hypershperical_uniformity(mu_c, mu_g, "cov")': lambda s: cov(log_energies(s)),
}


@computes("nc3_self_duality(W, mu_c, mu_g)")
def _(s):
    means = s.about_samples / np.linalg.norm(s.about_samples)
    return np.linalg.norm(s.W / np.linalg.norm(s.W) - means)


def cosines_with_later_means(s):
    return above_diagonal(unit(s.W) @ unit(s.about_samples).T)


FORMULAS |= {
    "unc3_uniform_duality(W, mu_c, mu_g)": lambda s: cosines_with_later_means(s).mean(),
    'unc3_uniform_duality(W, mu_c, mu_g, "cov")': lambda s: cov(
        cosines_with_later_means(s)
    ),
}
