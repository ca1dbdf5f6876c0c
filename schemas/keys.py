"""Keys of topics and tables, as bytes."""

from zlib import crc32

from msgspec import DecodeError, Struct
from msgspec.json import Decoder, Encoder

PAGE_CHANGE_TOPIC = "mediawiki.page_change.v1"
PAGE_CONTENT_CHANGE_TOPIC = "mediawiki.page_content_change.v1"
REVISION_CREATE_TOPIC = "mediawiki.revision-create"
DEAD_LETTER_TOPIC = "revstream.dead-letter"
ERASURE_TOPIC = "revstream.erasures"
REVISIONS_TABLE = "revisions"
PAGES_TABLE = "pages"
PLACES = "places"

_encoder = Encoder()
_PAGE_KEY_BEGINS = b'{"wiki_id":'


class PageKey(Struct, frozen=True):
    """Key of a page change: all events of one page share a partition, hence an order."""

    wiki_id: str
    page_id: int


_decode_page = Decoder(PageKey).decode


def page_topic_key(wiki_id: str, page_id: int) -> bytes:
    """Return the topic key that MediaWiki itself uses: ``{"wiki_id":"enwiki","page_id":1}``."""
    return _encoder.encode(PageKey(wiki_id, page_id))


def same_page_key(key: bytes | None) -> bytes | None:
    """Return the same key for a page however its producer lays the key out; another key as it is."""
    try:
        page = _decode_page(key or b"")
    except DecodeError:
        return key
    return _encoder.encode(page)


def is_page_key(key: bytes | None) -> bool:
    """Tell whether a topic key is of a page, so that its record is about that page and no other."""
    return key is not None and key.startswith(_PAGE_KEY_BEGINS)


def row_key(wiki_id: str, number: int) -> bytes:
    """Return the table key of a revision or page: wiki, NUL, big-endian 64-bit number.

    Rows of one wiki lie together, in the order of their number.

    Raises:
        ValueError: The wiki id holds a NUL, or the number is not in [0, 2**63).
    """
    if "\0" in wiki_id:
        raise ValueError(f"wiki id {wiki_id!r} holds a NUL")
    if not 0 <= number < 1 << 63:
        raise ValueError(f"{number} is no id: it must lie in [0, 2**63)")
    return wiki_id.encode() + b"\0" + number.to_bytes(8, "big")


def place_key(table: str, key: bytes) -> bytes:
    """Return the key under which is kept in which partition a row of ``revisions`` or ``pages`` lies."""
    return table.encode() + b"\0" + key


def place_partition(key: bytes, partitions: int) -> int:
    """Return the partition of a `place_key`: CRC-32 modulo the count, the same in every process."""
    return crc32(key) % partitions
