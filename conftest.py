"""Leave what needs PyTorch out of the doctests where it is not installed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["sknc/torch"]
