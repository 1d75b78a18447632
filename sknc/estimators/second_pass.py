"""The second pass of `score`, for use by several processes."""

from sknc.estimators._scoring.evaluation import EvaluationResult
from sknc.estimators._scoring.partial_score import PartialScore
from sknc.estimators._scoring.reports import SecondPass

__all__ = ["EvaluationResult", "PartialScore", "SecondPass"]
