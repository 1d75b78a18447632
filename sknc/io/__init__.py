"""
Features in files, opened as one data set and read some rows at a time.

- `_paths`, `_choosing`, `_labels`: which files, and which arrays in them, are read.
- `_formats`: one module per format, and a table of them.
"""

from sknc.io.feature_files import FeatureFiles, open_features
from sknc.io.fitting import fit_files

__all__ = ["FeatureFiles", "fit_files", "open_features"]
