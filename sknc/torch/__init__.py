"""Neural collapse of PyTorch models: a model and a loader in, a report out."""

from sknc.torch.analysis import Analysis, analyze
from sknc.torch.layers import analyze_layers
from sknc.torch.probe import FeatureProbe

__all__ = ["Analysis", "FeatureProbe", "analyze", "analyze_layers"]
