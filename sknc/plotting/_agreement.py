"""`AgreementDisplay`: where the head and the nearest class center disagree."""

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np

from sknc._utils.optional import require_matplotlib
from sknc._utils.parameters import check_choice, check_integer, shown
from sknc.estimators.agreement import AgreementReport
from sknc.plotting._bars import Bar, draw_bars, inches_for, rows_that_fit
from sknc.plotting._frames import check_labels
from sknc.plotting._panels import inches_laid_out, make_panels
from sknc.plotting._style import REFERENCE
from sknc.plotting._words import count_of, digits, plain, short_label, wrapped
from sknc.report.nc_report import NCReport

_WHAT = "Head and nearest center differ"


class AgreementDisplay:
    """
    Share of samples on which the head and the nearest class center disagree.

    At collapse, the head decides like the nearest class center (NC4), and all shares
    are 0. Create it with `from_report`, `from_agreement` or `from_estimator`.

    Parameters
    ----------
    mismatch : array-like of shape (K,)
        Share of the samples of each class, in [0, 1]; NaN for a class without samples.
    classes : array-like of shape (K,), default=None
        Labels; by default 0 to K - 1.
    counts : array-like of shape (K,), default=None
        Number of samples of each class.
    total : float, default=None
        Share of all samples.
    contingency : sparse array of shape (K, K), default=None
        Number of samples by decision of the head (row) and nearest center (column).
    by : str, default="true class"
        What assigns samples to classes.

    Attributes
    ----------
    mismatch, classes, counts, total, contingency, by : object
        As passed, as arrays.
    n_rows_ : int
        Number of bars, once `plot` was called.
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure of `ax_`.

    Raises
    ------
    ValueError
        If shapes do not fit, or a share is not in [0, 1].

    See Also
    --------
    NearestClassCenter.agreement : Compares the decisions.
    sknc.metrics.nc4_mismatch : The share of all samples.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sknc import AgreementDisplay, NeuralCollapseAnalyzer
    >>> X, y = load_iris(return_X_y=True)
    >>> head = LogisticRegression(max_iter=1000).fit(X, y)
    >>> analyzer = NeuralCollapseAnalyzer(head).fit(X, y)
    >>> display = AgreementDisplay.from_estimator(analyzer, X, y)
    >>> display.mismatch
    array([0.  , 0.1 , 0.12])
    >>> display.plot().figure_.savefig("agreement.png")  # doctest: +SKIP
    """

    n_rows_: int
    ax_: Any
    figure_: Any

    def __init__(
        self,
        mismatch: Any,
        classes: Any = None,
        *,
        counts: Any = None,
        total: float | None = None,
        contingency: Any = None,
        by: str = "true class",
    ) -> None:
        self.mismatch = _check_shares(mismatch)
        n_classes = len(self.mismatch)
        self.classes = check_labels(classes, n_classes)
        self.counts = None if counts is None else np.asarray(counts)
        if self.counts is not None and self.counts.shape != (n_classes,):
            msg = f"counts must have shape ({n_classes},), got {self.counts.shape}."
            raise ValueError(msg)
        if contingency is not None and contingency.shape != (n_classes, n_classes):
            msg = (
                f"contingency must have shape ({n_classes}, {n_classes}), got "
                f"{contingency.shape}."
            )
            raise ValueError(msg)
        self.total, self.contingency, self.by = total, contingency, by

    @classmethod
    def from_report(cls, report: NCReport) -> Self:
        """
        Get the shares from a report.

        Parameters
        ----------
        report : NCReport
            From `NeuralCollapseAnalyzer.score`, with a head.

        Returns
        -------
        AgreementDisplay
            Not yet drawn.

        Raises
        ------
        TypeError
            If `report` is another object.
        ValueError
            If the report has no decisions of a head.
        """
        if not isinstance(report, NCReport):
            remedy = (
                " Use from_agreement for this one."
                if isinstance(report, AgreementReport)
                else ""
            )
            msg = f"from_report expected an NCReport, got {shown(report)}.{remedy}"
            raise TypeError(msg)
        if "mismatch" not in report.per_class:
            msg = (
                "This report has no decisions of a head. Create it with "
                "NeuralCollapseAnalyzer(head=...).fit(X, y).score(X, y), with "
                '"nc4_mismatch" among its metrics.'
            )
            raise ValueError(msg)
        found = report.per_class
        total = report.nc4_mismatch if "nc4_mismatch" in report else None
        counts = None if report.weighted else found["count"]
        return cls(found["mismatch"], found["label"], counts=counts, total=total)

    @classmethod
    def from_agreement(cls, report: AgreementReport) -> Self:
        """
        Get the shares from a comparison of two classifiers.

        Parameters
        ----------
        report : AgreementReport
            From `NearestClassCenter.agreement`.

        Returns
        -------
        AgreementDisplay
            Not yet drawn. It can also draw pairs of decisions.

        Raises
        ------
        TypeError
            If `report` is another object.
        """
        if not isinstance(report, AgreementReport):
            remedy = (
                " Use from_report for this one." if isinstance(report, NCReport) else ""
            )
            msg = (
                "from_agreement expected an AgreementReport, as "
                "NearestClassCenter.agreement(X, head, y) returns, got "
                f"{type(report).__name__}.{remedy}"
            )
            raise TypeError(msg)
        knows_truth = report.head_accuracy is not None
        counts = None
        if not knows_truth:
            counts = np.asarray(report.contingency.sum(axis=1)).ravel()
        return cls(
            1 - report.per_class,
            report.classes,
            counts=counts,
            total=report.mismatch,
            contingency=report.contingency,
            by="true class" if knows_truth else "class chosen by the head",
        )

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, y: Any) -> Self:
        """
        Compare the decisions of a fitted analyzer's head and centers.

        Parameters
        ----------
        estimator : NeuralCollapseAnalyzer
            Fitted, with a head.
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            True labels.

        Returns
        -------
        AgreementDisplay
            Not yet drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If the estimator's score is not a report.
        ValueError
            If the estimator has no head, or the input is malformed.
        """
        return cls.from_report(estimator.score(X, y))

    @property
    def alt_text(self) -> str:
        """Description of the figure, for captions and screen readers."""
        text = "Shares of samples on which head and nearest class center differ, by "
        text += f"{self.by}."
        if self.total is not None:
            text += f" All samples: {digits(self.total)}."
        order = self._order()
        with_any = [k for k in order if self.mismatch[k] > 0]
        if not with_any:
            return f"{text} They agree on every sample."
        worst = [
            f"{short_label(self.classes[k])} ({digits(self.mismatch[k])})"
            for k in with_any[:3]
        ]
        count = count_of(len(self.classes), "class", "classes")
        return (
            f"{text} They differ in {len(with_any):,} of {count}, most in "
            f"{', '.join(worst)}."
        )

    def plot(
        self,
        ax: Any = None,
        *,
        kind: Literal["class", "pair"] = "class",
        max_rows: int | None = None,
        bar_kw: Mapping[str, Any] | None = None,
        total_kw: Mapping[str, Any] | None = None,
    ) -> Self:
        """
        Draw a bar for each class, or for each pair of decisions, the longest on top.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default a new figure.
        kind : {"class", "pair"}, default="class"
            "pair" draws the most frequent pairs of different decisions. It requires a
            display from `from_agreement`.
        max_rows : int, default=None
            Maximum number of bars; by default 20, or as many as fit into `ax`.
        bar_kw : mapping, default=None
            Passed to `matplotlib.axes.Axes.barh`.
        total_kw : mapping, default=None
            Passed to the line that marks the share of all samples.

        Returns
        -------
        AgreementDisplay
            The display itself, with `ax_`, `figure_` and `n_rows_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `kind` is invalid, or there are no pairs of decisions.
        """
        check_choice("kind", kind, ("class", "pair"))
        if max_rows is not None:
            check_integer("max_rows", max_rows, "at least 1", lambda n: n >= 1)
        require_matplotlib("AgreementDisplay.plot")
        most = rows_that_fit(ax) if max_rows is None else int(max_rows)
        found = self._class_bars() if kind == "class" else self._pair_bars()
        bars = found
        if len(found) > most:
            bars = [bar for bar in found if bar.value > 0][:most] or found[:most]
        self.n_rows_ = len(bars)
        self.figure_, panels = make_panels(ax, 1, inches_for(len(bars)))
        self.ax_ = panels[0]
        total = self.total if kind == "class" else None
        draw_bars(self.ax_, bars, total or 0.0, bar_kw or {})
        label = "samples" if kind == "pair" else "share of samples"
        if total is not None:
            self.ax_.axvline(total, **{**REFERENCE, **(total_kw or {})})
            label += f" (dashed: all samples, {digits(total)})"
        by = self.by if kind == "class" else "head / nearest center"
        self.ax_.set_ylabel(by, fontsize=9)
        width, _ = inches_laid_out(self.ax_)
        self.ax_.set_xlabel(wrapped(label, width, 9), fontsize=9)
        lines = (_WHAT, _selection(kind, bars, found))
        title = "\n".join(wrapped(line, width, 10) for line in lines if line)
        self.ax_.set_title(title, loc="left", fontsize=10)
        return self

    def _order(self) -> np.ndarray:
        """Return classes with samples by descending share, then the others."""
        return np.argsort(-self.mismatch, kind="stable")

    def _class_bars(self) -> list[Bar]:
        return [
            Bar(str(self.classes[k]), float(np.nan_to_num(self.mismatch[k])), note)
            for k, note in ((k, self._note(k)) for k in self._order())
        ]

    def _note(self, k: int) -> str:
        share = self.mismatch[k]
        if np.isnan(share):
            return "no samples"
        if self.counts is None:
            return plain(share)
        return f"{round(share * self.counts[k]):,} of {int(self.counts[k]):,}"

    def _pair_bars(self) -> list[Bar]:
        if self.contingency is None:
            msg = (
                "This display has no pairs of decisions. Create it with "
                "AgreementDisplay.from_agreement(NearestClassCenter().fit(X, "
                "y).agreement(X, head, y))."
            )
            raise ValueError(msg)
        table = self.contingency.tocoo()
        different = table.row != table.col
        numbers = table.data[different]
        order = np.argsort(-numbers, kind="stable")
        chosen, nearest = table.row[different][order], table.col[different][order]
        names = [short_label(label, 11) for label in self.classes.tolist()]
        pairs = zip(chosen, nearest, numbers[order], strict=True)
        return [
            Bar(f"{names[i]} / {names[j]}", float(number), f"{int(number):,}")
            for i, j, number in pairs
        ]


def _selection(kind: str, bars: list[Bar], found: list[Bar]) -> str:
    """Return a text on which bars are drawn, unless all are."""
    if len(bars) == len(found):
        return ""
    noun = ("pair", "pairs") if kind == "pair" else ("class", "classes")
    total = count_of(len(found), *noun)
    if sum(bar.value > 0 for bar in found) == len(bars):
        return f"in {len(bars):,} of {total}"
    return f"the {len(bars):,} highest of {total}"


def _check_shares(mismatch: Any) -> np.ndarray:
    """Return shares of samples, or NaN, as float64."""
    found = np.asarray(mismatch, dtype=np.float64)
    if found.ndim != 1 or not len(found):
        msg = (
            "mismatch must have one share per class, shape (n_classes,), got shape "
            f"{found.shape}."
        )
        raise ValueError(msg)
    wrong = found[(found < 0) | (found > 1)]
    if len(wrong):
        msg = f"mismatch must be shares in [0, 1], got {wrong[0]}."
        raise ValueError(msg)
    return found
