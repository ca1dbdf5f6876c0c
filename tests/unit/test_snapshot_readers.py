"""Snapshots through the readers that researchers have: DuckDB, pandas and Arrow."""

import re
from datetime import timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from batch.snapshot import open_snapshot
from batch.snapshot_draft import SnapshotDraft
from batch.snapshot_manifest import partition_folder
from batch.snapshot_table import mixed_table
from batch.snapshot_writer import PartitionWriter
from schemas.snapshot_columns import PARTITION_COLUMNS, SCORE_COLUMNS
from tests.rows import REV_DT, binary
from tests.snapshots import FAILURE, snapshot_row, write_snapshot

NAMES = {column.name for column in (*PARTITION_COLUMNS, *SCORE_COLUMNS)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two snapshots, one of them with features, and a third that is being made."""
    rows = [
        snapshot_row(1, binary(0.25)),
        snapshot_row(2, binary(0.75), page_id=4),
        snapshot_row(3, FAILURE),
        snapshot_row(1, binary(0.5), model_name="goodfaith"),
        snapshot_row(9, binary(0.1), wiki_id="dewiki"),
    ]
    write_snapshot(tmp_path, rows, name="2026-10-01")
    write_snapshot(tmp_path, [snapshot_row(5, features={"words": 12})], name="2026-11-01")
    with SnapshotDraft(tmp_path, "2026-12-01") as draft:
        (draft.path / "result" / "wiki_id=enwiki").mkdir(parents=True)
        (draft.path / "result" / "wiki_id=enwiki" / "part-0000.parquet").write_bytes(b"half")
    return tmp_path


def test_duckdb_reads_all_snapshots_of_a_folder_with_their_partitions(folder: Path) -> None:
    glob = f"{folder}/snapshot=*/wiki_id=*/model_name=*/*.parquet"
    source = f"read_parquet('{glob}', hive_partitioning = true, union_by_name = true)"
    found = duckdb.execute(
        f"""
        SELECT snapshot::VARCHAR, wiki_id, model_name, rev_id,
            probability['true'], prediction[1] = 'true', rev_dt
        FROM {source} ORDER BY ALL
        """
    ).fetchall()
    assert [row[:6] for row in found] == [
        ("2026-10-01", "dewiki", "damaging", 9, 0.1, False),
        ("2026-10-01", "enwiki", "damaging", 1, 0.25, False),
        ("2026-10-01", "enwiki", "damaging", 2, 0.75, True),
        ("2026-10-01", "enwiki", "goodfaith", 1, 0.5, False),
        ("2026-11-01", "enwiki", "damaging", 5, 0.25, False),
    ]
    assert found[1][6] == REV_DT + timedelta(seconds=1)
    columns = duckdb.execute(f"DESCRIBE FROM {source}").fetchall()
    assert {name for name, *_ in columns} == {*NAMES, "feature.words"}


def test_duckdb_reads_the_errors_where_they_are_asked_for(folder: Path) -> None:
    glob = f"{folder}/snapshot=*/_errors/wiki_id=*/model_name=*/*.parquet"
    found = duckdb.execute(
        f"SELECT wiki_id, rev_id, error_code FROM read_parquet('{glob}', hive_partitioning = true)"
    )
    assert found.fetchall() == [("enwiki", 3, "parent_not_found")]


def test_pandas_reads_a_snapshot_as_one_frame(folder: Path) -> None:
    frame = pd.read_parquet(folder / "snapshot=2026-10-01")
    assert set(frame.columns) == NAMES - {"snapshot"}
    assert sorted(frame["rev_id"]) == [1, 1, 2, 9]
    damaging = frame[(frame["wiki_id"] == "enwiki") & (frame["model_name"] == "damaging")]
    true = damaging["probability"].map(lambda pairs: dict(pairs)["true"])
    assert dict(zip(damaging["rev_id"], true, strict=True)) == {1: 0.25, 2: 0.75}
    assert str(frame["rev_dt"].dtype) == "datetime64[us, UTC]"
    one = pd.read_parquet(folder / "snapshot=2026-10-01", filters=[("page_id", "==", 4)], columns=["rev_id"])
    assert list(one["rev_id"]) == [2]
    errors = pd.read_parquet(folder / "snapshot=2026-10-01" / "_errors")
    assert list(errors["error_code"]) == ["parent_not_found"]


def test_pandas_reads_a_whole_folder_of_snapshots(folder: Path) -> None:
    frame = pd.read_parquet(folder, columns=["snapshot", "rev_id"])
    counts = frame.groupby("snapshot", observed=True)["rev_id"].count()
    assert dict(counts) == {"2026-10-01": 4, "2026-11-01": 1}


def test_arrow_finds_the_files_of_a_folder_and_their_partitions(folder: Path) -> None:
    dataset = ds.dataset(folder, format="parquet", partitioning="hive")
    assert len(dataset.files) == 4
    table = dataset.to_table(filter=(ds.field("wiki_id") == "enwiki") & (ds.field("rev_id") < 5))
    assert sorted(table.column("rev_id").to_pylist()) == [1, 1, 2]


@pytest.mark.parametrize(("condition", "count"), [("rev_id = 501", 1), ("page_id = 250", 2)])
def test_a_look_up_reads_one_group_of_rows(tmp_path: Path, condition: str, count: int) -> None:
    # As in a large wiki: the revisions of pages that are neighbours lie years apart.
    rows = [snapshot_row(1 + number * 37 % 1000, page_id=number // 2) for number in range(1000)]
    rows.sort(key=lambda row: (row.page_id, row.rev_id))
    writer = PartitionWriter(tmp_path, "enwiki", "damaging", is_errors=False, group_rows=50)
    (file,) = writer.write(mixed_table(rows).to_batches())
    query = f"SELECT probability FROM '{tmp_path / file.path}' WHERE {condition}"
    assert len(duckdb.execute(query).fetchall()) == count
    [(_, plan)] = duckdb.execute(f"EXPLAIN ANALYZE {query}").fetchall()
    scanned = re.search(r"Row Groups Scanned: (\d+) / 20 ", plan)
    assert scanned is not None
    # A Bloom filter lets one group in a hundred pass that lacks what is sought.
    assert int(scanned[1]) <= 2


def test_a_file_alone_says_what_its_folders_do(folder: Path) -> None:
    (file,) = open_snapshot(folder / "snapshot=2026-11-01").files()
    assert file.path.startswith(partition_folder("enwiki", "damaging", is_errors=False))
    metadata = pq.read_schema(folder / "snapshot=2026-11-01" / file.path).metadata
    assert (metadata[b"revstream.wiki_id"], metadata[b"revstream.model_name"]) == (b"enwiki", b"damaging")
