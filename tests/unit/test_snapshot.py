"""Snapshots: made from chunks, read, and verified."""

import json
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from batch.snapshot import open_snapshot, snapshots
from batch.snapshot_draft import SnapshotDraft
from batch.snapshot_drafts import drafts, prune_drafts
from batch.snapshot_files import file_sha256
from batch.snapshot_manifest import MANIFEST, DoubledRows, Manifest, SnapshotFile
from batch.snapshot_rows import OutcomeCount, write_chunk
from batch.snapshot_verify import verify_snapshot
from batch.snapshot_writer import PartitionWriter
from schemas.errors import SnapshotUnusable
from schemas.prediction import FeatureValue
from schemas.snapshot_columns import SCORE_COLUMNS
from schemas.snapshot_row import SnapshotRow
from tests.rows import binary, model_id
from tests.snapshots import FAILURE, origin, snapshot_row, write_snapshot

SCORES = "wiki_id=enwiki/model_name=damaging/part-0000.parquet"
ERRORS = "_errors/wiki_id=enwiki/model_name=damaging/part-0000.parquet"


# Made


def test_rows_of_all_chunks_are_sorted_by_page_and_revision(tmp_path: Path) -> None:
    rows = [snapshot_row(rev_id, binary(rev_id / 40), page_id=rev_id % 7) for rev_id in range(1, 40)]
    mixed = random.Random(7).sample(rows, len(rows))
    path = write_snapshot(tmp_path, mixed[:10], mixed[10:11], mixed[11:])
    assert list(open_snapshot(path).rows()) == sorted(rows, key=lambda row: (row.page_id, row.rev_id))
    assert verify_snapshot(path) == []


def test_folders_say_wiki_and_model_and_failures_lie_apart(tmp_path: Path) -> None:
    rows = [
        snapshot_row(1),
        snapshot_row(2, FAILURE),
        snapshot_row(1, model_name="goodfaith"),
        snapshot_row(1, wiki_id="dewiki"),
    ]
    path = write_snapshot(tmp_path, rows)
    assert path == tmp_path / "snapshot=2026-11-01"
    assert sorted(one.relative_to(path).as_posix() for one in path.rglob("*") if one.is_file()) == [
        ERRORS,
        MANIFEST,
        "wiki_id=dewiki/model_name=damaging/part-0000.parquet",
        SCORES,
        "wiki_id=enwiki/model_name=goodfaith/part-0000.parquet",
    ]
    assert list(open_snapshot(path).rows(wiki_id="enwiki", is_errors=True)) == [rows[1]]
    assert list(open_snapshot(path).rows(model_name="goodfaith")) == [rows[2]]
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_the_manifest_says_where_all_comes_from_and_what_is_there(tmp_path: Path) -> None:
    rows = [snapshot_row(1), snapshot_row(3), snapshot_row(2, FAILURE)]
    path = write_snapshot(tmp_path, rows)
    manifest = open_snapshot(path).manifest
    assert (manifest.name, manifest.origin, manifest.rows) == ("2026-11-01", origin(rows), 3)
    assert manifest.counts == (
        OutcomeCount("enwiki", model_id("damaging"), "", 2),
        OutcomeCount("enwiki", model_id("damaging"), "parent_not_found", 1),
    )
    assert [(file.path, file.rows, file.sha256) for file in manifest.files] == [
        (ERRORS, 1, file_sha256(path / ERRORS)),
        (SCORES, 2, file_sha256(path / SCORES)),
    ]
    metadata = pq.read_schema(path / SCORES).metadata
    assert metadata[b"revstream.snapshot"] == b"2026-11-01"
    assert json.loads(metadata[b"revstream.models"])[0]["model_sha512"] == rows[0].model.model_sha512
    assert json.loads(metadata[b"revstream.inputs"])[0]["url"] == "enwiki.xml.bz2"


def test_features_become_columns_of_one_type_in_all_files(tmp_path: Path) -> None:
    first = [snapshot_row(1, features={"feature.a": 1, "words": 2}), snapshot_row(2, FAILURE)]
    second = [snapshot_row(3, features={"feature.a": 0.5, "words": 7})]
    third = [snapshot_row(4, FAILURE)]
    path = write_snapshot(tmp_path, first, second, third)
    schema = pq.read_schema(path / SCORES)
    assert [str(field.type) for field in schema][-2:] == ["double", "int64"]
    assert schema.names[-2:] == ["feature.a", "feature.words"]
    assert list(open_snapshot(path).rows(is_errors=False)) == [first[0], second[0]]
    assert list(open_snapshot(path).rows(is_errors=True)) == [first[1], third[0]]
    assert verify_snapshot(path) == []


def test_features_of_any_name_are_columns(tmp_path: Path) -> None:
    names = [
        "feature.log((words + 1))",
        "feature.(a / max(b, 1))",
        'feature.<re "x\'y">',
        "feature.é %s $1",
        "rev_id",
    ]
    rows = [snapshot_row(1, features={name: place for place, name in enumerate(names)})]
    path = write_snapshot(tmp_path, rows)
    assert list(open_snapshot(path).rows()) == rows
    assert verify_snapshot(path) == []


@pytest.mark.parametrize(
    ("ones", "expected", "column"),
    [
        ((True, 2), (1, 2), "int64"),
        ((True, 0.5), (1.0, 0.5), "double"),
        ((3, 0.5), (3.0, 0.5), "double"),
        ((3, "many"), ("3", "many"), "string"),
    ],
)
def test_a_feature_that_chunks_have_in_several_types_has_the_widest(
    tmp_path: Path, ones: tuple[FeatureValue, ...], expected: tuple[FeatureValue, ...], column: str
) -> None:
    chunks = [[snapshot_row(1 + place, features={"feature.a": one})] for place, one in enumerate(ones)]
    path = write_snapshot(tmp_path, *chunks)
    assert [row.features for row in open_snapshot(path).rows()] == [{"feature.a": one} for one in expected]
    assert str(pq.read_schema(path / SCORES).field("feature.a").type) == column
    assert verify_snapshot(path) == []


def test_equal_rows_give_equal_bytes_whatever_chunks_they_came_in(tmp_path: Path) -> None:
    rows = [snapshot_row(rev_id, binary(rev_id / 3000)) for rev_id in range(1, 3000)]
    one = write_snapshot(tmp_path / "one", rows)
    other = write_snapshot(tmp_path / "other", rows[2000:], rows[:500], list(reversed(rows[500:2000])))
    assert (one / SCORES).read_bytes() == (other / SCORES).read_bytes()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (snapshot_row(1), snapshot_row(1)),
        (snapshot_row(1), snapshot_row(1, FAILURE, scored_after=timedelta(hours=9))),
        (snapshot_row(1, scored_after=timedelta(hours=2)), snapshot_row(1, binary(0.75))),
        (snapshot_row(1, page_id=9, scored_after=timedelta(hours=2)), snapshot_row(1, page_id=2)),
        (snapshot_row(1, page_id=9), snapshot_row(1, page_id=2)),
    ],
    ids=["equal", "score before failure", "later score", "later score of another page", "greater page"],
)
@pytest.mark.parametrize("is_turned", [False, True])
def test_of_a_revision_that_is_told_twice_one_row_stays(
    tmp_path: Path, one: SnapshotRow, other: SnapshotRow, is_turned: bool
) -> None:
    chunks = [[one], [other, snapshot_row(2)]]
    path = write_snapshot(tmp_path, *(reversed(chunks) if is_turned else chunks))
    assert {row.rev_id: row for row in open_snapshot(path).rows()} == {1: one, 2: snapshot_row(2)}
    assert open_snapshot(path).manifest.doubled == (DoubledRows("enwiki", "damaging", 1),)
    assert verify_snapshot(path) == []


def test_two_versions_of_a_model_are_two_rows(tmp_path: Path) -> None:
    rows = [snapshot_row(1, model_version=version) for version in ("0.5.0", "0.6.0")]
    path = write_snapshot(tmp_path, rows)
    assert list(open_snapshot(path).rows()) == rows
    assert verify_snapshot(path) == []


def test_a_snapshot_of_nothing_is_one(tmp_path: Path) -> None:
    path = write_snapshot(tmp_path, [])
    assert list(open_snapshot(path).rows()) == []
    assert verify_snapshot(path) == []


def test_names_that_no_folder_may_have_are_escaped(tmp_path: Path) -> None:
    rows = [snapshot_row(1, model_name="a/b=c d")]
    path = write_snapshot(tmp_path, rows)
    assert (path / "wiki_id=enwiki/model_name=a%2Fb%3Dc%20d/part-0000.parquet").is_file()
    assert list(open_snapshot(path).rows(model_name="a/b=c d")) == rows
    assert verify_snapshot(path) == []


# Drafts


def test_a_draft_is_carried_on_by_who_opens_it_again(tmp_path: Path) -> None:
    with SnapshotDraft(tmp_path, "one") as draft:
        write_chunk(draft.chunk_path(3, 4), [snapshot_row(1)])
        (draft.path / "result").mkdir()
        (draft.path / "result" / "half.parquet").write_bytes(b"half")
    assert snapshots(tmp_path) == []
    with SnapshotDraft(tmp_path, "one") as draft:
        assert draft.chunks() == [draft.chunk_path(3, 4)]
        path = draft.finish(origin())
    assert verify_snapshot(path) == []
    assert [row.rev_id for row in open_snapshot(path).rows()] == [1]


def test_a_draft_is_made_by_one_process_at_a_time(tmp_path: Path) -> None:
    with SnapshotDraft(tmp_path, "one") as draft:
        with pytest.raises(SnapshotUnusable, match="Another process"):
            SnapshotDraft(tmp_path, "one")
        assert [one.is_held for one in drafts(tmp_path)] == [True]
        assert prune_drafts(tmp_path) == []
        with pytest.raises(SnapshotUnusable, match="a process makes it"):
            prune_drafts(tmp_path, ["one"])
    for name in ("two", "three"):
        SnapshotDraft(tmp_path, name).close()
    assert prune_drafts(tmp_path, ["two"]) == [tmp_path / ".undone-snapshot=two"]
    for name in ("two", "nobody"):
        with pytest.raises(SnapshotUnusable, match=f"no draft of {name}"):
            prune_drafts(tmp_path, ["one", name])
    assert prune_drafts(tmp_path) == [draft.path, tmp_path / ".undone-snapshot=three"]
    assert list(tmp_path.iterdir()) == []


def test_no_snapshot_is_overwritten(tmp_path: Path) -> None:
    write_snapshot(tmp_path, [snapshot_row(1)])
    with pytest.raises(SnapshotUnusable, match="already"):
        SnapshotDraft(tmp_path, "2026-11-01")


def test_a_name_that_is_taken_while_the_draft_is_made_is_left_to_who_took_it(tmp_path: Path) -> None:
    with SnapshotDraft(tmp_path, "one") as draft:
        write_chunk(draft.chunk_path(0, 0), [snapshot_row(1)])
        (tmp_path / "snapshot=one").mkdir()
        (tmp_path / "snapshot=one" / "theirs").touch()
        with pytest.raises(SnapshotUnusable, match="already"):
            draft.finish(origin())
        assert len(draft.chunks()) == 1


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "é", "x" * 101, "-x"])
def test_names_that_mean_something_else_in_a_path_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SnapshotUnusable, match="no name"):
        SnapshotDraft(tmp_path, name)


# Verified


def rewritten(path: Path, change: Callable[[Any], Any], *, file: str = SCORES) -> None:
    """Write a file of a snapshot anew, with a manifest that knows its checksum."""
    table = pq.read_table(path / file, partitioning=None)
    pq.write_table(change(table), path / file)
    told(path, file)


def told(snapshot: Path, file: str, **changes: Any) -> None:
    manifest = open_snapshot(snapshot).manifest
    target = snapshot / file
    changes = {"sha256": file_sha256(target), "size_bytes": target.stat().st_size, **changes}
    files = tuple(replace(one, **changes) if one.path == file else one for one in manifest.files)
    write_manifest(snapshot, replace(manifest, files=files))


def write_manifest(path: Path, manifest: Manifest) -> None:
    (path / MANIFEST).write_bytes(msgspec.json.encode(manifest))


def put(table: Any, name: str, values: list[Any]) -> Any:
    field = table.schema.field(name)
    return table.set_column(table.schema.names.index(name), field, pa.array(values, field.type))


def codes(path: Path) -> list[str]:
    return [finding.code for finding in verify_snapshot(path)]


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    return write_snapshot(tmp_path, [snapshot_row(1), snapshot_row(2), snapshot_row(3, FAILURE)])


def test_a_changed_byte_is_found(snapshot: Path) -> None:
    content = bytearray((snapshot / SCORES).read_bytes())
    content[100] ^= 1
    (snapshot / SCORES).write_bytes(content)
    (finding,) = verify_snapshot(snapshot)
    assert (finding.code, finding.path) == ("checksum_differs", SCORES)


def test_files_that_are_missing_or_unknown_are_found(snapshot: Path) -> None:
    (snapshot / ERRORS).rename(snapshot / "_errors" / "elsewhere.parquet")
    assert codes(snapshot) == ["file_missing", "file_unknown"]


def test_a_manifest_that_cannot_be_read_is_found(snapshot: Path) -> None:
    (snapshot / MANIFEST).write_bytes(b"{")
    assert codes(snapshot) == ["manifest_unusable"]
    (snapshot / MANIFEST).write_bytes(b'{"format_version": 99, "schema_version": 1}')
    assert "format 99" in verify_snapshot(snapshot)[0].message
    (snapshot / MANIFEST).unlink()
    assert codes(snapshot) == ["manifest_unusable"]


@pytest.mark.parametrize("place", ["../elsewhere.parquet", "/etc/hostname", "a//b", "./a", ""])
def test_a_manifest_that_leads_elsewhere_is_refused(snapshot: Path, place: str) -> None:
    told(snapshot, SCORES, path=place)
    assert codes(snapshot) == ["manifest_unusable"]
    with pytest.raises(SnapshotUnusable, match="no path below"):
        open_snapshot(snapshot)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: put(table, "kind", ["binary", "fair"]),
        lambda table: table.drop_columns(["rev_id"]),
        lambda table: table.replace_schema_metadata({"revstream.features": "{"}),
        lambda table: table.replace_schema_metadata(
            {"revstream.features": '[{"feature": "a", "type": "long"}]'}
        ),
    ],
)
def test_rows_that_cannot_be_read_are_named(snapshot: Path, change: Callable[[Any], Any]) -> None:
    rewritten(snapshot, change)
    with pytest.raises(SnapshotUnusable, match=r"part-0000\.parquet"):
        list(open_snapshot(snapshot).rows(is_errors=False))


def test_a_file_that_is_gone_is_named(snapshot: Path) -> None:
    (snapshot / SCORES).unlink()
    with pytest.raises(SnapshotUnusable, match=r"part-0000\.parquet"):
        list(open_snapshot(snapshot).rows(is_errors=False))


def test_a_snapshot_of_another_name_is_found(snapshot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = snapshot.rename(snapshot.with_name("snapshot=other"))
    assert codes(other) == ["name_differs"]
    monkeypatch.chdir(other)
    assert codes(Path()) == ["name_differs"]


def test_another_schema_is_found(snapshot: Path) -> None:
    rewritten(snapshot, lambda table: table.drop_columns(["is_bot"]))
    (finding,) = verify_snapshot(snapshot)
    assert finding.code == "schema_differs"
    assert "is_bot" in finding.message


def test_a_number_of_rows_that_differs_is_found(snapshot: Path) -> None:
    rewritten(snapshot, lambda table: table.slice(0, 1))
    assert codes(snapshot) == ["rows_differ"]


def test_rows_out_of_order_are_found(snapshot: Path) -> None:
    rewritten(snapshot, lambda table: table.take([1, 0]))
    assert codes(snapshot) == ["unsorted"]


def test_a_revision_that_is_told_twice_is_found(snapshot: Path) -> None:
    rewritten(snapshot, lambda table: put(table, "rev_id", [3, 4]))
    assert codes(snapshot) == ["key_doubled"]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("kind", ["binary", "fair"]),
        ("prediction", [["true"], []]),
        ("prediction", [["true"], ["perhaps"]]),
        ("probability", [[("true", 0.5)], [("true", 1.5)]]),
        ("probability", [[("true", 0.5)], [("true", float("nan"))]]),
        ("probability", [[], [("true", 0.5)]]),
        ("model_sha512", ["ab" * 64, "ab"]),
    ],
)
def test_a_value_out_of_its_range_is_found(snapshot: Path, column: str, values: list[Any]) -> None:
    rewritten(snapshot, lambda table: put(table, column, values))
    assert codes(snapshot)[0] == "value_invalid"


def test_counts_that_differ_are_found(snapshot: Path) -> None:
    manifest = open_snapshot(snapshot).manifest
    write_manifest(snapshot, replace(manifest, counts=manifest.counts[:1]))
    assert codes(snapshot) == ["counts_differ"]


def test_rows_of_another_wiki_are_found(snapshot: Path) -> None:
    told(snapshot, SCORES, wiki_id="dewiki")
    assert codes(snapshot)[:2] == ["partition_differs", "metadata_differs"]


# Files


def test_files_are_cut_after_fixed_numbers_of_rows(tmp_path: Path) -> None:
    writer = PartitionWriter(tmp_path, "enwiki", "damaging", is_errors=False, group_rows=10, groups_a_file=2)
    path = write_snapshot(tmp_path / "all", [snapshot_row(rev_id) for rev_id in range(1, 46)])
    table = pq.read_table(path / SCORES, partitioning=None).combine_chunks()
    batches = [batch for start in range(0, 45, 7) for batch in table.slice(start, 7).to_batches()]
    files: list[SnapshotFile] = list(writer.write(batches))
    assert [file.rows for file in files] == [20, 20, 5]
    assert [Path(file.path).name for file in files] == [f"part-000{number}.parquet" for number in range(3)]
    groups = [pq.read_metadata(tmp_path / file.path).num_row_groups for file in files]
    assert groups == [2, 2, 1]
    again = pa.concat_tables([pq.read_table(tmp_path / file.path, partitioning=None) for file in files])
    assert again.cast(table.schema).equals(table)


def test_ids_and_times_have_statistics_an_index_of_pages_and_revisions_a_filter(tmp_path: Path) -> None:
    path = write_snapshot(tmp_path, [snapshot_row(rev_id, page_id=rev_id // 3) for rev_id in range(1, 46)])
    with pq.ParquetFile(path / SCORES) as file:
        group = file.metadata.row_group(0)
        names = [column.name for column in SCORE_COLUMNS]
        for name in ("page_id", "rev_id", "rev_dt"):
            column = group.column(names.index(name))
            assert column.has_column_index
            assert column.has_offset_index
            assert set(column.encodings) == {"DELTA_BINARY_PACKED", "RLE"}
        assert (group.column(1).statistics.min, group.column(1).statistics.max) == (1, 45)
        assert [one.column_index for one in group.sorting_columns] == [0, 1, 6]
    probed = duckdb.execute(f"FROM parquet_bloom_probe('{path / SCORES}', 'rev_id', 2000000)").fetchall()
    assert [excludes for *_, excludes in probed] == [True]
