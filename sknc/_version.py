"""The versions of the package and of its pickles, in one place."""

__version__ = "0.1.0"

# Raised when pickles of fitted estimators could no longer be read as before.
STATE_VERSION = 1
