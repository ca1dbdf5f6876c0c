"""Comparing a snapshot with itself finds nothing, and swapped snapshots give the same with sides swapped."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from batch.snapshot_diff import diff_snapshots
from batch.snapshot_difference import (
    Difference,
    Flip,
    LabelShift,
    ModelDifference,
    OutcomeChange,
    ScoreChange,
)
from batch.snapshot_shift import BORDERS
from models.statistics.stability import stability_index
from schemas.prediction import Outcome, Score, ScoreFailure, ScoreKind
from tests.diff_snapshots import snapshot_of

LABELS = ("A", "B", "C")
PROBABILITIES = st.sampled_from((0.0, 1e-9, 0.1, 0.25, 0.5, 0.500001, 0.9, 1.0)) | st.floats(0, 1)
SCORES = st.fixed_dictionaries(dict.fromkeys(LABELS, PROBABILITIES)).map(
    lambda values: Score(
        ScoreKind.MULTILABEL, tuple(label for label, value in values.items() if value > 0.5), values
    )
)
FAILURES = st.sampled_from(("revision_deleted", "content_too_large")).map(
    lambda code: ScoreFailure(code, "why not")
)
SIDES = st.dictionaries(st.integers(1, 30), SCORES | FAILURES, min_size=1, max_size=30)
SHARES = st.lists(st.floats(0, 1), min_size=len(BORDERS) - 1, max_size=len(BORDERS) - 1)


def differences(
    first: Mapping[int, Outcome], second: Mapping[int, Outcome]
) -> tuple[Difference, Difference, Difference]:
    with TemporaryDirectory() as folder:
        paths = [snapshot_of(Path(folder), name, side) for name, side in (("a", first), ("b", second))]
        return diff_snapshots(*paths), diff_snapshots(*reversed(paths)), diff_snapshots(paths[0], paths[0])


def swapped_flip(flip: Flip, of_second: int) -> Flip:
    return Flip(flip.second, flip.first, flip.rows, flip.share, flip.rows / of_second)


def assert_mirrored(one: LabelShift, other: LabelShift) -> None:
    assert (one.gained, one.lost) == (other.lost, other.gained)
    for side, turned in ((one.first, other.second), (one.second, other.first)):
        assert (side is None) == (turned is None)
        if side is not None and turned is not None:
            assert (side.mean, side.deviation) == pytest.approx((turned.mean, turned.deviation))
            assert replace(side, mean=0, deviation=0) == replace(turned, mean=0, deviation=0)
    assert one.distance == pytest.approx(other.distance)
    assert one.stability_index == pytest.approx(other.stability_index)
    assert one.mean_size == pytest.approx(other.mean_size)
    assert one.most_size == other.most_size
    assert (one.mean_change is None) == (other.mean_change is None)
    if one.mean_change is not None and other.mean_change is not None:
        assert one.mean_change == pytest.approx(-other.mean_change)


def mirrored(model: ModelDifference) -> ModelDifference:
    """Swap the sides of all but the labels, which `assert_mirrored` is for."""
    of_second = {
        flip.second: sum(one.rows for one in model.flips if one.second == flip.second) for flip in model.flips
    }
    return ModelDifference(
        **asdict(model)
        | {
            "first": model.second,
            "second": model.first,
            "rows_first": model.rows_second,
            "rows_second": model.rows_first,
            "outcomes": tuple(OutcomeChange(one.second, one.first, one.rows) for one in model.outcomes),
            "flips": tuple(swapped_flip(flip, of_second[flip.second]) for flip in model.flips),
            "labels": (),
            "largest": tuple(
                ScoreChange(
                    one.page_id,
                    one.rev_id,
                    one.label,
                    one.second,
                    one.first,
                    one.second_prediction,
                    one.first_prediction,
                )
                for one in model.largest
            ),
        }
    )


@settings(max_examples=12, deadline=None)
@given(first=SIDES, second=SIDES)
def test_swapped_snapshots_mirror_each_other_and_one_differs_not_from_itself(
    first: dict[int, Outcome], second: dict[int, Outcome]
) -> None:
    there, back, none = differences(first, second)
    assert none.is_empty
    assert there.is_empty == back.is_empty == (first == second)
    (one,), (other,) = there.models, back.models
    turned = mirrored(other)
    for name in ("outcomes", "flips", "largest"):
        assert set(getattr(one, name)) == set(getattr(turned, name))
    for name in ("rows_both", "rows_first", "rows_second", "scored_both", "same_prediction", "same_score"):
        assert getattr(one, name) == getattr(turned, name)
    for label, reverse in zip(one.labels, other.labels, strict=True):
        assert_mirrored(label, reverse)
    for label in none.models[0].labels:
        assert (label.distance, label.stability_index) == (0, 0)


@given(first=SHARES, second=SHARES)
def test_the_stability_index_is_symmetric_and_never_negative(first: list[float], second: list[float]) -> None:
    index = stability_index(first, second)
    assert index >= 0
    assert index == pytest.approx(stability_index(second, first))
    assert stability_index(first, first) == 0
