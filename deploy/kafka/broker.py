"""Runs one Apache Kafka broker on loopback, for tests and for persons who want to look at it.

``fetch`` brings the jars with Maven into a cache, ``start`` runs them, ``status`` and ``stop`` speak to the
broker of a folder. The address goes to standard output, talk to standard error. It is no way to run a
cluster: one node, no replicas, and a login only where further properties ask for one.

Exit status: 0 done; 1 failed, or not running; 2 wrong usage; 3 Java, Maven or the network is missing.
"""

import argparse
import base64
import fcntl
import json
import os
import select
import signal
import string
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jars import HERE, ROOT, BrokerError, default_cache, fetch, java, run, say
from ports import HOST, answers, free_port, is_free

START_SECONDS = 90.0
STOP_SECONDS = 30.0
# Small, and compiled once only: the broker of a test lives for a minute.
JAVA_OPTIONS = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class Running(NamedTuple):
    """A broker that runs: its process, and where it listens."""

    pid: int
    port: int


class Broker:
    """The broker of one folder: its storage, its log and the file that names its process.

    The process inherits a lock on ``broker.pid`` and holds it for as long as it lives. So a broker whose
    lock is free is dead, and a process id that the system gave to another is never signalled.

    Args:
        folder: Where storage, settings, log and process id are; made if missing.
        properties: Further settings, stronger than ours; braced names are filled in there as well.
        scram: Users that new storage begins with, as Kafka's own ``--add-scram`` takes them.
    """

    def __init__(self, folder: Path, properties: Path | None = None, scram: Sequence[str] = ()) -> None:
        self.folder = folder.resolve()
        self.properties = properties
        self.scram = [word for user in scram for word in ("--add-scram", user)]
        self.pid_file = self.folder / "broker.pid"
        self.log_file = self.folder / "broker.log"

    def running(self) -> Running | None:
        """Return the running broker, or None.

        Raises:
            BrokerError: Its start is under way, so that there is no process yet.
        """
        if not self.pid_file.exists():
            return None
        with self.pid_file.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                if state := lock.read():
                    return Running(**json.loads(state))
                raise BrokerError(f"a start in {self.folder} is under way; try again") from None
        return None

    def start(self, libs: Path, port: int) -> "subprocess.Popen[bytes]":
        """Start the broker on its storage, and wait until it serves.

        1. Take the lock. 2. Write the settings. 3. Format new storage. 4. Start. 5. Wait.

        Args:
            libs: The checked jars.
            port: Where to listen, 1 to 65535.

        Raises:
            BrokerError: It runs already, the port is taken, or Kafka refuses to start.
        """
        kafka = [java(), *JAVA_OPTIONS, f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"]
        kafka += ["-cp", f"{libs}/*"]
        data, settings = self.folder / "data", self.folder / "server.properties"
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.pid_file.open("a+") as lock, self.log_file.open("ab") as log:
            try:  # 1
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BrokerError(f"a broker runs in {self.folder} already; stop it first") from None
            lock.truncate(0)
            if not is_free(port):
                raise BrokerError(
                    f"port {port} is in use; stop what listens there, or name another by --port"
                )
            files = [HERE / "server.properties", *([self.properties] if self.properties else [])]
            template = string.Template("\n".join(file.read_text() for file in files))
            settings.write_text(template.substitute(port=port, controller_port=free_port(), data=data))  # 2
            if not (data / "meta.properties").exists():  # 3
                # Kafka writes ids in this alphabet, and its command line takes a leading dash for an option.
                cluster_id = "r" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
                tool = ["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(settings)]
                tool += self.scram
                if (answer := run([*kafka, *tool])).returncode:
                    raise BrokerError(f"Kafka could not format {data}:\n{answer.stdout[-2000:]}")
            log.truncate(0)
            process = subprocess.Popen(  # noqa: S603 - 4; the command is built above, from our own files
                [*kafka, "kafka.Kafka", settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[lock.fileno()],
                # Ctrl-C must reach it through us, and the end of a terminal not at all.
                start_new_session=True,
            )
            lock.write(json.dumps(Running(process.pid, port)._asdict()))
        try:
            self._wait_until_it_serves(process, port)  # 5
        except BaseException:
            process.kill()
            process.wait()
            raise
        return process

    def _wait_until_it_serves(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not answers(port):
            if process.poll() is not None:
                said = self.log_file.read_text(errors="replace")[-2000:]
                raise BrokerError(f"Kafka ended with status {process.returncode} while starting:\n{said}")
            if time.monotonic() > deadline:
                raise BrokerError(f"Kafka does not serve after {START_SECONDS:.0f} s; see {self.log_file}")
            time.sleep(0.05)

    def stop(self) -> bool:
        """End this folder's broker, by force where it does not heed; return whether one ran.

        Raises:
            BrokerError: It lives on though it was killed, or its start is under way.
        """
        if (state := self.running()) is None:
            return False
        for number in (signal.SIGTERM, signal.SIGKILL):
            os.kill(state.pid, number)
            deadline = time.monotonic() + STOP_SECONDS
            while time.monotonic() < deadline:
                if self.running() is None:
                    return True
                time.sleep(0.05)
        raise BrokerError(f"process {state.pid}, the broker in {self.folder}, cannot be ended")


def stay(process: "subprocess.Popen[bytes]", *, until_eof: bool) -> int:
    """Wait for Ctrl-C, SIGTERM, or the end of standard input, and end the broker; or for its own end."""
    try:
        while process.poll() is None:
            if not until_eof:
                time.sleep(0.2)
            elif select.select([sys.stdin], [], [], 0.2)[0] and not sys.stdin.readline():
                break
        else:
            say(f"the broker ended by itself with status {process.returncode}")
            return 1
    except KeyboardInterrupt:
        say("stopping")
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return 0


def command_line() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description="One Apache Kafka broker on loopback, for tests and trials.")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="folder of the jars")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("fetch", help="bring the jars and check them")
    verbs.add_parser("renew", help="fetch for a changed pom.xml, and write SHA512SUMS from what came")
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument(
        "--dir",
        type=Path,
        default=ROOT / ".revstream" / "kafka",
        help="folder of the broker's storage and log",
    )
    starting = verbs.add_parser("start", parents=[place], help="start a broker and print its address")
    starting.add_argument(
        "--port", type=int, default=0, help="where to listen; 0, the default, finds a free one"
    )
    starting.add_argument(
        "--properties", type=Path, help="further settings of the broker, stronger than server.properties"
    )
    starting.add_argument(
        "--add-scram", action="append", default=[], metavar="USER", help="as kafka-storage takes it"
    )
    starting.add_argument("--foreground", action="store_true", help="stay until Ctrl-C, and stop it then")
    starting.add_argument("--until-eof", action="store_true", help="stay until standard input ends")
    verbs.add_parser("status", parents=[place], help="print the address of a broker that serves")
    verbs.add_parser("stop", parents=[place], help="stop the broker of a folder")
    return parser


def start(arguments: argparse.Namespace) -> int:
    """Start a broker as the command line says; return the exit status."""
    began = time.monotonic()
    broker = Broker(arguments.dir, arguments.properties, arguments.add_scram)
    port = arguments.port or free_port()
    process = broker.start(fetch(arguments.cache), port)
    say(f"serving after {time.monotonic() - began:.1f} s; storage and log are in {broker.folder}")
    sys.stdout.write(f"{HOST}:{port}\n")
    sys.stdout.flush()
    if not (arguments.foreground or arguments.until_eof):
        return 0
    return stay(process, until_eof=arguments.until_eof)


def status(folder: Path) -> int:
    """Print the address of the folder's broker if it serves; return the exit status."""
    state = Broker(folder).running()
    if state is None:
        say(f"no broker runs in {folder}")
        return 1
    if not answers(state.port):
        say(f"process {state.pid} runs, but does not serve on port {state.port}")
        return 1
    sys.stdout.write(f"{HOST}:{state.port}\n")
    return 0


def main() -> int:
    """Do what the command line asks; return the exit status."""
    arguments = command_line().parse_args()
    # Both raise KeyboardInterrupt, and a broker under way is ended too. Shells start background jobs with
    # Ctrl-C ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        match arguments.verb:
            case "fetch" | "renew":
                java()
                sys.stdout.write(f"{fetch(arguments.cache, renew=arguments.verb == 'renew')}\n")
            case "start":
                return start(arguments)
            case "status":
                return status(arguments.dir)
            case "stop":
                say("stopped" if Broker(arguments.dir).stop() else f"no broker runs in {arguments.dir}")
    except BrokerError as error:
        say(str(error))
        return error.exit_status
    except KeyboardInterrupt:
        say("interrupted")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
