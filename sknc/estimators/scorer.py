"""A scorer for scikit-learn that returns every metric."""

from typing import Any

from sknc.report.nc_report import NCReport


def nc_scorer(estimator: Any, X: Any, y: Any) -> dict[str, float]:
    """
    Score an analyzer, or a pipeline that ends in one, with every metric.

    Use it as a scorer of scikit-learn: ``cross_validate(..., scoring=nc_scorer)``. The
    values are those of the report, so for most metrics lower is more collapsed.
    `GridSearchCV` picks the largest value, so it needs ``refit="score"``, as below, or
    a callable.

    On a test fold, NC1 and NC4 describe the scored samples, but NC0, NC2 and NC3 still
    describe the class means of the training folds and the head. The head is not fitted
    again in each fold: if it was fitted on all samples, it has seen the test fold.

    Parameters
    ----------
    estimator : NeuralCollapseAnalyzer or Pipeline
        Fitted.
    X : array-like of shape (n_samples, n_features)
        Features.
    y : array-like of shape (n_samples,)
        Class labels.

    Returns
    -------
    dict of str to float
        Metrics by key, and "score": the report as a number, larger is more collapsed.

    Raises
    ------
    TypeError
        If the score of the estimator is not a report.
    ValueError
        If a class has samples in `X` but none were fitted. This happens with folds of
        sorted data. Pass ``cv=StratifiedKFold()``, which is not the default because an
        analyzer is not a classifier.

    See Also
    --------
    sknc.metrics.catalogue : The direction of each metric.

    Notes
    -----
    ``refit="nc1_pinv"`` would pick the *least* collapsed. To pick the smallest value,
    use ``refit=lambda results: results["mean_test_nc1_pinv"].argmin()``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.model_selection import (
    ...     GridSearchCV, StratifiedKFold, cross_validate
    ... )
    >>> from sklearn.pipeline import make_pipeline
    >>> from sknc import NeuralCollapseAnalyzer, nc_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> model, options = NeuralCollapseAnalyzer(), {"scoring": nc_scorer}
    >>> options["cv"] = StratifiedKFold()  # y is sorted
    >>> results = cross_validate(model, X, y, **options)
    >>> results["test_nc1_trace_ratio"].shape
    (5,)
    >>> grid = {"pca__n_components": [2, 3]}
    >>> model = make_pipeline(PCA(), model)
    >>> search = GridSearchCV(model, grid, refit="score", **options).fit(X, y)
    >>> search.best_params_
    {'pca__n_components': 2}
    """
    report = estimator.score(X, y) if hasattr(estimator, "score") else None
    if not isinstance(report, NCReport):
        msg = (
            "nc_scorer expected a NeuralCollapseAnalyzer or a pipeline that ends in "
            f"one, got {type(estimator).__name__}, whose score is not an NCReport. To "
            "use that score, leave scoring=nc_scorer out."
        )
        raise TypeError(msg)
    return {"score": float(report), **report.to_dict()}
