"""
Estimators and reports of samples that lie in many processes.

- `dask`: which blocks go together, and the tree of merges. `torch.ranks` has what
  processes of torch.distributed merge; it is imported once it is used.
- What workers send of samples that they scored: `estimators._scoring.partial_score`.
"""

from typing import TYPE_CHECKING, Any

from sknc.distributed.dask import fit, score

if TYPE_CHECKING:
    from sknc.torch.ranks import merge_over_ranks, score_over_ranks

__all__ = ["fit", "merge_over_ranks", "score", "score_over_ranks"]


def __getattr__(name: str) -> Any:
    """Import what needs torch once it is used."""
    if name in {"merge_over_ranks", "score_over_ranks"}:
        from sknc.torch import ranks

        return getattr(ranks, name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
