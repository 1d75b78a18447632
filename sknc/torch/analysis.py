"""`analyze`: reports from a model and a loader."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Never

from torch import nn

from sknc._utils.docstrings import documented
from sknc.convention import Convention
from sknc.estimators.analyzer import NeuralCollapseAnalyzer
from sknc.metrics import TABLE
from sknc.report import NCReport
from sknc.report._rendering import Content, as_html, report_page, write_page
from sknc.torch._arguments import check_loaders, checked_cache, checked_model
from sknc.torch._batches import device_of
from sknc.torch._collectives import Ranks
from sknc.torch._figure import draw
from sknc.torch._measurement import Measurement
from sknc.torch._passes import Passes
from sknc.torch._preserved import training_left_as_it_was
from sknc.torch.probe import FeatureProbe


@dataclass(frozen=True, eq=False, repr=False)
class Analysis:
    """
    The result of `analyze`.

    Parameters
    ----------
    train : NCReport
        NC0 to NC4 on the samples of the loader.
    held_out : NCReport, or None
        The same on held-out samples, about the class means of `train`.
    analyzer : NeuralCollapseAnalyzer
        Fitted on the samples of the loader, with a copy of the head.
    head_name : str
        Name of the head in the model; empty if the model is its own head.
    n_passes : int
        How often the model ran over the loader.
    notes : tuple of str
        Warnings about the passes, such as two passes that saw different samples. Notes
        on metrics are in the reports.
    """

    train: NCReport
    held_out: NCReport | None
    analyzer: NeuralCollapseAnalyzer
    head_name: str
    n_passes: int
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Return the reports as tables."""
        parts = [f"Analysis ({self._passes_in_words()})", *self.notes]
        parts.append(f"Train: {self.train!r}")
        if self.held_out is not None:
            parts.append(f"Held out: {self.held_out!r}")
        return "\n\n".join(parts)

    def _passes_in_words(self) -> str:
        of_head = (
            f"head {self.head_name!r}"
            if self.head_name
            else "the model is its own head"
        )
        passes = "1 pass" if self.n_passes == 1 else f"{self.n_passes} passes"
        return f"{of_head}, {passes}"

    @documented(NCReport.to_html)
    def to_html(self, path: Any, *, title: str | None = None) -> None:
        """
        Write both reports side by side as a page, one file that any browser shows.

        It is that of `NCReport.to_html` with the values of training and held-out
        samples in one table and in the same figures.
        """
        words = self._passes_in_words()
        lead = f"{words[0].upper()}{words[1:]} over the training samples"
        write_page(path, report_page(self._contents(), title, lead, self.notes))

    def _repr_html_(self) -> str:
        return as_html(self._contents())

    def _contents(self) -> dict[str, Content]:
        reports = {"Training samples": self.train, "Held-out samples": self.held_out}
        return {name: one._content for name, one in reports.items() if one is not None}

    def __getattr__(self, name: str) -> Never:
        """Explain where the metrics are."""
        msg = f"{type(self).__name__!r} object has no attribute {name!r}"
        if name in TABLE:
            held_out = "" if self.held_out is None else f" or analysis.held_out.{name}"
            msg = (
                f"An Analysis holds reports, and {name} is in each of them: write "
                f"analysis.train.{name}{held_out}."
            )
        raise AttributeError(msg, name=name, obj=self)  # Python adds the nearest name

    def plot(self, ax: Any = None) -> Any:
        """
        Draw every metric that is zero at collapse, for both reports.

        NC0, NC2 and NC3 depend only on the class means and the head, not on the
        held-out samples, so they have one marker.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default a new figure.

        Returns
        -------
        matplotlib Axes
            One row per metric, on a logarithmic axis. An arrow stands for zero.

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
    group: Any = None,
) -> Analysis:
    """
    Measure neural collapse of a model on the samples of a loader.

    The model runs once over each loader, in evaluation mode and without gradients. The
    features are the inputs of its linear head, which is found automatically (see
    `FeatureProbe`). Everything is restored at the end, even after an error: modes of
    all parts, gradients, hooks, buffers, random numbers, and persistent workers of the
    loaders.

    Parameters
    ----------
    model : torch.nn.Module
        Any classifier with a linear head, also compiled or wrapped for data
        parallelism.
    loader : iterable
        Yields ``(inputs, labels)``, or mappings with "labels" such as those of
        transformers. Other entries are keyword arguments of the model.
    held_out : iterable, default=None
        Loader of held-out samples, measured about the class means of `loader`.
    head : str or torch.nn.Module, default=None
        The head or its name, if it cannot be found automatically.
    unpack : callable, default=None
        Converts any other batch to ``(inputs, labels)`` or ``(inputs, labels,
        sample_weight)``. Inputs are a tensor, or a tuple of positional or a
        dictionary of keyword arguments of the model.
    device : str or torch.device, default=None
        Device for the inputs; by default that of the model's first parameter.
    shift : bool, default=None
        Whether, in a token model, a token predicts the label of the next one. By
        default the model's own loss decides; without a loss, labels are those of the
        tokens.
    ignore_index : int, default=-100
        Label of samples or tokens to skip; None for none.
    cache : int or "none", default=2**30
        How many bytes of features to keep in memory for NC4, which needs the class
        means first. The rest go to a temporary file. With "none" nothing is kept, and
        the model runs a second time.
    metrics, convention, covariance, n_jackknife : object
        As in `sknc.NeuralCollapseAnalyzer`.
    progress : bool, default=False
        Whether to show a progress bar; requires tqdm.
    group : torch.distributed.ProcessGroup, default=None
        Processes that each pass loaders of their own part of the samples, such as
        ``torch.distributed.group.WORLD``. All get the same reports, of all samples, and
        use the model's buffers of the first process. By default only the samples of
        this process are measured.

    Returns
    -------
    Analysis
        Reports on both loaders, the fitted estimator, and the name of the head.

    Raises
    ------
    ValueError
        If the head is not found, or there are several; if labels are soft; if a loader
        yields no batches, or batches of an unknown form.
    TypeError
        If the model is not a torch module, or comes from torch.jit or torch.export, or
        if a loader is not iterable.

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
    With autocast on, features have the dtype of autocast, such as bfloat16. Compiled
    parts run layer by layer. A loader may be an iterator, which is then used up.

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
            "loader is an iterator, which can be read once, but cache='none' takes two "
            "passes. Pass a DataLoader or a list, or keep the features: cache=2**30."
        )
        raise ValueError(msg)
    options = {
        "metrics": metrics,
        "convention": convention,
        "covariance": covariance,
        "n_jackknife": n_jackknife,
    }
    ranks = None if group is None else Ranks(group)
    probe = FeatureProbe(bare := checked_model(model), head)
    with ExitStack() as stack:
        loaders = [item for item in (loader, held_out) if item is not None]
        rewind = stack.enter_context(training_left_as_it_was(bare, *loaders))
        if ranks is not None:
            # Batch-norm averages differ, because each process has seen its own batches.
            ranks.copy_from_first(bare.buffers())
        stack.enter_context(probe)
        place = device_of(bare, device)
        passes = Passes(bare, probe, place, unpack, shift, ignore_index)
        measure = Measurement(passes, probe, options, progress, ranks)
        notes: tuple[str, ...] = ()
        if n_bytes is None:
            analyzer, train, notes = measure.in_two_passes(loader, rewind)
        else:
            analyzer, train = measure.in_one_pass(loader, n_bytes)
        other = None if held_out is None else measure.scored(analyzer, held_out)
        n_passes = 2 if n_bytes is None else 1
        name = measure.head_name
        return Analysis(train, other, analyzer, name, n_passes, notes)
