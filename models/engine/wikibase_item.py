"""A Wikidata item read from the text of a revision, statement by statement.

What a library makes of a statement is taken over from a text before it in the page wherever the statement's
own text is the same to the byte. The text is read with msgspec, which gives what ``json`` gives, or refuses;
the objects are the library's own. Whatever is refused here, or is not of the form that Wikibase writes,
raises, and revscoring's own code computes the revision.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from models.engine.wikibase_mentions import Mentions, after

_SECTIONS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CLAIMS: Final = msgspec.json.Decoder(dict[str, list[msgspec.Raw]])
_ANYTHING: Final = msgspec.json.Decoder()
# How PHP writes an empty mapping.
_EMPTY: Final = b"[]"

Parts = Mapping[str, Mapping[str, Any]]


class Library(Struct, frozen=True):
    """How a library reads items.

    Attributes:
        name: Of the library.
        told: Gives the parts of a statement that tell it from others, of its document. Raises wherever
            ``statement`` does.
        statement: Makes the library's object of a statement's document.
        rest: Makes its object of an item's document without claims, and of None.
        entity: Adds statements to that object, by property.
        parts: Gives what is written out of an item beside its statements, by the name of the part.
        mentions: Counts what parts and statements mention, written out.
    """

    name: str
    told: Callable[[Any], Any]
    statement: Callable[[Any], Any]
    rest: Callable[[dict[str, Any] | None], Any]
    entity: Callable[[Any, dict[str, list[Any]]], Any]
    parts: Callable[["Item"], "Parts"]
    mentions: Callable[["Parts", Sequence[Any]], Mentions]


class Statement:
    """A statement of an item.

    Args:
        library: That reads it.
        document: Read from JSON.

    Attributes:
        told: See ``Library.told``.
    """

    __slots__ = ("_document", "_library", "_made", "told")

    def __init__(self, library: Library, document: Any) -> None:
        self.told: Any = library.told(document)
        self._library = library
        self._document = document
        self._made: Any = None

    @property
    def made(self) -> Any:
        """The library's object."""
        if self._made is None:
            self._made = self._library.statement(self._document)
            self._document = None
        return self._made


class Item:
    """An item.

    Args:
        library: That reads it.
        text: Of a revision; None where there is none.
        before: The item of a text like this one.

    Attributes:
        rest: The library's object of all but the statements, until ``entity`` is asked for.
        statements: By property, in the order of the text.

    Raises:
        msgspec.DecodeError: The text is no JSON, or not of the form that Wikibase writes.
        Exception: What the library raises.
    """

    __slots__ = ("_facts", "_has_entity", "_held", "_library", "_mentions", "_texts", "rest", "statements")

    def __init__(self, library: Library, text: str | None, before: "Item | None" = None) -> None:
        self._library = library
        self._facts: dict[Any, Any] = {}
        self._has_entity = False
        self._held: dict[bytes, Statement] = {}
        self._texts: list[bytes] = []
        self._mentions: Mentions | None = None
        self.statements: dict[str, list[Statement]] = {}
        document: dict[str, Any] | None = None
        if text is not None:
            sections = _SECTIONS.decode(text)
            claims = bytes(sections.pop("claims", _EMPTY))
            document = {name: _ANYTHING.decode(section) for name, section in sections.items()}
            if claims != _EMPTY:
                self._read(claims, {} if before is None else before._held)
        self.rest: Any = library.rest(document)

    @property
    def entity(self) -> Any:
        """The library's object."""
        if not self._has_entity:
            made = {name: [statement.made for statement in held] for name, held in self.statements.items()}
            self.rest = self._library.entity(self.rest, made)
            self._has_entity = True
        return self.rest

    def _read(self, claims: bytes, known: Mapping[bytes, Statement]) -> None:
        held, texts = self._held, self._texts
        for name, raws in _CLAIMS.decode(claims).items():
            listed = self.statements[name] = []
            for text in map(bytes, raws):
                statement = held.get(text) or known.get(text)
                if statement is None:
                    statement = Statement(self._library, _ANYTHING.decode(text))
                held[text] = statement
                texts.append(text)
                listed.append(statement)

    def fact(self, of: "Callable[[Item], Any]") -> Any:
        """Return what a function says of the item, computed when first asked."""
        if of not in self._facts:
            self._facts[of] = of(self)
        return self._facts[of]

    def mentions(self, like: "Item | None" = None) -> Mentions:
        """Count what the item written out mentions.

        Args:
            like: An item of which much is the same, whose mentions were counted.
        """
        if self._mentions is None:
            library = self._library
            if like is None or like._mentions is None:
                self._mentions = library.mentions(library.parts(self), self._others(Counter()))
            else:
                mine, theirs = library.parts(self), library.parts(like)
                self._mentions = after(
                    like._mentions,
                    added=library.mentions(_others(mine, theirs), self._others(Counter(like._texts))),
                    removed=library.mentions(_others(theirs, mine), like._others(Counter(self._texts))),
                )
        return self._mentions

    def _others(self, texts: Counter[bytes]) -> list[Any]:
        """Return the library's objects of the statements that have other texts than these."""
        return [self._held[text].made for text in (Counter(self._texts) - texts).elements()]


def _others(parts: Parts, than: Parts) -> Parts:
    """Return what parts hold that other parts do not."""
    missing = object()
    return {
        name: {key: value for key, value in part.items() if than[name].get(key, missing) != value}
        for name, part in parts.items()
        if part != than[name]
    }


class ReadItem:
    """Reads the item of a text.

    Args:
        library: That reads it.
    """

    takes_before: Final = True

    def __init__(self, library: Library) -> None:
        self._library = library

    def __call__(self, text: str | None, before: Item | None = None) -> Item:
        """Return the item; see ``Item`` for what it raises."""
        return Item(self._library, text, before)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReadItem) and other._library is self._library

    def __hash__(self) -> int:
        return hash((ReadItem, self._library.name))


def mentions_of_both(before: Item, now: Item) -> tuple[Mentions, Mentions]:
    """Count what an item mentioned before and mentions now."""
    then = before.mentions()
    return then, now.mentions(before)
