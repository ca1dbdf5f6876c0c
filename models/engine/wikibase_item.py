"""A Wikidata item read from the text of a revision, once for all that is asked of it.

It is read into plain structures of one form. A text of any other form raises, and revscoring's own code
computes the revision. A library's objects are made only of what somebody asks for.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from msgspec import UNSET, Struct, to_builtins

from models.engine.wikibase_form import AnySnak, Form, Statement, read_form
from models.engine.wikibase_mentions import Mentions, Writing, after

_EMPTY: Final = Form()
_NONE: Final[Mapping[str, Any]] = {}
_Part = TypeVar("_Part")


class Library(Struct, frozen=True):
    """How a library reads items.

    Attributes:
        name: Of the library.
        check: Refuses an item of the form that the library may refuse or read otherwise.
        compared: Gives the value of a snak as lists of features compare it.
        entity: Makes the library's object of the item of a document read from JSON, or of None.
        statement: Makes its object of a statement's document.
        properties: Names the field of its items that holds the statements.
        write: Writes of a statement what the library writes of it.
        written: Prints a list as the library prints an item.
        quote: Its quotation mark.
        is_complete: Whether it writes titles of items and badges too, and names of texts once; else twice,
            and those of aliases ever more often.
    """

    name: str
    check: Callable[[Form], None]
    compared: Callable[[AnySnak], Any]
    entity: Callable[[Any], Any]
    statement: Callable[[Any], Any]
    properties: str
    write: Callable[[Statement, Writing], None]
    written: Callable[[list[Any]], str]
    quote: str
    is_complete: bool


class Item:
    """An item.

    Args:
        library: That reads it.
        text: Of a revision; None where there is none.

    Attributes:
        library: That reads it.
        statements: By property, in the order of the text.
        labels: By language.
        descriptions: By language.
        aliases: By language.
        sitelinks: Titles by wiki.
        badges: Of the links that have some, by wiki.

    Raises:
        msgspec.DecodeError: The text is no JSON, or not of the form that Wikibase writes.
        ValueError: The same, or the library may refuse it.
    """

    __slots__ = (
        *("_facts", "_made", "_mentions", "_text", "_title", "library"),
        *("aliases", "badges", "descriptions", "labels", "sitelinks", "statements"),
    )

    def __init__(self, library: Library, text: str | None) -> None:
        form = _EMPTY if text is None else read_form(text)
        if text is not None:
            library.check(form)
        self.library = library
        self._text = text
        self._title = form.title
        self._facts: dict[Any, Any] = {}
        self._made: dict[str, list[Any]] = {}
        self._mentions: Mentions | None = None
        self.statements: Mapping[str, list[Statement]] = form.claims or {}
        self.labels = {
            language: term.value for language, term in (form.labels or _NONE).items() if term.removed is UNSET
        }
        self.descriptions = {language: term.value for language, term in (form.descriptions or _NONE).items()}
        self.aliases = {
            language: [term.value for term in terms] for language, terms in (form.aliases or _NONE).items()
        }
        links = form.sitelinks or _NONE
        self.sitelinks = {wiki: link.title for wiki, link in links.items()}
        self.badges = {wiki: link.badges for wiki, link in links.items() if link.badges}

    def entity(self) -> Any:
        """Return the library's object of the item, a new one."""
        return self.library.entity(None if self._text is None else json.loads(self._text))

    def made(self, name: str) -> list[Any]:
        """Return the library's objects of the statements of a property.

        Raises:
            KeyError: The item has none.
        """
        if name not in self._made:
            self._made[name] = [self.library.statement(to_builtins(each)) for each in self.statements[name]]
        return self._made[name]

    def fact(self, of: "Callable[[Item], Any]") -> Any:
        """Return what a function says of the item, computed when first asked."""
        if of not in self._facts:
            self._facts[of] = of(self)
        return self._facts[of]

    def mentions(self, like: "Item | None" = None) -> Mentions:
        """Count what the item written out mentions.

        Args:
            like: An item of which much is the same, whose mentions were counted.

        Raises:
            ValueError: The name of something in the item, or a hash, may mention something too.
        """
        if self._mentions is None:
            if like is None or like._mentions is None:
                self._mentions = self._mentions_beside(Item(self.library, None))
            else:
                added, removed = self._mentions_beside(like), like._mentions_beside(self)
                self._mentions = after(like._mentions, added=added, removed=removed)
        return self._mentions

    def _mentions_beside(self, other: "Item") -> Mentions:
        """Count the mentions in what another item has not, or otherwise."""
        library, writing = self.library, Writing(1 if self.library.is_complete else 2)
        for mine, theirs in (
            (self.labels, other.labels),
            (self.descriptions, other.descriptions),
            (self.sitelinks, other.sitelinks),
        ):
            writing.add(_others(mine, theirs))
        aliases = _others(self.aliases, other.aliases)
        if library.is_complete:
            writing.add(aliases)
            writing.words += _others(self.badges, other.badges).values()
            if self._title != other._title:
                writing.words.append(self._title)
        else:
            writing.names.update(aliases)
            writing.words += aliases.values()
        for name, held in _others(self.statements, other.statements).items():
            writing.names.add(name)
            for statement in held:
                library.write(statement, writing)
        return writing.mentions(library.written, library.quote)


def _others(mine: Mapping[str, _Part], theirs: Mapping[str, _Part]) -> Mapping[str, _Part]:
    """Return what one mapping holds that the other does not."""
    if not theirs:
        return mine
    return {key: value for key, value in mine.items() if key not in theirs or theirs[key] != value}


class ReadItem:
    """Reads the item of a text.

    Args:
        library: That reads it.
    """

    def __init__(self, library: Library) -> None:
        self._library = library

    def __call__(self, text: str | None) -> Item:
        """Return the item; see ``Item`` for what it raises."""
        return Item(self._library, text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReadItem) and other._library is self._library

    def __hash__(self) -> int:
        return hash((ReadItem, self._library.name))


def mentions_of_both(before: Item, now: Item) -> tuple[Mentions, Mentions]:
    """Count what an item mentioned before and mentions now."""
    then = before.mentions()
    return then, now.mentions(before)
