"""Hypothesis profiles, shares of the cores, and what is skipped where."""

import os
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings


def _share_cores():
    """
    Leave each process of pytest-xdist its part of the cores, before NumPy is imported.

    Threads of a BLAS wait for one another in busy loops: if there are more of them than
    cores, some tests take twenty times as long.
    """
    n_processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if n_processes == 1:
        return
    affinity = getattr(os, "sched_getaffinity", None)
    n_cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, str(max(1, n_cores // n_processes)))


_share_cores()

# .ci/run takes the second where it runs slow tests too.
for name, max_examples in (("quick", 15), ("thorough", 25)):
    settings.register_profile(
        name,
        derandomize=True,
        deadline=None,
        database=None,
        max_examples=max_examples,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.function_scoped_fixture,
        ],
    )
settings.load_profile("quick")


def _has_cuda():
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()


def pytest_collection_modifyitems(items):
    """Skip tests marked `gpu` without a CUDA device, and examples without dask."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and not _has_cuda():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
    if not find_spec("dask"):
        for item in items:
            if item.name.startswith("sknc.distributed.dask."):
                item.add_marker(pytest.mark.skip(reason="needs the extra 'dask'"))


@pytest.fixture
def torch():
    """Torch, or skip."""
    return pytest.importorskip("torch")


@pytest.fixture
def one_process(torch):
    """Be the only process of a group; ends when what the test made is gone."""
    if not torch.distributed.is_available():
        pytest.skip("torch was built without distributed")
    from process_group import of_one_process

    with of_one_process():
        yield
