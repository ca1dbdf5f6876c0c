"""What every test may ask for."""

import os
import shutil
import subprocess
import sys
import sysconfig
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from tests.kafka_broker import BrokerUnobtainable, fetch_broker

ROOT = Path(__file__).resolve().parent.parent


def shared_folder() -> Path:
    """Return the folder of shared real data, whether it exists or not."""
    return Path(os.environ.get("REVSTREAM_SHARED", ROOT.parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared real data. Absent: skip, or fail where REQUIRE_SHARED is set."""
    folder = shared_folder()
    if not (folder / "data").is_dir():
        message = f"no shared data at {folder}; name the folder in REVSTREAM_SHARED"
        if os.environ.get("REQUIRE_SHARED"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def kafka_jars() -> None:
    """What a Kafka broker runs from. Not to be had: skip, or fail where REQUIRE_KAFKA is set."""
    try:
        fetch_broker()
    except BrokerUnobtainable as error:
        if not os.environ.get("REQUIRE_KAFKA"):
            pytest.skip(str(error))
        raise


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The functions in C, built as an install builds it, but with warnings as errors."""
    compiler: str = os.environ.get("CC", sysconfig.get_config_var("CC"))
    if shutil.which(compiler.split(maxsplit=1)[0]) is None:
        pytest.skip("no C compiler")
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        pytest.skip("no headers of Python")
    folder = tmp_path_factory.mktemp("native")
    build = [sys.executable, "-c", "import setuptools; setuptools.setup()", "build_ext"]
    done = subprocess.run(
        [*build, "--build-lib", folder / "lib", "--build-temp", folder / "temp"],
        cwd=ROOT,
        env={**os.environ, "CFLAGS": "-Werror"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found = list((folder / "lib").rglob("_compiled*"))
    assert found, done.stdout + done.stderr
    spec = spec_from_file_location("models.native._compiled", found[0])
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
