"""Brings events together that are about one page and come in different partitions."""

from collections.abc import Awaitable, Collection, Mapping
from functools import lru_cache
from typing import Any, Final

from aiokafka.partitioner import murmur2
from faust.types import AppT, EventT
from msgspec import DecodeError
from msgspec.json import Decoder, Encoder

from agents.on_demand_scores import PageHome
from agents.origin import Origin, origin_of
from schemas.keys import PageKey, page_topic_key
from schemas.page_change import PageChange

_HEADER: Final = "revstream-source"
_HASHES: Final = 4096
_decode_key = Decoder(PageKey).decode
_encode_place = Encoder().encode
_decode_place = Decoder(tuple[str, int, int]).decode


def moved_topic(app_id: str) -> str:
    """Return the topic that events are brought together in."""
    return f"{app_id}.by-page"


class Homes:
    """Knows the partition of each page, and moves events there that come in another one.

    The tables are cut by the partitions of events, so that all events of a page must come in one. Those of
    one stream that is keyed by pages do: they are at home where they are. Of several streams each may be
    keyed and cut in its own way: then a page is at home where Kafka's usual partitioner puts it.

    Args:
        app: Gives the producer.
        topic: That events are moved to.
        partitions: Of that topic and of the tables.
        cut_alike: Topics with as many partitions.
        is_one_stream: Whether all that is read is one stream.
    """

    def __init__(
        self, app: AppT, topic: str, partitions: int, *, cut_alike: Collection[str], is_one_stream: bool
    ) -> None:
        self._app = app
        self.topic = topic
        self._partitions = partitions
        self._cut_alike = frozenset(cut_alike)
        self._is_one_stream = is_one_stream
        self._is_usual = True

    def home(self, key: bytes) -> PageHome | None:
        """Return where the page of a key is at home; None once a producer was seen to cut otherwise."""
        return PageHome(home_partition(key, self._partitions)) if self._is_usual else None

    def origin(self, event: EventT[object]) -> Origin:
        """Return where an event came from before it was moved, if it was."""
        origin = origin_of(event)
        if origin.topic != self.topic:
            return origin
        headers = dict(event.message.headers or ())
        try:
            topic, partition, offset = _decode_place(headers.get(_HEADER, b""))
        except DecodeError:
            # Somebody else wrote it there.
            return origin
        return Origin(origin.value, topic, partition, offset)

    async def move(
        self, event: EventT[object], change: PageChange, headers: Mapping[str, bytes]
    ) -> Awaitable[Any] | None:
        """Move an event home.

        Args:
            event: As it came.
            change: The same, decoded.
            headers: That the record is to carry.

        Returns:
            Done when it is there; None where it is at home.
        """
        message = event.message
        key = page_topic_key(change.wiki_id, change.page.page_id)
        partition = home_partition(key, self._partitions)
        if message.topic == self.topic:
            return None
        if message.topic in self._cut_alike:
            is_home = _is_key(message.key, change) if self._is_one_stream else message.partition == partition
            if is_home:
                self._is_usual = self._is_usual and message.partition == partition
                return None
        place = _encode_place((message.topic, message.partition, message.offset))
        return await self._app.producer.send(
            self.topic, key, message.value, partition, None, [(_HEADER, place), *headers.items()]
        )


def home_partition(key: bytes, partitions: int) -> int:
    """Return the partition that Kafka's usual partitioner chooses for a key."""
    return (_hash(key) & 0x7FFFFFFF) % partitions


@lru_cache(_HASHES)
def _hash(key: bytes) -> int:
    # In Python it takes as long as to store a row, and a page's event and what comes of it have the same key.
    hashed: int = murmur2(key)
    return hashed


def _is_key(key: bytes | None, change: PageChange) -> bool:
    """Tell whether a key names the page, however it is laid out."""
    try:
        return _decode_key(key or b"") == PageKey(change.wiki_id, change.page.page_id)
    except DecodeError:
        return False
