"""What counts as a difference between live scores and a backfill."""

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from app.parity.comparison import EXAMPLES_MOST, Comparison, Told
from schemas.prediction import ModelId, Score, ScoreFailure, ScoreKind

SCORE = Score(ScoreKind.BINARY, ("true",), {"false": 0.1, "true": 0.9})
TOLD = Told(
    "mosswiki",
    11,
    "damaging",
    page_id=3,
    rev_dt=datetime(2026, 1, 2, tzinfo=UTC),
    namespace_id=0,
    model=ModelId("damaging", "0.5.1", "ab" * 64),
    outcome=SCORE,
    features={"feature.words": 3, "feature.ratio": 0.5, "feature.is_anon": True},
)
AGAIN = Told("mosswiki", 11, "damaging", outcome=SCORE, features=TOLD.features)


@pytest.fixture
def comparison(tmp_path: Path) -> Iterator[Comparison]:
    opened = Comparison(tmp_path / "compared.sqlite")
    opened.tell("asked", [Told("mosswiki", 11, "damaging")])
    yield opened
    opened.close()


def _kinds(comparison: Comparison) -> dict[str, int]:
    return {kind: found.count for kind, found in comparison.compare().differences.items()}


def test_equal_rows_and_features_differ_in_nothing(comparison: Comparison) -> None:
    turned = replace(SCORE, probability={"true": 0.9, "false": 0.1})
    assert comparison.tell("live", [TOLD]) == 1
    comparison.tell("again", [AGAIN])
    comparison.tell("batch", [replace(TOLD, outcome=turned)])
    compared = comparison.compare()
    assert compared.differences == {}
    assert (compared.asked, compared.rows, compared.scores, compared.features) == (1, 1, 1, 3)


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("page_id", {"page_id": 4}),
        ("rev_dt", {"rev_dt": datetime(2026, 1, 2, 0, 0, 1, tzinfo=UTC)}),
        ("namespace_id", {"namespace_id": None}),
        ("model", {"model": ModelId("damaging", "0.5.1", "ac" * 64)}),
        ("outcome", {"outcome": replace(SCORE, probability={"false": 0.1, "true": math.nextafter(0.9, 1)})}),
        ("outcome", {"outcome": replace(SCORE, prediction=("false",))}),
        ("outcome", {"outcome": ScoreFailure("parent_not_found", "why")}),
        ("features", {"features": {**(TOLD.features or {}), "feature.words": 3.0}}),
        ("features", {"features": {**(TOLD.features or {}), "feature.is_anon": 1}}),
        ("features", {"features": {**(TOLD.features or {}), "feature.ratio": math.nextafter(0.5, 0)}}),
        ("features", {"features": {"feature.words": 3}}),
        ("features", {"features": None}),
    ],
)
def test_each_bit_and_each_type_counts(kind: str, changed: dict[str, Any], comparison: Comparison) -> None:
    comparison.tell("live", [TOLD])
    comparison.tell("again", [AGAIN])
    comparison.tell("batch", [replace(TOLD, **changed)])
    assert _kinds(comparison) == {kind: 1}


def test_the_words_of_a_failure_count_as_well(comparison: Comparison) -> None:
    comparison.tell("live", [replace(TOLD, outcome=ScoreFailure("content_too_large", "It is."))])
    comparison.tell("batch", [replace(TOLD, outcome=ScoreFailure("content_too_large", "It was."))])
    assert _kinds(comparison) == {"outcome": 1}


@pytest.mark.parametrize(("there", "missing"), [("live", "batch"), ("batch", "live")])
def test_a_row_that_one_side_lacks_is_missing_there(there: Any, missing: str, comparison: Comparison) -> None:
    comparison.tell(there, [TOLD])
    assert _kinds(comparison) == {f"missing_{missing}": 1}


def test_a_row_that_both_sides_lack_is_missing_twice(comparison: Comparison) -> None:
    assert _kinds(comparison) == {"missing_live": 1, "missing_batch": 1}


def test_what_nobody_asked_for_is_told(comparison: Comparison) -> None:
    comparison.tell("live", [TOLD, replace(TOLD, rev_id=12)])
    comparison.tell("batch", [TOLD, replace(TOLD, rev_id=12)])
    assert _kinds(comparison) == {"not_asked": 1}


def test_a_row_that_a_side_has_twice_is_told(comparison: Comparison) -> None:
    comparison.tell("live", [TOLD])
    comparison.tell("batch", [TOLD, TOLD, TOLD])
    assert _kinds(comparison) == {"told_twice": 2}


def test_two_live_scores_of_one_revision_that_differ_are_told(comparison: Comparison) -> None:
    comparison.tell("live", [TOLD])
    comparison.tell("again", [replace(AGAIN, outcome=ScoreFailure("feature_error", "why"))])
    comparison.tell("batch", [TOLD])
    assert _kinds(comparison) == {"again": 1}


def test_all_differences_are_counted_and_the_first_shown_to_the_last_bit(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path / "compared.sqlite")
    told = [replace(TOLD, rev_id=rev_id) for rev_id in range(1, 3 * EXAMPLES_MOST)]
    for side in ("asked", "live", "again", "batch"):
        features = {"feature.ratio": 0.1 + 0.2 if side == "batch" else 0.3, "feature.words": 3}
        comparison.tell(side, [replace(one, features=features) for one in told])
    [(kind, found)] = comparison.compare().differences.items()
    assert (kind, found.count, len(found.examples)) == ("features", len(told), EXAMPLES_MOST)
    example = json.loads(msgspec.json.encode(found))["examples"][0]
    assert example["rev_id"] == 1
    assert example["live"] == {"feature.ratio": "0.3 (0x1.3333333333333p-2)"}
    assert example["batch"] == {"feature.ratio": "0.30000000000000004 (0x1.3333333333334p-2)"}
    comparison.close()
