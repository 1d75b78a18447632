"""Networks for the tests of torch models, where torch is installed."""

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("torch") and "networks" not in sys.modules:
    spec = importlib.util.spec_from_file_location(
        "networks", Path(__file__).with_name("networks.py")
    )
    sys.modules["networks"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["networks"])
