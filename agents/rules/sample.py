"""A fixed part of all events, chosen by a hash of something in them."""

import re
from typing import Any, Final

import mmh3  # type: ignore[import-not-found]  # has no type information
from msgspec import Struct

from agents.rules.match import ABSENT, find_path

_PLACE: Final = re.compile(r"\{\{message\.([^{}]+)\}\}")
_MAX_HASH: Final = 0xFFFFFFFF


class Sample(Struct, frozen=True):
    """Takes the events whose key hashes low: the same key is always in, or always out.

    The hash is that of ChangeProp (MurmurHash3 of 32 bits, seed 0), so that both take the same events where
    the key is ASCII; beyond, UTF-8 is hashed.

    Attributes:
        rate: Fraction of the keys, in (0, 1].
        key: The parts of the key in order: a text as it is, a path by its value in the event, nothing where
            the event has none.
    """

    rate: float
    key: tuple[str | tuple[str, ...], ...]

    def takes(self, event: Any) -> bool:
        """Tell whether an event is in the sample."""
        return self._hash(event) <= int(_MAX_HASH * self.rate + 0.5)

    def place(self, event: Any) -> float:
        """Return where an event lies, in [0, 1]; it is taken up to ``rate``."""
        return self._hash(event) / _MAX_HASH

    def _hash(self, event: Any) -> int:
        text = self.text(event).encode("utf-8", "surrogatepass")
        return int(mmh3.hash(text, 0, signed=False))

    def text(self, event: Any) -> str:
        """Return the key of an event."""
        return "".join(part if isinstance(part, str) else _text(find_path(event, part)) for part in self.key)


def parse_key(key: str) -> tuple[str | tuple[str, ...], ...]:
    """Return the parts of a key: a path (``page.page_id``), or a text with ``{{message.PATH}}`` in it.

    Raises:
        ValueError: Nothing of the event is in it.
    """
    if "{" not in key and "}" not in key:
        return (_path(key),)
    parts: list[str | tuple[str, ...]] = []
    at = 0
    for place in _PLACE.finditer(key):
        parts += [key[at : place.start()], _path(place[1])]
        at = place.end()
    parts.append(key[at:])
    if any(isinstance(part, str) and ("{" in part or "}" in part) for part in parts) or len(parts) == 1:
        raise ValueError(
            f"{key!r} is neither a path such as page.page_id nor a text with {{{{message.PATH}}}} in it"
        )
    return tuple(part for part in parts if part)


def _path(text: str) -> tuple[str, ...]:
    path = tuple(text.strip().split("."))
    if not all(path):
        raise ValueError(f"{text!r} is no path such as page.page_id")
    return path


def _text(value: Any) -> str:
    if value is ABSENT or value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
