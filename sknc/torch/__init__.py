"""Neural collapse of PyTorch models: a model and a loader in, a report out."""

from sknc.torch.probe import FeatureProbe

__all__ = ["FeatureProbe"]
