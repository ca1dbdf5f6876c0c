"""The request to erase what a log keeps of something that was suppressed."""

from msgspec import DecodeError, Struct
from msgspec.json import Decoder, Encoder

from schemas.errors import EventUndecodable


class Erasure(Struct, frozen=True):
    """What is to leave no trace. It holds ids alone, none of the names.

    Attributes:
        wiki_id: Database name.
        page_id: The page.
        is_whole_page: Whether all of the page was suppressed; otherwise the revisions alone.
        rev_ids: Revisions whose rows were emptied, and at least the one that was suppressed; sorted.
        source_topic: Of the event that told of it.
        source_partition: Its partition.
        source_offset: Its offset: events up to there tell what was suppressed, this one included.
    """

    wiki_id: str
    page_id: int
    is_whole_page: bool
    rev_ids: tuple[int, ...]
    source_topic: str
    source_partition: int
    source_offset: int


_encode = Encoder().encode
_decode = Decoder(Erasure).decode


def encode_erasure(erasure: Erasure) -> bytes:
    """Return a request as the value of a record."""
    return _encode(erasure)


def decode_erasure(value: bytes) -> Erasure:
    """Read a request back.

    Raises:
        EventUndecodable: These bytes are none.
    """
    try:
        return _decode(value)
    except (DecodeError, UnicodeDecodeError) as error:
        raise EventUndecodable(
            f"this is no request to erase: {error}; nothing but revstream writes it"
        ) from error
