"""Checkpoints of the tables as Parquet."""

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from agents.embedded.log import Log, NewRecord
from agents.embedded.topics import EmbeddedTopicReader
from app.checkpoint_loading import CheckpointLoader, Usable
from app.checkpoints import write_checkpoint
from app.settings import Settings, load_settings
from app.topic_readers import changelog_topics
from batch.checkpoint import (
    CheckpointPart,
    Draft,
    Manifest,
    checkpoints,
    copy_table_file,
    prune,
    read_manifest,
    require_undamaged,
)
from batch.checkpoint_rows import read_rows, write_rows
from schemas.errors import CheckpointUnusable
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE, row_key
from schemas.prediction import PredictionRow, ScoreFailure, Withdrawal
from tables.codec import encode_row
from tables.copies import Copy
from tables.row_index import page_prefix, place_of
from tests.rows import REV_DT, binary, row, stored

APP_ID = "checkpoints"
PARTITIONS = 2
TOPICS = changelog_topics(APP_ID)
HIDDEN = Withdrawal(is_hidden=True, acted_dt=REV_DT + timedelta(days=1), source_offset=9)


def revision(rev_id: int, page_id: int = 7) -> PredictionRow:
    scores = (stored("damaging", binary(0.25)), stored("goodfaith", ScoreFailure("feature_error", "why")))
    return row(*scores, rev_id=rev_id, page_id=page_id)


class Tables:
    """Changelogs on an embedded log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: Settings = load_settings(
            flags={"data_dir": str(folder / "data"), "app_id": APP_ID, "partitions": str(PARTITIONS)},
            environ={},
            cwd=folder,
        )
        self.settings.log_path.parent.mkdir()
        self.log = Log(self.settings.log_path)
        for topic in TOPICS.values():
            self.log.create_topic(topic, PARTITIONS, is_compacted=True)

    def put(self, value: PredictionRow, *, partition: int = 0, is_page: bool = True) -> None:
        encoded = encode_row(value)
        records = [(REVISIONS_TABLE, row_key(value.wiki_id, value.rev_id))]
        records += [(PAGES_TABLE, row_key(value.wiki_id, value.page_id))] * is_page
        self.log.transact([NewRecord(TOPICS[table], partition, 1000, key, encoded) for table, key in records])

    def write(self) -> tuple[Path, Manifest]:
        return asyncio.run(write_checkpoint(self.settings, self.folder / "checkpoints"))

    def usable(self, *, app_id: str = APP_ID, partitions: int = PARTITIONS) -> Usable | None:
        async def look() -> Usable | None:
            reader = EmbeddedTopicReader(self.settings.log_path)
            loader = CheckpointLoader(
                self.folder / "checkpoints",
                app_id=app_id,
                partitions=partitions,
                topics=TOPICS,
                reader=reader,
            )
            try:
                return await loader.usable()
            finally:
                await reader.close()

        return asyncio.run(look())


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[Tables]:
    tables = Tables(tmp_path)
    yield tables
    tables.log.close()


def rows_of(path: Path, manifest: Manifest, table: str, partition: int = 0) -> dict[bytes, bytes]:
    part = manifest.part(table, partition)
    assert part is not None
    return dict(read_rows(path / part.file))


def test_a_checkpoint_holds_the_last_row_of_each_key_and_the_offset_behind_it(tables: Tables) -> None:
    tables.put(revision(1))
    tables.put(revision(2))
    later = replace(revision(1), scores=revision(1).scores[:1])
    tables.put(later)
    tables.put(revision(5, page_id=8), partition=1)
    path, manifest = tables.write()
    assert rows_of(path, manifest, REVISIONS_TABLE) == {
        row_key("enwiki", 1): encode_row(later),
        row_key("enwiki", 2): encode_row(revision(2)),
    }
    assert rows_of(path, manifest, PAGES_TABLE, 1) == {row_key("enwiki", 8): encode_row(revision(5, 8))}
    offsets = {(part.table, part.partition): part.next_offset for part in manifest.parts}
    assert offsets == {
        (REVISIONS_TABLE, 0): 3,
        (REVISIONS_TABLE, 1): 1,
        (PAGES_TABLE, 0): 3,
        (PAGES_TABLE, 1): 1,
    }
    assert read_manifest(path) == manifest
    assert checkpoints(path.parent) == [path]
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_scores_are_columns(tables: Tables) -> None:
    tables.put(revision(1))
    path, manifest = tables.write()
    part = manifest.part(REVISIONS_TABLE, 0)
    assert part is not None
    (record,) = pq.read_table(path / part.file).to_pylist()
    assert (record["wiki_id"], record["page_id"], record["rev_id"]) == ("enwiki", 7, 1)
    assert (record["rev_dt"], record["is_hidden"]) == (REV_DT, False)
    damaging, goodfaith = record["scores"]
    assert dict(damaging["probability"]) == {"false": 0.75, "true": 0.25}
    assert (damaging["model_name"], damaging["model_version"], damaging["prediction"]) == (
        "damaging",
        "1.0.0",
        ["false"],
    )
    assert (goodfaith["kind"], goodfaith["error_code"]) == (None, "feature_error")
    assert damaging["source_offset"] == 77


def test_what_is_hidden_has_no_scores_in_the_columns_and_comes_back_whole(tables: Tables) -> None:
    tables.put(revision(1))
    tables.put(replace(revision(2, page_id=8), withdrawal=HIDDEN), is_page=False)
    hidden_page = replace(revision(3, page_id=9), withdrawal=HIDDEN)
    tables.put(hidden_page)
    tables.put(revision(3, page_id=9), is_page=False)
    path, manifest = tables.write()
    part = manifest.part(REVISIONS_TABLE, 0)
    assert part is not None
    records = pq.read_table(path / part.file).to_pylist()
    assert [(one["rev_id"], one["is_hidden"], len(one["scores"])) for one in records] == [
        (1, False, 2),
        (2, True, 0),
        (3, True, 0),
    ]
    assert rows_of(path, manifest, PAGES_TABLE)[row_key("enwiki", 9)] == encode_row(hidden_page)


def test_the_next_checkpoint_says_the_same_whether_or_not_it_builds_on_the_one_before(tables: Tables) -> None:
    for rev_id in range(1, 200):
        tables.put(revision(rev_id, page_id=rev_id % 5), partition=rev_id % 2)
    first, _ = tables.write()
    renamed = first.with_name("checkpoint=2020-01-01T00-00-00Z")
    first.rename(renamed)
    for rev_id in random.sample(range(1, 300), 50):
        tables.put(replace(revision(rev_id, page_id=rev_id % 5), scores=()), partition=rev_id % 2)
    path, built_on = tables.write()
    prune(path.parent, 0)
    _, alone = tables.write()
    assert [(one.rows, one.next_offset, one.sha256) for one in built_on.parts] == [
        (one.rows, one.next_offset, one.sha256) for one in alone.parts
    ]


def test_rocksdb_takes_in_the_rows_with_their_index_and_offset(tables: Tables, tmp_path: Path) -> None:
    for rev_id in range(300):
        tables.put(revision(rev_id))
    path, manifest = tables.write()
    part = manifest.part(REVISIONS_TABLE, 0)
    assert part is not None
    copy_table_file(path, part, tmp_path / "rows.sst")
    copy = Copy(tmp_path / "db", REVISIONS_TABLE, 0)
    copy.ingest(tmp_path / "rows.sst")
    assert copy.next_offset == part.next_offset == 300
    assert dict(copy.rows()) == rows_of(path, manifest, REVISIONS_TABLE)
    prefix = page_prefix("enwiki", 7)
    assert [place_of(key).rev_id for key in copy.listed(prefix, prefix, 3)] == [299, 298, 297]
    assert not (tmp_path / "rows.sst").exists()
    copy.close()


def test_a_damaged_file_is_refused(tables: Tables, tmp_path: Path) -> None:
    tables.put(revision(1))

    def copied(path: Path, part: CheckpointPart) -> None:
        copy_table_file(path, part, tmp_path / "rows.sst")

    path, manifest = tables.write()
    part = manifest.part(REVISIONS_TABLE, 0)
    assert part is not None
    for name, check in ((part.file, require_undamaged), (part.table_file, copied)):
        data = bytearray((path / name).read_bytes())
        data[len(data) // 2] ^= 1
        (path / name).write_bytes(data)
        with pytest.raises(CheckpointUnusable, match="sha256"):
            check(path, part)
        (path / name).unlink()
        with pytest.raises(CheckpointUnusable, match="cannot be read"):
            check(path, part)


def test_a_checkpoint_of_other_tables_is_told_and_left_alone(tables: Tables, tmp_path: Path) -> None:
    tables.put(revision(1))
    path, manifest = tables.write()
    assert tables.usable() is not None
    for what, found in (
        ("app_id", tables.usable(app_id="other")),
        ("partitions", tables.usable(partitions=3)),
    ):
        assert found is None, what
    with capture_logs() as logs:
        assert tables.usable(app_id="other") is None
    assert [(one["event"], one["code"]) for one in logs] == [("checkpoint_unusable", "checkpoint_unusable")]
    (path / "manifest.json").write_bytes(msgspec.json.encode(replace(manifest, log_identity="another")))
    assert tables.usable() is None
    (path / "manifest.json").write_bytes(msgspec.json.encode(replace(manifest, format_version=99)))
    assert tables.usable() is None
    (path / "manifest.json").write_bytes(b"{")
    assert tables.usable() is None


def test_parts_beyond_what_the_log_holds_are_told_and_left_out(tables: Tables) -> None:
    tables.put(revision(1))
    path, manifest = tables.write()
    parts = [replace(one, next_offset=one.next_offset + 5 * (one.partition == 0)) for one in manifest.parts]
    (path / "manifest.json").write_bytes(msgspec.json.encode(replace(manifest, parts=parts)))
    with capture_logs() as logs:
        usable = tables.usable()
    assert usable is not None
    assert {part.partition for part in usable.parts} == {1}
    assert len(logs) == 2


def test_nothing_half_written_has_the_name_of_a_checkpoint(tmp_path: Path) -> None:
    draft = Draft(tmp_path, datetime(2026, 11, 22, 5, tzinfo=UTC))
    write_rows(draft.path / "revisions-0000.parquet", [], set())
    assert checkpoints(tmp_path) == []
    path = draft.finish(Manifest(APP_ID, 1, "log", REV_DT, []))
    assert path.name == "checkpoint=2026-11-22T05-00-00Z"
    assert checkpoints(tmp_path) == [path]


def test_pruning_keeps_the_latest(tmp_path: Path) -> None:
    made = [
        Draft(tmp_path, datetime(2026, 11, day, tzinfo=UTC)).finish(Manifest(APP_ID, 1, "log", REV_DT, []))
        for day in (1, 2, 3)
    ]
    Draft(tmp_path, datetime(2026, 11, 9, tzinfo=UTC))
    assert len(prune(tmp_path, 1)) == 3
    assert list(tmp_path.iterdir()) == [made[-1]]
