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
"""
BATCHES = """

Parameters
----------
progress : bool, default=False
    Whether to show a progress bar, which takes tqdm.
"""
