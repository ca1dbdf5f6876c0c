"""Backfills of real dumps, by the command."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from prometheus_client.parser import text_string_to_metric_families

import batch
from app.cli import main
from batch.backfill.filters import Filters
from batch.dump_inputs import list_inputs, read_range, split_input
from batch.local_source import DumpRevisionSource
from batch.snapshot import open_snapshot, snapshots
from batch.snapshot_verify import verify_snapshot
from models.engine.extractor import Extractor
from models.scoring import features_missing, score_revision
from models.store import PACKAGED_MODELS, ModelStore
from schemas.errors import ContentError
from schemas.prediction import ScoreFailure
from schemas.revision import RevisionRequest
from tests.clean_logging import logging_restored

# The comparison takes longer than the backfill.
SHARE = "0.1"
SAMPLE = Path(batch.__file__).parent / "sample" / "sample.xml.bz2"
NAME = "revstream_backfill_last_success"
AAWIKI = {"aawiki": {"models": {"reverted": "enwiki-reverted"}}}
Told = Mapping[int, Any]


def backfill(verb: str, dump: Path, into: Path, *more: str, wikis: Mapping[str, Any] | None = None) -> Result:
    settings = ["--wikis", json.dumps(wikis)] if wikis else []
    with logging_restored():
        return CliRunner().invoke(
            main,
            ["backfill", verb, str(dump), "--into", str(into), "--name", "one", *settings, *more],
            catch_exceptions=False,
        )


def written(into: Path) -> Told:
    """Return by revision what rows say."""
    return {
        row.rev_id: (row.page_id, row.rev_dt, row.outcome, row.features, row.features_missing)
        for row in open_snapshot(into / "snapshot=one").rows()
    }


def by_the_dump(dump: Path, wiki_id: str, folder: Path) -> Told:
    """Return the same of each revision looked up in its dump by itself, and scored alone."""
    scorer = ModelStore([PACKAGED_MODELS]).load("enwiki-reverted")
    filters = Filters(sample=float(SHARE))
    source = DumpRevisionSource(dump, cache_dir=folder, wiki_id=wiki_id)
    extractor = Extractor()
    (one,) = list_inputs([str(dump)])
    (piece,) = split_input(one, 1 << 30)

    async def told() -> Told:
        found: dict[int, Any] = {}
        for read in read_range(piece):
            if read.rev_id is None or not filters.samples(read.rev_id):
                continue
            if read.content_model != "wikitext":
                # A worker does not even fetch these.
                found[read.rev_id] = "content_model_unsupported"
                continue
            try:
                revision = await source.get(RevisionRequest(wiki_id, read.rev_id))
            except ContentError as error:
                outcome = ScoreFailure(error.code, error.message)
                found[read.rev_id] = (read.page.page_id, read.rev_dt, outcome, None, None)
                continue
            (scored,) = score_revision([scorer], revision, extractor, with_features=True)
            missing = features_missing(scorer, revision)
            found[read.rev_id] = (
                revision.page_id,
                revision.rev_dt,
                scored.outcome,
                scored.features,
                None if isinstance(scored.outcome, ScoreFailure) else missing,
            )
        await source.close()
        return found

    return asyncio.run(told())


@pytest.mark.slow
@pytest.mark.parametrize("wiki_id", ["samplewiki", "aawiki"])
def test_each_revision_gets_what_it_gets_by_itself_to_the_last_bit(
    wiki_id: str, tmp_path: Path, shared: Path
) -> None:
    dump, wikis = SAMPLE, None
    if wiki_id == "aawiki":
        packed = shared / "data" / "dumps" / "aawiki-20260101-pages-meta-current.xml.bz2"
        dump, wikis = packed, AAWIKI
    result = backfill("run", dump, tmp_path / "out", "--features", "--sample", SHARE, wikis=wikis)
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path}/out/snapshot=one\n"), result.output
    assert verify_snapshot(tmp_path / "out" / "snapshot=one") == []
    expected = dict(by_the_dump(dump, wiki_id, tmp_path / "cache"))
    assert len(expected) > 50
    for rev_id, told in written(tmp_path / "out").items():
        is_refused = expected[rev_id] == "content_model_unsupported"
        assert (told[2].code if is_refused else told) == expected.pop(rev_id)
    assert expected == {}


def test_a_plan_tells_what_would_be_done_and_writes_nothing(tmp_path: Path) -> None:
    result = backfill("plan", SAMPLE, tmp_path / "out", "--json", "--sample", SHARE)
    told = json.loads(result.stdout)
    assert [one["name"] for one in told["inputs"]] == ["sample.xml.bz2"]
    assert [(one["wiki_id"], one["id"]["model_name"]) for one in told["models"]] == [
        ("samplewiki", "reverted")
    ]
    assert told["estimate"]["revisions"] == len(written_by_run(tmp_path))
    assert told["estimate"]["cpu_seconds"] > 0
    assert not (tmp_path / "out").exists()


def written_by_run(tmp_path: Path) -> Told:
    assert backfill("run", SAMPLE, tmp_path / "run", "--sample", SHARE).exit_code == 0
    return written(tmp_path / "run")


def test_prometheus_is_told_of_the_latest_backfill_that_came_to_its_end(tmp_path: Path) -> None:
    into, file = tmp_path / "out", tmp_path / "revstream.prom"
    began = time.time()
    assert backfill("run", SAMPLE, into, "--sample", SHARE, "--metrics-file", str(file)).exit_code == 0
    told = {family.name: family.samples for family in text_string_to_metric_families(file.read_text())}
    (ended,), (rows,) = told.pop(f"{NAME}_timestamp_seconds"), told.pop(f"{NAME}_rows")
    assert told == {}
    assert ended.labels == rows.labels == {"wiki_id": "samplewiki"}
    assert began <= ended.value <= time.time()
    assert rows.value == len(written(into))

    before = file.read_text()
    broken = tmp_path / "sample.xml.bz2"
    broken.write_bytes(SAMPLE.read_bytes()[:-1000])
    later = ("--name", "two", "--sample", SHARE, "--metrics-file", str(file))
    assert backfill("run", broken, into, *later).exit_code == 1
    assert len(snapshots(into)) == 2
    assert file.read_text() == before
    assert [path.name for path in tmp_path.glob("*.prom*")] == [file.name]


def test_a_dump_that_breaks_off_is_told_by_the_exit_code(tmp_path: Path) -> None:
    dump = tmp_path / "sample.xml.bz2"
    dump.write_bytes(SAMPLE.read_bytes()[:-1000])
    result = backfill("run", dump, tmp_path / "out", "--sample", SHARE)
    assert (result.exit_code, result.stdout) == (1, f"{tmp_path}/out/snapshot=one\n")
    assert "source_invalid" in result.stderr
    assert len(written(tmp_path / "out")) > 50


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (["--only-wiki", "xwiki"], "backfill_refused"),
        (["--wiki", "xwiki"], "wiki_unknown"),
        (["--model", "damaging"], "model_not_found"),
        (["--users", "nowhere.jsonl"], "source_invalid"),
    ],
)
def test_what_is_not_there_is_told(more: list[str], code: str, tmp_path: Path) -> None:
    result = backfill("run", SAMPLE, tmp_path, *more)
    assert result.exit_code == 1
    assert f"revstream: {code}: " in result.stderr


def test_a_snapshot_is_verified_by_scoring_some_of_it_once_more(tmp_path: Path) -> None:
    assert backfill("run", SAMPLE, tmp_path, "--sample", "0.05").exit_code == 0
    snapshot = tmp_path / "snapshot=one"
    with logging_restored():
        result = CliRunner().invoke(main, ["backfill", "verify", str(snapshot), "--share", "0.5"])
    assert (result.exit_code, result.stdout) == (0, ""), result.output
    assert int(result.stderr.splitlines()[-1].split()[0]) > 20
    (file,) = (path for path in snapshot.rglob("*.parquet") if "_errors" not in str(path))
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with logging_restored():
        result = CliRunner().invoke(main, ["backfill", "verify", str(snapshot)])
    assert result.exit_code == 1
    assert "part-0000.parquet" in result.stdout
