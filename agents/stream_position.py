"""How far an event stream was read, so that going on neither loses nor repeats an event.

Wikimedia's EventStreams names, as the id of an event, the place to go on from: for each Kafka topic and
partition the time of its last event plus one millisecond. Going on from there loses the events of that same
millisecond that were still to come, and those that reached the broker out of order. So the place that we ask
for lies a little further back, and what was taken after it is remembered and passed over when it comes again.

Ids of another form are given back as they came: their servers go on right after them.
"""

from collections import OrderedDict
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct

REWIND_MILLISECONDS = 1000
# An order of magnitude above what Wikimedia's wikis produce within two rewinds.
_MAX_REMEMBERED = 2000


class _Meta(Struct):
    id: str | None = None
    topic: str | None = None
    partition: int | None = None


class _Stamp(Struct):
    meta: _Meta | None = None


class _Cursor(Struct):
    last_event_id: str
    taken: dict[str, dict[str, int]] = {}


_stamps = msgspec.json.Decoder(_Stamp)
_cursors = msgspec.json.Decoder(_Cursor)
_encoder = msgspec.json.Encoder()


class StreamPosition:
    """The place after the last event noted.

    Args:
        cursor: As ``cursor()`` gave it, or a bare Last-Event-ID; None at first.
        rewind_milliseconds: How far back to go on from.
    """

    def __init__(self, cursor: str | None = None, *, rewind_milliseconds: int = REWIND_MILLISECONDS) -> None:
        self._rewind_milliseconds = rewind_milliseconds
        self._last_event_id = ""
        self._places: dict[str, dict[str, Any]] = {}
        # Topic and partition, to digest of an event, to the time that its id told.
        self._taken: dict[str, OrderedDict[str, int]] = {}
        if cursor:
            self._restore(cursor)

    def resume_id(self) -> str | None:
        """Return the Last-Event-ID to ask for; None where nothing was noted yet."""
        if not self._places:
            return self._last_event_id or None
        latest = max(map(_moment, self._places.values()))
        return _encoder.encode([self._rewound(place, latest) for place in self._places.values()]).decode()

    def cursor(self) -> str:
        """Return the place as text, to be stored with the events."""
        taken = {name: dict(digests) for name, digests in self._taken.items() if digests}
        return _encoder.encode(_Cursor(self._id(), taken)).decode()

    def note(self, last_event_id: str, data: bytes) -> bool:
        """Go on past an event.

        Args:
            last_event_id: Its id.
            data: Its bytes.

        Returns:
            Whether it is new; False for one that was noted before and came again.
        """
        places = _places(last_event_id)
        if places is None:
            self._last_event_id, self._places = last_event_id, {}
            return True
        digest, name = _identity(data, places)
        if any(digest in digests for digests in self._taken.values()):
            return False
        for topic, place in places.items():
            self._places[topic] = _later(self._places.get(topic), place)
        self._remember(name, digest, places)
        return True

    def _rewound(self, place: dict[str, Any], latest: int) -> dict[str, Any]:
        moment = _moment(place)
        if moment < 0:
            # A place of its own, or -1: "from now on" of a topic that had no event since we came. Left at
            # that, what it gets while we are away would be lost; the time of the last event elsewhere
            # holds it.
            if place.get("offset") != -1 or latest < 0:
                return place
            moment = latest
        return {
            "topic": place["topic"],
            "partition": place["partition"],
            "timestamp": max(0, moment - self._rewind_milliseconds),
        }

    def _remember(self, name: str, digest: str, places: dict[str, dict[str, Any]]) -> None:
        moment = _moment(places[name])
        if moment < 0:
            return
        digests = self._taken.setdefault(name, OrderedDict())
        digests[digest] = moment
        # Events come in the order of their offsets and, within the second rewind, of their times.
        oldest = _moment(self._places[name]) - 2 * self._rewind_milliseconds
        while digests and (len(digests) > _MAX_REMEMBERED or next(iter(digests.values())) < oldest):
            digests.popitem(last=False)

    def _id(self) -> str:
        return _encoder.encode(list(self._places.values())).decode() if self._places else self._last_event_id

    def _restore(self, cursor: str) -> None:
        try:
            stored = _cursors.decode(cursor)
        except msgspec.DecodeError:
            stored = _Cursor(cursor)
        self._last_event_id = stored.last_event_id
        self._places = _places(stored.last_event_id) or {}
        self._taken = {name: OrderedDict(digests) for name, digests in stored.taken.items()}


def _places(last_event_id: str) -> dict[str, dict[str, Any]] | None:
    """Return the places that an id names by topic and partition; None for an id of another form."""
    try:
        entries = msgspec.json.decode(last_event_id, type=list[dict[str, Any]])
        return {f"{entry['topic']}/{entry['partition']}": entry for entry in entries} or None
    except (msgspec.DecodeError, KeyError):
        return None


def _later(old: dict[str, Any] | None, new: dict[str, Any]) -> dict[str, Any]:
    """Return the place further on. After a rewind ids name places that were passed long ago."""
    return new if old is None or _moment(old) < 0 or _moment(new) > _moment(old) else old


def _identity(data: bytes, places: dict[str, dict[str, Any]]) -> tuple[str, str]:
    """Return a digest of what makes an event this one, and the topic and partition that it came from.

    The event's own id is preferred to its bytes: they hold its offset, which differs between data centres.
    """
    try:
        meta = _stamps.decode(data).meta or _Meta()
    except msgspec.DecodeError:
        meta = _Meta()
    digest = blake2b(meta.id.encode() if meta.id else data, digest_size=8).hexdigest()
    name = f"{meta.topic}/{meta.partition}"
    if name in places:
        return digest, name
    # Without a topic in the event, the latest place is the likeliest.
    return digest, max(places, key=lambda topic: _moment(places[topic]))


def _moment(place: dict[str, Any]) -> int:
    """Return the milliseconds of a place; -1 where it has none."""
    moment = place.get("timestamp")
    return moment if isinstance(moment, int) else -1
