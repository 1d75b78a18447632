"""
Computations that metrics share.

- `geometry`: centered class means, traces and variances, and their corrections for few
  samples; `instability`: the sampling error of the means.
- `spectra`, `subspaces`: singular values and principal directions; `range`: overflow.
- `frames`, `rows`: a vector for each class, from means or a head; `pairs`, `hull`:
  distances between them.
- `imbalance`: which classes are rare; `least_squares`, `target_gram`: regression.
"""
