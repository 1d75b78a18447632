"""Versions of the software that wrote a page."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from sknc._version import __version__

_LIBRARIES = {
    "numpy": "NumPy",
    "scipy": "SciPy",
    "sklearn": "scikit-learn",
    "torch": "PyTorch",
}


def versions() -> dict[str, str]:
    """Return the versions of Python, of sknc, and of libraries that are in use."""
    found = {"sknc": __version__, "Python": platform.python_version()}
    for module, name in _LIBRARIES.items():
        if module in sys.modules:
            try:
                found[name] = version("scikit-learn" if module == "sklearn" else module)
            except PackageNotFoundError:
                continue
    return found
