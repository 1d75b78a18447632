"""
Neural collapse of PyTorch models: a model and a loader in, a report out.

- `probe`, `_finding`, `_head_candidates`, `_weights`: how the head is found, once
  `sknc._utils.wrappers` has taken wrappers off; `_batches`, `_labels`,
  `_shift`: what a loader may yield, and labels of tokens.
- `_preserved`, `_random`: what `analyze` puts back after measuring.
- `_layers`, `_layer_probe`: which layers are measured, where, and how maps are pooled.
- `_training_probe`: which forward passes a `Monitor` counts; `_waiting`, `_forgetting`:
  what it leaves out, and how old samples lose weight.
- `_monitoring`: the monitor of a callback.
- `_callbacks`: what callbacks of training frameworks measure, and when.
- `_collectives`, `_agreement`: what processes exchange and must agree on; `_merging`,
  `_reducing`, `_evaluations`: how their states become one.
"""

from sknc.torch.analysis import Analysis, analyze
from sknc.torch.layers import analyze_layers
from sknc.torch.monitor import Monitor
from sknc.torch.probe import FeatureProbe

__all__ = ["Analysis", "FeatureProbe", "Monitor", "analyze", "analyze_layers"]
