"""The state: what is summed of labeled features, how it merges, and what follows."""

from sknc.statistics.class_statistics import ClassStatistics
from sknc.statistics.decisions import Decisions
from sknc.statistics.held_out import AnyStatistics, HeldOutStatistics

__all__ = ["AnyStatistics", "ClassStatistics", "Decisions", "HeldOutStatistics"]
