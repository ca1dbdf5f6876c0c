"""Freshly trained estimators of every kind, through a pickle, answer what scikit-learn answers."""

import pickle
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import (
    calibration,
    clone,
    discriminant_analysis,
    dummy,
    ensemble,
    linear_model,
    multiclass,
    naive_bayes,
    preprocessing,
    svm,
    tree,
)
from sklearn.pipeline import make_pipeline

from models.estimators import Estimator, convert_estimator, convert_multilabel, load_estimator
from models.pickles import Global, Instance, read_pickle
from schemas.errors import ModelCorrupt, ModelIncompatible

COLUMNS = 5
ROWS = st.lists(
    st.lists(
        st.floats(-1e4, 1e4, allow_nan=False) | st.integers(-3, 3).map(float),
        min_size=COLUMNS,
        max_size=COLUMNS,
    ),
    min_size=1,
    max_size=12,
)


def boosting(**options: Any) -> Any:
    return ensemble.GradientBoostingClassifier(n_estimators=8, random_state=0, **options)


def svc(**options: Any) -> Any:
    return svm.SVC(random_state=0, **options)


# Kind, and how far its answers may be off: what walks trees is equal to the last bit; what multiplies through
# BLAS, or takes logarithms by another formula than its predecessors, is not.
EXACT: dict[str, Any] = {
    "boosting": boosting(),
    "boosting-zero": boosting(init="zero"),
    "boosting-leaves": boosting(max_leaf_nodes=9, max_depth=None),
    "boosting-subsample": boosting(subsample=0.5, learning_rate=0.3),
    "forest": ensemble.RandomForestClassifier(9, random_state=0),
    "forest-weights": ensemble.RandomForestClassifier(9, random_state=0, class_weight="balanced"),
    "extra-trees": ensemble.ExtraTreesClassifier(9, random_state=0),
    "tree": tree.DecisionTreeClassifier(max_depth=4, random_state=0),
    "extra-tree": tree.ExtraTreeClassifier(random_state=0),
    "calibrated-isotonic": calibration.CalibratedClassifierCV(
        ensemble.RandomForestClassifier(5, random_state=0), method="isotonic", cv=3
    ),
    "calibrated-boosting": calibration.CalibratedClassifierCV(boosting(), cv=2, ensemble=False),
    "one-vs-rest": multiclass.OneVsRestClassifier(boosting()),
    "scaled-boosting": make_pipeline(
        preprocessing.RobustScaler(), preprocessing.StandardScaler(), boosting()
    ),
    "prior": dummy.DummyClassifier(strategy="prior"),
    "most-frequent": dummy.DummyClassifier(strategy="most_frequent"),
    "constant": dummy.DummyClassifier(strategy="constant", constant=1),
}
NEAR: dict[str, Any] = {
    "gaussian": naive_bayes.GaussianNB(),
    "bernoulli": naive_bayes.BernoulliNB(binarize=0.5),
    "bernoulli-plain": make_pipeline(
        preprocessing.MinMaxScaler(clip=True), naive_bayes.BernoulliNB(binarize=None)
    ),
    "multinomial": make_pipeline(preprocessing.MinMaxScaler(clip=True), naive_bayes.MultinomialNB()),
    "complement": make_pipeline(preprocessing.MinMaxScaler(clip=True), naive_bayes.ComplementNB()),
    "logistic": make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression()),
    "calibrated-svc": calibration.CalibratedClassifierCV(
        make_pipeline(preprocessing.StandardScaler(), svm.LinearSVC(random_state=0)), cv=3
    ),
    "calibrated-bayes": calibration.CalibratedClassifierCV(naive_bayes.GaussianNB(), cv=2),
    "one-vs-rest-logistic": multiclass.OneVsRestClassifier(
        make_pipeline(preprocessing.MaxAbsScaler(), linear_model.LogisticRegression())
    ),
}
ALL = EXACT | NEAR


@cache
def trained(name: str, labels: int) -> tuple[Any, Estimator, list[Any]]:
    random = np.random.default_rng(labels)
    rows = np.round(random.normal(size=(200, COLUMNS)) * [1, 2, 5, 1, 10], 1)
    scores = rows[:, 0] + rows[:, 1] * rows[:, 3] + random.normal(size=200) / 2
    sought = np.digitize(scores, np.quantile(scores, np.linspace(0, 1, labels + 1)[1:-1]))
    model = clone(ALL[name]).fit(rows, sought)
    converted = convert_estimator(read_pickle(pickle.dumps(model, protocol=4)))
    estimator = load_estimator(converted.kind, converted.parameters, converted.arrays, COLUMNS)
    return model, estimator, converted.labels


@pytest.mark.parametrize("labels", [2, 3, 6])
@pytest.mark.parametrize("name", list(ALL))
# The same rows at each run: on some of all there are, sums of hundreds of terms differ by one bit more.
@settings(max_examples=10, deadline=None, derandomize=True)
@given(rows=ROWS)
def test_answers_are_those_of_scikit_learn(name: str, labels: int, rows: list[list[float]]) -> None:
    model, estimator, names = trained(name, labels)
    array = np.array(rows)
    answers, expected = estimator.answers(array), model.predict_proba(array)
    # One part of one-versus-rest after another is divided by a sum of many, which numpy adds in pairs.
    tolerance = 5e-15 if name in NEAR else 2e-16 if name == "one-vs-rest" else 0
    assert np.abs(answers.probabilities - expected).max() <= tolerance
    assert np.array_equal(estimator.probabilities(array), answers.probabilities)
    single = np.concatenate([estimator.probabilities(row[None]) for row in array])
    assert np.array_equal(single, answers.probabilities)
    for row, at, label in zip(expected, answers.chosen.argmax(axis=1), model.predict(array), strict=True):
        # Of two labels that lie no further apart than the tolerance, either is right.
        other = names.index(label)
        assert names[at] == label or (tolerance and abs(row[at] - row[other]) <= 2 * tolerance)


@pytest.mark.parametrize("name", ["boosting", "forest", "extra-trees"])
def test_values_on_a_threshold_go_left_as_in_scikit_learn(name: str) -> None:
    model, estimator, _ = trained(name, 3)
    trees = [member.tree_ for member in np.ravel(model.estimators_)]
    thresholds = np.concatenate([tree.threshold[tree.feature >= 0] for tree in trees])
    near = thresholds.astype(np.float32)
    values = (
        thresholds,
        near,
        np.nextafter(near, np.float32(np.inf)),
        np.nextafter(near, np.float32(-np.inf)),
    )
    rows = np.repeat(np.concatenate(values).astype(np.float64)[:, None], COLUMNS, axis=1)
    assert np.array_equal(estimator.probabilities(rows), model.predict_proba(rows))


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 700])
def test_more_rows_than_a_block_are_answered_in_order(count: int) -> None:
    for name in ("boosting", "forest"):
        model, estimator, _ = trained(name, 3)
        rows = np.random.default_rng(count).normal(size=(count, COLUMNS)) * 5
        assert np.array_equal(estimator.probabilities(rows), model.predict_proba(rows))


def test_rows_in_any_memory_order_get_the_same_answer() -> None:
    rows = np.random.default_rng(0).normal(size=(20, COLUMNS))
    for name in ALL:
        _, estimator, _ = trained(name, 3)
        expected = estimator.probabilities(rows)
        assert np.array_equal(estimator.probabilities(np.asfortranarray(rows)), expected), name
        assert np.array_equal(estimator.probabilities(np.repeat(rows, 2, axis=1)[:, ::2]), expected), name


def test_the_given_rows_stay_as_they_are() -> None:
    rows = np.random.default_rng(0).normal(size=(3, COLUMNS))
    kept = rows.copy()
    for name in ALL:
        trained(name, 3)[1].answers(rows)
        assert np.array_equal(rows, kept), name


def test_an_estimator_crosses_to_another_process() -> None:
    rows = np.random.default_rng(0).normal(size=(3, COLUMNS))
    for name in ALL:
        _, estimator, _ = trained(name, 2)
        other = pickle.loads(pickle.dumps(estimator))
        assert np.array_equal(other.probabilities(rows), estimator.probabilities(rows)), name


def _several_labels() -> tuple[Any, Any]:
    rows = np.random.default_rng(1).normal(size=(200, COLUMNS))
    return rows, np.stack([rows[:, 0] > 0, rows[:, 1] > rows[:, 2], rows[:, 3] > 1], axis=1).astype(int)


@pytest.mark.parametrize("part", [boosting(), naive_bayes.GaussianNB()])
def test_labels_that_do_not_exclude_each_other_are_answered_side_by_side(part: Any) -> None:
    rows, given_labels = _several_labels()
    model = multiclass.OneVsRestClassifier(part).fit(rows, given_labels)
    converted = convert_estimator(read_pickle(pickle.dumps(model)))
    estimator = load_estimator(converted.kind, converted.parameters, converted.arrays, COLUMNS)
    answers = estimator.answers(rows)
    assert estimator.is_multilabel
    assert np.abs(answers.probabilities - model.predict_proba(rows)).max() <= 2e-15
    assert np.array_equal(answers.chosen, model.predict(rows).astype(bool))


def test_a_label_that_no_row_has_gets_no_probability() -> None:
    rows, given_labels = _several_labels()
    given_labels[:, 1] = 0
    model = multiclass.OneVsRestClassifier(boosting())
    with pytest.warns(UserWarning, match="present in all training examples"):
        model.fit(rows, given_labels)
    converted = convert_estimator(read_pickle(pickle.dumps(model)))
    estimator = load_estimator(converted.kind, converted.parameters, converted.arrays, COLUMNS)
    assert np.array_equal(estimator.probabilities(rows), model.predict_proba(rows))


@pytest.mark.parametrize("stages", [(8, 8, 8), (8, 3, 5)])
def test_revscorings_own_multilabel_models_are_one_estimator_per_label(stages: tuple[int, ...]) -> None:
    rows, given_labels = _several_labels()
    models = [
        ensemble.GradientBoostingClassifier(n_estimators=count).fit(rows, given_labels[:, at])
        for at, count in enumerate(stages)
    ]
    pairs = [(f"Topic {at}", read_pickle(pickle.dumps(model))) for at, model in enumerate(models)]
    converted = convert_multilabel(pairs)
    estimator = load_estimator(converted.kind, converted.parameters, converted.arrays, COLUMNS)
    answers = estimator.answers(rows)
    assert converted.labels == ["Topic 0", "Topic 1", "Topic 2"]
    for at, model in enumerate(models):
        assert np.array_equal(answers.probabilities[:, at], model.predict_proba(rows)[:, 1])
        assert np.array_equal(answers.chosen[:, at], model.predict(rows).astype(bool))


def test_kinds_that_are_not_evaluated_here_are_named() -> None:
    rows, given_labels = _several_labels()
    sought = given_labels[:, 0]
    unsupported = {
        "GaussianNB": boosting(init=naive_bayes.GaussianNB()).fit(rows, sought),
        "several outputs": ensemble.RandomForestClassifier(2).fit(rows, given_labels),
        "without probabilities": svc().fit(rows, sought),
        "LinearSVC": svm.LinearSVC().fit(rows, sought),
        "stratified": dummy.DummyClassifier(strategy="stratified").fit(rows, sought),
    }
    for what, model in unsupported.items():
        with pytest.raises(ModelIncompatible, match=what):
            convert_estimator(read_pickle(pickle.dumps(model)))
    with pytest.raises(ModelIncompatible, match="LinearDiscriminantAnalysis"):
        convert_estimator(
            Instance(Global("sklearn.lda", discriminant_analysis.LinearDiscriminantAnalysis.__name__))
        )


def test_an_untrained_estimator_is_refused() -> None:
    for model in (boosting(), ensemble.RandomForestClassifier(), naive_bayes.BernoulliNB(), svc()):
        with pytest.raises(ModelCorrupt, match="never trained"):
            convert_estimator(read_pickle(pickle.dumps(model)))


@pytest.mark.parametrize("value", [None, 3, "text", [], {}, object(), Instance(Global("sklearn.svm", "SVC"))])
def test_what_is_no_estimator_is_refused(value: Any) -> None:
    with pytest.raises(ModelCorrupt, match="fetch it anew"):
        convert_estimator(value)


def test_odd_attributes_are_refused_not_raised_through() -> None:
    for name in ("boosting", "forest", "gaussian", "calibrated-isotonic", "one-vs-rest", "logistic"):
        instance = read_pickle(pickle.dumps(trained(name, 3)[0]))
        for attribute in list(instance.state):
            odds: tuple[Any, ...] = (None, "x", -1, [], np.zeros(3), np.array(["x"]), {})
            for odd in odds:
                kept = instance.state[attribute]
                instance.state[attribute] = odd
                try:
                    converted = convert_estimator(instance)
                    load_estimator(converted.kind, converted.parameters, converted.arrays, COLUMNS)
                except (ModelCorrupt, ModelIncompatible):
                    pass
                finally:
                    instance.state[attribute] = kept


def test_an_estimator_that_holds_itself_is_refused() -> None:
    pipeline = Instance(Global("sklearn.pipeline", "Pipeline"))
    pipeline.state = {"steps": [("again", pipeline)]}
    with pytest.raises(ModelCorrupt, match="deep"):
        convert_estimator(pipeline)
