"""A real Kafka broker for the tests of this folder."""

import uuid
from collections.abc import Iterator

import pytest

from tests.kafka_broker import KafkaBroker


@pytest.fixture(scope="session")
def kafka_session(kafka_jars: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """The broker of this test run."""
    broker = KafkaBroker(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def kafka_apart(kafka_jars: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A broker for tests that leave events of their own in the source topic, which others audit."""
    broker = KafkaBroker(tmp_path_factory.mktemp("kafka-apart"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_session: KafkaBroker) -> str:
    """The broker's address, ``host:port``."""
    return kafka_session.bootstrap


@pytest.fixture
def kafka_broker(kafka_session: KafkaBroker) -> Iterator[KafkaBroker]:
    """The broker's handle, for tests that stop it; it runs again for the next test."""
    yield kafka_session
    if not kafka_session.running:
        kafka_session.start()


@pytest.fixture
def kafka_topic_prefix() -> str:
    """A prefix for topics and groups that no other test has."""
    return f"test-{uuid.uuid4().hex[:8]}-"
