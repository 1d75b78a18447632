"""The same on a CUDA device, where there is one."""

import datetime
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np

from sknc import NeuralCollapseAnalyzer

_ABSENT = """
## On a GPU

Not measured yet, because no CUDA device was available. If there is one,
`tests/benchmarks/run.py` compares `partial_fit` with `addmm` and `covariance=False`
with the copy bandwidth, and counts host synchronizations per batch."""


def sections(quick: bool) -> Iterator[str]:
    """Yield the section on the GPU."""
    torch = None
    if find_spec("torch"):
        import torch
    if torch is None or not torch.cuda.is_available():
        print(_ABSENT)
        yield _ABSENT
        return
    rows = [*_rates(torch, 4 if quick else 64), *_synchronizations(torch)]
    name = torch.cuda.get_device_name()
    text = "\n".join([f"\n## On a GPU\n\n{name}, {datetime.date.today()}.\n", *rows])
    print(text)
    yield text


def _block(torch: Any, n: int = 20_018, d: int = 2_048, k: int = 1_000) -> Any:
    generator = torch.Generator("cuda").manual_seed(0)
    y = torch.randint(k, (n,), device="cuda", generator=generator)
    X = torch.randn(n, d, device="cuda", generator=generator)
    return X + torch.randn(k, d, device="cuda", generator=generator)[y], y


def _seconds(torch: Any, function: Any) -> float:
    function()
    torch.cuda.synchronize()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    function()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1e3


def _fit(X: Any, y: Any, repeats: int, **options: bool) -> None:
    analyzer = NeuralCollapseAnalyzer(**options)
    for _ in range(repeats):
        analyzer.partial_fit(X, y, classes=np.arange(1_000))


def _rates(torch: Any, repeats: int) -> Iterator[str]:
    X, y = _block(torch)
    for precision in ("highest", "high"):
        torch.set_float32_matmul_precision(precision)
        total = torch.zeros(X.shape[1], X.shape[1], device="cuda")
        product = _seconds(torch, lambda: total.addmm_(X.T, X))
        ours = _seconds(torch, lambda: _fit(X, y, repeats)) / repeats
        torch.cuda.reset_peak_memory_stats()
        _fit(X, y, 1)
        peak = torch.cuda.max_memory_allocated() / 2**20
        yield (
            f"- `partial_fit`, {repeats} × {len(X)} rows, D = 2048, K = 1000, matmul "
            f"precision {precision!r}: {100 * product / ours:.0f} % of the rate of "
            f"`addmm` ({ours * 1e3:.2f} ms a block, peak {peak:.0f} MB)."
        )
    torch.set_float32_matmul_precision("highest")
    out = torch.empty_like(X)
    copy = _seconds(torch, lambda: out.copy_(X)) / 2  # a copy reads and writes
    light = _seconds(torch, lambda: _fit(X, y, repeats, covariance=False)) / repeats
    yield (
        f"- `covariance=False`: reads at {100 * copy / light:.0f} % of the copy "
        f"bandwidth ({light * 1e3:.2f} ms a block)."
    )


def _synchronizations(torch: Any) -> Iterator[str]:
    X, y = _block(torch)
    analyzer = NeuralCollapseAnalyzer().partial_fit(X, y, classes=np.arange(1_000))
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities) as profile:
        for _ in range(10):
            analyzer.partial_fit(X, y, classes=np.arange(1_000))
    names = ("aten::_local_scalar_dense", "aten::item", "cudaStreamSynchronize")
    counts = {e.key: e.count / 10 for e in profile.key_averages() if e.key in names}
    yield f"- Host synchronizations a batch in a profile: {counts}."
