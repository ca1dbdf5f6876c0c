"""Which estimators of scikit-learn are trained here: those whose arrays `models.estimators` evaluates."""

from collections.abc import Mapping

ESTIMATORS: Mapping[str, str] = {
    "GradientBoostingClassifier": "sklearn.ensemble",
    "RandomForestClassifier": "sklearn.ensemble",
    "ExtraTreesClassifier": "sklearn.ensemble",
    "LogisticRegression": "sklearn.linear_model",
    "GaussianNB": "sklearn.naive_bayes",
    "BernoulliNB": "sklearn.naive_bayes",
    "MultinomialNB": "sklearn.naive_bayes",
}
"""Module by class."""

SCALERS: Mapping[str, str] = {
    "RobustScaler": "sklearn.preprocessing",
    "StandardScaler": "sklearn.preprocessing",
    "MinMaxScaler": "sklearn.preprocessing",
    "MaxAbsScaler": "sklearn.preprocessing",
}
"""Module by class."""
