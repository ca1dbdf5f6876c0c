"""What the broker script says and refuses before any Java runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "deploy" / "kafka"
UNAVAILABLE = 3


def script(*arguments: str | Path, path: Path | None = None) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name != "JAVA_HOME"}
    if path is not None:
        environment["PATH"] = str(path)
    command = [sys.executable, FOLDER / "broker.py", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def java_that_says(version: str, folder: Path) -> None:
    java = folder / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    java.chmod(0o755)


def test_a_missing_java_names_the_package(tmp_path: Path) -> None:
    refused = script("--cache", tmp_path / "jars", "fetch", path=tmp_path)
    assert refused.returncode == UNAVAILABLE
    assert "openjdk-17-jre-headless" in refused.stderr


def test_an_old_java_is_refused(tmp_path: Path) -> None:
    java_that_says("11.0.2", tmp_path)
    refused = script("--cache", tmp_path / "jars", "fetch", path=tmp_path)
    assert refused.returncode == UNAVAILABLE
    assert "Java 17 or later" in refused.stderr


def test_a_missing_maven_names_the_package(tmp_path: Path) -> None:
    java_that_says("17.0.1", tmp_path)
    refused = script("--cache", tmp_path / "jars", "fetch", path=tmp_path)
    assert refused.returncode == UNAVAILABLE
    assert "Debian: maven" in refused.stderr


@pytest.mark.parametrize(
    ("name", "trouble"),
    [
        ("AAA-unknown.jar", "AAA-unknown.jar is not listed"),
        ("HdrHistogram-2.2.2.jar", "HdrHistogram-2.2.2.jar differs from its digest"),
        (None, "HdrHistogram-2.2.2.jar is missing"),
    ],
)
def test_a_cache_that_is_not_as_committed_is_refused(tmp_path: Path, name: str | None, trouble: str) -> None:
    cache = tmp_path / "jars"
    cache.mkdir()
    if name:
        (cache / name).write_bytes(b"not a jar")
    java_that_says("17.0.1", tmp_path)
    refused = script("--cache", cache, "fetch", path=tmp_path)
    assert refused.returncode == 1
    assert trouble in refused.stderr


def test_stop_never_signals_a_process_that_only_has_the_number_of_a_broker(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        (tmp_path / "broker.pid").write_text(json.dumps({"pid": bystander.pid, "port": 9092}))
        stopped = script("stop", "--dir", tmp_path)
        assert (stopped.returncode, "no broker runs" in stopped.stderr) == (0, True)
        assert psutil.Process(bystander.pid).status() != psutil.STATUS_ZOMBIE
        bystander.communicate(b"\n", timeout=10)
        assert bystander.returncode == 0


def test_a_wrong_verb_is_wrong_usage() -> None:
    assert script("begin").returncode == 2
