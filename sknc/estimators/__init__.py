"""
The estimators, and the modules that process their batches.

- `_inputs`: checks of inputs and their errors; `heads`: objects that can be a head.
- `_fitting`: streams, and `groups` of the jackknife.
- `stream_estimator`: fitting and merging; `base`: class statistics.
- `_scoring`: `jackknife` errors, `sample_measurer` for margins, `misalignment` for the
  warning that rows of the head are out of order.
- `center_model`, `priors`: probabilities of the nearest center.
- `scaled_centers`: shrunk centers, and distances scaled by the covariance.
- `detector`, `out_of_distribution`: out-of-distribution samples.
- `_stored`, `stored_estimator`, `loading`: state files, and moving to other devices.
- `regression`, `regression_values`: targets instead of classes.
- `reading`: data that figures and PyTorch read from estimators.
"""
