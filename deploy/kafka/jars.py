"""Fetches the jars of Apache Kafka with Maven, and refuses any that SHA512SUMS does not name."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SUMS = HERE / "SHA512SUMS"


class BrokerError(Exception):
    """The broker cannot do what was asked."""

    exit_status: ClassVar[int] = 1


class Unavailable(BrokerError):
    """This machine lacks what the broker needs."""

    exit_status = 3


def say(text: str) -> None:
    """Write one line to standard error."""
    sys.stderr.write(f"kafka: {text}\n")


def run(command: Sequence[str | Path]) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end and return its status and its output, both streams in one."""
    return subprocess.run(  # noqa: S603 - the commands are built in this folder, from our own files
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def java() -> str:
    """Return the java command, 17 or later.

    Raises:
        Unavailable: There is none, or it is older.
    """
    cure = "install a Java runtime 17 or later (Debian: openjdk-17-jre-headless)"
    home = os.environ.get("JAVA_HOME")
    command = shutil.which(Path(home, "bin", "java") if home else "java")
    if command is None:
        raise Unavailable(
            f"{f'JAVA_HOME={home} holds no bin/java' if home else 'java was not found'}; {cure}"
        )
    version = re.search(r'version "(\d+)', run([command, "-version"]).stdout)
    if version is None or int(version[1]) < 17:
        raise Unavailable(f"Kafka needs Java 17 or later, and {command} is not; {cure}")
    return command


def default_cache() -> Path:
    """Return the folder for the jars that pom.xml names as it is now."""
    return ROOT / ".cache" / "kafka" / hashlib.sha256((HERE / "pom.xml").read_bytes()).hexdigest()[:16]


def fetch(cache: Path, *, renew: bool = False) -> Path:
    """Bring the jars into the cache unless they are there, and check every one.

    Args:
        cache: The folder to hold the jars.
        renew: Fetch anew, and write SHA512SUMS from what came.

    Returns:
        The folder of the jars, checked.

    Raises:
        Unavailable: Maven is missing, or cannot fetch.
        BrokerError: A jar is not the one that SHA512SUMS names.
    """
    cache.parent.mkdir(parents=True, exist_ok=True)
    with (cache.parent / "fetch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if renew or not cache.exists():
            with tempfile.TemporaryDirectory(dir=cache.parent) as scratch:
                libs = Path(scratch, "libs")
                _copy_dependencies(libs)
                if renew:
                    jars = sorted(libs.iterdir())
                    SUMS.write_text("".join(f"{_digest(jar)}  {jar.name}\n" for jar in jars))
                    shutil.rmtree(cache, ignore_errors=True)
                _verify(libs)
                libs.rename(cache)
                return cache
    _verify(cache)
    return cache


def _copy_dependencies(libs: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise Unavailable("mvn was not found; install Maven (Debian: maven)")
    say("fetching Apache Kafka with Maven (45 MB, once)")
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={libs}"]
    answer = run([maven, "-B", "-q", "-ntp", "-f", HERE / "pom.xml", *goal])
    if answer.returncode:
        # Maven says what is wrong first, and then at length where to read on.
        raise Unavailable(f"Maven could not fetch Apache Kafka; is there a network?\n{answer.stdout[:1000]}")


def _digest(jar: Path) -> str:
    with jar.open("rb") as content:
        return hashlib.file_digest(content, "sha512").hexdigest()


def _verify(libs: Path) -> None:
    """Raise BrokerError, naming the first jar that is missing, too many, or another than in SHA512SUMS."""
    expected: dict[str, str] = {}
    for line in SUMS.read_text().splitlines():
        digest, _, name = line.partition("  ")
        expected[name] = digest
    found = {jar.name: jar for jar in libs.iterdir()}
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            trouble = "is missing"
        elif name not in expected:
            trouble = f"is not listed in {SUMS.name}"
        elif _digest(found[name]) != expected[name]:
            trouble = f"differs from its digest in {SUMS.name}"
        else:
            continue
        raise BrokerError(
            f"{name} {trouble}, so nothing is started; remove {libs} and fetch again, and if it stays so, "
            "remove that artefact from the local Maven repository"
        )
