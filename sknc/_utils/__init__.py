"""
Shared by all modules: arrays of any library, threads, cached values, checks.

- `arrays`: array libraries and devices; `places`: moving arrays between them.
- `numeric`, `parameters`, `tensors`, `label_kinds`: checks of input, and errors.
- `wrappers`: the module inside wrappers of torch.
- `thread_pool`: threads, and those of the BLAS.
- `storage`: files with a checksum, replaced atomically.
- `docstrings`: parts that docstrings share.
"""
