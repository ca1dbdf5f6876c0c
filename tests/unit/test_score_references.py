"""Live scores are compared with the newest snapshot that has scores of the model's version."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from app.model_monitor import ModelMonitor
from app.score_references import ScoreReferences
from batch.snapshot import open_snapshot
from batch.snapshot_manifest import MANIFEST
from batch.snapshot_shares import newest_first, score_shares
from models.statistics.live import BINS, bin_of
from schemas.catalogue import Catalogue
from schemas.prediction import Score, ScoreKind
from tests.rows import binary, catalogue
from tests.served import served
from tests.snapshots import FAILURE, snapshot_row, write_snapshot
from tests.unit.test_model_monitor import WIKI, report
from tests.unit.test_outcomes import edit

WIKIS = catalogue({"enwiki": ("damaging",)})


def finished(path: Path, day: int) -> None:
    """Make a snapshot one of another day."""
    document = json.decode((path / MANIFEST).read_bytes())
    document["created_dt"] = datetime(2026, 11, day, tzinfo=UTC)
    (path / MANIFEST).write_bytes(json.encode(document))


@settings(max_examples=8, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_scores_are_counted_as_live_ones_are(
    tmp_path_factory: pytest.TempPathFactory, likely: list[float]
) -> None:
    rows = [snapshot_row(number, binary(value)) for number, value in enumerate(likely, 5)]
    others = [
        snapshot_row(90, model_version="0.9.0"),
        snapshot_row(91, FAILURE),
        snapshot_row(92, wiki_id="dewiki"),
    ]
    path = write_snapshot(tmp_path_factory.mktemp("snapshots"), rows, others)
    found = score_shares(open_snapshot(path), "enwiki", "damaging", "1.0.0", bins=BINS)
    assert found.scores == len(likely)
    for label in ("false", "true"):
        expected = [0] * BINS
        for one in rows:
            assert isinstance(one.outcome, Score)
            expected[bin_of(one.outcome.probability[label])] += 1
        assert found.shares[label] == pytest.approx([count / len(likely) for count in expected])


def test_labels_that_some_rows_lack_are_counted_by_those_that_have_them(tmp_path: Path) -> None:
    outcomes = [{"A": 0.9, "B": 0.1}, {"A": 0.02, "B": 0.98}, {"A": 0.5}]
    rows = [
        snapshot_row(number, Score(ScoreKind.MULTILABEL, ("A",), probability))
        for number, probability in enumerate(outcomes, 5)
    ]
    found = score_shares(open_snapshot(write_snapshot(tmp_path, rows)), "enwiki", "damaging", "1.0.0", bins=2)
    assert (found.scores, found.shares) == (3, {"A": [1 / 3, 2 / 3], "B": [0.5, 0.5]})


def test_the_newest_snapshot_with_the_served_version_is_taken(tmp_path: Path) -> None:
    old = write_snapshot(tmp_path, [snapshot_row(5, binary(0.1))], name="old")
    new = write_snapshot(tmp_path, [snapshot_row(5, binary(0.9))], name="new")
    other = write_snapshot(tmp_path, [snapshot_row(5, model_version="2.0.0")], name="other")
    for path, day in ((old, 1), (new, 2), (other, 3)):
        finished(path, day)
    assert [one.manifest.name for one in newest_first(tmp_path)] == ["other", "new", "old"]
    references = ScoreReferences(tmp_path, lambda: WIKIS)
    assert references.find("enwiki", "damaging") is None
    references.look()
    first = references.find("enwiki", "damaging")
    assert first is not None
    assert (first.name, first.scores, first.shares["true"][18]) == ("new", 1, 1.0)
    references.look()
    # It was counted once.
    assert references.find("enwiki", "damaging") is first
    latest = write_snapshot(tmp_path, [snapshot_row(5, binary(0.3))], name="latest")
    finished(latest, 4)
    references.look()
    then = references.find("enwiki", "damaging")
    assert then is not None
    assert then.name == "latest"


def test_a_snapshot_of_several_versions_is_the_reference_of_the_one_that_is_served(tmp_path: Path) -> None:
    versions = {"1.0.0": 0.1, "2.0.0": 0.9}
    write_snapshot(
        tmp_path,
        [snapshot_row(5, binary(found), model_version=version) for version, found in versions.items()],
    )
    [info] = WIKIS.models("enwiki").values()
    later = replace(info, id=replace(info.id, model_version="2.0.0"))
    serving = [WIKIS]
    references = ScoreReferences(tmp_path, lambda: serving[-1])
    references.look()
    first = references.find("enwiki", "damaging")
    serving.append(Catalogue({"enwiki": {"damaging": later}}))
    # Until it is looked at, nothing is told rather than the other version's.
    assert references.find("enwiki", "damaging") is None
    references.look()
    then = references.find("enwiki", "damaging")
    assert first is not None
    assert then is not None
    assert (first.shares["true"][2], then.shares["true"][18]) == (1.0, 1.0)


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    good = write_snapshot(tmp_path, [snapshot_row(5, binary(0.1))], name="good")
    torn = write_snapshot(tmp_path, [snapshot_row(5, binary(0.9))], name="torn")
    finished(good, 1)
    finished(torn, 2)
    for file in open_snapshot(torn).manifest.files:
        (torn / file.path).write_bytes(b"PAR1")
    (tmp_path / "snapshot=empty").mkdir()
    references = ScoreReferences(tmp_path, lambda: WIKIS)
    references.look()
    found = references.find("enwiki", "damaging")
    assert found is not None
    assert found.name == "good"


def test_a_folder_that_is_not_there_yet_tells_nothing(tmp_path: Path) -> None:
    references = ScoreReferences(tmp_path / "later", lambda: WIKIS)
    references.look()
    assert references.find("enwiki", "damaging") is None


async def test_drift_against_a_snapshot_is_told_beside_the_other(tmp_path: Path) -> None:
    folder, models = tmp_path / "snapshots", catalogue({WIKI: ("damaging",)})
    write_snapshot(
        folder, [snapshot_row(number, binary(number / 400), wiki_id=WIKI) for number in range(5, 305)]
    )
    references = ScoreReferences(folder, lambda: models)
    references.look()
    monitor = ModelMonitor(models)
    monitor.reference = references.find
    registry = CollectorRegistry()
    registry.register(monitor)
    for number in range(1, 251):
        monitor.event_handled(report(edit(number, "a", page_id=number, hours=number), 0.95))
    drift = registry.get_sample_value(
        "revstream_model_drift",
        {"wiki_id": WIKI, "model_name": "damaging", "label": "true", "reference": "snapshot"},
    )
    async with served(tmp_path, models, health=monitor.health) as server:
        _, body, _ = await server.ask(f"/models/{WIKI}/damaging/live")
        told = body["snapshot"]
        assert (told["name"], told["scores"]) == ("2026-11-01", 300)
        assert told["drift"]["true"] == drift
        assert drift is not None
        assert drift > 0.25
        # The model came without a test.
        assert body["drift"] == {}
        _, page, _ = await server.ask(f"/ui/models/{WIKI}/damaging", headers={"accept": "text/html"})
        shown = page.decode()
        assert "Drift of true against the snapshot" in shown
        assert "In the snapshot" in shown
        assert "2026-11-01, of " in shown
