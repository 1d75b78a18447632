"""
Figures of reports; matplotlib is loaded when one is drawn.

One display a module, and what they share: `_panels`, `_scales`, `_style`, `_words`,
`_labels`.
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
