"""The one table of metrics."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from sknc.metrics import agreement, duality, simplex, variability

Input = Literal["statistics", "head", "bias", "decisions", "scatter", "head_decisions"]


@dataclass(frozen=True)
class Metric:
    """
    A row of the table of metrics.

    Parameters
    ----------
    function : callable
        Computes it; its name is the key.
    group : str
        Property it measures.
    needs : tuple of str
        Inputs without which a report leaves the key out. The function is called
        with those of "statistics", "head" and "decisions" among them, in order.
    lower_is_collapsed : bool or None
        Direction; None for a quantity that has none.
    ideal : float or None
        Value at exact collapse; None if collapse does not fix it.
    source : str
        Paper that introduced it.
    has_convention : bool
        Whether the function takes a convention.
    headline : bool
        Whether it belongs to ``metrics="default"``.
    """

    function: Callable[..., float]
    group: str
    needs: tuple[Input, ...]
    lower_is_collapsed: bool | None
    ideal: float | None
    source: str
    has_convention: bool = False
    headline: bool = True

    @property
    def key(self) -> str:
        """Name of the function."""
        return self.function.__name__

    @property
    def summary(self) -> str:
        """First line of the function's docstring."""
        lines = (self.function.__doc__ or "").strip().splitlines()
        return lines[0].strip() if lines else ""


_PAPYAN = "Papyan, Han & Donoho 2020, doi:10.1073/pnas.2015509117"
_ZHU = "Zhu et al. 2021, arXiv:2105.02375"
_GALANTI = "Galanti, György & Hutter 2022, arXiv:2112.15121"
_TIRER = "Tirer & Bruna 2022, arXiv:2202.08087"
_RANGAMANI = "Rangamani et al. 2023, PMLR 202:28729"
_JIANG = "Jiang et al. 2024, arXiv:2310.05351"
_ZHAO = "Zhao et al. (NC0), scaled"


def _of_means(function: Any, group: str, source: str, *more: Input) -> Metric:
    return Metric(function, group, ("statistics", *more), True, 0.0, source, True)


def _of_head(function: Any, group: str, source: str) -> Metric:
    return Metric(function, group, ("head",), True, 0.0, source)


def _of_decisions(function: Any, *more: Input) -> Metric:
    return Metric(function, "NC4", ("decisions", *more), None, None, _GALANTI)


TABLE: dict[str, Metric] = {
    metric.key: metric
    for metric in (
        _of_head(duality.nc0_weight_sum, "NC0", _ZHAO),
        _of_means(variability.nc1_pinv, "NC1", _PAPYAN, "scatter"),
        _of_means(variability.nc1_trace_ratio, "NC1", _TIRER),
        _of_means(variability.nc1_within_fraction, "NC1", _RANGAMANI),
        _of_means(variability.nc1_cdnv, "NC1", _GALANTI),
        _of_means(simplex.nc2_equinorm, "NC2", _PAPYAN),
        _of_means(simplex.nc2_cos_std, "NC2", _PAPYAN),
        _of_means(simplex.nc2_equiangular, "NC2", _PAPYAN),
        _of_means(simplex.nc2_etf, "NC2", _ZHU),
        _of_head(simplex.nc2_equinorm_head, "NC2", _PAPYAN),
        _of_head(simplex.nc2_cos_std_head, "NC2", _PAPYAN),
        _of_head(simplex.nc2_equiangular_head, "NC2", _PAPYAN),
        _of_head(simplex.nc2_etf_head, "NC2", _ZHU),
        _of_means(duality.nc3_self_duality, "NC3", _PAPYAN, "head"),
        _of_means(duality.nc3_structure, "NC3", _ZHU, "head"),
        _of_means(duality.nc3_cosine, "NC3", _JIANG, "head"),
        Metric(
            agreement.nc4_mismatch,
            "NC4",
            ("decisions", "head_decisions"),
            True,
            0.0,
            _PAPYAN,
        ),
        _of_decisions(agreement.nc4_ncc_accuracy),
        _of_decisions(agreement.nc4_head_accuracy, "head_decisions"),
        Metric(
            duality.nc4_bias_collapse,
            "NC4",
            ("statistics", "head", "bias"),
            True,
            0.0,
            _ZHU,
        ),
    )
}


def select(metrics: str | Iterable[str]) -> list[Metric]:
    """
    Return the rows that a ``metrics`` argument asks for.

    Parameters
    ----------
    metrics : "default", "all", or iterable of str
        The headline set, every metric, or keys.

    Returns
    -------
    list of Metric
        In the order of the table.

    Raises
    ------
    ValueError
        If a key is not in the table.
    """
    if metrics == "default":
        return [metric for metric in TABLE.values() if metric.headline]
    if metrics == "all":
        return list(TABLE.values())
    keys = [metrics] if isinstance(metrics, str) else list(metrics)
    unknown = [key for key in keys if key not in TABLE]
    if unknown:
        msg = (
            f'metrics must be "default", "all" or keys of sknc.metrics.TABLE, got '
            f"{unknown}. Known keys: {', '.join(TABLE)}."
        )
        raise ValueError(msg)
    return [metric for key, metric in TABLE.items() if key in keys]


def catalogue() -> list[dict[str, Any]]:
    """
    Describe every metric.

    Returns
    -------
    list of dict
        One a metric, with "key", "group", "summary", "direction" ("lower", "higher"
        or "none", of the more collapsed value), "ideal", "needs" and "source".

    Examples
    --------
    >>> from sknc.metrics import catalogue
    >>> catalogue()[1]["key"], catalogue()[1]["direction"]
    ('nc1_pinv', 'lower')
    """
    names = {True: "lower", False: "higher", None: "none"}
    return [
        {
            "key": metric.key,
            "group": metric.group,
            "summary": metric.summary,
            "direction": names[metric.lower_is_collapsed],
            "ideal": metric.ideal,
            "needs": metric.needs,
            "source": metric.source,
        }
        for metric in TABLE.values()
    ]
