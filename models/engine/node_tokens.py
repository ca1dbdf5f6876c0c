"""The answers of sound tokens."""

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import TypeVar

from models.engine.fallbacks import FALLBACKS
from models.engine.node_answer import WikitextNodes
from models.engine.node_beginnings import Beginning
from models.engine.node_codes import OPENERS, TEXT, Token, end_of_child
from models.engine.node_content import content_of, shown_of
from models.engine.node_parts_closed import are_closed
from models.engine.node_strings import Strings, Unproven, pieces
from models.engine.node_tree import TreeNodes

Answer = TypeVar("Answer")
_TAG = b"T"
_WHOLE = {"templates": (b"{", b"}"), "tags": (_TAG, b"Sz")}
_FEW = 4
_FINDERS = {code: re.compile(re.escape(code)).finditer for code in OPENERS.values()}


class TokenNodes(WikitextNodes):
    """Answers from sound tokens; each is found when it is first asked for.

    Args:
        text: What the tokens are of.
        tokens: All of them.
        codes: One byte for each.

    Attributes:
        text: What the tokens are of.
    """

    def __init__(self, text: str, tokens: Sequence[Token], codes: bytes) -> None:
        self.text = text
        self._tokens = tokens
        self._codes = codes

    def count(self, kind: str) -> int:
        """Return how many nodes there are of one of ``KINDS``."""
        return self._codes.count(OPENERS[kind])

    @functools.cached_property
    def heading_levels(self) -> Sequence[int]:
        """The level of every heading."""
        return [self._tokens[position - 1]["level"] for position in self._behind(b"=")]

    @functools.cached_property
    def heading_titles(self) -> Sequence[str]:
        """The title of every heading, without space at its ends."""
        titles = self._proven(lambda: self._first_children(b"=", b"-"), attrgetter("heading_titles"))
        return [title.strip() for title in titles]

    @functools.cached_property
    def wikilink_titles(self) -> Sequence[str]:
        """The target of every internal link."""
        return self._proven(lambda: self._first_children(b"[", b"w]"), attrgetter("wikilink_titles"))

    @functools.cached_property
    def external_link_urls(self) -> Sequence[str]:
        """The address of every external link."""
        return self._proven(lambda: self._first_children(b"<", b"x>"), attrgetter("external_link_urls"))

    @functools.cached_property
    def template_names(self) -> Sequence[str]:
        """The name of every template."""
        return self._proven(lambda: self._first_children(b"{", b"s}"), attrgetter("template_names"))

    @functools.cached_property
    def tag_names(self) -> Sequence[str]:
        """The name of every tag."""
        return [self._tokens[position]["text"] for position in self._behind(b"T")]

    @functools.cached_property
    def templates(self) -> Sequence[str]:
        """Every template in full."""
        return self._proven(lambda: self._strings.between(*_WHOLE["templates"]), attrgetter("templates"))

    @functools.cached_property
    def tags(self) -> Sequence[str]:
        """Every tag in full."""
        return self._proven(lambda: self._strings.between(*_WHOLE["tags"]), attrgetter("tags"))

    @functools.cached_property
    def content(self) -> str:
        """The text that a reader sees."""
        return self._proven(lambda: content_of(self._tokens, self._codes), lambda tree: tree.content)

    def shown(self) -> str:
        """Return what is to be collapsed to ``content``.

        Raises:
            Unproven: The tokens do not tell.
        """
        return shown_of(self._tokens, self._codes)

    def are_closed(self) -> bool:
        """Tell whether the nodes are known to stay the same, whatever follows the text."""
        return are_closed(self.text, self._tokens, self._codes)

    def matching(self, name: str, pattern: re.Pattern[str]) -> list[str]:
        """Return those of the strings of a property whose beginning matches, in their order."""
        if name in _WHOLE and name not in self.__dict__:
            opener, closers = _WHOLE[name]
            possible = [start for start, begun in self._begun(opener) if _can_match(pattern, begun)]
            if len(possible) <= _FEW:
                try:
                    strings = [self._node(opener, closers, start) for start in possible]
                    return [string for string in strings if pattern.match(string)]
                except Unproven:
                    pass
        return super().matching(name, pattern)

    def _begun(self, opener: bytes) -> Iterator[tuple[int, str]]:
        """Yield where each template or tag opens, and how its string begins."""
        tokens, codes = self._tokens, self._codes
        for behind in self._behind(opener):
            begun = "{{"
            if opener == _TAG:
                token = tokens[behind - 1]
                if markup := token.get("wiki_markup"):
                    yield behind - 1, markup
                    continue
                begun = "</" if token.get("invalid") else "<"
            yield behind - 1, begun + tokens[behind]["text"] if codes[behind] == TEXT else begun

    def _node(self, opener: bytes, closers: bytes, start: int) -> str:
        depth = 0
        for match in re.finditer(b"[" + opener + closers + b"]", self._codes[start:]):
            depth += 1 if match.group() == opener else -1
            if not depth:
                end = start + match.end()
                return "".join(pieces(self._tokens[start:end], self._codes[start:end]))
        raise Unproven

    @functools.cached_property
    def _strings(self) -> Strings:
        return Strings(self._tokens, self._codes)

    @functools.cached_property
    def _tree(self) -> WikitextNodes:
        FALLBACKS.count("nodes")
        return TreeNodes(self.text)

    def _proven(self, of_tokens: Callable[[], Answer], of_tree: Callable[[WikitextNodes], Answer]) -> Answer:
        try:
            return of_tokens()
        except Unproven:
            return of_tree(self._tree)

    def _behind(self, opener: bytes) -> list[int]:
        """Return the positions after those of a code."""
        return [match.end() for match in _FINDERS[opener](self._codes)]

    def _first_children(self, opener: bytes, ends: bytes) -> list[str]:
        """Return what stands between the opening of every such node and its first separator or its end."""
        tokens, codes = self._tokens, self._codes
        return [
            tokens[start]["text"] if codes[start] == TEXT and codes[start + 1] in ends else self._child(start)
            for start in self._behind(opener)
        ]

    def _child(self, start: int) -> str:
        end = end_of_child(self._codes, start)
        return "".join(pieces(self._tokens[start:end], self._codes[start:end]))


def _can_match(pattern: re.Pattern[str], begun: str) -> bool:
    return _beginning(pattern).is_possible(begun)


@functools.lru_cache(maxsize=256)
def _beginning(pattern: re.Pattern[str]) -> Beginning:
    return Beginning(pattern)
