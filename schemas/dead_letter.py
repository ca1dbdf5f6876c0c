"""What becomes of an input event that cannot be used, in the layout of ``/error/1.0.0``."""

from datetime import datetime
from hashlib import sha256
from uuid import UUID

from msgspec import UNSET, DecodeError, Struct, UnsetType, field
from msgspec.json import Decoder, Encoder

from schemas.errors import EventUndecodable, RevstreamError
from schemas.identity import derived_id
from schemas.keys import DEAD_LETTER_TOPIC

DEAD_LETTER_SCHEMA = "/error/1.0.0"
WHOLE_BYTES = 512 * 1024
"""Up to here a value is kept whole. In base64 it takes a third more, which a broker's usual 1 MiB allows."""
_TEXT_BYTES = WHOLE_BYTES * 4 // 3
"""A text that takes more as JSON is kept in base64."""
_EXCERPT_CHARACTERS = 2_000
HEAD_BYTES = 64 * 1024
"""So much is kept of a larger value, beside its size and hash."""

_LETTER_IDS = UUID("d2c4a8f0-3b67-5e9d-a1c5-7f60b2e84d93")


class DeadLetterMeta(Struct, frozen=True):
    """Topic, id and time of a dead letter."""

    stream: str
    id: str
    dt: datetime


class DeadLetter(Struct, frozen=True, kw_only=True):
    """An input event set aside, with the reason and its bytes.

    The first five are of the error schema; it leaves room for the others, which are ours.

    Attributes:
        schema_uri: `DEAD_LETTER_SCHEMA`; ``$schema`` in JSON.
        meta: The id follows from the event's place, so that setting it aside twice gives one id; the time is
            when it was set aside, aware UTC.
        emitter_id: Name of the application.
        message: What is wrong, the likely cause, and what to do.
        raw_event: The event as text; the beginning of it where ``value_base64`` is there.
        code: Of the error.
        path: The field at fault, ``$.page.page_id``, where it is one.
        source_topic: Where the event came from.
        source_partition: Its partition.
        source_offset: Its offset.
        value_base64: The event's bytes, in JSON as base64, where they are no text or too many as one.
        value_size_bytes: Of the whole event.
        value_sha256: Of the whole event, in hexadecimal.
        is_whole: False where the first `HEAD_BYTES` alone are kept; the message says so too.
    """

    schema_uri: str = field(name="$schema", default=DEAD_LETTER_SCHEMA)
    meta: DeadLetterMeta
    emitter_id: str
    message: str
    raw_event: str
    code: str
    path: str | UnsetType = UNSET
    source_topic: str
    source_partition: int
    source_offset: int
    value_base64: bytes | UnsetType = UNSET
    value_size_bytes: int
    value_sha256: str
    is_whole: bool

    @property
    def value(self) -> bytes:
        """The event's bytes, or the first of them where it was not kept whole."""
        return self.raw_event.encode() if self.value_base64 is UNSET else self.value_base64


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
    emitter_id: str,
    dt: datetime,
) -> DeadLetterEvent:
    """Write the dead letter of an event.

    Args:
        error: Why it cannot be used.
        value: The event's bytes as they came.
        source_topic: Topic it was read from.
        source_partition: Its partition.
        source_offset: Its offset.
        emitter_id: Name of the application.
        dt: Time to put on it, aware. With the source record's own timestamp a replay gives the same bytes;
            the id is the same in any case.
    """
    is_whole = len(value) <= WHOLE_BYTES
    message = error.message
    if not is_whole:
        message += f" (of {len(value)} bytes only the first {HEAD_BYTES} are kept here)"
    path = error.fields.get("path")
    event_id = derived_id(_LETTER_IDS, source_topic, source_partition, source_offset)
    raw_event, value_base64 = _told(value if is_whole else value[:HEAD_BYTES])
    letter = DeadLetter(
        meta=DeadLetterMeta(DEAD_LETTER_TOPIC, event_id, dt),
        emitter_id=emitter_id,
        raw_event=raw_event,
        code=error.code,
        message=message,
        path=path if isinstance(path, str) and path.startswith("$") else UNSET,
        source_topic=source_topic,
        source_partition=source_partition,
        source_offset=source_offset,
        value_base64=value_base64,
        value_size_bytes=len(value),
        value_sha256=sha256(value).hexdigest(),
        is_whole=is_whole,
    )
    return DeadLetterEvent(DEAD_LETTER_TOPIC, event_id.encode(), _encoder.encode(letter), event_id)


def _told(value: bytes) -> tuple[str, bytes | UnsetType]:
    """Return a value as text, and as bytes where the text does not give it back or is too long."""
    text = value.decode(errors="replace")
    if text.encode() == value and len(_encoder.encode(text)) <= _TEXT_BYTES:
        return text, UNSET
    return text[:_EXCERPT_CHARACTERS], value


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
