"""Figures of reports; matplotlib is loaded when one is drawn."""

from sknc.plotting._trajectory import CollapseTrajectoryDisplay

__all__ = ["CollapseTrajectoryDisplay"]
