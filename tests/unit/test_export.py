"""The tables as a snapshot, on the embedded engine."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from agents.embedded.log import Log, NewRecord
from app.checkpoints import write_checkpoint
from app.cli import main
from app.exports import export_snapshot, exported_rows
from app.settings import load_settings
from app.topic_readers import changelog_topics
from batch.snapshot import Snapshot, open_snapshot
from batch.snapshot_draft import SnapshotDraft
from batch.snapshot_rows import write_chunk
from batch.snapshot_verify import verify_snapshot
from schemas.errors import SnapshotUnusable
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE, row_key
from schemas.prediction import PredictionRow, ScoreFailure, Withdrawal
from tables.codec import encode_row
from tests.clean_logging import logging_restored
from tests.rows import REV_DT, binary, row, stored
from tests.snapshots import snapshot_row

APP_ID = "exported"
HIDDEN = Withdrawal(is_hidden=True, acted_dt=REV_DT + timedelta(days=1), source_offset=9)
ERASED = Withdrawal(
    is_hidden=False,
    acted_dt=REV_DT + timedelta(days=2),
    source_offset=10,
    erased_dt=REV_DT + timedelta(days=1),
)


class Tables:
    """Changelogs of two partitions on an embedded log."""

    def __init__(self, folder: Path) -> None:
        self.snapshots = folder / "snapshots"
        self.settings = load_settings(
            flags={"data_dir": str(folder / "data"), "app_id": APP_ID, "partitions": "2"},
            environ={},
            cwd=folder,
        )
        self.settings.log_path.parent.mkdir()
        self.log = Log(self.settings.log_path)
        for topic in changelog_topics(APP_ID).values():
            self.log.create_topic(topic, 2, is_compacted=True)

    def put(self, *values: PredictionRow, table: str = REVISIONS_TABLE) -> None:
        for value in values:
            key = row_key(value.wiki_id, value.page_id if table == PAGES_TABLE else value.rev_id)
            topic = changelog_topics(APP_ID)[table]
            self.log.transact([NewRecord(topic, value.page_id % 2, 1000, key, encode_row(value))])

    def export(self, name: str = "one") -> Snapshot:
        return open_snapshot(asyncio.run(export_snapshot(self.settings, self.snapshots, name)))

    def rev_ids(self, name: str = "one") -> list[int]:
        return [one.rev_id for one in self.export(name).rows()]


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[Tables]:
    tables = Tables(tmp_path)
    yield tables
    tables.log.close()


def revision(rev_id: int, page_id: int = 7, **more: Any) -> PredictionRow:
    value = row(stored("damaging", binary(rev_id / 100)), rev_id=rev_id, page_id=page_id)
    return replace(value, **more)


def test_each_score_of_a_revision_is_a_row_with_its_origin(tables: Tables) -> None:
    failure = ScoreFailure("feature_error", "why")
    value = row(
        stored("damaging", binary(0.25), namespace_id=4, is_bot=True),
        stored("damaging", binary(0.5), model_version="2.0.0"),
        stored("goodfaith", failure),
    )
    tables.put(value)
    tables.put(value, table=PAGES_TABLE)
    snapshot = tables.export()
    assert sorted(snapshot.rows(), key=lambda one: one.model) == list(exported_rows(value))
    first = next(snapshot.rows(is_errors=False))
    assert (first.event_id, first.source_offset) == (value.scores[0].provenance.event_id, 77)
    assert (first.namespace_id, first.is_bot) == (4, True)
    assert (first.rev_parent_id, first.features_missing, first.features) == (None, None, None)
    assert verify_snapshot(snapshot.path) == []
    origin = snapshot.manifest.origin
    assert (origin.source, origin.plan["app_id"]) == ("export", APP_ID)
    assert origin.plan["next_offsets"][REVISIONS_TABLE] == {"0": 0, "1": 1}
    assert [one.model for one in origin.models] == [score.model for score in value.scores]


def test_the_last_row_of_a_revision_counts(tables: Tables) -> None:
    tables.put(revision(1), revision(2, page_id=8), revision(1, scores=(stored("damaging", binary(0.75)),)))
    probabilities = {one.rev_id: one.outcome for one in tables.export().rows()}
    assert probabilities == {1: binary(0.75), 2: binary(0.02)}


def test_what_is_withdrawn_has_no_place_in_an_export(tables: Tables) -> None:
    tables.put(revision(1), revision(2, withdrawal=HIDDEN), revision(3, page_id=9), revision(5, page_id=8))
    tables.put(revision(3, page_id=9, withdrawal=HIDDEN), table=PAGES_TABLE)
    assert tables.rev_ids() == [1, 5]
    shown = replace(HIDDEN, is_hidden=False, source_offset=10)
    tables.put(revision(3, page_id=9, withdrawal=shown), table=PAGES_TABLE)
    assert tables.rev_ids("two") == [1, 5, 3]


def test_what_was_suppressed_leaves_no_trace_in_an_export(tables: Tables) -> None:
    tables.put(revision(1), revision(41))
    tables.put(revision(41, scores=(), withdrawal=ERASED))
    assert tables.rev_ids() == [1]
    assert [one.name for one in tables.snapshots.iterdir()] == ["snapshot=one"]


def test_a_checkpoint_spares_reading_what_it_stands_for(tables: Tables, tmp_path: Path) -> None:
    tables.put(revision(1), revision(2))
    asyncio.run(write_checkpoint(tables.settings, tmp_path / "checkpoints"))
    for topic in changelog_topics(APP_ID).values():
        tables.log.trim(topic, 1, before_offset=2)
    tables.put(revision(3))
    assert tables.rev_ids() == [3]
    tables.settings = replace(tables.settings, checkpoint_folder=str(tmp_path / "checkpoints"))
    assert tables.rev_ids("two") == [1, 2, 3]


def test_tables_without_rows_are_a_snapshot_without_rows(tables: Tables) -> None:
    assert verify_snapshot(tables.export().path) == []


def test_an_unfinished_backfill_of_that_name_is_left_alone(tables: Tables) -> None:
    with SnapshotDraft(tables.snapshots, "one") as draft:
        write_chunk(draft.chunk_path(0, 0), [snapshot_row()])
    with pytest.raises(SnapshotUnusable, match="unfinished"):
        tables.export()
    assert len(draft.chunks()) == 1


# The command line


def command(tables: Tables, *arguments: str) -> Result:
    with logging_restored():
        return CliRunner().invoke(main, ["snapshot", *arguments], prog_name="revstream", env={})


def test_the_command_exports_lists_verifies_and_prunes(tables: Tables) -> None:
    tables.put(revision(1), revision(2, scores=(stored("damaging", ScoreFailure("feature_error", "why")),)))
    data_dir = f"--data-dir={tables.settings.log_path.parent}"
    done = command(
        tables, "export", f"--into={tables.snapshots}", "--name=one", data_dir, f"--app-id={APP_ID}"
    )
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    path = tables.snapshots / "snapshot=one"
    assert (document["path"], document["rows"]) == (str(path), 2)
    SnapshotDraft(tables.snapshots, "half").close()
    (tables.snapshots / "snapshot=broken").mkdir()

    listed = json.loads(command(tables, "list", str(tables.snapshots), "--json").stdout)
    assert [(Path(one["path"]).name, one["state"]) for one in listed] == [
        ("snapshot=broken", "unusable"),
        ("snapshot=one", "whole"),
        (".undone-snapshot=half", "abandoned"),
    ]
    assert (listed[1]["rows"], listed[1]["errors"]) == (2, 1)
    assert listed[1]["models"] == {"enwiki damaging 1.0.0": 2}
    lines = command(tables, "list", str(tables.snapshots)).stdout.splitlines()
    assert [line.split("\t")[1] for line in lines] == ["unusable", "whole", "abandoned"]

    assert command(tables, "prune", str(tables.snapshots)).exit_code == 2
    pruned = command(tables, "prune", str(tables.snapshots), "--all")
    assert pruned.stdout == f"{tables.snapshots / '.undone-snapshot=half'}\n"

    sound = command(tables, "verify", str(path))
    assert (sound.exit_code, sound.stdout) == (0, "")
    (path / "stray").touch()
    found = command(tables, "verify", str(path), "--json")
    assert found.exit_code == 1
    assert [one["code"] for one in json.loads(found.stdout)] == ["file_unknown"]
    told = command(tables, "verify", str(path))
    assert told.exit_code == 1
    assert told.stdout.startswith("file_unknown\tstray\t")
