"""`revstream run` and its neighbours as a user starts them, on the embedded engine."""

import functools
import gzip
import itertools
import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from agents.embedded.log import Log
from batch.sample_wiki import BUNDLED
from schemas.decode import decode_event
from schemas.keys import PAGE_CHANGE_TOPIC
from schemas.page_change import PageChange
from tests.audit import records, taken
from tests.conftest import ROOT
from tests.integration.test_serve import free_port
from tests.log_events import append_events
from tests.programs import LIGHT_MODELS, WAIT_SECONDS, Program, ask

_SHOWN = re.compile(r"^samplewiki revision (\d+) (\w+): (true [01]\.\d{3}|[a-z_]+)$", re.MULTILINE)
_CURL = re.compile(r"^Look it up: curl (http://\S+/scores/samplewiki/(\d+))$", re.MULTILINE)
_SCORED_KINDS = {"create", "edit", "move"}
_FAST = "--pace-events-per-second=0"


def sample_lines(count: int) -> list[bytes]:
    """Return the first events of the bundled sample."""
    with gzip.open(BUNDLED.events) as file:
        return [next(file).rstrip(b"\n") for _ in range(count)]


def revisions_to_score(lines: list[bytes]) -> list[int]:
    changes = [change for change in map(decode_event, lines) if isinstance(change, PageChange)]
    return sorted(
        change.revision.rev_id
        for change in changes
        if change.page_change_kind.value in _SCORED_KINDS and change.revision.is_content_visible
    )


def shown(program: Program) -> list[int]:
    """Return the revisions whose scores it has shown."""
    return [int(rev_id) for rev_id, _, _ in _SHOWN.findall(program.stdout)]


def _has_shown(program: Program, count: int) -> bool:
    return len(shown(program)) >= count


def outputs(log_path: Path, model_name: str) -> list[Any]:
    log = Log(log_path)
    try:
        found = records(log, f"mediawiki.revision_score_{model_name}")
        return [json.loads(record.value or b"") for _, record in found]
    finally:
        log.close()


def scored_revisions(log_path: Path, model_name: str = "revid") -> list[int]:
    return sorted(int(output["rev_id"]) for output in outputs(log_path, model_name))


def assert_stopped_cleanly(program: Program) -> None:
    assert "Traceback" not in program.stderr
    assert not [line for line in program.logged if line["level"] in {"error", "critical"}]
    assert "\x1b" not in program.stdout
    assert "\x1b" not in program.stderr


@pytest.fixture(scope="module")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A worker on the bundled sample which has shown some scores."""
    with Program(tmp_path_factory.mktemp("sample"), "run", "--http-port=0", has_terminal=True) as program:
        program.until(lambda: len(shown(program)) >= 5)
        yield program
        assert program.stop(signal.SIGINT) == 0
        assert_stopped_cleanly(program)


def test_a_new_user_is_greeted_with_addresses_and_told_how_to_stop(sample_run: Program) -> None:
    greeting = sample_run.stdout.split("samplewiki revision", 1)[0]
    assert "one machine, one worker" in greeting
    assert f"{sample_run.address}/readyz" in greeting
    assert f"{sample_run.address}/metrics" in greeting
    assert "Ctrl-C stops" in greeting


def test_the_curl_line_on_the_screen_answers_with_the_score_shown(sample_run: Program) -> None:
    ((url, rev_id),) = _CURL.findall(sample_run.stdout)
    deadline = time.monotonic() + 5
    while (answer := ask(url)).status != 200:
        assert time.monotonic() < deadline, answer
        time.sleep(0.05)
    assert answer.document["rev_id"] == int(rev_id)
    score = answer.document["scores"]["reverted"]
    assert (
        f"samplewiki revision {rev_id} reverted: true {score['probability']['true']:.3f}\n"
        in sample_run.stdout
    )


def test_a_worker_is_ready_and_counts_what_it_scores(sample_run: Program) -> None:
    assert sample_run.until_answered("/readyz").document["status"] == "ready"
    assert sample_run.get("/healthz").status == 200
    before = len(shown(sample_run))
    metrics = sample_run.get("/metrics").body.decode()
    counted = re.findall(r"^revstream_scores_total{(.+)} (\S+)$", metrics, re.MULTILINE)
    total = sum(float(number) for _, number in counted)
    assert total >= before
    sample_run.until(lambda: len(shown(sample_run)) >= total)
    assert 'code="ok",model_name="reverted",wiki_id="samplewiki"' in dict(counted)
    assert re.search(r'^revstream_events_total{outcome="scored",reason=""} \d', metrics, re.MULTILINE)
    assert '\nrevstream_partitions{role="owned"} 4.0\n' in metrics
    assert '\nrevstream_recovery_rows_left{role="owner"} 0.0\n' in metrics
    phases = re.findall(r'^revstream_event_phase_seconds_count{phase="(\w+)"}', metrics, re.MULTILINE)
    assert {"decode", "decide", "fetch", "wait", "features", "predict", "upsert", "emit"} <= set(phases)


def test_ores_and_lift_wing_clients_get_the_stored_score(sample_run: Program) -> None:
    rev_id = next(
        int(rev_id) for rev_id, _, said in _SHOWN.findall(sample_run.stdout) if said.startswith("true")
    )
    stored = sample_run.until_answered(f"/scores/samplewiki/{rev_id}").document["scores"]["reverted"]
    ores = sample_run.get(f"/v3/scores/samplewiki/{rev_id}").document
    ores_score = ores["samplewiki"]["scores"][str(rev_id)]["reverted"]["score"]
    assert ores_score["probability"] == stored["probability"]
    predict = f"{sample_run.address}/v1/models/samplewiki-reverted:predict"
    wing = ask(predict, json.dumps({"rev_id": rev_id}).encode())
    assert wing.status == 200
    wing_score = wing.document["samplewiki"]["scores"][str(rev_id)]["reverted"]["score"]
    assert wing_score == ores_score


def test_lookup_prints_what_the_running_server_answers(sample_run: Program) -> None:
    rev_id = shown(sample_run)[0]
    document = sample_run.until_answered(f"/scores/samplewiki/{rev_id}").document
    port = sample_run.address.rpartition(":")[2]
    for question in ([str(rev_id)], ["--page", str(document["page_id"])]):
        done = subprocess.run(
            [sys.executable, "-m", "app", "lookup", "samplewiki", *question, "--http-port", port],
            cwd=ROOT, capture_output=True, text=True, timeout=WAIT_SECONDS, check=True,
        )  # fmt: skip
        found = json.loads(done.stdout)
        assert found["page_id"] == document["page_id"]
        assert found["rev_id"] >= rev_id
        assert done.stderr == ""


def test_after_ctrl_c_the_next_start_goes_on_where_this_one_stopped(tmp_path: Path) -> None:
    arguments = ("run", "--http-port=0", "--pace-events-per-second=60", f"--data-dir={tmp_path / 'data'}")
    log_path = tmp_path / "data" / "log.db"
    runs: list[list[int]] = []
    ends: list[int] = []
    for number in range(2):
        with Program(tmp_path / str(number), *arguments) as program:
            program.until(functools.partial(_has_shown, program, 60))
            began = time.monotonic()
            assert program.stop(signal.SIGINT) == 0
            assert time.monotonic() - began < 10
            assert_stopped_cleanly(program)
            runs.append(shown(program))
        # All that was scored was committed: the output events went into the log.
        assert scored_revisions(log_path, "reverted") == sorted(itertools.chain(*runs))
        log = Log(log_path)
        ends.append(taken(log))
        log.close()
    assert not set(runs[0]) & set(runs[1])
    ids = Counter(output["meta"]["id"] for output in outputs(log_path, "reverted"))
    assert set(ids.values()) == {1}
    assert ends[1] > ends[0]
    log = Log(log_path)
    in_log = Counter(record.value for _, record in records(log, PAGE_CHANGE_TOPIC))
    log.close()
    assert in_log == Counter(sample_lines(ends[1]))


@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.gz", "events.jsonl.zst", "-"])
def test_each_kind_of_source_is_scored_to_its_end(name: str, tmp_path: Path) -> None:
    lines = sample_lines(80)
    data = b"\n".join(lines) + b"\n"
    pack = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}.get(Path(name).suffix, bytes)
    if name != "-":
        (tmp_path / name).write_bytes(pack(data))
    arguments = ("run", f"--source={name}", f"--content={BUNDLED.dump}", "--http-port=0", _FAST, LIGHT_MODELS)
    log_path = tmp_path / ".revstream" / "log.db"
    expected = revisions_to_score(lines)
    with Program(tmp_path, *arguments, stdin=subprocess.PIPE) as program:
        assert program.process.stdin is not None
        if name == "-":
            program.process.stdin.write(data)
            program.process.stdin.close()
        program.until(lambda: len(shown(program)) == len(expected))
        program.until(lambda: any("source has ended" in line["event"] for line in program.logged))
        # The end of the source is not the end of look-ups.
        program.until_answered(f"/scores/samplewiki/{expected[-1]}")
        assert program.stop(signal.SIGINT) == 0
        assert_stopped_cleanly(program)
    assert scored_revisions(log_path) == expected


def test_a_replica_goes_on_answering_while_its_worker_restarts(tmp_path: Path) -> None:
    lines = sample_lines(160)
    source = tmp_path / "events.jsonl"
    source.write_bytes(b"\n".join(lines[:80]) + b"\n")
    first, last = revisions_to_score(lines[:80])[-1], revisions_to_score(lines)[-1]
    place = f"--data-dir={tmp_path / 'data'}"
    run = (
        "run",
        place,
        f"--source={source}",
        f"--content={BUNDLED.dump}",
        "--http-port=0",
        _FAST,
        LIGHT_MODELS,
    )
    with Program(tmp_path / "serve", "serve", place, "--http-port=0", LIGHT_MODELS) as replica:
        with Program(tmp_path / "worker", *run) as worker:
            answer = replica.until_answered(f"/scores/samplewiki/{first}")
            assert answer.document == worker.get(f"/scores/samplewiki/{first}").document
            assert worker.stop() == 0
        for _ in range(3):
            answer = replica.get(f"/scores/samplewiki/{first}")
            assert answer.status == 200
            assert int(answer.headers["age"]) >= 0
        assert replica.get(f"/scores/samplewiki/{last}").status == 404
        with source.open("ab") as file:
            file.write(b"\n".join(lines[80:]) + b"\n")
        with Program(tmp_path / "again", *run) as worker:
            replica.until_answered(f"/scores/samplewiki/{last}")
            assert replica.get(f"/scores/samplewiki/{first}").status == 200
            worker.kill()
        assert replica.get(f"/scores/samplewiki/{last}").status == 200
        assert replica.get("/readyz").status == 200
        assert replica.stop(signal.SIGINT) == 0
        assert_stopped_cleanly(replica)


def test_fausts_own_command_line_starts_the_worker_of_the_environment(tmp_path: Path) -> None:
    lines = sample_lines(40)
    log = Log(tmp_path / "log.db")
    append_events(log, lines, partitions=4)
    log.close()
    port = free_port()
    environment = {
        "REVSTREAM_DATA_DIR": str(tmp_path),
        "REVSTREAM_HTTP_PORT": str(port),
        "REVSTREAM_CONTENT": str(BUNDLED.dump),
        "REVSTREAM_WIKIS": LIGHT_MODELS.partition("=")[2],
    }
    expected = revisions_to_score(lines)
    faust = ("faust", "-A", "app", "worker", "--without-web")
    with Program(tmp_path / "faust", *faust, environment=environment, port=port) as program:
        for rev_id in expected:
            program.until_answered(f"/scores/samplewiki/{rev_id}")
        assert program.stop(signal.SIGTERM) == 0
        assert "Traceback" not in program.stderr
    assert scored_revisions(tmp_path / "log.db") == expected
