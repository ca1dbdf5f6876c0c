"""A worker that is killed again and again has whole lists, and a feed that misses nothing."""

import gzip
import http.client
import itertools
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from batch.sample_wiki import BUNDLED
from schemas.decode import decode_event
from schemas.page_change import PageChange
from tests.programs import LIGHT_MODELS, Program

EVENTS = 400
KILLS = 4
READY = "/readyz"


def source(folder: Path) -> list[PageChange]:
    """Write the first events of the sample to a file, and return them."""
    with gzip.open(BUNDLED.events) as file:
        lines = list(itertools.islice(file, EVENTS))
    (folder / "events.jsonl").write_bytes(b"".join(lines))
    return [change for change in map(decode_event, lines) if isinstance(change, PageChange)]


def feed_until_now(program: Program, last_id: str = "") -> tuple[list[dict[str, Any]], str]:
    """Return what the feed tells at once, with the place where it ends."""
    parts = urlsplit(program.address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    told, place, heartbeats = [], "", 0
    try:
        connection.request("GET", "/feed", headers={"last-event-id": last_id} if last_id else {})
        response = connection.getresponse()
        assert response.status == 200
        # The first tells where it begins, the second that it has caught up.
        while heartbeats < (2 if last_id else 1) or not place:
            name, _, value = response.readline().decode().rstrip("\n").partition(": ")
            if name == "id":
                place = value
            elif name == "data":
                told.append(json.loads(value))
            elif value == "heartbeat":
                heartbeats, place = heartbeats + 1, ""
    finally:
        connection.close()
    return told, place


def listed(program: Program, path: str) -> Iterator[dict[str, Any]]:
    """Yield a whole list, taken in parts."""
    cursor = ""
    while True:
        answer = program.get(f"{path}?limit=50{cursor}")
        if answer.status in {404, 410}:
            return
        assert answer.status == 200, answer
        yield from answer.document["revisions"]
        if answer.document["next"] is None:
            return
        cursor = f"&cursor={answer.document['next']}"


@pytest.mark.slow
def test_lists_and_feed_are_whole_after_a_worker_was_killed(tmp_path: Path) -> None:
    chance = random.Random(20261122)
    changes = source(tmp_path)
    arguments = (
        "run",
        f"--source={tmp_path / 'events.jsonl'}",
        LIGHT_MODELS,
        "--mediawiki-contact=you@example.org",
        "--http-port=0",
        f"--data-dir={tmp_path / 'data'}",
        "--pace-events-per-second=40",
    )
    place, before = "", set[int]()
    for number in range(KILLS):
        with Program(tmp_path / f"run-{number}", *arguments) as program:
            program.until_answered(READY)
            if not place:
                _, place = feed_until_now(program)
                before = {row["rev_id"] for row in listed(program, "/scores/samplewiki")}
            time.sleep(chance.uniform(0.2, 1.5))
            if number % 2:
                feed_until_now(program, place)
            program.kill()
    with Program(tmp_path / "run-last", *arguments) as program:
        program.until_answered(READY)
        program.until(lambda: "the source has ended" in program.stderr)
        program.until(lambda: _is_idle(program))
        rev_ids = sorted({change.revision.rev_id for change in changes})
        shown = {}
        for rev_id in rev_ids:
            answer = program.get(f"/scores/samplewiki/{rev_id}")
            if answer.status == 200:
                shown[rev_id] = answer.document
        assert len(shown) > EVENTS // 2
        by_time = sorted(shown.values(), key=lambda row: (row["rev_dt"], row["rev_id"]), reverse=True)
        assert [row["rev_id"] for row in listed(program, "/scores/samplewiki")] == [
            row["rev_id"] for row in by_time
        ]
        for page_id in {change.page.page_id for change in changes}:
            history = [row["rev_id"] for row in listed(program, f"/pages/samplewiki/{page_id}/history")]
            assert history == [row["rev_id"] for row in by_time if row["page_id"] == page_id]
        told, _ = feed_until_now(program, place)
        scored = [row["rev_id"] for row in told if "scores" in row]
        # Some of what was there already was shown after the place was told.
        assert shown.keys() - before <= set(scored) <= shown.keys()
        assert len(shown.keys() - before) > EVENTS // 2
        assert len(scored) == len(set(scored))
        assert program.stop() == 0


def _is_idle(program: Program) -> bool:
    """Tell whether all events are handled and committed."""
    text = program.get("/metrics").body.decode()
    return 'revstream_lag_events{topics="source"} 0.0' in text
