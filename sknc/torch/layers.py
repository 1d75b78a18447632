"""`analyze_layers`: a report for each layer of a model, in one pass."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any, Literal

import numpy as np
from torch import nn

from sknc._utils.parameters import check_choice
from sknc.convention import Convention
from sknc.metrics import select
from sknc.report.layerwise_report import LayerwiseReport
from sknc.torch._arguments import check_loaders, checked_cache, checked_model
from sknc.torch._batches import device_of
from sknc.torch._layer_measurement import LayerMeasurement
from sknc.torch._layer_passes import LayerPasses
from sknc.torch._layer_probe import At, LayerProbe
from sknc.torch._layers import chosen_layers
from sknc.torch._preserved import training_left_as_it_was
from sknc.torch.probe import FeatureProbe

_NEEDED = ("nc1_fuzziness", "nc4_ncc_accuracy")  # used by the measures of all layers


def analyze_layers(
    model: nn.Module,
    loader: Iterable[Any],
    layers: str | Iterable[str] = "all",
    *,
    held_out: Iterable[Any] | None = None,
    at: Literal["input", "output"] | None = None,
    pooling: Literal["mean", "flatten"] = "mean",
    head: str | nn.Module | None = None,
    unpack: Callable[[Any], Any] | None = None,
    device: Any = None,
    ignore_index: int | None = -100,
    cache: float = 2**30,
    metrics: str | Iterable[str] = "default",
    convention: str | Convention = "default",
    covariance: bool | Literal["auto"] = "auto",
) -> LayerwiseReport:
    """
    Measure neural collapse in all layers of a model, in one pass.

    The model runs once over each loader, in evaluation mode and without gradients. As
    with `analyze`, everything is restored at the end.

    Parameters
    ----------
    model : torch.nn.Module
        Any classifier with a linear head, also compiled or wrapped for data
        parallelism.
    loader : iterable
        Yields batches as in `analyze`, with one label per sample.
    layers : str or iterable of str, default="all"
        Names as in ``model.named_modules()``, or patterns: "blocks.*" selects every
        block, but not their parts. "all" selects every linear layer and convolution.
    held_out : iterable, default=None
        Loader of held-out samples, measured about the class means of `loader`.
    at : {"input", "output"}, default=None
        Whether the features of a layer are what it reads or what it returns. By
        default, outputs for layers that are named, and inputs for "all".
    pooling : {"mean", "flatten"}, default="mean"
        How maps (B, C, H, W) and sequences (B, T, D) become features of a sample: their
        mean over places, (B, C) or (B, D), or all of their numbers. The mean skips
        tokens that the ``attention_mask`` of a batch leaves out.
    head : str or torch.nn.Module, default=None
        The head or its name, if it cannot be found automatically.
    unpack, device, ignore_index : object
        As in `analyze`.
    cache : int, default=2**30
        How many bytes of features of all layers to keep in memory for NC4, which needs
        the class means first. The rest go to temporary files.
    metrics : str or iterable of str, default="default"
        As in `sknc.NeuralCollapseAnalyzer`; ``nc1_fuzziness`` and ``nc4_ncc_accuracy``
        are always added.
    convention : str or Convention, default="default"
        As in `sknc.NeuralCollapseAnalyzer`.
    covariance : bool or "auto", default="auto"
        Whether to keep the (D, D) scatter of each layer. "auto" keeps it for up to 2048
        features, and lists the other layers in a note.

    Returns
    -------
    LayerwiseReport
        The report of each layer, and the measures of all layers together.

    Raises
    ------
    ValueError
        If a layer does not exist, if the model's head is not found, or if a parameter
        or batch does not have the expected form.
    TypeError
        If the model is not a torch module, or a loader is not iterable.
    RuntimeError
        If a layer that was named did not run exactly once in a forward pass.

    See Also
    --------
    analyze : The last layer, with its head.
    sknc.LayerwiseDisplay : The metrics against depth.

    Notes
    -----
    In the literature, the features of depth l are those after l layers *and* their
    activations, which is what the next layer reads. So "all" uses the inputs of linear
    layers and convolutions: depth 0 is the data, and the last depth is the input of the
    head. Layers that read the same tensor, such as those of query, key and value, count
    once, under the name of the first. In residual networks, name the blocks.

    Head metrics are reported for the layer that the head reads.

    Examples
    --------
    >>> import torch
    >>> from sknc.torch import analyze_layers
    >>> torch.manual_seed(0)
    <torch._C.Generator object at ...>
    >>> y = torch.arange(60) % 3
    >>> x = torch.randn(60, 4) + 3 * torch.eye(4)[y]
    >>> model = torch.nn.Sequential(
    ...     torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)
    ... )
    >>> report = analyze_layers(model, [(x, y)])
    >>> report.layers, report["2"].n_features
    (('0', '2'), 8)
    """
    check_loaders(loader=loader, held_out=[] if held_out is None else held_out)
    check_choice("pooling", pooling, ("mean", "flatten"))
    if at is not None:
        check_choice("at", at, ("input", "output"))
    _check_covariance(covariance)
    n_bytes = _checked_bytes(cache)
    bare = checked_model(model)
    is_selection = isinstance(layers, str) and layers == "all"
    side: At = at or ("input" if is_selection else "output")
    chosen = chosen_layers(bare, layers)
    keys = [metric.key for metric in select(metrics)]
    options = {
        "metrics": list(dict.fromkeys([*keys, *_NEEDED])),
        "convention": convention,
    }
    with ExitStack() as stack:
        loaders = [item for item in (loader, held_out) if item is not None]
        stack.enter_context(training_left_as_it_was(bare, *loaders))
        probe = stack.enter_context(FeatureProbe(bare, head))
        inner = stack.enter_context(LayerProbe(chosen, side, pooling, is_selection))
        place = device_of(bare, device)
        passes = LayerPasses(bare, probe, inner, place, unpack, ignore_index)
        measure = LayerMeasurement(
            passes, options, covariance, n_bytes, chosen if side == "input" else {}
        )
        train, train_mismatch = measure.fitted(loader)
        other: tuple[Any, Any] = (None, None)
        if held_out is not None:
            other = measure.scored(held_out)
        notes = (*_notes_on_layers(inner), *measure.notes())
    return LayerwiseReport(
        train, other[0], train_mismatch, other[1], side, pooling, notes
    )


def _notes_on_layers(layers: LayerProbe) -> Iterator[str]:
    if layers.silent:
        yield f"Skipped layers that did not run: {', '.join(map(repr, layers.silent))}."
    if layers.repeated:
        yield (
            "Skipped layers that read the same input as an earlier layer: "
            f"{', '.join(map(repr, layers.repeated))}."
        )


def _check_covariance(covariance: Any) -> None:
    if not isinstance(covariance, (bool, np.bool_)) and covariance != "auto":
        msg = f'covariance must be True, False or "auto", got {covariance!r}.'
        raise ValueError(msg)


def _checked_bytes(cache: Any) -> float:
    n_bytes = checked_cache(cache)
    if n_bytes is None:
        msg = (
            "cache must be a number of bytes, got 'none': analyze_layers keeps the "
            "features of one pass. Use cache=0 to keep them in temporary files."
        )
        raise ValueError(msg)
    return n_bytes
