"""A real Kafka broker on loopback, fetched and run by ``deploy/kafka/broker.py``."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent / "deploy" / "kafka" / "broker.py"
_UNAVAILABLE = 3


class BrokerFailed(Exception):
    """The broker cannot be fetched or started."""


class BrokerUnobtainable(BrokerFailed):
    """Java, Maven or the network is missing."""


def fetch_broker() -> None:
    """Bring what a broker needs.

    Raises:
        BrokerUnobtainable: Java, Maven or the network is missing.
        BrokerFailed: Something else is wrong.
    """
    fetched = subprocess.run([sys.executable, SCRIPT, "fetch"], capture_output=True, text=True, check=False)
    if fetched.returncode:
        error = BrokerUnobtainable if fetched.returncode == _UNAVAILABLE else BrokerFailed
        raise error(f"no Kafka broker: {fetched.stderr.strip()}")


class KafkaBroker:
    """One broker on a free port of loopback, whose storage and address outlive its restarts.

    Its process ends with ours, however ours ends: it stays only while its standard input is open.
    ``options`` are further ones of the script.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self._options = options
        self.bootstrap = ""
        self._process: subprocess.Popen[str] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Start on the storage and the port of before. Returns when the broker serves."""
        port = self.bootstrap.rpartition(":")[2] or "0"
        place = ["--dir", str(self.folder), "--port", port]
        command = [sys.executable, str(SCRIPT), "start", "--until-eof", *place, *self._options]
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
            raise BrokerFailed(f"the broker did not start: {talk.read_text()}")
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
