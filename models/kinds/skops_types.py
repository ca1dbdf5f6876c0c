"""Which classes of scikit-learn a skops file may hold: those that predict from plain numbers.

Left out on purpose are classes that call functions named in the file, look into files, or hand structures of
the file to native code that does not check them (neighbours, kernels of support vectors, isotonic splines).
"""

from collections.abc import Mapping
from typing import Final

_CLASSES: Final[Mapping[str, str]] = {
    "_loss.link": "HalfLogitLink IdentityLink Interval LogLink LogitLink MultinomialLogit",
    "_loss.loss": "ExponentialLoss HalfBinomialLoss HalfMultinomialLoss",
    "calibration": "CalibratedClassifierCV _CalibratedClassifier _SigmoidCalibration",
    "decomposition._pca": "PCA",
    "decomposition._truncated_svd": "TruncatedSVD",
    "discriminant_analysis": "LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis",
    "dummy": "DummyClassifier",
    "ensemble._bagging": "BaggingClassifier",
    "ensemble._forest": "ExtraTreesClassifier RandomForestClassifier",
    "ensemble._gb": "GradientBoostingClassifier",
    "ensemble._hist_gradient_boosting.binning": "_BinMapper",
    "ensemble._hist_gradient_boosting.gradient_boosting": "HistGradientBoostingClassifier",
    "ensemble._hist_gradient_boosting.predictor": "TreePredictor",
    "ensemble._voting": "VotingClassifier",
    "ensemble._weight_boosting": "AdaBoostClassifier",
    "feature_selection._variance_threshold": "VarianceThreshold",
    "impute._base": "SimpleImputer",
    "linear_model._logistic": "LogisticRegression LogisticRegressionCV",
    "linear_model._stochastic_gradient": "SGDClassifier",
    "multiclass": "OneVsRestClassifier _ConstantPredictor",
    "naive_bayes": "BernoulliNB CategoricalNB ComplementNB GaussianNB MultinomialNB",
    "neural_network._multilayer_perceptron": "MLPClassifier",
    "neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
    "pipeline": "Pipeline",
    "preprocessing._data": "MaxAbsScaler MinMaxScaler Normalizer PowerTransformer QuantileTransformer "
    "RobustScaler StandardScaler",
    "preprocessing._label": "LabelBinarizer LabelEncoder",
    "svm._classes": "LinearSVC",
    "tree._classes": "DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor",
}

OBJECTS: Final = frozenset(
    f"sklearn.{module}.{name}" for module, names in _CLASSES.items() for name in names.split()
)
"""Classes that are made empty and given their attributes."""

LOSSES: Final = frozenset(
    f"sklearn._loss._loss.{name}"
    for name in ("CyExponentialLoss", "CyHalfBinomialLoss", "CyHalfMultinomialLoss")
)
"""Classes that are made without arguments."""

TREE: Final = "sklearn.tree._tree.Tree"
"""The one class that is made from arrays, once they are checked."""

IGNORED: Final = frozenset({"RandomStateNode", "RandomGeneratorNode"})
"""Nodes that only training reads; None stands in for them."""

NUMBERS: Final = frozenset(
    f"numpy.{name}"
    for name in (
        "bool_",
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint32",
        "uint64",
        "float32",
        "float64",
    )
)
"""Types of single numbers."""

KEYS: Final = frozenset(
    {
        "builtins.str",
        "builtins.int",
        "builtins.float",
        "builtins.bool",
        "numpy.bool",
        "numpy.bool_",
        "numpy.int64",
        "numpy.float64",
        "numpy.str_",
    }
)
"""Types of keys of dictionaries."""
