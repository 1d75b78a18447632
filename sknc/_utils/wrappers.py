"""Remove wrappers around torch modules."""

from typing import Any

from sknc._utils.arrays import torch_module


def unwrapped(module: Any) -> Any:
    """Return the module inside torch.compile and data parallelism."""
    torch = torch_module()
    assert torch is not None
    parallel = (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)
    while True:
        if "_orig_mod" in module._modules:
            module = module._orig_mod
        elif isinstance(module, parallel):
            module = module.module
        else:
            return module
