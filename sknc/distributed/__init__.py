"""Estimators and reports of samples that lie in many processes."""

from sknc.torch.ranks import merge_over_ranks, score_over_ranks

__all__ = ["merge_over_ranks", "score_over_ranks"]
