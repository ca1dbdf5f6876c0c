"""revstream's commands as processes of their own, as a user starts them."""

import contextlib
import http.client
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psutil
import pytest

WAIT_SECONDS = 60.0
# A model that needs no text starts in a moment, where the test is about something else.
LIGHT_MODELS = '--wikis={"samplewiki":{"models":{"revid":"testwiki-revid"}}}'
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


class Answer(NamedTuple):
    """An HTTP answer; status 0 where nobody answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body)


class _Terminal:
    """A terminal for a program to write to, and what it wrote, byte for byte, in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ours, self.descriptor = pty.openpty()
        tty.setraw(self.descriptor)
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()

    def _copy(self) -> None:
        # The end of the last process that holds the other side is an error here.
        with self._path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while data := os.read(self._ours, 1 << 16):
                file.write(data)

    def let_go(self) -> None:
        """Close the program's side, which the program has by now."""
        os.close(self.descriptor)

    def close(self) -> None:
        """Wait for the last bytes, and close."""
        self._thread.join(timeout=10)
        os.close(self._ours)


class Program:
    """A command that runs in a session of its own, as under a terminal, with files for what it writes.

    Args:
        folder: Working directory.
        arguments: After ``revstream``; after ``faust`` where they begin with that.
        module: What is run in the place of ``revstream``.
        environment: Added to ours, which holds no ``REVSTREAM_*``.
        stdin: File or pipe.
        has_terminal: Whether its stdout is a terminal.
        port: Where its API answers, where it does not say so itself.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        module: str = "app",
        environment: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        has_terminal: bool = False,
        port: int = 0,
    ) -> None:
        folder.mkdir(exist_ok=True)
        self._out, self._err = folder / "stdout", folder / "stderr"
        inherited = {name: text for name, text in os.environ.items() if not name.startswith("REVSTREAM_")}
        command = ["faust", *arguments[1:]] if arguments[0] == "faust" else [module, *arguments]
        self._screen = _Terminal(self._out) if has_terminal else None
        with self._out.open("ab") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=folder,
                env=inherited | dict(environment or {}),
                stdin=stdin,
                stdout=self._screen.descriptor if self._screen else out,
                stderr=err,
                start_new_session=True,
            )
        if self._screen:
            self._screen.let_go()
        self._port = port
        self._family: set[psutil.Process] = set()

    def __enter__(self) -> "Program":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"its stderr ends with: {self.stderr[-2000:]}")
        if self.process.poll() is None:
            self.kill()
        if self.process.stdin is not None:
            self.process.stdin.close()
        if self._screen:
            self._screen.close()

    @property
    def stdout(self) -> str:
        """What it wrote to stdout so far."""
        return self._out.read_text()

    @property
    def stderr(self) -> str:
        """What it wrote to stderr so far."""
        return self._err.read_text()

    @property
    def logged(self) -> list[dict[str, Any]]:
        """The lines on stderr, which must be JSON."""
        lines = self.stderr.splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    @property
    def address(self) -> str:
        """Where its API answers, as it says."""
        if not self._port:
            self.until(lambda: _port_said(self.stdout, self.stderr))
            self._port = _port_said(self.stdout, self.stderr)
        return f"http://127.0.0.1:{self._port}"

    def get(self, path: str) -> Answer:
        """Ask its API."""
        return ask(self.address + path)

    def family(self) -> set[psutil.Process]:
        """Return the process and all that it ever started, as far as was asked before."""
        self._family.add(psutil.Process(self.process.pid))
        self._family.update(psutil.Process(self.process.pid).children(recursive=True))
        return self._family

    def until(self, is_so: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
        """Wait for something to become so while it runs."""
        deadline = time.monotonic() + seconds
        while not is_so():
            assert self.process.poll() is None, f"it ended with {self.process.poll()}"
            assert time.monotonic() < deadline, f"not so within {seconds} s"
            time.sleep(0.05)

    def until_answered(self, path: str, status: int = 200, seconds: float = WAIT_SECONDS) -> Answer:
        """Wait for an answer of that status, and return it."""
        answers: list[Answer] = []

        def is_answered() -> bool:
            answers.append(self.get(path))
            return answers[-1].status == status

        self.until(is_answered, seconds)
        return answers[-1]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it, and return its exit code. SIGINT goes to all its processes, as Ctrl-C does."""
        family = self.family()
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        code = self.process.wait(timeout=WAIT_SECONDS)
        assert_ended(family)
        return code

    def kill(self) -> None:
        """End it as a crash does; what it started must end by itself."""
        family = self.family()
        self.process.kill()
        self.process.wait()
        assert_ended(family)


def assert_ended(family: set[psutil.Process]) -> None:
    """Assert that processes are gone, a moment later at most."""
    deadline = time.monotonic() + 10
    while alive := [process for process in family if _is_alive(process)]:
        if time.monotonic() > deadline:
            for process in alive:
                process.kill()
            pytest.fail(f"processes were left behind: {alive}")
        time.sleep(0.02)


def _is_alive(process: psutil.Process) -> bool:
    try:
        # A zombie has ended; in a container, nobody may ever collect it.
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ask(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """Ask over HTTP: GET, or POST where there is a body."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request("GET" if body is None else "POST", path, body, dict(headers or {}))
        response = connection.getresponse()
        sent = {name.lower(): text for name, text in response.getheaders()}
        return Answer(response.status, sent, response.read())
    except OSError:
        return Answer(0, {}, b"")
    finally:
        connection.close()


def _port_said(stdout: str, stderr: str) -> int:
    for line in stderr.splitlines():
        if '"listening"' in line and line.endswith("}"):
            said = json.loads(line)
            return int(said.get("port") or said["address"].rpartition(":")[2])
    said_first = _ADDRESS.search(stdout)
    return int(said_first[0].rpartition(":")[2]) if said_first else 0
