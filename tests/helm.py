"""Helm itself, as a library from Maven Central: lints a chart and renders it.

``python -m tests.helm LIBRARY CHART [NAME=VALUE]...`` prints what becomes of a chart. It is a process of its
own, since the library is written in Go, whose runtime takes over the signals of its process.
"""

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_VERSION = "0.0.15"
_ARTIFACT = f"com.marcnuri.helm-java:linux-amd64:{_VERSION}"
_SHA512 = (
    "54b3c77774db477e3ec1231a9bb6a00be43940d0685f0a50c1d33610b3fad707"
    "3ea73430530f84a8b9e9771a1e6d9a01d107a91e78d1e1a2fe6db53a12dcb491"
)
_CACHE = ROOT / ".cache" / "helm" / _VERSION
_LIBRARY = "helm-linux-amd64.so"


class _LintOptions(ctypes.Structure):
    _fields_ = [("path", ctypes.c_char_p), ("strict", ctypes.c_int), ("quiet", ctypes.c_int)]


class _TemplateOptions(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("version", ctypes.c_char_p),
        ("chart", ctypes.c_char_p),
        ("namespace", ctypes.c_char_p),
        ("dependency_update", ctypes.c_int),
        ("values", ctypes.c_char_p),
        ("values_files", ctypes.c_char_p),
        ("cert_file", ctypes.c_char_p),
        ("key_file", ctypes.c_char_p),
        ("ca_file", ctypes.c_char_p),
        ("insecure_skip_tls_verify", ctypes.c_int),
        ("plain_http", ctypes.c_int),
        ("keyring", ctypes.c_char_p),
        ("debug", ctypes.c_int),
        ("repository_config", ctypes.c_char_p),
    ]


class _Result(ctypes.Structure):
    _fields_ = [(name, ctypes.c_char_p) for name in ("out", "err", "std_out", "std_err")]


def library() -> Path:
    """Return the library, fetched by Maven unless it is there.

    Not to be had: skip, or fail where REQUIRE_HELM is set.
    """
    path = _CACHE / _LIBRARY
    if not path.exists():
        failure = _fetch()
        if failure is not None:
            if os.environ.get("REQUIRE_HELM"):
                pytest.fail(failure)
            pytest.skip(failure)
    return path


def _fetch() -> str | None:
    """Fetch the library; return why it cannot be had."""
    maven = shutil.which("mvn")
    if maven is None:
        return "mvn is not installed, which fetches Helm"
    _CACHE.mkdir(parents=True, exist_ok=True)
    command = [maven, "-q", "dependency:copy", f"-Dartifact={_ARTIFACT}", f"-DoutputDirectory={_CACHE}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    jar = _CACHE / f"linux-amd64-{_VERSION}.jar"
    if done.returncode:
        return f"Maven cannot fetch {_ARTIFACT}: {done.stdout[-500:]}"
    if hashlib.sha512(jar.read_bytes()).hexdigest() != _SHA512:
        return f"{jar} is not the file that is expected"
    with zipfile.ZipFile(jar) as packed:
        packed.extract(_LIBRARY, _CACHE)
    return None


def render(chart: Path, *values: str) -> str:
    """Return the manifests of a chart as YAML.

    Args:
        chart: Its folder.
        values: As for ``helm --set``: ``worker.replicas=3``.

    Raises:
        AssertionError: Helm's linter or its renderer refuses the chart or the values.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.helm", library(), chart, *values],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _main(path: str, chart: str, *values: str) -> None:
    helm = ctypes.CDLL(path)
    helm.Lint.restype = helm.Template.restype = _Result
    linted = helm.Lint(ctypes.byref(_LintOptions(path=chart.encode(), strict=1)))
    if linted.err or b"Failed: true" in (linted.out or b""):
        sys.exit(f"{linted.err or linted.out!r}")
    options = _TemplateOptions(name=b"site", chart=chart.encode(), values="&".join(values).encode())
    rendered = helm.Template(ctypes.byref(options))
    if rendered.err:
        sys.exit(rendered.err.decode())
    sys.stdout.write(rendered.out.decode())


if __name__ == "__main__":
    _main(*sys.argv[1:])
