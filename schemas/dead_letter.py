"""What becomes of an input event that cannot be used."""

from datetime import datetime
from hashlib import sha256
from uuid import UUID

from msgspec import UNSET, DecodeError, Struct, UnsetType, field
from msgspec.json import Decoder, Encoder

from schemas.errors import EventUndecodable, RevstreamError
from schemas.identity import derived_id
from schemas.keys import DEAD_LETTER_TOPIC

DEAD_LETTER_SCHEMA = "/revstream/dead-letter/1.0.0"
WHOLE_BYTES = 512 * 1024
"""Up to here a value is kept whole. In base64 it takes a third more, which a broker's usual 1 MiB allows."""
HEAD_BYTES = 64 * 1024
"""So much is kept of a larger value, beside its size and hash."""

_LETTER_IDS = UUID("d2c4a8f0-3b67-5e9d-a1c5-7f60b2e84d93")


class DeadLetterMeta(Struct, frozen=True):
    """Topic and id of a dead letter."""

    stream: str
    id: str


class DeadLetter(Struct, frozen=True, kw_only=True):
    """An input event set aside, with the reason and its bytes.

    Attributes:
        schema_uri: `DEAD_LETTER_SCHEMA`; ``$schema`` in JSON.
        meta: The id follows from the event's place, so that setting it aside twice gives one id.
        dt: When it was set aside, aware UTC.
        code: Of the error.
        message: What is wrong, the likely cause, and what to do.
        path: The field at fault, ``$.page.page_id``, where it is one.
        source_topic: Where the event came from.
        source_partition: Its partition.
        source_offset: Its offset.
        value_base64: The event's bytes, in JSON as base64: all of them, or the first `HEAD_BYTES`.
        value_size_bytes: Of the whole event.
        value_sha256: Of the whole event, in hexadecimal.
        is_whole: False where ``value_base64`` holds the head alone; the message says so too.
    """

    schema_uri: str = field(name="$schema", default=DEAD_LETTER_SCHEMA)
    meta: DeadLetterMeta
    dt: datetime
    code: str
    message: str
    path: str | UnsetType = UNSET
    source_topic: str
    source_partition: int
    source_offset: int
    value_base64: bytes
    value_size_bytes: int
    value_sha256: str
    is_whole: bool


class DeadLetterEvent(Struct, frozen=True):
    """A dead letter, ready to send.

    Attributes:
        stream: Topic.
        key: Topic key: the id, which spreads letters over partitions.
        value: The `DeadLetter` as JSON.
        event_id: ``meta.id``.
    """

    stream: str
    key: bytes
    value: bytes
    event_id: str


_encoder = Encoder()
_decoder = Decoder(DeadLetter)


def dead_letter(
    error: RevstreamError,
    value: bytes,
    *,
    source_topic: str,
    source_partition: int,
    source_offset: int,
    dt: datetime,
) -> DeadLetterEvent:
    """Write the dead letter of an event.

    Args:
        error: Why it cannot be used.
        value: The event's bytes as they came.
        source_topic: Topic it was read from.
        source_partition: Its partition.
        source_offset: Its offset.
        dt: Time to put on it, aware. With the source record's own timestamp a replay gives the same bytes;
            the id is the same in any case.
    """
    is_whole = len(value) <= WHOLE_BYTES
    message = error.message
    if not is_whole:
        message += f" (of {len(value)} bytes only the first {HEAD_BYTES} are kept here)"
    path = error.fields.get("path")
    event_id = derived_id(_LETTER_IDS, source_topic, source_partition, source_offset)
    letter = DeadLetter(
        meta=DeadLetterMeta(DEAD_LETTER_TOPIC, event_id),
        dt=dt,
        code=error.code,
        message=message,
        path=path if isinstance(path, str) and path.startswith("$") else UNSET,
        source_topic=source_topic,
        source_partition=source_partition,
        source_offset=source_offset,
        value_base64=value if is_whole else value[:HEAD_BYTES],
        value_size_bytes=len(value),
        value_sha256=sha256(value).hexdigest(),
        is_whole=is_whole,
    )
    return DeadLetterEvent(DEAD_LETTER_TOPIC, event_id.encode(), _encoder.encode(letter), event_id)


def decode_dead_letter(value: bytes) -> DeadLetter:
    """Read a dead letter back.

    Raises:
        EventUndecodable: These bytes are none.
    """
    try:
        return _decoder.decode(value)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EventUndecodable(
            f"this is no dead letter: {error}; read the topic {DEAD_LETTER_TOPIC} and no other"
        ) from error
