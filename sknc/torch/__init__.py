"""
Neural collapse of PyTorch models: a model and a loader in, a report out.

- `probe`, `_head_finding`: find the head, after `sknc._utils.wrappers` has removed
  wrappers. `_head_modules`: questions about one module, and the head by name.
  `_weights`, `_outputs`: the numbers of the head, and the logits of a model.
- `_batches`, `_labels`, `_shift`: the batches that a loader may yield, and the labels
  of tokens.
- `_preserved`, `_random`: restore everything after `analyze`.
- `_layers`, `_layer_probe`: choose layers, record their features and pool maps.
- `_training_probe`, `_waiting`, `_forgetting`: which forward passes a `Monitor` counts,
  which batches it skips, and how old samples lose weight.
- `_monitoring`, `_callbacks`: shared by the callbacks of training frameworks.
- `_collectives`: messages between processes. `_rank_agreement`: whether their states
  fit together. `_rank_merging`: one estimator or report of all, from `_rank_sums` (of
  fitted samples) and `_rank_scores` (of scored samples).
"""

from sknc.torch.analysis import Analysis, analyze
from sknc.torch.layers import analyze_layers
from sknc.torch.monitor import Monitor
from sknc.torch.probe import FeatureProbe

__all__ = ["Analysis", "FeatureProbe", "Monitor", "analyze", "analyze_layers"]
