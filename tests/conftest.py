"""What every test may ask for."""

import os
from pathlib import Path

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
