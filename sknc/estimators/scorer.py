"""A scorer for scikit-learn that returns every metric."""

from typing import Any

from sknc.report.nc_report import NCReport


def nc_scorer(estimator: Any, X: Any, y: Any) -> dict[str, float]:
    """
    Score an analyzer, or a pipeline that ends in one, with every metric.

    A scorer for scikit-learn: ``cross_validate(..., scoring=nc_scorer)``. The values
    are those of the report, so of most metrics lower is better: `GridSearchCV`, which
    picks the greatest, needs ``refit="score"``, as below, or a callable.

    NC1 and NC4 are of the samples scored; NC0, NC2 and NC3 are of the fitted class
    means and the head, so ``test_nc2_etf`` is a number of the training folds. The head
    is not fitted again in each fold: if fitted on all samples it knows the test fold.

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
        Metrics by key, and "score": the report as a number, greater is more collapsed.

    Raises
    ------
    TypeError
        If the score of the estimator is no report.
    ValueError
        If a class has samples in `X` but none was fitted. Folds of sorted data are like
        that, so pass ``cv=StratifiedKFold()``: an analyzer is no classifier, for which
        scikit-learn would take it by itself.

    See Also
    --------
    sknc.metrics.catalogue : Says which direction each metric has.

    Notes
    -----
    ``refit="nc1_pinv"`` would pick the *least* collapsed. The least value is picked by
    ``refit=lambda results: results["mean_test_nc1_pinv"].argmin()``.

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
            f"one, got {type(estimator).__name__}, whose score is no NCReport. Leave "
            "scoring=nc_scorer out to use that score."
        )
        raise TypeError(msg)
    return {"score": float(report), **report.to_dict()}
