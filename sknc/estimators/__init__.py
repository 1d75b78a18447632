"""
The estimators, and the way of a batch into them.

- `_inputs`: which inputs are accepted, and what errors say; `heads`: what may be one.
- `_fitting`: streams, and `groups` of the jackknife.
- `stream_estimator`: adopting and merging; `base`: fitting, pickling.
- `_scoring`: `jackknife` errors, `sample_measurer` for margins, `misalignment` for the
  warning that rows of the head are out of order.
- `center_model`, `priors`: probabilities of the nearest center.
- `scaled_centers`: shrunk centers, and distances scaled by the covariance.
- `detector`, `out_of_distribution`: samples that belong to no class.
- `_stored`, `stored_estimator`, `loading`: state files; moving to another device.
- `regression`, `regression_values`: features and targets in place of classes.
- `reading`: what figures and PyTorch read of estimators.
"""
