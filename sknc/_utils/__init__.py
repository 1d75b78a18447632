"""
What every module may use: arrays of any library, threads, cached values, checks.

- `arrays`: what an array library or a device needs; `places`: moving between them.
- `numeric`, `parameters`, `tensors`, `label_kinds`: what errors say of bad input.
- `wrappers`: what is taken off a torch module.
- `thread_pool`: threads, and those of the BLAS.
- `storage`: bytes and checksum of a file, and how files are replaced.
- `docstrings`: what docstrings say alike.
"""
