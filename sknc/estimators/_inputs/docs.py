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
# Of methods that begin anew.
FIT = """

Parameters
----------
classes : array-like of shape (n_classes,), default=None
    All labels there will be, as in `partial_fit`.

Returns
-------
self : object
    The fitted estimator.
"""
BATCHES = """

Parameters
----------
progress : bool, default=False
    Whether to show a progress bar, which takes tqdm.
"""
FITTED_ATTRIBUTES = """

Attributes
----------
classes_ : ndarray of shape (n_classes,)
    Sorted class labels; always NumPy.
class_count_ : array of shape (n_classes,)
    Number of samples of each class, or sum of their weights.
class_means_ : array of shape (n_classes, n_features)
    Class means, float64.
n_samples_seen_ : int
    Number of samples accumulated.
n_features_in_ : int
    Number of features.
feature_names_in_ : ndarray of shape (n_features,)
    Names of the features, if they had any.
statistics_ : ClassStatistics
    Frozen state: everything else follows from it.
"""
