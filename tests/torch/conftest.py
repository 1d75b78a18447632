"""One thread for the tests of torch models."""

import pytest


@pytest.fixture(autouse=True)
def one_thread():
    """Do without threads, for which the networks are too small."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
