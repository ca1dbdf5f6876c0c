"""ORES's own command line and client package from PyPI, unchanged, against a server as a user starts it."""

import contextlib
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client_environments import client_folder
from tests.programs import Program

pytestmark = pytest.mark.slow

_SESSION = """
import json, sys
from oresapi import Session

session = Session(sys.argv[1], user_agent="revstream's tests", batch_size=50, parallel_requests=4)
found = session.score(sys.argv[2], sys.argv[3].split("|"), map(int, sys.argv[4].split("|")))
print(json.dumps(list(found)))
"""
REV_IDS = list(range(1000, 1120))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with Program(tmp_path_factory.mktemp("worker"), "run", "--http-port=0") as program:
        program.until_answered("/readyz")
        yield program
        assert program.stop(signal.SIGTERM) == 0


_INTERRUPTS_MOST = 5


def revid(rev_id: int) -> dict[str, Any]:
    """Return what the conformance model says of a revision, in ORES's shape."""
    true = int(f"{rev_id:02d}"[-2:][::-1]) / 100
    return {"score": {"prediction": true > 0.5, "probability": {"false": 1 - true, "true": true}}}


def run(client: str, program: str, *arguments: str, seconds: float = 120.0) -> str:
    """Run a program of a client's environment to its end, and return what it printed."""
    done = subprocess.run(
        [client_folder(client) / program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_check_of_an_api_that_ores_brings_along_passes(server: Program) -> None:
    run("ores", "ores", "test_api", server.address)


def test_its_client_scores_a_file_of_revisions(server: Program, tmp_path: Path) -> None:
    asked, scored = tmp_path / "asked.jsonl", tmp_path / "scored.jsonl"
    asked.write_text("".join(json.dumps({"rev_id": rev_id}) + "\n" for rev_id in REV_IDS))
    places = [f"--input={asked}", f"--output={scored}"]
    run("ores", "ores", "score_revisions", server.address, "revstream's tests", "testwiki", "revid", *places)
    assert [json.loads(line) for line in scored.read_text().splitlines()] == [
        {"rev_id": rev_id, "score": {"revid": revid(rev_id)}} for rev_id in REV_IDS
    ]


def interrupted(process: "subprocess.Popen[str]") -> str:
    """Interrupt a program until it ends, and return what it printed: its threads may swallow an interrupt."""
    for _ in range(_INTERRUPTS_MOST):
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=30)[0]
    raise AssertionError(f"{_INTERRUPTS_MOST} interrupts did not end it")


def test_its_stress_test_meets_no_error(server: Program, tmp_path: Path) -> None:
    asked = tmp_path / "asked.jsonl"
    asked.write_text("".join(json.dumps({"rev_id": rev_id}) + "\n" for rev_id in REV_IDS))
    options = ["--delay=0.02", "--batch-size=20", f"--input={asked}"]
    # Interrupts are ignored by what runs in the background of a script, and by all that it starts.
    heeding = ["env", "--default-signal=INT"]
    command = [
        *heeding,
        str(client_folder("ores") / "ores"),
        "stress_test",
        "testwiki",
        server.address,
        *options,
    ]
    said = tmp_path / "said"
    with said.open("w") as err:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, text=True)
        try:
            server.until(lambda: said.read_text().count(".") >= 100)
            stats = interrupted(process)
        finally:
            process.kill()
            process.communicate()
    found = {name: int(number) for name, number in re.findall(r"- (\w+): (\d+)", stats)}
    assert found["200"] >= 100
    assert found["returned"] == found["200"]
    assert found["revid"] == 20 * found["200"]
    assert found["errored"] == 0
    assert stats.rstrip().endswith("errored:")


def test_a_session_of_oresapi_scores_in_batches_and_at_once(server: Program) -> None:
    rev_ids = "|".join(map(str, REV_IDS))
    said = run("oresapi", "python", "-c", _SESSION, server.address, "testwiki", "revid", rev_ids)
    assert json.loads(said) == [{"revid": revid(rev_id)} for rev_id in REV_IDS]


def test_a_session_is_told_the_error_of_a_whole_request_for_each_revision(server: Program) -> None:
    said = run("oresapi", "python", "-c", _SESSION, server.address, "nowiki", "revid", "1|2")
    error = {"code": "not found", "message": "No scorers available for nowiki"}
    assert json.loads(said) == [{"revid": {"error": error}}] * 2


def test_a_score_that_the_stream_stored_reaches_a_session(server: Program) -> None:
    server.until(lambda: re.search(r"^samplewiki revision (\d+) reverted: true", server.stdout, re.MULTILINE))
    shown = re.search(r"^samplewiki revision (\d+) reverted: true ([01]\.\d{3})", server.stdout, re.MULTILINE)
    assert shown is not None
    said = run("oresapi", "python", "-c", _SESSION, server.address, "samplewiki", "reverted", shown[1])
    [answer] = json.loads(said)
    assert f"{answer['reverted']['score']['probability']['true']:.3f}" == shown[2]
