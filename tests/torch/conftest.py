"""Networks for the tests of torch models, where torch is installed."""

import importlib.util
import sys
from pathlib import Path

import pytest

if importlib.util.find_spec("torch") and "networks" not in sys.modules:
    spec = importlib.util.spec_from_file_location(
        "networks", Path(__file__).with_name("networks.py")
    )
    sys.modules["networks"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["networks"])


@pytest.fixture(autouse=True)
def one_thread():
    """Do without threads, for which the networks are too small."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
