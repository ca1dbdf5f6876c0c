"""A real Kafka broker for the tests of this folder, fetched and run by ``deploy/kafka/broker.py``."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

SCRIPT = ROOT / "deploy" / "kafka" / "broker.py"
UNAVAILABLE = 3


class KafkaBroker:
    """One broker on a free port of loopback, whose storage and address outlive its restarts.

    Its process ends with ours, however ours ends: it stays only while its standard input is open.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bootstrap = ""
        self._process: subprocess.Popen[str] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Start on the storage and the port of before. Returns when the broker serves."""
        port = self.bootstrap.rpartition(":")[2] or "0"
        place = ["--dir", str(self.folder), "--port", port]
        command = [sys.executable, str(SCRIPT), "start", "--until-eof", *place]
        self.folder.mkdir(exist_ok=True)
        talk = self.folder / "script.log"
        with talk.open("w") as errors:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        self._process = process
        if not address:
            self._wait()
            pytest.fail(f"the broker did not start: {talk.read_text()}")
        self.bootstrap = address

    def stop(self) -> None:
        """Stop in good order."""
        self._wait()

    def kill(self) -> None:
        """Kill the broker's process at once, as a crash does."""
        os.kill(json.loads((self.folder / "broker.pid").read_text())["pid"], signal.SIGKILL)
        self._wait()

    def restart(self) -> None:
        """Stop in good order, and start again."""
        self.stop()
        self.start()

    def _wait(self) -> None:
        if self._process is not None:
            self._process.communicate(timeout=60)
            self._process = None


@pytest.fixture(scope="session")
def kafka_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """The broker of this test run. Not to be had: skip, or fail where REQUIRE_KAFKA is set."""
    fetched = subprocess.run([sys.executable, SCRIPT, "fetch"], capture_output=True, text=True, check=False)
    if fetched.returncode == UNAVAILABLE and not os.environ.get("REQUIRE_KAFKA"):
        pytest.skip(f"no Kafka broker: {fetched.stderr.strip()}")
    if fetched.returncode:
        pytest.fail(f"no Kafka broker: {fetched.stderr.strip()}")
    broker = KafkaBroker(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_session: KafkaBroker) -> str:
    """The broker's address, ``host:port``."""
    return kafka_session.bootstrap


@pytest.fixture
def kafka_broker(kafka_session: KafkaBroker) -> Iterator[KafkaBroker]:
    """The broker's handle, for tests that stop it; it runs again for the next test."""
    yield kafka_session
    if not kafka_session.running:
        kafka_session.start()


@pytest.fixture
def kafka_topic_prefix() -> str:
    """A prefix for topics and groups that no other test has."""
    return f"test-{uuid.uuid4().hex[:8]}-"
