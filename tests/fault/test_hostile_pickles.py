"""Pickles made to do harm are refused: in little time and memory, with nothing imported, opened or run."""

import json
import subprocess
import sys
from typing import Any

import pytest

import schemas.errors
from tests.conftest import ROOT
from tests.fault.hostile_reader import CPU_SECONDS, MEMORY_BYTES
from tests.hostile_pickles import CORPUS, Case

_RUNNING = [case for case in CORPUS.values() if case.runs]


def _attacks(*arguments: str) -> dict[str, dict[str, Any]]:
    run = subprocess.run(
        [sys.executable, "-m", "tests.fault.hostile_reader", *arguments],
        cwd=ROOT,
        capture_output=True,
        timeout=120,
        check=False,
    )
    told = [json.loads(line) for line in run.stdout.splitlines()]
    return {attack["name"]: attack for attack in told} | {
        "died of": {"events": [], "answers": [f"{run.returncode}: {run.stderr.decode()[-2000:]}"]}
    }


@pytest.fixture(scope="module")
def attacks() -> dict[str, dict[str, Any]]:
    """What came of each attack; of one that killed the reader, how it died."""
    told: dict[str, dict[str, Any]] = {}
    left = list(CORPUS)
    while left:
        told |= _attacks(*left)
        dead = [name for name in left if name not in told]
        if dead:
            told[dead[0]] = told["died of"] | {"name": dead[0], "seconds": 0, "bytes": 0}
        left = dead[1:]
    return told


def test_the_corpus_is_large_and_tries_what_hostile_files_try() -> None:
    assert len(CORPUS) >= 45
    assert len(_RUNNING) >= 12


@pytest.mark.parametrize("case", CORPUS.values(), ids=CORPUS)
def test_an_attack_is_refused_with_nothing_run(case: Case, attacks: dict[str, dict[str, Any]]) -> None:
    attack = attacks[case.name]
    assert attack["events"] == []
    assert attack["answers"]
    for answer in attack["answers"]:
        error, _, message = answer.partition(": ")
        assert issubclass(getattr(schemas.errors, error, type(None)), case.error), answer
        assert case.wanted in message
    assert attack["bytes"] < MEMORY_BYTES
    assert attack["seconds"] < CPU_SECONDS


def test_pythons_own_reader_runs_what_ours_refuses_and_the_hook_sees_it() -> None:
    attacks = _attacks("--with-pickle", *(case.name for case in _RUNNING))
    harmless = [case.name for case in _RUNNING if not attacks[case.name]["events"]]
    assert harmless == []
    assert "os.system" in attacks["os_system"]["events"]
    assert "exec" in attacks["exec"]["events"]
    assert "subprocess.Popen" in attacks["subprocess"]["events"]
