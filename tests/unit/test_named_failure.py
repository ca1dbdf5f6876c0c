"""What ends a worker has a name of ours, whichever library said it."""

from aiokafka.errors import KafkaConnectionError

from app.run import named_failure
from app.settings import Settings
from schemas.errors import BrokerUnavailable, StoreFull

KAFKA = Settings(broker="kafka://one:9092,two:9092")


def test_a_broker_that_goes_while_a_worker_starts_is_told_with_what_to_do() -> None:
    lost = KafkaConnectionError("no node answers")
    named = named_failure(KAFKA, lost)
    assert isinstance(named, BrokerUnavailable)
    assert named.__cause__ is lost
    assert named.message == (
        "The broker one:9092,two:9092 cannot be used over PLAINTEXT: KafkaConnectionError: no"
        " node answers. Start it, or correct the settings broker and kafka_…."
    )


def test_other_failures_stay_what_they_are() -> None:
    full, bug = StoreFull("full"), KeyError("a bug")
    assert named_failure(KAFKA, full) is full
    assert named_failure(KAFKA, bug) is bug
