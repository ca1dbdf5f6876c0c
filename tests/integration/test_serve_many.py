"""`revstream serve --workers N`: many processes, one replica, one address."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from prometheus_client.parser import text_string_to_metric_families

from agents.embedded.log import Log
from app.settings import Settings
from tests.integration.test_serve import settings_for, write
from tests.programs import Program

PROCESSES = 3
REV_IDS = range(1, 200)


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[tuple[Program, Log, Settings]]:
    settings = settings_for(folder, 0)
    log = Log(settings.log_path)
    try:
        write(log, settings, *REV_IDS)
        arguments = ("--http-port=0", f"--workers={PROCESSES}", "--log-format=json", *options)
        with Program(folder / "program", "serve", f"--data-dir={folder}", *arguments) as program:
            program.until_answered("/readyz")
            yield program, log, settings
    finally:
        log.close()


def children(program: Program) -> dict[str, int]:
    """Return the processes by what they are: those that listen answer, the other one follows."""
    found = psutil.Process(program.process.pid).children()
    try:
        answering = [
            one.pid for one in found if any(each.status == "LISTEN" for each in one.net_connections())
        ]
    except psutil.NoSuchProcess:
        return children(program)  # It ended while it was looked at.
    (follower,) = {one.pid for one in found} - set(answering)
    return {"follower": follower} | {f"api-{index}": pid for index, pid in enumerate(sorted(answering))}


def metric(program: Program, name: str, **labels: str) -> float:
    text = program.get("/metrics").body.decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return float(sample.value)
    return 0.0


def test_all_processes_answer_from_one_replica_and_count_as_one(tmp_path: Path) -> None:
    with serving(tmp_path) as (program, log, settings):
        for rev_id in REV_IDS:
            assert program.get(f"/scores/enwiki/{rev_id}").status == 200
        # Whichever process is asked, and exactly.
        for _ in range(10):
            assert metric(program, "revstream_http_requests_total", face="scores", status="200") == len(
                REV_IDS
            )
        assert metric(program, "revstream_serving_processes") == PROCESSES + 1
        assert [path.name for path in tmp_path.glob("replica-*/rows-*")] == ["rows-000001"]
        write(log, settings, 1000)
        answers = [program.until_answered("/scores/enwiki/1000") for _ in range(10)]
        assert all("age" in answer.headers for answer in answers)
        assert program.stop() == 0


def test_ctrl_c_ends_all_processes_in_good_order(tmp_path: Path) -> None:
    with serving(tmp_path) as (program, _, _):
        assert len(children(program)) == PROCESSES + 1
        assert program.stop(signal.SIGINT) == 0
        assert "Traceback" not in program.stderr


def test_a_second_server_on_the_same_port_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path) as (program, _, _):
        port = program.address.rpartition(":")[2]
        for workers in ("1", "2"):
            command = ["-m", "app", "serve", f"--data-dir={tmp_path}", f"--http-port={port}"]
            done = subprocess.run(
                [sys.executable, *command, f"--workers={workers}"],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 1
            assert "port_in_use" in done.stderr


class Load:
    """Clients that look up over connections of their own, each again on a new one once it is cut off."""

    def __init__(self, port: int, connections: int) -> None:
        self._port = port
        self._end = threading.Event()
        self.answered = 0
        self.cut = 0
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(connections)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(timeout=30)

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        number = 0
        while not self._end.is_set():
            number += 1
            try:
                connection.request("GET", f"/scores/enwiki/{REV_IDS[number % len(REV_IDS)]}")
                response = connection.getresponse()
                response.read()
            except ConnectionRefusedError as error:
                self.failures.append(repr(error))
                connection.close()
                continue
            except (OSError, http.client.HTTPException):
                # Cut off, perhaps in the midst of an answer.
                self.cut += 1
                connection.close()
                continue
            if response.status != 200:
                self.failures.append(f"{response.status}")
            self.answered += 1
            time.sleep(0.001)
        connection.close()

    def until_answered(self, more: int) -> None:
        wanted = self.answered + more
        deadline = time.monotonic() + 60
        while self.answered < wanted:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_killed_process_costs_the_connections_that_it_held_and_no_other_look_up(tmp_path: Path) -> None:
    with serving(tmp_path) as (program, _, _):
        port = int(program.address.rpartition(":")[2])
        with Load(port, 24) as load:
            load.until_answered(500)
            held = 0
            for round_number in range(3):
                victim = psutil.Process(children(program)[f"api-{round_number % PROCESSES}"])
                held += sum(one.status == "ESTABLISHED" for one in victim.net_connections())
                victim.kill()
                load.until_answered(500)
                program.until(lambda: len(psutil.Process(program.process.pid).children()) == PROCESSES + 1)
            assert load.failures == []
            assert load.cut <= held
        assert metric(program, "revstream_serving_restarts_total") == 3
        # What the dead had counted still counts. An answer is counted once it is sent, so each connection
        # that a dead one held may have got one that is not.
        counted = metric(program, "revstream_http_requests_total", face="scores", status="200")
        assert load.answered - held <= counted <= load.answered + load.cut
        assert program.stop() == 0


def test_look_ups_go_on_and_tell_their_age_while_nobody_follows(tmp_path: Path) -> None:
    with serving(tmp_path) as (program, log, settings):
        follower = children(program)["follower"]
        os.kill(follower, signal.SIGSTOP)
        write(log, settings, 2000)
        try:
            program.until(lambda: int(program.get("/scores/enwiki/7").headers["age"]) >= 1)
            assert program.get("/scores/enwiki/2000").status == 404
        finally:
            os.kill(follower, signal.SIGCONT)
        program.until_answered("/scores/enwiki/2000")
        os.kill(follower, signal.SIGKILL)
        assert {program.get(f"/scores/enwiki/{rev_id}").status for rev_id in REV_IDS} == {200}
        write(log, settings, 2001)
        program.until_answered("/scores/enwiki/2001")
        program.until(lambda: not program.get("/readyz").document["notes"])


def test_processes_do_not_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    with serving(tmp_path) as (program, _, _):
        assert len(children(program)) == PROCESSES + 1
        program.kill()


def test_a_process_that_cannot_start_holds_up_no_connection(tmp_path: Path) -> None:
    with serving(tmp_path) as (program, _, _):
        port = int(program.address.rpartition(":")[2])
        # Killed as soon as it is there, until its starts are put off.
        for _ in range(6):
            found = children(program)
            if len(found) == PROCESSES + 1:
                with suppress(ProcessLookupError):
                    os.kill(found["api-0"], signal.SIGKILL)
            time.sleep(0.05)
        for _ in range(30):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
                assert connection.recv(100).startswith(b"HTTP/1.1 200")
