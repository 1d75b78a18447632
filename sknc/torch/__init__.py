"""
Neural collapse of PyTorch models: a model and a loader in, a report out.

- `probe`, `_finding`, `_head_candidates`, `_weights`: find the head, after
  `sknc._utils.wrappers` has removed wrappers.
- `_batches`, `_labels`, `_shift`: the batches that a loader may yield, and the labels
  of tokens.
- `_preserved`, `_random`: restore everything after `analyze`.
- `_layers`, `_layer_probe`: choose layers, record their features and pool maps.
- `_training_probe`, `_waiting`, `_forgetting`: which forward passes a `Monitor` counts,
  which batches it skips, and how old samples lose weight.
- `_monitoring`, `_callbacks`: shared by the callbacks of training frameworks.
- `_collectives`, `_agreement`, `_merging`, `_reducing`, `_evaluations`: what processes
  exchange and check, and how their states are merged.
"""

from sknc.torch.analysis import Analysis, analyze
from sknc.torch.layers import analyze_layers
from sknc.torch.monitor import Monitor
from sknc.torch.probe import FeatureProbe

__all__ = ["Analysis", "FeatureProbe", "Monitor", "analyze", "analyze_layers"]
