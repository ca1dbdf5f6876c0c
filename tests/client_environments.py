"""Clients from PyPI, each with what it needs in an environment of its own below ``.cache/clients``.

``python -m tests.client_environments NAME…`` makes environments and says what it installs.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "tests" / "clients"
ENVIRONMENTS = ROOT / ".cache" / "clients"
_STAMP = "installed"


class ClientFailed(Exception):
    """An environment cannot be made."""


class ClientUnobtainable(ClientFailed):
    """No package registry answers."""


def client_folder(name: str) -> Path:
    """Return the folder of a client's programs; made where it is not there, or is of another lock.

    Skips the test where no registry answers, but fails where REQUIRE_CLIENTS is set.

    Args:
        name: Of a file in ``tests/clients``, such as ``ores``.
    """
    try:
        return make_client(name)
    except ClientUnobtainable as error:
        if not os.environ.get("REQUIRE_CLIENTS"):
            pytest.skip(str(error))
        raise


def make_client(name: str, environments: Path = ENVIRONMENTS) -> Path:
    """Make the environment of a client unless it is there, and return the folder of its programs.

    Several processes may ask at once. An environment that is half made is never used.

    Raises:
        ClientUnobtainable: No package registry answers.
        ClientFailed: The packages cannot be installed, or are not those of the lock.
    """
    lock = LOCKS / f"{name}.lock"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    folder = environments / name
    environments.mkdir(parents=True, exist_ok=True)
    with (environments / f"{name}.guard").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        stamp = folder / _STAMP
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            pins = [line.split()[0] for line in lock.read_text().splitlines() if "==" in line]
            pin = next(each for each in pins if each.startswith(f"{name}=="))
            sys.stderr.write(
                f"Installing {pin} from PyPI, with the {len(pins) - 1} packages that it needs, into "
                f"{folder} (once; a minute at most).\n"
            )
            _run([sys.executable, "-m", "venv", str(folder)])
            pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
            _run([*pip, "install", "--quiet", "--no-deps", "--require-hashes", "--requirement", str(lock)])
            stamp.write_text(wanted)
    return folder / "bin"


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip()
        # What pip found and refused is a failure; that it found nothing at all is the network's.
        is_away = "HTTPSConnection" in said or "HTTPConnection" in said or "from versions: none" in said
        error = ClientUnobtainable if is_away else ClientFailed
        raise error(f"{' '.join(command[-3:])} ended with {done.returncode}: {said[-2000:]}")


def _main() -> int:
    try:
        for name in sys.argv[1:]:
            make_client(name)
    except ClientFailed as error:
        is_needed = bool(os.environ.get("REQUIRE_CLIENTS")) or not isinstance(error, ClientUnobtainable)
        sys.stderr.write(f"{error}\nTests with this client are skipped.\n" if not is_needed else f"{error}\n")
        return int(is_needed)
    return 0


if __name__ == "__main__":
    sys.exit(_main())
