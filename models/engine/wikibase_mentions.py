"""How often a text of JSON or of Python's own writing mentions items, languages and web addresses.

revscoring writes a whole Wikidata item out as text and counts the matches of three expressions in it. The
one for languages tries some forty alternatives at every character. Here it is asked about the few words in
which one of its matches can begin: which these are, its syntax tree says, and is remembered by word.
"""

import functools
import json
import re
import string
from collections.abc import Callable, Mapping, Set
from typing import Any, Final, NamedTuple

from models import resources
from models.engine import patterns_syntax as syntax
from models.engine.patterns_automaton import Automaton
from models.engine.patterns_syntax import Alternatives, Wrapping
from models.engine.words import LONGEST

_MOST_WORDS: Final = 50_000
"""Words that are remembered to begin no match; all are forgotten before the next is added."""
_MOST_NAMES: Final = 20_000
"""Names that are remembered to mention nothing; all are forgotten before the next is added."""
_SILENT: Final[set[str]] = set()
_QID: Final = re.compile(r"Q\d")
# What counts as a web address; none of them can overlap another.
_LINKS: Final = ("http://", "https://", "wwww.")
_SPACES: Final = bytes(byte if chr(byte) in string.ascii_letters or byte > 127 else 32 for byte in range(256))
"""Puts a space in place of every character of ASCII that is no letter."""
_BREAKS: Final = "\"'{}[],:_\\" + string.digits
"""Characters that no name of a language holds, so that a match never reaches over one."""


class Mentions(NamedTuple):
    """How often a text mentions what revscoring counts.

    Attributes:
        items: Items of Wikidata, by their ids.
        languages: Names of languages.
        links: Web addresses.
    """

    items: int
    languages: int
    links: int


_NOTHING: Final = Mentions(0, 0, 0)


def mentions_in(text: str, quote: str = '"') -> Mentions:
    """Count the mentions in a text.

    What several texts mention adds up where each begins and ends with a brace.

    Args:
        text: JSON, or what Python prints of lists and dictionaries.
        quote: Which quotation mark the text has most of.
    """
    return Mentions(
        len(_QID.findall(text)),
        languages().count(text, quote),
        sum(text.count(address) for address in _LINKS),
    )


def after(before: Mentions, *, added: Mentions, removed: Mentions) -> Mentions:
    """Return the mentions of a text after parts were added and removed."""
    return Mentions(*(then + more - less for then, more, less in zip(before, added, removed, strict=True)))


class Writing:
    """What a library writes of items, or of parts of them.

    Args:
        name_count: How often the name of what has one is written beside it.

    Attributes:
        words: What may mention something, each as often as it is written.
        names: Of properties and the like, written any number of times.
        hashes: Of statements and their parts.
    """

    __slots__ = ("_name_count", "hashes", "names", "words")

    def __init__(self, name_count: int) -> None:
        self._name_count = name_count
        self.words: list[Any] = []
        self.names: set[str] = set()
        self.hashes: list[str] = []

    def add(self, named: Mapping[str, Any]) -> None:
        """Add words, or lists of words, that have names."""
        for name in named.keys() - _SILENT:
            if not _is_silent(name):
                self.words += [name] * self._name_count
        self.words += named.values()

    def mentions(self, written: Callable[[list[Any]], str], quote: str) -> Mentions:
        """Count the mentions in all of it.

        Args:
            written: Prints a list.
            quote: Its quotation mark.

        Raises:
            ValueError: A name or a hash may mention something, and may be written more than once.
        """
        if "".join(self.hashes).strip(string.hexdigits):
            raise ValueError("a hash of the item has other letters than hexadecimal digits")
        if not all(map(_is_silent, self.names - _SILENT)):
            raise ValueError("the name of something in the item mentions what is counted")
        return mentions_in(written(self.words), quote) if self.words else _NOTHING


def _is_silent(name: str) -> bool:
    """Tell whether a name mentions nothing, however it is written; remember those that do not."""
    forms = [name, name.upper()]
    if any(mentions_in(json.dumps(forms))) or any(mentions_in(str(forms), "'")):
        return False
    if len(name) <= LONGEST:
        if len(_SILENT) >= _MOST_NAMES:
            _SILENT.clear()
        _SILENT.add(name)
    return True


@functools.cache
def languages() -> "Languages":
    """Return the counter of this process."""
    return Languages(resources.module("features.wikibase.features.diff").LANGUAGE_RE)


class Languages:
    """Counts the matches of an expression that takes letters, and few other characters.

    Args:
        pattern: The expression.

    Raises:
        ValueError: It is not of this form; the release of revscoring is another.
    """

    def __init__(self, pattern: re.Pattern[str]) -> None:
        tree = syntax.parsed(pattern)
        steps = list(syntax.elements(tree, pattern.flags))
        taken = syntax.any_of([step for step in steps if step.consumes])
        self._find = pattern.findall
        self._automaton = Automaton(Alternatives(tree, pattern.flags, Wrapping.NONE, is_local=True))
        if (
            tree.getwidth()[0] == 0
            or any(not step.consumes and _looks_around(step) for step in steps)
            or taken.search(_BREAKS)
        ):
            raise ValueError(f"the names of languages are of another form: {pattern.pattern[:80]}")
        self._innocent: set[bytes] = set()

    def count(self, text: str, quote: str = '"') -> int:
        """Count the matches in a text."""
        # A part of a character of several bytes is never a space.
        words = set(text.encode("utf-8", "surrogatepass").translate(_SPACES).split())
        suspected = set()
        for encoded in words - self._innocent:
            word = encoded.decode("utf-8", "surrogatepass")
            if self._can_begin(word):
                suspected.add(word)
            elif len(word) <= LONGEST:
                if len(self._innocent) >= _MOST_WORDS:
                    self._innocent.clear()
                self._innocent.add(encoded)
        return sum(len(self._find(text, *segment)) for segment in _segments(text, suspected, quote))

    def _can_begin(self, word: str) -> bool:
        """Tell whether a match can begin in a word; true where that is not known.

        Args:
            word: Such that a character of ASCII comes next that is no letter, or nothing.
        """
        for start in range(len(word)):
            state = self._automaton.start
            for place in range(start, len(word)):
                state = state[word[place]]
                if state is self._automaton.dead or state.accepts:
                    break
            if state.accepts or (state is not self._automaton.dead and _goes_on(state.continues)):
                return True
        return False


def _segments(text: str, words: Set[str], quote: str) -> set[tuple[int, int]]:
    """Return where the parts of a text between quotation marks lie that hold any of some words."""
    found = set()
    for word in words:
        place = text.find(word)
        while place >= 0:
            end = text.find(quote, place)
            end = len(text) if end < 0 else end
            found.add((text.rfind(quote, 0, place) + 1, end))
            place = text.find(word, end)
    return found


def _goes_on(continues: frozenset[str] | None) -> bool:
    return continues is None or any(map(str.isascii, continues))


def _looks_around(step: Any) -> bool:
    return step.code in syntax.LOOKAROUNDS or str(step.code) in {"AT", "GROUPREF", "GROUPREF_EXISTS"}
