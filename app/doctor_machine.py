"""Checks of the machine: interpreter, packages, system libraries, limits."""

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

from app.findings import Finding, broken, ok, warning

PYTHON: Final = (3, 11)
DICTIONARIES: Final = ("en_US", "en_GB", "en_AU")
MIN_OPEN_FILES: Final = 1024
MIN_MEMORY_BYTES: Final = 1 << 30

_DICTIONARY_USE: Final = "Models that look words up need it; the default model does not."
_INSTALL_AGAIN: Final = "Install the locked packages again: rm -r .venv && make run."


def check_interpreter(version: Sequence[int], implementation: str) -> Finding:
    """Check the interpreter.

    Args:
        version: Major, minor and more, as ``sys.version_info``.
        implementation: As ``sys.implementation.name``.
    """
    shown = f"{implementation} {'.'.join(map(str, version[:3]))}"
    if tuple(version[:2]) == PYTHON and implementation == "cpython":
        return ok("interpreter", shown)
    return broken(
        "interpreter",
        f"{shown}; revscoring's numpy has wheels up to CPython 3.11, and feature values are held to 3.11.",
        "Install Python 3.11 and name it: make PYTHON=/path/to/python3.11 run.",
    )


def check_packages(
    requirements: Iterable[str], installed: Callable[[str], str] = metadata.version
) -> tuple[Finding, ...]:
    """Check the installed packages against requirements; extras that were not asked for are left out.

    Args:
        requirements: As package metadata has them: ``numpy<1.25,>=1.24``.
        installed: Version of a package by name; raises ``PackageNotFoundError``.

    Returns:
        One finding for each package that is missing or of a wrong version; one that all is well otherwise.
    """
    count, faults = 0, []
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        count += 1
        try:
            version = installed(requirement.name)
        except metadata.PackageNotFoundError:
            faults.append(broken("packages", f"{requirement.name} is not installed.", _INSTALL_AGAIN))
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            faults.append(
                broken(
                    "packages",
                    f"{requirement.name} {version} is installed, and {requirement.specifier} is needed.",
                    _INSTALL_AGAIN,
                )
            )
    return tuple(faults) or (ok("packages", f"{count} as required"),)


def check_dictionaries(
    wanted: Sequence[str] = DICTIONARIES, available: Callable[[], Iterable[str]] | None = None
) -> Finding:
    """Check the enchant library and its dictionaries, which some models read and the default one does not.

    Args:
        wanted: Dictionary names.
        available: Names of the dictionaries that enchant finds; raises ``ImportError`` without the library,
            and ``OSError`` where it cannot be loaded.
    """
    try:
        found = set((available or _enchant_languages)())
    except (ImportError, OSError):
        return warning(
            "dictionaries",
            f"The enchant library is not installed. {_DICTIONARY_USE}",
            "make dictionaries",
        )
    missing = [name for name in wanted if name not in found]
    if missing:
        return warning(
            "dictionaries",
            f"No dictionary for {', '.join(missing)}. {_DICTIONARY_USE}",
            "make dictionaries",
        )
    return ok("dictionaries", f"enchant with {', '.join(sorted(found))}")


def _enchant_languages() -> list[str]:
    import enchant  # noqa: PLC0415 - fails at import where the system library is missing

    return list(enchant.list_languages())


def check_nltk_data(folders: Iterable[Path], user_id: int | None = None) -> Finding:
    """Check that no word list lies where NLTK refuses it: writable by others, or owned by someone else.

    Models bring their word lists, so that such a file only troubles code of one's own.

    Args:
        folders: Where NLTK looks.
        user_id: Of this process; the effective one where None.
    """
    user_id = os.geteuid() if user_id is None else user_id
    for folder in folders:
        for path in (folder, *sorted(folder.glob("corpora/stopwords*"))):
            try:
                found = path.stat()
            except OSError:
                continue
            if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or found.st_uid not in {0, user_id}:
                return warning(
                    "nltk data",
                    f"NLTK refuses {path}: others may write it, or it is not yours. "
                    "The packaged models do not read it.",
                    f"chmod -R go-w {folder}, and chown it if it is not yours; or remove it.",
                )
    return ok("nltk data", "nothing that NLTK would refuse")


def check_open_files(limit: int, minimum: int = MIN_OPEN_FILES) -> Finding:
    """Check the limit on open files, of which each partition of each table takes some dozens."""
    if limit < 0 or limit >= minimum:  # RLIM_INFINITY is -1
        return ok("open files", "no limit" if limit < 0 else f"limit {limit}")
    return warning(
        "open files",
        f"The limit is {limit}, and RocksDB, connections and scorers may need {minimum}.",
        f"ulimit -n {minimum}, or LimitNOFILE= in the unit.",
    )


def check_memory(available_bytes: int | None, minimum: int = MIN_MEMORY_BYTES) -> Finding:
    """Check the memory that is free for a worker; None where the system does not tell."""
    if available_bytes is None:
        return ok("memory", "this system does not tell")
    shown = f"{available_bytes / (1 << 30):.1f} GiB available"
    if available_bytes >= minimum:
        return ok("memory", shown)
    return warning(
        "memory",
        f"{shown}; the models take about 150 MB once, each scoring process some 50 MB more, "
        "and the worker about 150 MB.",
        "Lower pool_processes, or free some.",
    )


def available_memory_bytes(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Return the memory that Linux says is available; None elsewhere."""
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None
