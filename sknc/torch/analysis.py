"""`analyze`: reports from a model and a loader."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from torch import nn

from sknc.convention import Convention
from sknc.estimators.analyzer import NeuralCollapseAnalyzer
from sknc.report import NCReport
from sknc.torch._arguments import check_loaders, checked_cache, checked_model
from sknc.torch._batches import device_of
from sknc.torch._cache import FeatureCache, Rows
from sknc.torch._figure import draw
from sknc.torch._passes import Passes, Signature, Sized
from sknc.torch._preserved import training_left_as_it_was
from sknc.torch.probe import FeatureProbe


@dataclass(frozen=True, eq=False, repr=False)
class Analysis:
    """
    What `analyze` found out about a model.

    Parameters
    ----------
    train : NCReport
        NC0 to NC4 of the samples of the loader.
    held_out : NCReport, or None
        The same of held-out samples about the class means of `train`; None without.
    analyzer : NeuralCollapseAnalyzer
        Fitted on the samples of the loader, with a copy of the head.
    head_name : str
        Name of the head in the model; empty if the model is its head.
    n_passes : int
        How often the model ran over the loader.
    notes : tuple of str
        What should be known about the passes, such as that two of them saw different
        samples. Notes on metrics are in the reports.
    """

    train: NCReport
    held_out: NCReport | None
    analyzer: NeuralCollapseAnalyzer
    head_name: str
    n_passes: int
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Return the reports as tables."""
        of_head = (
            f"head {self.head_name!r}" if self.head_name else "model, its own head"
        )
        passes = "1 pass" if self.n_passes == 1 else f"{self.n_passes} passes"
        parts = [
            f"Analysis ({of_head}, {passes})",
            *self.notes,
            f"Train: {self.train!r}",
        ]
        if self.held_out is not None:
            parts.append(f"Held out: {self.held_out!r}")
        return "\n\n".join(parts)

    def plot(self, ax: Any = None) -> Any:
        """
        Draw every metric that is zero at collapse, of both reports.

        Metrics of the class means and the head alone, NC0, NC2 and NC3, do not depend
        on the held-out samples and have one marker.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default a new figure.

        Returns
        -------
        matplotlib Axes
            With one row a metric, on a logarithmic axis. An arrow stands for zero.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        return draw(self.train, self.held_out, ax)


def analyze(
    model: nn.Module,
    loader: Iterable[Any],
    *,
    held_out: Iterable[Any] | None = None,
    head: str | nn.Module | None = None,
    unpack: Callable[[Any], Any] | None = None,
    device: Any = None,
    shift: bool | None = None,
    ignore_index: int | None = -100,
    cache: float | str = 2**30,
    metrics: str | Iterable[str] = "default",
    convention: str | Convention = "default",
    covariance: bool = True,
    n_jackknife: int = 0,
    progress: bool = False,
) -> Analysis:
    """
    Measure neural collapse of a model on the samples of a loader.

    The model runs once over each loader, in evaluation mode and without gradients. What
    its linear head reads are the features; the head is found (see `FeatureProbe`).
    Everything is restored at the end, even after an error: modes of all parts,
    gradients, hooks, buffers, random numbers, and persistent workers of the loaders.

    Parameters
    ----------
    model : torch.nn.Module
        Any classifier with a linear head; also compiled, or wrapped for data
        parallelism.
    loader : iterable
        Yields ``(inputs, labels)``, or mappings with "labels" such as those of
        transformers, whose other entries are keyword arguments of the model.
    held_out : iterable, default=None
        A loader of held-out samples, measured about the class means of the others.
    head : str or torch.nn.Module, default=None
        The head or its name, if it cannot be found automatically.
    unpack : callable, default=None
        Converts any other batch to ``(inputs, labels)`` or ``(inputs, labels,
        sample_weight)``. Inputs are a tensor, or a tuple of positional or a
        dictionary of keyword arguments of the model.
    device : str or torch.device, default=None
        Where inputs go; by default to the first parameter of the model.
    shift : bool, default=None
        Whether, in a model of tokens, a token predicts the label of the next one. By
        default the model's own loss tells; without one, labels are those of the tokens.
    ignore_index : int, default=-100
        Label of samples or tokens that are left out; None for none.
    cache : int or "none", default=2**30
        How many bytes of features are kept in memory for NC4, which needs the class
        means first. All others go to a temporary file. With "none" nothing is kept, and
        the model runs a second time.
    metrics, convention, covariance, n_jackknife : object
        As in `sknc.NeuralCollapseAnalyzer`.
    progress : bool, default=False
        Whether to show a progress bar, which takes tqdm.

    Returns
    -------
    Analysis
        Reports of both loaders, the fitted estimator, and the name of the head.

    Raises
    ------
    ValueError
        If no module is the model's head, or several are; if labels are soft; if a
        loader yields no batches, or batches of an unknown form.
    TypeError
        If the model is no torch module, or one of torch.jit or torch.export, or a
        loader is no iterable.

    Warns
    -----
    UserWarning
        If, with ``cache="none"``, the two passes saw different samples.

    See Also
    --------
    FeatureProbe : The features, in your own loop.
    sknc.NeuralCollapseAnalyzer : The estimator.

    Notes
    -----
    With autocast on, features are those of autocast, such as bfloat16. Compiled parts
    run layer by layer. An iterator can be passed as a loader, and is then used up.

    Examples
    --------
    >>> import torch
    >>> from sknc.torch import analyze
    >>> torch.manual_seed(0)
    <torch._C.Generator object at ...>
    >>> y = torch.arange(60) % 3
    >>> x = torch.randn(60, 4) + 3 * torch.eye(4)[y]
    >>> model = torch.nn.Sequential(
    ...     torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)
    ... )
    >>> data = torch.utils.data.TensorDataset(x, y)
    >>> analysis = analyze(model, torch.utils.data.DataLoader(data, batch_size=16))
    >>> analysis.head_name, analysis.n_passes, analysis.train.n_samples
    ('2', 1, 60)
    """
    check_loaders(loader=loader, held_out=[] if held_out is None else held_out)
    n_bytes = checked_cache(cache)
    if n_bytes is None and hasattr(type(loader), "__next__"):
        msg = (
            "loader is an iterator, which can be used once, but cache='none' takes two "
            "passes. Pass a DataLoader or a list, or let features be kept: cache=2**30."
        )
        raise ValueError(msg)
    options = {
        "metrics": metrics,
        "convention": convention,
        "covariance": covariance,
        "n_jackknife": n_jackknife,
    }
    probe = FeatureProbe(bare := checked_model(model), head)
    with ExitStack() as stack:
        loaders = [item for item in (loader, held_out) if item is not None]
        rewind = stack.enter_context(training_left_as_it_was(bare, *loaders))
        stack.enter_context(probe)
        place = device_of(bare, device)
        passes = Passes(bare, probe, place, unpack, shift, ignore_index)
        measure = _Measurement(passes, probe, options, progress)
        notes: tuple[str, ...] = ()
        if n_bytes is None:
            analyzer, train, notes = measure.in_two_passes(loader, rewind)
        else:
            analyzer, train = measure.in_one_pass(loader, n_bytes)
        other = None if held_out is None else measure.scored(analyzer, held_out)
        n_passes = 2 if n_bytes is None else 1
        return Analysis(train, other, analyzer, probe.head_name, n_passes, notes)


class _Measurement:
    """The estimator on the rows of passes."""

    def __init__(
        self,
        passes: Passes,
        probe: FeatureProbe,
        options: dict[str, Any],
        progress: bool,
    ) -> None:
        self._passes, self._probe = passes, probe
        self._options, self._progress = options, progress

    def in_one_pass(
        self, loader: Iterable[Any], n_bytes: float
    ) -> tuple[NeuralCollapseAnalyzer, NCReport]:
        """Fit, and score the features that were kept."""
        with FeatureCache(n_bytes) as kept:
            with closing(self._passes.over(loader)) as rows:
                analyzer = self._fitted(rows, loader, kept.keeping)
            return analyzer, analyzer.score_batches(kept.batches())

    def in_two_passes(
        self, loader: Iterable[Any], rewind: Callable[[], None]
    ) -> tuple[NeuralCollapseAnalyzer, NCReport, tuple[str, ...]]:
        """Fit, let the model run again, and score."""
        first, second = Signature(), Signature()
        with closing(self._passes.over(loader)) as rows:
            analyzer = self._fitted(rows, loader, first.of)
        rewind()
        report = self.scored(analyzer, loader, second.of)
        difference = first.differs_from(second)
        if not difference:
            return analyzer, report, ()
        note = (
            f"The two passes over the loader saw {difference}: class means are of the "
            "first, NC1 and NC4 of the second. Augmentation or shuffling by a "
            "generator that is not known does that. Keep the features of one pass "
            "(cache=2**30), or pass a loader without it."
        )
        warnings.warn(note, UserWarning, stacklevel=3)
        return analyzer, report, (note,)

    def scored(
        self,
        analyzer: NeuralCollapseAnalyzer,
        loader: Iterable[Any],
        through: Callable[[Iterable[Rows]], Iterator[Rows]] = iter,
    ) -> NCReport:
        """Run the model over a loader, and score it."""
        with closing(self._passes.over(loader)) as rows:
            batches = Sized(through(rows), loader)
            return analyzer.score_batches(batches, progress=self._progress)

    def _fitted(
        self,
        rows: Iterator[Rows],
        loader: Iterable[Any],
        through: Callable[[Iterable[Rows]], Iterator[Rows]],
    ) -> NeuralCollapseAnalyzer:
        first = next(rows, None)
        if first is None:
            msg = "The loader yields no labeled samples: expected at least one batch."
            raise ValueError(msg)
        # A copy: the head goes on training, the class means do not.
        head = self._probe.linear_head()
        analyzer = NeuralCollapseAnalyzer(head, **self._options)
        batches = Sized(through(chain([first], rows)), loader)
        # Labels are numbers of rows, as cross-entropy takes them.
        classes = np.arange(max(2, int(head.weights.shape[0])))
        return analyzer.fit_batches(batches, classes=classes, progress=self._progress)
