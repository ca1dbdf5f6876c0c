"""Where an event came from, however often it was put off since."""

from faust.types import EventT
from msgspec import Struct

from schemas.retry import PutOff


class Origin(Struct, frozen=True):
    """An event as it was read for the first time.

    Attributes:
        value: Its bytes.
        topic: That it was read from.
        partition: Of the topic.
        offset: In the partition.
        put_off: The record that it comes from now; None where it comes from its topic.
    """

    value: bytes
    topic: str
    partition: int
    offset: int
    put_off: PutOff | None = None


def origin_of(event: EventT[object]) -> Origin:
    """Return the origin of an event of a source."""
    message = event.message
    return Origin(message.value or b"", message.topic, message.partition, message.offset)


def origin_of_put_off(put_off: PutOff) -> Origin:
    """Return the origin of an event that was put off."""
    return Origin(
        bytes(put_off.original_event),
        put_off.source_topic,
        put_off.source_partition,
        put_off.source_offset,
        put_off,
    )
