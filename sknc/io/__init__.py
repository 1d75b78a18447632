"""Features in files: opened as one data set, and read some rows at a time."""

from sknc.io.feature_files import FeatureFiles, open_features

__all__ = ["FeatureFiles", "open_features"]
