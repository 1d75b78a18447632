"""What the docstrings of several methods say alike."""

# Of methods that judge new samples by the fitted centers.
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
    If nothing was accumulated.
ValueError
    If the features are malformed.
"""
# Of methods that accumulate samples.
TRAINING_SAMPLES = """

Parameters
----------
X : array-like of shape (n_samples, n_features)
    Features: NumPy array, data frame or torch tensor on any device. Floating
    point of any width, or integers.
sample_weight : array-like of shape (n_samples,), default=None
    Non-negative weights. Samples of weight zero are left out.

Returns
-------
self : object
    The fitted estimator.

Raises
------
ValueError
    If the input is malformed. The estimator is then as it was before.
"""
ONE_BATCH = """

Returns
-------
self : object
    The estimator.

Raises
------
ValueError
    If the input is malformed. The state is then as it was before.
"""
BATCHES = """

Parameters
----------
progress : bool, default=False
    Whether to show a progress bar; requires tqdm.
"""
# Of methods that measure samples about what was fitted.
SCORED_BATCHES = f"""{BATCHES}batches : iterable of (X, y) or (X, y, sample_weight)
    Any iterable, such as a torch DataLoader.

Raises
------
NotFittedError
    If nothing was accumulated.
ValueError
    If a batch is malformed, there is none, or the head does not fit.
"""
