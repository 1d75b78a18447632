"""
Check and convert input from users: features, labels, batches, heads.

- `validation`: the checks of features and batches, and the words of their errors.
- `labels`, `class_index`: labels, and their rows of the sums; `targets`: of regression.
- `batches`: iterables of batches; `heads`: whatever can be a linear head.
- `docs`: descriptions of parameters that several docstrings share.
"""
