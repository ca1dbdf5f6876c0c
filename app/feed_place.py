"""How far the feed has come: what a reader shows to go on where it stopped."""

from typing import Final

from app.api.numbers import parse_id
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE
from tables.row_index import Stream

_LETTERS: Final = {REVISIONS_TABLE: "r", PAGES_TABLE: "p"}
_TABLES: Final = {letter: table for table, letter in _LETTERS.items()}
_PARTS_MOST: Final = 4096


class FeedPlace(dict[Stream, int]):
    """The offset in the changelog up to which each stream was told.

    All workers and replicas of an application have the same streams, so that a place is good for any of
    them. As text it is ``r0.17-r1.0-p0.5``: revisions or pages, partition, and the next offset.
    """

    def text(self) -> str:
        """Return it as text."""
        return "-".join(
            f"{_LETTERS[stream.table]}{stream.partition}.{offset + 1}" for stream, offset in self.items()
        )

    def copy(self) -> "FeedPlace":
        """Return a place of its own."""
        return FeedPlace(self)


def parse_place(text: str) -> FeedPlace | None:
    """Return the place that a text tells; None where it is none. An empty text is where nothing was told."""
    parts = text.split("-") if text else []
    if len(parts) > _PARTS_MOST:
        return None
    place = FeedPlace()
    for part in parts:
        name, _, told = part.partition(".")
        partition, next_offset = parse_id(name[1:]), parse_id(told)
        if name[:1] not in _TABLES or partition is None or next_offset is None:
            return None
        place[Stream(_TABLES[name[:1]], partition)] = next_offset - 1
    return place
