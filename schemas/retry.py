"""The record of an event that was put off, in the layout of ``/change-prop/retry/1.0.0``."""

from datetime import datetime
from json import JSONDecoder
from uuid import UUID

from msgspec import UNSET, DecodeError, Raw, Struct, UnsetType, field
from msgspec.json import Decoder, Encoder
from msgspec.structs import replace

from schemas.errors import EventUndecodable
from schemas.identity import derived_id

RETRY_SCHEMA = "/change-prop/retry/1.0.0"
MAX_RETRY_BYTES = 960 * 1024
"""A larger record is not written: a broker's usual limit is 1 MiB."""

_EVENT_FIELD = ',"original_event":'
_INFIX = ".retry."
_RETRY_IDS = UUID("5f0c9d3e-2a4b-5b86-9c71-0d8e6f7a1b24")


class RetryMeta(Struct, frozen=True):
    """Topic, time and origin of a put-off event.

    Attributes:
        stream: The retry topic.
        id: Follows from the event's place and the repetitions left: put off twice, it has one id.
        dt: When it was put off, aware UTC.
        domain: Host name of the wiki, where the event tells.
        uri: Address of the page, where the event tells.
        request_id: Of the request that caused the event, where told.
    """

    stream: str
    id: str
    dt: datetime
    domain: str | UnsetType = UNSET
    uri: str | UnsetType = UNSET
    request_id: str | UnsetType = UNSET


class PutOff(Struct, frozen=True, kw_only=True):
    """An event that is to be handled again later.

    The fields without a note are those of ChangeProp, with its meaning.

    Attributes:
        schema_uri: `RETRY_SCHEMA`; ``$schema`` in JSON.
        emitter_id: ``APP_ID#RULE``; ``APP_ID`` without rules.
        retries_left: Repetitions that it still has, the next one included; from 1.
        original_event: The event, byte for byte.
        reason: What kept it from being scored.
        triggered_by: ``TOPIC:URI`` of the event.
        error_code: Of the reason. Ours.
        delay_until: When the next repetition is due, aware UTC. Ours.
        first_dt: When it was put off for the first time. Ours.
        wiki_id: Of the event. Ours.
        source_topic: Where the event was read from. Ours, as what follows.
        source_partition: Its partition.
        source_offset: Its offset.
    """

    schema_uri: str = field(name="$schema", default=RETRY_SCHEMA)
    meta: RetryMeta
    emitter_id: str
    retries_left: int
    original_event: Raw
    reason: str
    triggered_by: str | UnsetType = UNSET
    error_code: str
    delay_until: datetime
    first_dt: datetime
    wiki_id: str
    source_topic: str
    source_partition: int
    source_offset: int


_encode = Encoder().encode
_decode = Decoder(PutOff).decode


def retry_topic(app_id: str, source_topic: str) -> str:
    """Return the topic that the put-off events of a topic go to: ``revstream.retry.TOPIC``."""
    return f"{app_id}{_INFIX}{source_topic}"


def is_retry_topic(app_id: str, topic: str) -> bool:
    """Tell whether a topic is one that an application puts events off to."""
    return topic.startswith(app_id + _INFIX)


def retry_id(source_topic: str, source_partition: int, source_offset: int, retries_left: int) -> str:
    """Return the id of a record."""
    return derived_id(_RETRY_IDS, source_topic, source_partition, source_offset, retries_left)


def _decode_odd(value: bytes) -> PutOff:
    """Read a record whose event holds what only Python's own reader takes, halves of characters above all.

    Raises:
        ValueError: It is none.
    """
    text = value.decode()
    # Inside a string this would have a backslash: the first is the field.
    start = text.index(_EVENT_FIELD) + len(_EVENT_FIELD)
    _, end = JSONDecoder().raw_decode(text, start)
    rest = _decode((text[:start] + "{}" + text[end:]).encode())
    return replace(rest, original_event=Raw(text[start:end].encode()))


def encode_put_off(put_off: PutOff) -> bytes:
    """Return a record's bytes."""
    return _encode(put_off)


def decode_put_off(value: bytes) -> PutOff:
    """Read a record back.

    Raises:
        EventUndecodable: These bytes are none.
    """
    try:
        try:
            return _decode(value)
        except DecodeError:
            return _decode_odd(value)
    except (DecodeError, ValueError, UnicodeDecodeError, RecursionError) as error:
        raise EventUndecodable(
            f"this is no event that was put off: {error}; let nothing but revstream write to its retry topics"
        ) from error
