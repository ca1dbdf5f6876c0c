"""What `snapshot diff` tells, against computations of its own by numpy and scipy."""

from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from scipy.stats import ks_2samp

from batch.snapshot_diff import MOST_FLIPS, DiffOptions, diff_snapshots
from batch.snapshot_difference import Flip, ModelPlace, OutcomeChange
from batch.snapshot_shift import BORDERS, QUANTILES
from models.statistics.stability import LEAST_SHARE
from schemas.errors import SnapshotUnusable, StoreError
from schemas.prediction import Outcome, Score, ScoreFailure, ScoreKind
from tests.diff_snapshots import snapshot_of
from tests.rows import binary
from tests.snapshots import snapshot_row, write_snapshot

HIDDEN = ScoreFailure("revision_deleted", "the text is hidden")
TOO_LARGE = ScoreFailure("content_too_large", "5 MB")


def drawn(seed: int, count: int, centre: float) -> dict[int, float]:
    """Draw probabilities with ties, values on borders of bins, and both ends."""
    random = np.random.default_rng(seed)
    values = random.beta(centre * 4, (1 - centre) * 4, count)
    values[::7] = values[::7].round(2)
    values[:4] = (0.0, 1.0, 0.5, 0.9)
    return {rev_id: float(value) for rev_id, value in enumerate(values, 1)}


def among(labels: dict[str, float]) -> Score:
    return Score(ScoreKind.MULTICLASS, (max(labels, key=labels.__getitem__),), labels)


def several(labels: dict[str, float]) -> Score:
    return Score(ScoreKind.MULTILABEL, tuple(one for one, value in labels.items() if value > 0.5), labels)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (drawn(1, 2000, 0.2), drawn(2, 2000, 0.25)),
        (drawn(3, 1500, 0.1), dict(list(drawn(3, 1500, 0.1).items())[10:])),
        (drawn(4, 400, 0.5), drawn(5, 7, 0.5)),
        ({1: 0.25, 2: 0.25}, {1: 0.25, 2: 0.25}),
        ({1: 0.0, 2: 0.0, 3: 1.0}, {1: 1.0, 2: 0.0, 3: 1.0}),
        ({1: 0.300001}, {1: 0.300002}),
    ],
)
def test_the_shift_of_a_label_equals_what_numpy_and_scipy_compute(
    tmp_path: Path, first: dict[int, float], second: dict[int, float]
) -> None:
    paths = [
        snapshot_of(tmp_path, name, {rev_id: binary(value) for rev_id, value in side.items()})
        for name, side in (("a", first), ("b", second))
    ]
    (model,) = diff_snapshots(*paths, options=DiffOptions(thresholds=(0.5, 0.9))).models
    (label,) = model.labels
    assert label.label == "true"
    shares = []
    for told, side in ((label.first, first), (label.second, second)):
        values = np.array(list(side.values()))
        assert told is not None
        assert told.rows == len(values)
        assert (told.least, told.most) == (values.min(), values.max())
        assert told.mean == pytest.approx(values.mean())
        assert told.deviation == pytest.approx(values.std())
        assert told.above == {0.5: np.mean(values > 0.5), 0.9: np.mean(values > 0.9)}
        expected = np.quantile(values, QUANTILES, method="inverted_cdf").tolist()
        assert list(told.quantiles.values()) == expected
        # numpy's bins hold their lower border: mirrored, they hold the upper one.
        mirrored = np.histogram(-values, bins=-np.array(BORDERS)[::-1])[0][::-1]
        assert told.shares == pytest.approx(mirrored / len(values))
        assert sum(told.histogram) == len(values)
        at = np.searchsorted((np.arange(len(told.histogram)) + 1) / len(told.histogram), values)
        assert told.histogram == tuple(np.bincount(at, minlength=len(told.histogram)))
        shares.append(np.maximum(mirrored / len(values), LEAST_SHARE))
    before, after = (np.array(list(side.values())) for side in (first, second))
    assert label.distance == pytest.approx(ks_2samp(before, after).statistic, abs=1e-15)
    assert label.stability_index == pytest.approx(
        float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))
    )
    both = sorted(first.keys() & second.keys())
    changes = np.array([second[rev_id] - first[rev_id] for rev_id in both])
    assert label.mean_change == pytest.approx(changes.mean())
    assert label.mean_size == pytest.approx(np.abs(changes).mean())
    assert label.most_size == np.abs(changes).max()


def test_outcomes_and_flips_count_every_revision_once(tmp_path: Path) -> None:
    first: dict[int, Outcome] = {
        1: binary(0.1),
        2: binary(0.1),
        3: binary(0.8),
        4: HIDDEN,
        5: HIDDEN,
        6: binary(0.3),
        7: TOO_LARGE,
    }
    second: dict[int, Outcome] = {
        1: binary(0.15),
        2: binary(0.9),
        3: binary(0.7),
        4: HIDDEN,
        5: binary(0.6),
        6: TOO_LARGE,
        8: binary(0.4),
        9: HIDDEN,
    }
    paths = (snapshot_of(tmp_path, "a", first), snapshot_of(tmp_path, "b", second))
    (model,) = diff_snapshots(*paths).models
    assert (model.rows_both, model.rows_first, model.rows_second) == (6, 1, 2)
    assert (model.scored_both, model.same_prediction, model.same_score) == (3, 2, 0)
    assert set(model.outcomes) == {
        OutcomeChange("scored", "scored", 3),
        OutcomeChange("revision_deleted", "revision_deleted", 1),
        OutcomeChange("revision_deleted", "scored", 1),
        OutcomeChange("scored", "content_too_large", 1),
        OutcomeChange("content_too_large", "absent", 1),
        OutcomeChange("absent", "scored", 1),
        OutcomeChange("absent", "revision_deleted", 1),
    }
    assert set(model.flips) == {
        Flip(("false",), ("false",), 1, 1 / 3, 0.5),
        Flip(("false",), ("true",), 1, 1 / 3, 0.5),
        Flip(("true",), ("true",), 1, 1 / 3, 1.0),
    }
    assert [one.rev_id for one in model.largest] == [2, 3, 1]
    assert (model.largest[0].first, model.largest[0].second) == (0.1, 0.9)
    assert (model.largest[0].first_prediction, model.largest[0].second_prediction) == (("false",), ("true",))
    assert (model.labels[0].gained, model.labels[0].lost) == (1, 0)
    assert not model.is_empty


def test_a_model_of_many_classes_has_a_whole_matrix_and_a_shift_for_each_class(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    classes = ["Stub", "Start", "C", "B", "GA", "FA"]
    sides = [
        {
            rev_id: among(dict(zip(classes, random.dirichlet(np.ones(6)).tolist(), strict=True)))
            for rev_id in range(1, 301)
        }
        for _ in range(2)
    ]
    paths = [snapshot_of(tmp_path, name, side) for name, side in zip("ab", sides, strict=True)]
    (model,) = diff_snapshots(*paths).models
    expected = Counter((sides[0][rev_id].prediction, sides[1][rev_id].prediction) for rev_id in range(1, 301))
    assert {(flip.first, flip.second): flip.rows for flip in model.flips} == expected
    assert sum(flip.share for flip in model.flips) == pytest.approx(1)
    of_first = Counter(side.prediction for side in sides[0].values())
    for flip in model.flips:
        assert flip.share_of_first == flip.rows / of_first[flip.first]
    assert {label.label for label in model.labels} == set(classes)
    for change in model.largest:
        before, after = (side[change.rev_id].probability for side in sides)
        changes = {label: abs(after[label] - before[label]) for label in classes}
        assert changes[change.label] == max(changes.values())
        assert (change.first, change.second) == (before[change.label], after[change.label])


def test_a_model_of_several_labels_tells_which_were_gained_and_lost(tmp_path: Path) -> None:
    first = {1: several({"a": 0.9, "b": 0.9}), 2: several({"a": 0.1, "b": 0.2}), 3: several({"a": 0.9})}
    second = {1: several({"a": 0.9, "b": 0.4}), 2: several({"a": 0.6, "b": 0.8}), 3: several({"a": 0.9})}
    paths = (snapshot_of(tmp_path, "a", first), snapshot_of(tmp_path, "b", second))
    (model,) = diff_snapshots(*paths).models
    assert {label.label: (label.gained, label.lost) for label in model.labels} == {"a": (1, 0), "b": (1, 1)}
    assert Flip((), ("a", "b"), 1, 1 / 3, 1.0) in model.flips
    assert Flip(("a", "b"), ("a",), 1, 1 / 3, 1.0) in model.flips
    # A label that a row lacks is no probability of 0.
    assert [label.first.rows for label in model.labels if label.first] == [3, 2]


def test_of_very_many_combinations_the_commonest_are_told(tmp_path: Path) -> None:
    labels = [f"label {number}" for number in range(MOST_FLIPS // 4)]
    pairs = list(combinations(labels, 2))[: MOST_FLIPS + 20]
    side = {rev_id: several(dict.fromkeys(pair, 0.9)) for rev_id, pair in enumerate(pairs, 1)}
    side |= {1001: several(dict.fromkeys(pairs[-1], 0.9))}
    paths = [snapshot_of(tmp_path, name, side) for name in "ab"]
    (model,) = diff_snapshots(*paths).models
    assert len(model.flips) == MOST_FLIPS
    assert model.flips_left_out == 20
    assert (model.flips[0].first, model.flips[0].rows) == (tuple(sorted(pairs[-1])), 2)


def test_a_model_that_only_failed_is_compared_by_its_failures(tmp_path: Path) -> None:
    paths = (snapshot_of(tmp_path, "a", {1: HIDDEN}), snapshot_of(tmp_path, "b", {1: TOO_LARGE}))
    (model,) = diff_snapshots(*paths).models
    assert model.outcomes == (OutcomeChange("revision_deleted", "content_too_large", 1),)
    assert (model.labels, model.flips, model.largest) == ((), (), ())
    assert not model.is_empty


def test_scores_on_one_side_alone_have_no_distance(tmp_path: Path) -> None:
    paths = (snapshot_of(tmp_path, "a", {1: HIDDEN}), snapshot_of(tmp_path, "b", {1: binary(0.3)}))
    (label,) = diff_snapshots(*paths).models[0].labels
    assert label.first is None
    assert label.second is not None
    assert (label.distance, label.stability_index, label.mean_shift, label.mean_change) == (None,) * 4


def test_models_of_one_snapshot_alone_are_named(tmp_path: Path) -> None:
    rows = [snapshot_row(model_name="damaging"), snapshot_row(wiki_id="frwiki", model_name="damaging")]
    first = write_snapshot(tmp_path, rows, name="a")
    second = write_snapshot(
        tmp_path, [snapshot_row(model_name="damaging"), snapshot_row(model_name="goodfaith")], name="b"
    )
    difference = diff_snapshots(first, second)
    assert (difference.first, difference.second) == ("a", "b")
    assert difference.only_first == (ModelPlace("frwiki", "damaging"),)
    assert difference.only_second == (ModelPlace("enwiki", "goodfaith"),)
    assert [(model.wiki_id, model.model_name) for model in difference.models] == [("enwiki", "damaging")]
    assert not difference.is_empty


def test_snapshots_with_nothing_in_common_say_what_each_holds(tmp_path: Path) -> None:
    first = write_snapshot(tmp_path, [snapshot_row(wiki_id="frwiki")], name="a")
    second = write_snapshot(tmp_path, [snapshot_row(wiki_id="dewiki")], name="b")
    with pytest.raises(SnapshotUnusable, match=r"damaging of frwiki.*damaging of dewiki"):
        diff_snapshots(first, second)


def test_wikis_and_models_can_be_chosen(tmp_path: Path) -> None:
    rows = [
        snapshot_row(wiki_id=wiki_id, model_name=model_name)
        for wiki_id in ("enwiki", "frwiki")
        for model_name in ("damaging", "goodfaith")
    ]
    paths = [write_snapshot(tmp_path, rows, name=name) for name in "ab"]
    difference = diff_snapshots(*paths, options=DiffOptions(wiki_ids=("frwiki",), model_names=("goodfaith",)))
    assert [(model.wiki_id, model.model_name) for model in difference.models] == [("frwiki", "goodfaith")]
    with pytest.raises(SnapshotUnusable, match="none of what is asked for"):
        diff_snapshots(*paths, options=DiffOptions(wiki_ids=("itwiki",)))


def test_two_versions_within_one_snapshot_are_compared_where_both_are_named(tmp_path: Path) -> None:
    rows = [snapshot_row(rev_id, binary(0.2), model_version="1.0.0") for rev_id in range(1, 10)]
    rows += [snapshot_row(rev_id, binary(0.7), model_version="2.0.0") for rev_id in range(2, 12)]
    path = write_snapshot(tmp_path, rows)
    with pytest.raises(SnapshotUnusable, match=r"several versions.*1\.0\.0, 2\.0\.0.*--first-version"):
        diff_snapshots(path, path)
    with pytest.raises(SnapshotUnusable, match=r"no such version.*--second-version"):
        diff_snapshots(path, path, options=DiffOptions(first_version="1.0.0", second_version="3.0.0"))
    (model,) = diff_snapshots(
        path, path, options=DiffOptions(first_version="1.0.0", second_version="2.0.0")
    ).models
    assert (model.first.model_version, model.second.model_version) == ("1.0.0", "2.0.0")
    assert (model.rows_both, model.rows_first, model.rows_second) == (8, 1, 2)
    assert model.same_prediction == 0


@pytest.mark.parametrize("damage", ["cut", "gone", "changed", "no manifest"])
def test_a_damaged_snapshot_is_told(tmp_path: Path, damage: str) -> None:
    first, second = (
        snapshot_of(tmp_path, name, {rev_id: binary(rev_id / 100) for rev_id in range(1, 100)})
        for name in "ab"
    )
    (part,) = second.glob("wiki_id=*/model_name=*/*.parquet")
    whole = part.read_bytes()
    if damage == "cut":
        part.write_bytes(whole[: len(whole) // 2])
    elif damage == "gone":
        part.unlink()
    elif damage == "changed":
        part.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    else:
        (second / "_manifest.json").unlink()
    with pytest.raises(SnapshotUnusable, match=str(second)):
        diff_snapshots(first, second)


def test_nothing_is_left_in_the_scratch_folder(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    paths = [snapshot_of(tmp_path, name, {1: binary(0.5)}) for name in "ab"]
    diff_snapshots(*paths, options=DiffOptions(scratch=scratch))
    assert list(scratch.iterdir()) == []


def test_too_little_memory_is_told_as_that(tmp_path: Path) -> None:
    side = {rev_id: binary(rev_id / 5000) for rev_id in range(1, 5000)}
    paths = [snapshot_of(tmp_path, name, side) for name in "ab"]
    with pytest.raises(StoreError, match="Allow more") as told:
        diff_snapshots(*paths, options=DiffOptions(memory_bytes=1 << 19))
    assert told.value.code == "store_unusable"


def test_quotes_and_strange_names_are_names(tmp_path: Path) -> None:
    score = Score(ScoreKind.MULTICLASS, ("it's",), {"it's": 0.75, 'a "b"; --': 0.25})
    folder = tmp_path / "it's"
    folder.mkdir()
    paths = [
        snapshot_of(folder, name, {1: score}, model_name="model's/x", model_version="1'0") for name in "ab"
    ]
    difference = diff_snapshots(*paths)
    assert difference.is_empty
    assert [label.label for label in difference.models[0].labels] == ['a "b"; --', "it's"]


def test_what_changed_is_told_even_where_no_prediction_did(tmp_path: Path) -> None:
    paths = (
        snapshot_of(tmp_path, "a", {1: binary(0.2)}),
        snapshot_of(tmp_path, "b", {1: binary(0.2 + 1e-12)}),
    )
    difference = diff_snapshots(*paths)
    assert difference.models[0].same_prediction == 1
    assert not difference.is_empty
    assert not replace(difference, models=(), only_first=(ModelPlace("enwiki", "damaging"),)).is_empty
