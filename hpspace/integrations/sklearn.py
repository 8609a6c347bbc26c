"""scikit-learn: the two loops in which a trial can end early, which scikit-learn itself does not offer.

`fit_in_parts` trains an estimator that has ``partial_fit`` epoch by epoch. `cross_validated` is a cross-validation that
reports fold by fold, for ``pruner=prune.Wilcoxon()``: there the step of a report is the number of the fold, and a trial
ends once it is clear that it is worse than the best one on the same folds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hpspace.integrations.link import Link


def fit_in_parts(
    estimator: Any,
    X: Any,
    y: Any,
    X_valid: Any,
    y_valid: Any,
    *,
    epochs: int,
    scoring: str | Callable[..., float] | None = None,
    batches: int = 1,
    maximize: bool = True,
    ctrl: Any = None,
) -> float:
    """Fit an estimator by ``partial_fit``, report its score after each epoch, and end the trial if that is too bad.

    Parameters
    ----------
    estimator : object
        With ``partial_fit``; it is fitted in place.
    X, y : array_like, shapes (n, d) and (n,)
        To train on. Classifiers are told all classes of `y` at the first call.
    X_valid, y_valid : array_like
        To score on.
    epochs : int
        How often all of `X` is seen.
    scoring : str, callable or None
        As in scikit-learn; None is ``estimator.score``.
    batches : int
        In so many parts, in order, the data is passed in each epoch.
    maximize : bool
        Whether large scores are good, as scikit-learn's own are. Where the search minimises reports have their sign
        changed.
    ctrl : Ctrl, optional
        The trial; by default the one that is running.

    Returns
    -------
    float
        The score after the last epoch.

    Raises
    ------
    TrialPruned
        The trial should end.
    TypeError
        The estimator has no ``partial_fit``.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import SGDClassifier
    >>> x, y = make_classification(200, random_state=0)
    >>> fit_in_parts(SGDClassifier(random_state=0), x[:100], y[:100], x[100:], y[100:], epochs=3) > 0.7
    True
    """
    import numpy as np
    from sklearn.base import is_classifier
    from sklearn.metrics import check_scoring
    from sklearn.utils import _safe_indexing, gen_even_slices

    if not hasattr(estimator, "partial_fit"):
        raise TypeError(
            f"{type(estimator).__name__} has no partial_fit; see cross_validated for any estimator"
        )
    if epochs < 1:
        raise ValueError(f"fit_in_parts: epochs={epochs!r} must be at least 1")
    score_of, link, score = check_scoring(estimator, scoring), Link(ctrl, maximize), float("nan")
    first = {"classes": np.unique(y)} if is_classifier(estimator) else {}
    for epoch in range(epochs):
        for part in gen_even_slices(len(y), batches):
            estimator.partial_fit(_safe_indexing(X, part), _safe_indexing(y, part), **first)
            first = {}
        score = float(score_of(estimator, X_valid, y_valid))
        link.prune_if_bad(score, epoch)
    return score


def cross_validated(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    cv: Any = 5,
    scoring: str | Callable[..., float] | None = None,
    groups: Any = None,
    maximize: bool = True,
    ctrl: Any = None,
) -> float:
    """Return the mean score over the folds of a cross-validation, each fold reported as a step of the trial.

    The folds have to be the same for every trial: pass a splitter with a fixed ``random_state``, or a number.

    Parameters
    ----------
    estimator : object
        A copy of it is fitted for each fold.
    X, y : array_like, shapes (n, d) and (n,)
        The data.
    cv : int, splitter or iterable
        As in scikit-learn.
    scoring : str, callable or None
        As in scikit-learn; None is ``estimator.score``.
    groups : array_like, optional
        For splitters that need them.
    maximize : bool
        Whether large scores are good, as scikit-learn's own are. Where the search minimises reports have their sign
        changed.
    ctrl : Ctrl, optional
        The trial; by default the one that is running.

    Returns
    -------
    float
        The mean.

    Raises
    ------
    TrialPruned
        The trial should end.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> x, y = make_classification(200, random_state=0)
    >>> cross_validated(DecisionTreeClassifier(random_state=0), x, y, cv=5) > 0.7
    True
    """
    import numpy as np
    from sklearn.base import clone, is_classifier
    from sklearn.metrics import check_scoring
    from sklearn.model_selection import check_cv
    from sklearn.utils import _safe_indexing

    score_of, link = check_scoring(estimator, scoring), Link(ctrl, maximize)
    scores = []
    for fold, (train, test) in enumerate(
        check_cv(cv, y, classifier=is_classifier(estimator)).split(X, y, groups)
    ):
        fitted = clone(estimator)
        targets = (None, None) if y is None else (_safe_indexing(y, train), _safe_indexing(y, test))
        fitted.fit(_safe_indexing(X, train), targets[0])
        scores.append(float(score_of(fitted, _safe_indexing(X, test), targets[1])))
        link.prune_if_bad(scores[-1], fold)
    return float(np.mean(scores))
