"""`Monitor`: neural collapse of the features seen in training."""

import math
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from sknc._utils import arrays
from sknc._utils.parameters import check_flag, check_number
from sknc.convention import Convention
from sknc.estimators.analyzer import NeuralCollapseAnalyzer
from sknc.metrics import select
from sknc.report import NCReport
from sknc.report._building import with_notes
from sknc.torch._forgetting import ForgettingFit
from sknc.torch._labels import TokenRule, check_range, flat_rows, hard_labels
from sknc.torch._shift import SAY_SHIFT, is_loss_shifted
from sknc.torch._training_probe import TrainingPass, TrainingProbe
from sknc.torch._waiting import WaitingBatches

# Of a class. The noise of its mean then adds less than 1 % to distances of means
# that are as far apart as the class is wide.
_HALF_LIFE = 100
_STALE = 2.0**-10  # of a sample: ten half-lives after the last one
_REMEDY = "monitor.update(labels)"


class Monitor:
    """
    Measure neural collapse on the features seen in training.

    No extra pass over the data is needed: after each forward pass, `update` adds the
    inputs of the head to class statistics in which the weight of a sample halves after
    each half-life. Training is unaffected, bit for bit. Features are those of training
    mode and of earlier weights; *Notes* says how far that is from `analyze`.

    Parameters
    ----------
    model : torch.nn.Module
        Any classifier with a linear head, also wrapped for data parallelism. Layers
        before the head may be compiled.
    half_life : float, default=None
        Number of samples after which a sample counts half; infinite to weight all
        samples the same. By default 100 for each row of the head.
    head : str or torch.nn.Module, default=None
        The head or its name, if it cannot be found automatically.
    shift : bool, default=None
        Whether, in a token model, a token predicts the label of the next one. By
        default the loss that the model returns with its logits decides.
    ignore_index : int, default=-100
        Label of samples or tokens to skip; None for none.
    metrics, convention, covariance : object
        As in `sknc.NeuralCollapseAnalyzer`.

    Attributes
    ----------
    head_name : str
        Name of the head in the model; empty if the model is its own head.
    analyzer : NeuralCollapseAnalyzer
        Fitted on the samples seen so far, with a copy of the head. Analyzers of several
        processes can be merged.
    n_samples_seen : int
        Number of samples so far.
    n_batches_skipped : int
        Number of batches skipped because a feature was NaN or infinite.

    Raises
    ------
    TypeError
        If the model is not a torch module, or comes from torch.jit.
    ValueError
        If a parameter is invalid, or, during the first forward pass, if the head is not
        found or there are several.

    See Also
    --------
    analyze : All metrics, exact, by a pass in evaluation mode.
    FeatureProbe : The features, for your own estimator.

    Notes
    -----
    Forward passes in evaluation mode or without gradients are ignored, and an `update`
    after one does nothing. Each forward pass in training needs one `update`, so
    gradients can be accumulated.

    Features are those of training: with dropout, with batch statistics in batch norm,
    of augmented samples, and of weights that have changed since. All of this spreads
    the features of a class, so NC1 is usually too high. Class means average over it, so
    NC2 and NC3 are closer. The documentation has figures. NC4 needs class means before
    it can compare samples with them, so it is skipped.

    Counts in the report, and its ``n_samples``, are effective sample sizes.

    Examples
    --------
    >>> import torch
    >>> from sknc.torch import Monitor
    >>> torch.manual_seed(0)
    <torch._C.Generator object at ...>
    >>> y = torch.arange(60) % 3
    >>> x = torch.randn(60, 4) + 3 * torch.eye(4)[y]
    >>> model = torch.nn.Sequential(
    ...     torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)
    ... )
    >>> with Monitor(model) as monitor:
    ...     for inputs, labels in zip(x.split(20), y.split(20)):
    ...         loss = torch.nn.functional.cross_entropy(model(inputs), labels)
    ...         monitor.update(labels)
    >>> monitor.head_name, monitor.n_samples_seen, "nc1_pinv" in monitor.report()
    ('2', 60, True)
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        half_life: float | None = None,
        head: str | nn.Module | None = None,
        shift: bool | None = None,
        ignore_index: int | None = -100,
        metrics: str | Iterable[str] = "default",
        convention: str | Convention = "default",
        covariance: bool = True,
    ) -> None:
        half_life = checked_half_life(half_life)
        if shift is not None:
            check_flag("shift", shift)
        check_flag("covariance", covariance)
        select(metrics)
        Convention.preset(convention)
        self._half_life, self._shift, self._ignored = half_life, shift, ignore_index
        self._options: dict[str, Any] = {
            "metrics": metrics,
            "convention": convention,
            "covariance": covariance,
        }
        self._state: ForgettingFit | None = None
        self._waiting = WaitingBatches(ignore_index)
        self._n_classes = self._n_skipped = 0
        self._probe = TrainingProbe(model, head)
        self._probe.__enter__()

    # Training -------------------------------------------------------------------

    def update(self, labels: Any) -> None:
        """
        Add the last forward pass.

        Parameters
        ----------
        labels : tensor of shape (batch,) or (batch, tokens)
            Row numbers of the head, as in cross-entropy.

        Raises
        ------
        ValueError
            If the labels do not fit the features, or are not rows of the head. On a GPU
            this is noticed some steps later.
        RuntimeError
            If there was no forward pass since the last update, or the monitor is
            closed.
        """
        if not self._probe.is_open:
            msg = "The Monitor is closed. Create a new one to go on."
            raise RuntimeError(msg)
        seen = self._probe.take()
        if seen is None:
            return
        with arrays.plain_arithmetic(seen.features):
            features, n_rows = seen.features, int(seen.logits.shape[-1])
            self._n_classes = max(2, n_rows)
            labels = hard_labels(labels, features, n_rows, _REMEDY)
            shift = self._is_shifted(seen, labels)
            features, labels, _ = flat_rows(features, labels, None, shift)
            if not arrays.on_gpu(labels):
                self._waiting.check(labels, self._rule)
            if self._waiting.is_full(features):
                self._add_waiting()
            self._waiting.append(features, labels)
            if self._waiting.is_full():
                self._add_waiting()

    def _is_shifted(self, seen: TrainingPass, labels: torch.Tensor) -> bool:
        if self._shift is None and labels.ndim == 2 and labels.shape[1] > 1:
            loss = seen.loss
            if loss is None:
                msg = (
                    "The model returns no loss that would show which labels its tokens "
                    f"are compared with. {SAY_SHIFT}"
                )
                raise ValueError(msg)
            self._shift = is_loss_shifted(
                float(loss), labels, seen.logits, self._ignored
            )
        return bool(self._shift)

    @property
    def _rule(self) -> TokenRule:
        return TokenRule(n_classes=self._n_classes, remedy=_REMEDY)

    def _add_waiting(self) -> None:
        """Add the buffered batches."""
        rows = self._waiting.take()
        if rows is None:
            return
        self._n_skipped += rows.n_skipped
        check_range(rows.labels, self._rule)
        if self._state is None:
            half_life = self._half_life or _HALF_LIFE * self._n_classes
            self._state = ForgettingFit(half_life, self._options)
        self._state.add(rows.features, rows.labels, rows.sizes, self._n_classes)

    # Reading --------------------------------------------------------------------

    def report(self) -> NCReport:
        """
        Report the metrics of the samples seen so far; recent samples count most.

        Returns
        -------
        NCReport
            Without NC4. ``notes["monitor"]`` describes which samples count.

        Raises
        ------
        ValueError
            If fewer than two classes were seen.
        RuntimeError
            If nothing was seen.
        """
        return self._report_of(self.analyzer)

    @property
    def analyzer(self) -> NeuralCollapseAnalyzer:
        """Estimator fitted on the samples seen so far, with a copy of the head."""
        if not self.n_samples_seen:
            msg = (
                "The monitor has seen no samples. Call update(labels) after each "
                "forward pass in training mode."
            )
            raise RuntimeError(msg)
        return self._analyzer()

    @property
    def head_name(self) -> str:
        """Name of the head in the model; empty if the model is its own head."""
        return self._probe.head_name

    @property
    def n_samples_seen(self) -> int:
        """Number of samples so far."""
        self._add_waiting()
        return 0 if self._state is None else self._state.n_seen

    @property
    def n_batches_skipped(self) -> int:
        """Number of batches skipped because a feature was NaN or infinite."""
        self._add_waiting()
        return self._n_skipped

    def _analyzer(self) -> NeuralCollapseAnalyzer:
        """Return an estimator, possibly without samples."""
        self._add_waiting()
        if self._state is None or not self._state.n_seen:
            return NeuralCollapseAnalyzer(**self._options)
        return self._state.analyzer(self._probe.current_head())

    def _report_of(self, analyzer: NeuralCollapseAnalyzer) -> NCReport:
        """Report an estimator of this monitor, possibly merged with others."""
        state = self._state or ForgettingFit(math.inf, self._options)
        counts = arrays.to_numpy(analyzer.class_count_)
        note = _note(state, counts, self._n_skipped)
        return with_notes(analyzer.report(), monitor=note)

    # Closing --------------------------------------------------------------------

    def close(self) -> None:
        """Remove the hooks; samples seen so far can still be reported."""
        self._probe.close()

    def __enter__(self) -> Self:
        """Return the monitor, which is already open."""
        return self

    def __exit__(self, *error: object) -> None:
        """Remove the hooks."""
        self.close()


def checked_half_life(half_life: Any) -> float | None:
    """Return a half-life, or raise if it is invalid."""
    if half_life is None:
        return None
    expected = "a positive number of samples, or None"
    return check_number("half_life", half_life, expected, lambda x: x > 0)


def _note(state: ForgettingFit, counts: np.ndarray, n_skipped: int) -> str:
    """Return the note of a report, given effective counts of classes."""
    if math.isfinite(state.half_life):
        weights = (
            f"a sample counts half after every {state.half_life:g} samples, so the "
            f"{state.n_seen} samples seen count as {state.effective_sample_size:.0f} "
            "of equal weight"
        )
    else:
        weights = f"all {state.n_seen} samples seen count the same"
    text = (
        f"Features of training mode, with the weights of each step: {weights}. For "
        "NC4, which needs another pass over the samples, call "
        "sknc.torch.analyze(model, loader)."
    )
    n_stale = int(((counts > 0) & (counts < _STALE)).sum())
    if n_stale:
        text += (
            f" Classes without new samples for ten half-lives: {n_stale}. Their means "
            "are outdated."
        )
    if n_skipped:
        text += f" Batches skipped because a feature was NaN or infinite: {n_skipped}."
    return text
