"""`revstream parity`: what a worker says of a history and what a backfill says, row by row."""

import contextlib
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.parity.batch import snapshot_rows
from app.parity.comparison import Comparison
from app.parity.live import stored_rows
from batch.sample_wiki import BUNDLED
from models.training import TrainingOptions, prepare_table, train
from schemas.prediction import ScoreFailure
from tests.edge_wiki import MOST_TEXT_BYTES, WIKI, write_edge_wiki
from tests.training_data import CLASSES, classes_table

_SECONDS = 1200
_EDGE_MODELS = {
    "reverted": "enwiki-reverted",
    "lang": "langid",
    "revid": "testwiki-revid",
    "risk": "revertrisk-small",
    "quality": CLASSES.name,
}


def _parity(folder: Path, dump: Path, *options: str) -> tuple[int, Any]:
    """Run the command as a user does; return its exit code and what it printed."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("REVSTREAM_")}
    done = subprocess.run(
        [sys.executable, "-m", "app", "parity", str(dump), "--pool-processes=2", *options],
        cwd=folder, env=inherited, capture_output=True, text=True, timeout=_SECONDS, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def _assert_equal(code: int, report: Any) -> None:
    assert code == 0, report
    assert report["is_equal"] is True
    assert report["compared"]["differences"] == {}
    assert (
        report["compared"]["rows"] == report["compared"]["asked"] == report["events"] * len(report["models"])
    )
    assert 0 < report["compared"]["scores"] <= report["compared"]["rows"]
    assert report["compared"]["features"] > 0


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that reads a text alone, so that predictions are carried over."""
    folder = tmp_path_factory.mktemp("models")
    table = folder / "classes.tsv"
    table.write_text(classes_table())
    options = TrainingOptions()
    manifest = train(CLASSES, prepare_table(CLASSES, table, options), folder, options, tell=lambda _: None)
    assert manifest.info().reads_text_alone
    return folder


def test_live_and_backfill_agree_on_the_bundled_sample(tmp_path: Path) -> None:
    code, report = _parity(tmp_path, BUNDLED.dump)
    _assert_equal(code, report)
    assert report["wiki_id"] == "samplewiki"
    assert report["events"] > 2_000


class _Kept(NamedTuple):
    """A run on the odd wiki that kept its files."""

    code: int
    report: Any
    folder: Path


def _on_edge_wiki(folder: Path, models: Path, *options: str) -> _Kept:
    code, report = _parity(
        folder,
        folder / "edgewiki-20260101.xml",
        *options,
        f"--model-folders={models}",
        f"--wikis={json.dumps({WIKI: {'models': _EDGE_MODELS}})}",
        f"--max-text-bytes={MOST_TEXT_BYTES}",
        f"--keep={folder / 'kept'}",
    )
    return _Kept(code, report, folder / "kept")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, models: Path) -> _Kept:
    """What came of events that carry texts, with facts on users."""
    folder = tmp_path_factory.mktemp("edge")
    _, users = write_edge_wiki(folder)
    return _on_edge_wiki(folder, models, "--with-text", f"--users={users}")


def test_live_and_backfill_agree_on_all_that_is_odd_about_histories(kept: _Kept) -> None:
    _assert_equal(kept.code, kept.report)
    told = list(snapshot_rows(kept.folder / "snapshot=parity"))
    assert {one.outcome.code for one in told if isinstance(one.outcome, ScoreFailure)} == {
        "content_model_unsupported",
        "content_too_large",
        "parent_not_found",
        "revision_deleted",
    }
    # Facts reach the models of both sides: here is a sysop.
    [row] = [one for one in told if (one.rev_id, one.model_name) == (11, "reverted")]
    [sysop] = [one for one in told if (one.rev_id, one.model_name) == (19, "reverted")]
    assert (row.features or {})["feature.revision.user.in_group({'bot', 'sysop'})"] is False
    assert (sysop.features or {})["feature.revision.user.in_group({'bot', 'sysop'})"] is True


def test_they_agree_as_well_where_texts_are_fetched_and_nothing_is_known_of_users(
    tmp_path: Path, models: Path
) -> None:
    write_edge_wiki(tmp_path)
    done = _on_edge_wiki(tmp_path, models, "--without-users")
    _assert_equal(done.code, done.report)


def test_the_last_bit_of_one_probability_is_found_to_differ_and_so_is_a_lost_row(
    kept: _Kept, tmp_path: Path
) -> None:
    snapshot = tmp_path / "snapshot=parity"
    shutil.copytree(kept.folder / "snapshot=parity", snapshot)
    [path] = (snapshot / f"wiki_id={WIKI}" / "model_name=reverted").glob("*.parquet")
    table = pq.read_table(path, partitioning=None)
    probabilities = table["probability"].to_pylist()
    labels = dict(probabilities[3])
    labels["true"] = math.nextafter(labels["true"], 1)
    probabilities[3] = list(labels.items())
    place = table.schema.get_field_index("probability")
    field = table.schema.field(place)
    changed = table.set_column(place, field, pa.array(probabilities, field.type))
    lost = changed["rev_id"][5].as_py()
    pq.write_table(pa.concat_tables([changed.slice(0, 5), changed.slice(6)]), path)

    with contextlib.closing(Comparison(tmp_path / "compared.sqlite")) as comparison:
        comparison.tell("live", stored_rows(kept.folder / "worker"))
        comparison.tell("batch", snapshot_rows(snapshot))
        found = comparison.compare().differences
    del found["not_asked"]  # Nobody told here what was asked for.
    assert {kind: difference.count for kind, difference in found.items()} == {
        "outcome": 1,
        "missing_batch": 1,
    }
    [example] = found["outcome"].examples
    assert example["rev_id"] == changed["rev_id"][3].as_py()
    assert example["live"]["probability"]["true"] != example["batch"]["probability"]["true"]
    assert found["missing_batch"].examples[0]["rev_id"] == lost


def test_a_dump_of_a_wiki_without_models_is_refused(tmp_path: Path) -> None:
    dump, _ = write_edge_wiki(tmp_path)
    code, said = _parity(tmp_path, dump)
    assert code == 1
    assert "wiki_unknown: No model is configured for edgewiki" in said


def test_a_dump_without_revisions_is_refused(tmp_path: Path) -> None:
    dump = tmp_path / "empty.xml"
    dump.write_text("<mediawiki><siteinfo><dbname>samplewiki</dbname></siteinfo></mediawiki>")
    code, said = _parity(tmp_path, dump)
    assert code == 1
    assert "source_invalid: empty.xml holds no revision" in said
