"""Docstring entries that several methods share."""

# For methods that apply the fitted centers to new samples.
NEW_SAMPLES = """

Parameters
----------
X : array-like of shape (n_samples, n_features)
    Features, in the array library and on the device of the fitted ones.
sample_weight : array-like of shape (n_samples,), default=None
    Non-negative weights.

Raises
------
NotFittedError
    If the estimator is not fitted.
ValueError
    If the features are malformed.
"""
# For methods that accumulate samples.
TRAINING_SAMPLES = """

Parameters
----------
X : array-like of shape (n_samples, n_features)
    Features: NumPy array, data frame or torch tensor on any device. Any floating-point
    or integer dtype.
sample_weight : array-like of shape (n_samples,), default=None
    Non-negative weights. Samples with weight zero are skipped.

Returns
-------
self : object
    The fitted estimator.

Raises
------
ValueError
    If the input is malformed. The estimator is then unchanged.
"""
ONE_BATCH = """

Returns
-------
self : object
    The estimator.

Raises
------
ValueError
    If the input is malformed. The state is then unchanged.
"""
BATCHES = """

Parameters
----------
progress : bool, default=False
    Whether to show a progress bar; requires tqdm.
"""
# For methods that measure samples about the fitted centers.
SCORED_BATCHES = f"""{BATCHES}batches : iterable of (X, y) or (X, y, sample_weight)
    Any iterable, such as a torch DataLoader.

Raises
------
NotFittedError
    If the estimator is not fitted.
ValueError
    If a batch is malformed, there are no batches, or the head does not fit.
"""
