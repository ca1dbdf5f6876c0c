"""What every benchmark prints: its figures, and what one must know to compare them."""

import json
import os
import platform
import resource
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = (
    "revstream",
    "faust-streaming",
    "mode-streaming",
    "aiokafka",
    "msgspec",
    "numpy",
    "revscoring",
    "rocksdict",
    "scikit-learn",
    "starlette",
    "uvicorn",
    "uvloop",
)


def machine() -> dict[str, Any]:
    """Return what ran the benchmark: processor, cores this process may use, memory, kernel, load.

    The load is the one-minute average at the time of the call: above the cores, wall times mean little.
    """
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_1min": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that figures depend on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def peak_rss_bytes() -> int:
    """Return the highest resident memory of this process so far; its children are not in it."""
    return _maximum_bytes(resource.RUSAGE_SELF)


def peak_child_rss_bytes() -> int:
    """Return the highest resident memory of any one child that has ended; 0 without one."""
    return _maximum_bytes(resource.RUSAGE_CHILDREN)


def report(name: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures together with machine, versions and peak memory.

    Args:
        name: Name of the benchmark, as in ``python -m tests.bench.NAME``.
        figures: Figure to value; units live in the names.
    """
    return {
        "name": name,
        "figures": dict(figures),
        "peak_rss_bytes": peak_rss_bytes(),
        "peak_child_rss_bytes": peak_child_rss_bytes(),
        "machine": machine(),
        "versions": versions(),
    }


def emit(name: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    """Print the report as one JSON document on standard output, and return it."""
    document = report(name, figures)
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    sys.stdout.flush()
    return document


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor()


def _maximum_bytes(who: int) -> int:
    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(who).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
