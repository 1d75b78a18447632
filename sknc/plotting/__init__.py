"""
Figures of reports; matplotlib is imported when one is drawn.

- One display per module: `_trajectory` (with lines and legends in `_curves`),
  `_geometry`, `_simplex`, `_layerwise`, `_agreement`.
- Shared: `_style` (colors, also of training and held-out curves), `_panels`, `_scales`,
  `_words`, `_labels`.
"""

from sknc.plotting._agreement import AgreementDisplay
from sknc.plotting._geometry import ClassMeanGeometryDisplay
from sknc.plotting._layerwise import LayerwiseDisplay
from sknc.plotting._simplex import SimplexProjectionDisplay
from sknc.plotting._trajectory import CollapseTrajectoryDisplay

__all__ = [
    "AgreementDisplay",
    "ClassMeanGeometryDisplay",
    "CollapseTrajectoryDisplay",
    "LayerwiseDisplay",
    "SimplexProjectionDisplay",
]
