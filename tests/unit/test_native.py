"""The functions in C equal their twins in Python to the last bit, and refuse what they cannot read.

They are built here from their sources, so that what is tested is never an older build.
"""

import pickle
import sys
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import calibration, ensemble, multiclass, preprocessing, tree
from sklearn.pipeline import make_pipeline

from models import native as package
from models.engine.sequences import matching_blocks_slowly
from models.estimators import Estimator, convert_estimator, load_estimator, tree_walk
from models.estimators.estimator import Arrays, Floats
from models.estimators.tree_walk import LEAF, NativeLeafSums, NumpyLeafSums, leaf_sums
from models.native import INTERFACE, Native
from models.pickles import read_pickle

COLUMNS = 4
# On both sides of thresholds, of the range of float32, and of what can be compared at all.
VALUES = [0.0, -0.0, 0.5, -0.5, 0.1, np.nextafter(0.5, 1), 1e-50, -1e-50, 3.5e38, 1e300, -1e300]
ODD = [np.nan, -np.nan, np.inf, -np.inf]


def random_trees(random: np.random.Generator, count: int, depth: int) -> dict[str, Any]:
    """Trees of any shape: some are one leaf, some are deep on one side."""
    nodes: list[list[float]] = []

    def grow(levels: int) -> int:
        at = len(nodes)
        nodes.append([LEAF, 0.0, LEAF, LEAF])
        if levels and random.random() < 0.8:
            left, right = grow(levels - 1), grow(levels - int(random.integers(1, levels + 1)))
            nodes[at] = [random.integers(COLUMNS), random.choice(VALUES[:8]), left, right]
        return at

    roots = [grow(int(random.integers(depth + 1))) for _ in range(count)]
    feature, threshold, left, right = np.array(nodes).T
    return {
        "feature": feature.astype(np.int16),
        "threshold": threshold,
        "left": left.astype(np.int32),
        "right": right.astype(np.int32),
        "roots": np.array(roots, dtype=np.int32),
    }


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    # Trees of each group, depth, width of a leaf, and groups.
    shape=st.tuples(st.integers(1, 40), st.integers(0, 9), st.integers(1, 3), st.integers(1, 3)),
    rows=st.lists(
        st.lists(st.sampled_from(VALUES + ODD) | st.floats(), min_size=COLUMNS, max_size=COLUMNS),
        max_size=5,
    ),
    times=st.sampled_from([1, 7, 40]),
)
def test_sums_of_leaves_equal_those_of_numpy_to_the_last_bit(
    built: Any, seed: int, shape: tuple[int, int, int, int], rows: list[list[float]], times: int
) -> None:
    trees, depth, width, groups = shape
    random = np.random.default_rng(seed)
    arrays = random_trees(random, trees * groups, depth)
    values = random.normal(size=(int((arrays["feature"] == LEAF).sum()), width))
    initial = random.normal(size=width * groups)
    tree_walk.check_trees(arrays, COLUMNS)
    ours = NativeLeafSums(arrays, COLUMNS, values, initial, built)
    twin = NumpyLeafSums(arrays, COLUMNS, values, initial)
    table = np.tile(np.array(rows).reshape(-1, COLUMNS), (times, 1))
    expected = twin.of(table)
    assert ours.of(table).tobytes() == expected.tobytes()
    for at in range(len(rows)):
        assert ours.of(table[at : at + 1]).tobytes() == expected[at].tobytes()
        assert twin.of(table[at : at + 1]).tobytes() == expected[at].tobytes()


def boosting(**options: Any) -> Any:
    return ensemble.GradientBoostingClassifier(n_estimators=9, random_state=0, **options)


ESTIMATORS = {
    "boosting": boosting(),
    "boosting-deep": boosting(max_depth=7, learning_rate=0.3),
    "boosting-leaves": boosting(max_leaf_nodes=9, max_depth=None),
    "forest": ensemble.RandomForestClassifier(9, random_state=0),
    "extra-trees": ensemble.ExtraTreesClassifier(9, random_state=0),
    "tree": tree.DecisionTreeClassifier(random_state=0),
    "calibrated": calibration.CalibratedClassifierCV(boosting(), cv=2),
    "one-vs-rest": multiclass.OneVsRestClassifier(boosting()),
    "scaled": make_pipeline(preprocessing.RobustScaler(), preprocessing.MinMaxScaler(), boosting()),
}


@pytest.fixture(params=[(name, labels) for name in ESTIMATORS for labels in (2, 3)], ids=str)
def both(
    request: pytest.FixtureRequest, built: Any, monkeypatch: pytest.MonkeyPatch
) -> tuple[Estimator, Estimator]:
    """An estimator from one pickle, in C and in numpy."""
    name, labels = request.param
    random = np.random.default_rng(labels)
    rows = random.normal(size=(300, COLUMNS))
    scores = rows[:, 0] * rows[:, 1] + rows[:, 2]
    sought = np.digitize(scores, np.quantile(scores, np.linspace(0, 1, labels + 1)[1:-1]))
    converted = convert_estimator(read_pickle(pickle.dumps(ESTIMATORS[name].fit(rows, sought))))
    made = []
    for functions in (built, None):
        monkeypatch.setattr(tree_walk, "native", functions)
        made.append(load_estimator(converted.kind, converted.parameters, converted.arrays, COLUMNS))
    return made[0], made[1]


def test_estimators_answer_the_same_in_c_and_in_numpy(both: tuple[Estimator, Estimator]) -> None:
    ours, twin = both
    table = np.random.default_rng(5).normal(size=(130, COLUMNS))
    table[:40] = np.random.default_rng(6).choice(VALUES, size=(40, COLUMNS))
    answers, expected = ours.answers(table), twin.answers(table)
    assert answers.probabilities.tobytes() == expected.probabilities.tobytes()
    assert np.array_equal(answers.chosen, expected.chosen)
    scores, expected_scores = ours.decisions(table), twin.decisions(table)
    assert (scores is None) == (expected_scores is None)
    if scores is not None and expected_scores is not None:
        assert scores.tobytes() == expected_scores.tobytes()
    for estimator in both:
        alone = np.concatenate([estimator.probabilities(row[None]) for row in table])
        assert alone.tobytes() == expected.probabilities.tobytes()
        # Neither minds rows that are laid out otherwise.
        turned = estimator.probabilities(np.asfortranarray(table)[::2])
        assert turned.tobytes() == expected.probabilities[::2].tobytes()


def stump() -> tuple[Arrays, Floats, Floats]:
    """One tree of one question: is column 1 not above 0.5?"""
    arrays: dict[str, Any] = {
        "feature": np.array([1, -1, -1], dtype=np.int16),
        "threshold": np.array([0.5, 0.0, 0.0], dtype=np.float32),
        "left": np.array([1, -1, -1], dtype=np.int32),
        "right": np.array([2, -1, -1], dtype=np.int32),
        "roots": np.array([0], dtype=np.int32),
    }
    return arrays, np.array([[-2.0], [3.0]]), np.array([0.25])


def test_rows_of_another_length_are_refused_in_c_and_in_numpy(built: Any) -> None:
    arrays, values, initial = stump()
    for sums in (
        NativeLeafSums(arrays, 2, values, initial, built),
        NumpyLeafSums(arrays, 2, values, initial),
    ):
        assert sums.of(np.array([[9.0, 0.5], [0.0, 0.6]])).tolist() == [[-1.75], [3.25]]
        for columns in (0, 1, 3):
            with pytest.raises(ValueError, match=f"rows of {columns} columns for trees over 2"):
                sums.of(np.zeros((1, columns)))


def frozen(rows: int) -> Floats:
    table = np.zeros((rows, 1))
    table.flags.writeable = False
    return table


@pytest.mark.parametrize(
    ("place", "value", "error"),
    [
        (0, "nodes", TypeError),
        (0, np.zeros(16, dtype=np.uint8), TypeError),
        (0, bytes(15), ValueError),
        (1, None, TypeError),
        (1, bytes(3), ValueError),
        (1, bytearray(4), TypeError),
        (2, 1.0, TypeError),
        (2, bytes(7), ValueError),
        (2, b"", ValueError),
        (0, b"", ValueError),
        (1, b"", ValueError),
        (3, 0, ValueError),
        (3, -1, ValueError),
        (3, 3, ValueError),
        (3, 2**80, OverflowError),
        (3, "1", TypeError),
        (4, 0, ValueError),
        (4, 3, ValueError),
        (4, 1.5, TypeError),
        (5, np.zeros((1, 2), dtype=np.float32), ValueError),
        (5, np.zeros((1, 2), dtype=np.int64), ValueError),
        (5, np.zeros((1, 2), dtype=">f8"), ValueError),
        (5, np.zeros(2), ValueError),
        (5, np.zeros((1, 4))[:, ::2], ValueError),
        (5, np.frombuffer(bytes(25), dtype=np.uint8)[1:17].view(np.float64).reshape(1, 2), ValueError),
        (5, [[0.0, 0.0]], TypeError),
        (6, np.zeros((2, 1)), ValueError),
        (6, np.zeros((1, 0)), ValueError),
        (6, np.zeros(1), ValueError),
        (6, frozen(1), ValueError),
        (6, b"12345678", BufferError),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    built: Any, place: int, value: Any, error: type[Exception]
) -> None:
    arrays, values, initial = stump()
    trees = NativeLeafSums(arrays, 2, values, initial, built)._trees
    rows, sums = np.zeros((1, 2)), np.zeros((1, 1))
    built.add_leaves(trees, rows, sums)
    assert sums.tolist() == [[-2.0]]
    arguments: list[Any] = [*trees, rows, sums]
    arguments[place] = value
    with pytest.raises(error):
        built.add_leaves(tuple(arguments[:5]), *arguments[5:])
    assert sums.tolist() == [[-2.0]]


@settings(max_examples=150, deadline=None)
@given(
    before=st.lists(st.integers(0, 9), max_size=30),
    after=st.lists(st.integers(0, 9), max_size=30),
    # From 200 items on, difflib leaves out those that are frequent.
    times=st.sampled_from([1, 8, 30]),
    rare=st.lists(st.integers(0, 1_000), max_size=6),
)
def test_blocks_equal_those_of_difflib(
    built: Any, before: list[int], after: list[int], times: int, rare: list[int]
) -> None:
    first, other = before * times, after * times
    for at in rare:
        first.insert(at, 10 + at)
        other.insert(at // 2, 10 + at)
    if first and other:
        found = built.matching_blocks(
            *(np.array(each, dtype=np.int32).tobytes() for each in (first, other)), 1_011
        )
        assert found == matching_blocks_slowly(first, other)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((b"", bytes(4), 1), ValueError),
        ((bytes(4), b"", 1), ValueError),
        ((bytes(5), bytes(4), 1), ValueError),
        ((bytes(4), bytearray(4), 1), TypeError),
        (([0], bytes(4), 1), TypeError),
        ((bytes(4), bytes(4), 0), ValueError),
        ((bytes(4), bytes(4), -1), ValueError),
        ((bytes(4), bytes(4), 2**31), ValueError),
        ((bytes(4), bytes(4), 2**80), OverflowError),
        ((bytes(4), bytes(4), 1.5), TypeError),
        ((b"\1\0\0\0", bytes(4), 1), ValueError),
        ((bytes(4), b"\xff\xff\xff\xff", 1), ValueError),
        ((bytes(4), bytes(4)), TypeError),
    ],
)
def test_sequences_that_are_none_are_refused(
    built: Any, arguments: tuple[Any, ...], error: type[Exception]
) -> None:
    assert built.matching_blocks(bytes(4), bytes(4), 1) == [(0, 0, 1)]
    with pytest.raises(error):
        built.matching_blocks(*arguments)


def test_another_number_of_arguments_is_refused(built: Any) -> None:
    for count in (0, 2, 4):
        with pytest.raises(TypeError, match=f"add_leaves.. takes 3 arguments, not {count}"):
            built.add_leaves(*[()] * count)
    for trees in ((), (b"",) * 4, (b"",) * 6, [b""] * 5, None):
        with pytest.raises(TypeError, match="no tuple of five"):
            built.add_leaves(trees, np.zeros((1, 2)), np.zeros((1, 1)))


def test_the_module_and_the_package_have_the_same_interface(built: Any) -> None:
    assert built.INTERFACE == INTERFACE
    offered = {name for name in dir(Native) if not name.startswith("_")}
    assert {name for name in dir(built) if not name.startswith("_")} == offered | {"INTERFACE"}


def test_without_a_build_or_with_one_of_other_sources_numpy_answers(
    built: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Older:
        INTERFACE = INTERFACE - 1

    for found, expected in ((None, None), (Older, None), (built, built)):
        monkeypatch.delattr(package, "_compiled", raising=False)
        monkeypatch.setitem(sys.modules, "models.native._compiled", cast("Any", found))
        functions = package._load()
        assert functions is expected
        monkeypatch.setattr(tree_walk, "native", functions)
        made = leaf_sums(stump()[0], 2, *stump()[1:])
        assert isinstance(made, NumpyLeafSums if expected is None else NativeLeafSums)


@pytest.mark.skipif(package.native is None, reason="models.native is not built in this environment")
def test_trees_in_c_can_be_pickled() -> None:
    sums = leaf_sums(stump()[0], 2, *stump()[1:])
    assert isinstance(sums, NativeLeafSums)
    copy: NativeLeafSums = pickle.loads(pickle.dumps(sums))
    assert copy.of(np.array([[0.0, 0.6]])).tolist() == [[3.25]]
