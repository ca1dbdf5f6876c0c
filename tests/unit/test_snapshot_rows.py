"""Chunk files, and rows as Arrow tables."""

from datetime import timedelta
from pathlib import Path

import pytest

from batch.snapshot_rows import OutcomeCount, chunk_summary, read_chunk, write_chunk
from batch.snapshot_table import FeatureColumn
from schemas.errors import SnapshotUnusable
from schemas.prediction import FeatureValue, Score, ScoreKind
from tests.rows import REV_DT, binary, model_id
from tests.snapshots import FAILURE, snapshot_row


def test_rows_come_back_from_a_chunk_file_by_wiki_and_model(tmp_path: Path) -> None:
    rows = [
        snapshot_row(9, model_name="goodfaith"),
        snapshot_row(9, FAILURE),
        snapshot_row(2, wiki_id="dewiki"),
        snapshot_row(3, Score(ScoreKind.MULTILABEL, (), {"STEM": 0.1, "Arts": 0.2})),
    ]
    summary = write_chunk(tmp_path / "one.chunk", rows)
    assert list(read_chunk(tmp_path / "one.chunk")) == [rows[2], rows[1], rows[3], rows[0]]
    assert chunk_summary(tmp_path / "one.chunk") == summary
    assert summary.rows == 4
    assert summary.counts == (
        OutcomeCount("dewiki", model_id("damaging"), "", 1),
        OutcomeCount("enwiki", model_id("damaging"), "", 1),
        OutcomeCount("enwiki", model_id("damaging"), "parent_not_found", 1),
        OutcomeCount("enwiki", model_id("goodfaith"), "", 1),
    )


def test_what_only_a_live_row_knows_comes_back_as_well(tmp_path: Path) -> None:
    from msgspec.structs import replace

    live = replace(
        snapshot_row(),
        rev_parent_id=None,
        namespace_id=None,
        is_bot=None,
        features_missing=None,
        event_id="5f6c1f0e",
        source_topic="mediawiki.page_change.v1",
        source_partition=3,
        source_offset=77,
        event_dt=REV_DT + timedelta(microseconds=1),
    )
    write_chunk(tmp_path / "one.chunk", [live])
    assert list(read_chunk(tmp_path / "one.chunk")) == [live]


def test_features_are_columns_of_the_narrowest_type_that_holds_their_values(tmp_path: Path) -> None:
    first: dict[str, FeatureValue] = {"feature.a": True, "words": 3, "feature.c": 1, "lang": "de"}
    second: dict[str, FeatureValue] = {"feature.a": False, "words": 4, "feature.c": 0.1 + 0.2, "lang": "en"}
    other = {"feature.c": 2, "feature.d": 1 << 70}
    rows = [
        snapshot_row(1, features=first),
        snapshot_row(2, features=second),
        snapshot_row(3, FAILURE),
        snapshot_row(4, model_name="goodfaith", features=other),
    ]
    summary = write_chunk(tmp_path / "one.chunk", rows)
    assert [[(one.name, one.type) for one in group.features] for group in summary.groups] == [
        [
            ("feature.a", "boolean"),
            ("feature.words", "long"),
            ("feature.c", "double"),
            ("feature.lang", "string"),
        ],
        [("feature.c", "long"), ("feature.d", "double")],
    ]
    back = list(read_chunk(tmp_path / "one.chunk"))
    assert [row.features for row in back] == [first, second, None, other]
    assert back == rows


def test_a_chunk_of_nothing_is_a_file_of_nothing(tmp_path: Path) -> None:
    assert write_chunk(tmp_path / "none.chunk", []).rows == 0
    assert list(read_chunk(tmp_path / "none.chunk")) == []


def test_a_chunk_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    write_chunk(tmp_path / "one.chunk", [snapshot_row(1)])
    write_chunk(tmp_path / "one.chunk", [snapshot_row(2, binary(0.75))])
    assert [row.rev_id for row in read_chunk(tmp_path / "one.chunk")] == [2]
    assert [path.name for path in tmp_path.iterdir()] == ["one.chunk"]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no Parquet at all, but long enough to be some"])
def test_bytes_that_are_no_chunk_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.chunk").write_bytes(content)
    with pytest.raises(SnapshotUnusable, match=r"bad\.chunk"):
        chunk_summary(tmp_path / "bad.chunk")


def test_the_name_of_a_feature_is_kept_whatever_its_column_is_called() -> None:
    assert FeatureColumn("feature.revision.chars", "long").name == "feature.revision.chars"
    assert FeatureColumn("text_bytes", "long").name == "feature.text_bytes"
