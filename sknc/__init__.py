"""Measure neural collapse: in one pass, exact, mergeable, for any number of classes."""

from sknc._version import __version__
from sknc.convention import Convention
from sknc.estimators.agreement import AgreementReport
from sknc.estimators.analyzer import NeuralCollapseAnalyzer
from sknc.estimators.classifier import NearestClassCenter
from sknc.estimators.detector import OutOfDistributionDetector
from sknc.estimators.loading import load
from sknc.estimators.regression import NeuralRegressionCollapse
from sknc.estimators.scorer import nc_scorer
from sknc.estimators.second_pass import PartialScore
from sknc.head import LinearHead
from sknc.history import NCHistory
from sknc.plotting import (
    AgreementDisplay,
    ClassMeanGeometryDisplay,
    CollapseTrajectoryDisplay,
    LayerwiseDisplay,
    SimplexProjectionDisplay,
)
from sknc.report.layerwise_report import LayerwiseReport
from sknc.report.nc_report import NCReport
from sknc.report.nrc_report import NRCReport
from sknc.statistics.class_statistics import ClassStatistics
from sknc.statistics.regression_statistics import RegressionStatistics

__all__ = [
    "AgreementDisplay",
    "AgreementReport",
    "ClassMeanGeometryDisplay",
    "ClassStatistics",
    "CollapseTrajectoryDisplay",
    "Convention",
    "LayerwiseDisplay",
    "LayerwiseReport",
    "LinearHead",
    "NCHistory",
    "NCReport",
    "NRCReport",
    "NearestClassCenter",
    "NeuralCollapseAnalyzer",
    "NeuralRegressionCollapse",
    "OutOfDistributionDetector",
    "PartialScore",
    "RegressionStatistics",
    "SimplexProjectionDisplay",
    "__version__",
    "load",
    "nc_scorer",
]
