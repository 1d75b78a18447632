"""
Estimators and reports of samples spread over many processes.

- `dask`: dask arrays and data frames, merged in a tree. `torch.ranks`, imported on
  first use, merges processes of torch.distributed.
- `estimators._scoring.partial_score`: what workers send after scoring.
"""

from typing import TYPE_CHECKING, Any

from sknc.distributed.dask import fit, score

if TYPE_CHECKING:
    from sknc.torch.ranks import merge_over_ranks, score_over_ranks

__all__ = ["fit", "merge_over_ranks", "score", "score_over_ranks"]


def __getattr__(name: str) -> Any:
    """Import names that need torch on first use."""
    if name in {"merge_over_ranks", "score_over_ranks"}:
        from sknc.torch import ranks

        return getattr(ranks, name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
