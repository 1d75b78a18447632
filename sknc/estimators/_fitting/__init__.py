"""
Accumulate batches into statistics, in one stream or in groups.

- `stream`: adds a batch, or refuses it (NaN, unknown labels) and changes nothing.
- `groups`: the groups of the jackknife, and which rows belong to them.
- `regression`: the stream of a regression.
"""
