"""The second pass of `score`, for passes that several processes share."""

from sknc.estimators._scoring.evaluation import EvaluationResult
from sknc.estimators._scoring.partial_score import PartialScore
from sknc.estimators._scoring.reports import SecondPass

__all__ = ["EvaluationResult", "PartialScore", "SecondPass"]
