"""
Figures of reports; matplotlib is loaded when one is drawn.

- One display a module: `_trajectory`, whose lines and legends are in `_curves`;
  `_geometry`, `_simplex`, `_layerwise`, `_agreement`.
- What they share: `_style` (colors), `_panels`, `_scales`, `_words`, `_labels`.
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
