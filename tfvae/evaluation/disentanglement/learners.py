"""Learners of scikit-learn that scores may use: functions from a seed to an untrained one.

scikit-learn is imported when one is asked for, because it takes seconds.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

Learner = Callable[[int], Any]
"""From a seed to an untrained classifier or regressor of scikit-learn."""


def random_forest(seed: int) -> Any:  # noqa: ANN401
    """Return a forest of 20 trees that may split on every code, with leaves of at least 5 rows.

    Example:
        >>> from tfvae.evaluation.disentanglement.learners import random_forest
        >>> random_forest(0).n_estimators
        20
    """
    from sklearn.ensemble import RandomForestClassifier

    # All codes are tried at each split: a tree that must choose among the others would spread its importances.
    return RandomForestClassifier(20, max_features=None, min_samples_leaf=5, random_state=seed)


def boosted_trees(seed: int) -> Any:  # noqa: ANN401
    """Return gradient boosted trees with scikit-learn's defaults, much slower than the forest where values are many.

    Example:
        >>> from tfvae.evaluation.disentanglement.learners import boosted_trees
        >>> boosted_trees(0).n_estimators
        100
    """
    from sklearn.ensemble import GradientBoostingClassifier

    return GradientBoostingClassifier(random_state=seed)


def linear_svc(seed: int) -> Any:  # noqa: ANN401
    """Return a linear support vector classifier with balanced classes.

    Example:
        >>> from tfvae.evaluation.disentanglement.learners import linear_svc
        >>> linear_svc(0).C
        0.01
    """
    from sklearn.svm import LinearSVC

    return LinearSVC(C=0.01, class_weight="balanced", dual="auto", random_state=seed)


def straight_line(seed: int) -> Any:  # noqa: ANN401
    """Return linear regression, whose score is R^2: for factors whose values have an order.

    Example:
        >>> from tfvae.evaluation.disentanglement.learners import straight_line
        >>> straight_line(0).fit_intercept
        True
    """
    from sklearn.linear_model import LinearRegression

    return LinearRegression()


def logistic(seed: int) -> Any:  # noqa: ANN401
    """Return logistic regression on standardised codes.

    Example:
        >>> from tfvae.evaluation.disentanglement.learners import logistic
        >>> len(logistic(0))
        2
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, random_state=seed))


def trained(learner: Learner, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Any:  # noqa: ANN401
    """Return a learner trained on x [n, D] and y [n], or one that knows a single value where y has no other.

    Raises:
        ValueError: if `learner` is no function that returns a learner.
    """
    untrained = learner(int(rng.integers(2**31))) if callable(learner) else None
    if not (hasattr(untrained, "fit") and hasattr(untrained, "score")):
        raise ValueError(
            "Expected learner to be a function from a seed to a learner of scikit-learn, such as "
            f"disentanglement.random_forest. Received: {learner=!r}"
        )
    if (y == y[0]).all():
        from sklearn.dummy import DummyClassifier

        untrained = DummyClassifier()
    return untrained.fit(x, y)
