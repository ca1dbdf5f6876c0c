"""The nodes of a text from those of its parts, so that an edit costs its change and not its page.

A part is some lines whose tokens stay the same whatever follows (``models.engine.node_parts_closed``); what
is left at the end is one more. All parts of a page's texts are kept with what was asked of them, their tokens
only as long as one text is read.
"""

import re
from typing import Any, ClassVar, Final

from msgspec import Struct

from models.engine.blocks import split_blocks
from models.engine.node_codes import are_sound, tokenized
from models.engine.node_cut import Cut, Part, PartNodes
from models.engine.node_scan import ScannedNodes, scanned
from models.engine.node_tokens import TokenNodes

# Characters that are remembered for each of a page's text, before all but those of the last are forgotten.
_ROOM_FOR_EACH: Final = 4
_FEW_CHARS: Final = 10_000
# A page is not cut before it was edited more than once: that costs more than it may save.
_FEW_TEXTS: Final = 6
_SHARE: Final = 0.5
_MOST_FAILURES: Final = 3
_REST_TEXTS: Final = 30
# What is out of balance is tried from this length on: what is counted here is not all that matters.
_WORTH_CHARS: Final = 2_000
_PAIRS: Final = (("{{", "}}"), ("[[", "]]"), ("<!--", "-->"))
_OPEN_TAGS: Final = re.compile(r"<(?!br\b|hr\b|wbr\b|img\b|meta\b|link\b)[a-z][^<>]*+(?<!/)>", re.IGNORECASE)
_APOSTROPHES: Final = re.compile("''+")
_RUNS: Final = (2, 3, 5)

Balance = tuple[int, ...]
"""How many more of each kind were opened than closed, then the number of apostrophes of each length."""

_EVEN: Final[Balance] = (0,) * (len(_PAIRS) + 2 + len(_RUNS))


class KnownParts:
    """The parts of a page's last texts."""

    def __init__(self) -> None:
        self._parts: dict[str, Part | None] = {}
        self._balances: dict[str, Balance] = {}
        self._reaches: dict[str, int] = {}
        self._chars = 0
        self._texts = 0
        self._read_chars = 0
        self._failures = 0
        self._next = 0

    def cut_if_worth(self, text: str) -> Cut | None:
        """Cut a text where that is likely to cost less, for it or for those to come, than to read it whole.

        Returns:
            As ``cut``; None as well for a page that is not edited often, and for one most of which had to be
            read again at each of its last texts.
        """
        self._texts += 1
        if self._texts <= max(_FEW_TEXTS, self._next):
            return None
        self._read_chars = 0
        cut = self.cut(text)
        # Where most of a page has to be read again each time, it is read as a whole for a while.
        self._failures = 0 if self._read_chars < _SHARE * len(text) else self._failures + 1
        if self._failures == _MOST_FAILURES:
            self._failures = 0
            self._next = self._texts + _REST_TEXTS
        return cut

    def cut(self, text: str) -> Cut | None:
        """Cut a text into parts; return None where their nodes are not known to be those of the text.

        What was tried and cannot stand alone is joined with what follows, and tried again once it is four
        times as long. How far that went is remembered, so that the next text is not tried in vain.
        """
        parts: list[Part] = []
        opened: dict[Part, PartNodes] = {}
        blocks = split_blocks(text) if "\0" not in text else [text]
        start = worth_chars = chars = 0
        balance = _EVEN
        refused = ""
        for place, block in enumerate(blocks[:-1], start=1):
            balance = self._balanced(balance, block)
            chars += len(block)
            if chars < worth_chars or (chars < _WORTH_CHARS and not _is_even(balance)):
                continue
            lines = block if place == start + 1 else "".join(blocks[start:place])
            part = self._part(lines, opened)
            if part is not None:
                parts.append(part)
                if refused:
                    self._reaches[refused] = chars
                start, worth_chars, chars, balance, refused = place, 0, 0, _EVEN, ""
                continue
            worth_chars = 4 * chars
            if not refused:
                refused = lines
                reached = self._reaches.get(lines, worth_chars)
                if not reached:
                    break
                worth_chars = min(worth_chars, reached - reached // 10)
        if refused:
            self._reaches[refused] = 0
        if start < len(blocks):
            rest = "".join(blocks[start:])
            self._read_chars += len(rest)
            last = _nodes(rest)
            if last is None:
                return None
            parts.append(Part(last.text, last))
            opened[parts[-1]] = last
        if self._chars > _ROOM_FOR_EACH * max(len(text), _FEW_CHARS):
            self._parts = {part.text: part for part in parts[:-1]}
            self._balances = {}
            self._reaches = {}
            self._chars = len(text)
        return Cut(text, parts, opened)

    def _part(self, text: str, opened: dict[Part, PartNodes]) -> Part | None:
        """Return the part of this text; None where it cannot stand alone."""
        if text not in self._parts:
            self._chars += len(text)
            self._read_chars += len(text)
            nodes = _nodes(text)
            part = None
            if nodes is not None and nodes.are_closed():
                part = Part(text, nodes)
                opened[part] = nodes
            self._parts[text] = part
        return self._parts[text]

    def _balanced(self, balance: Balance, block: str) -> Balance:
        more = self._balances.get(block)
        if more is None:
            more = _balance(block)
            # One object for all that change nothing makes the common case a comparison of two names.
            self._balances[block] = more = _EVEN if more == _EVEN else more
        if more is _EVEN:
            return balance
        return tuple(map(int.__add__, balance, more))


class PageText:
    """A text and the parts that are known of its page.

    Args:
        text: As for ``wikitext_nodes``.
        known: Of the page.
    """

    __slots__ = ("known", "text")

    def __init__(self, text: Any, known: KnownParts) -> None:
        self.text = text
        self.known = known


class KnowParts(Struct, frozen=True):
    """Gives a text with what is known of the parts of the text before it in the page."""

    takes_before: ClassVar[bool] = True

    def __call__(self, text: Any, before: PageText | None = None) -> PageText:
        """Return it."""
        return PageText(text, KnownParts() if before is None else before.known)


def _nodes(text: str) -> PartNodes | None:
    """Return the nodes of some lines; None where mwparserfromhell's tree may have others than its tokens."""
    if (found := scanned(text)) is not None:
        return ScannedNodes(text, found)
    try:
        tokens, codes = tokenized(text)
    except Exception:
        # The whole text may be read, or fail in another way: it is asked for that.
        return None
    return TokenNodes(text, tokens, codes) if are_sound(tokens, codes) else None


def _balance(block: str) -> Balance:
    pairs = [block.count(opening) - block.count(closing) for opening, closing in _PAIRS]
    tables = (
        block.count("{|") - block.count("|}") + block.count("|}}") if "{|" in block or "|}" in block else 0
    )
    tags = len(_OPEN_TAGS.findall(block)) - block.count("</") if "<" in block else 0
    runs = list(map(len, _APOSTROPHES.findall(block))) if "''" in block else []
    return (*pairs, tables, tags, *map(runs.count, _RUNS))


def _is_even(balance: Balance) -> bool:
    if balance is _EVEN:
        return True
    opened = len(balance) - len(_RUNS)
    return max(balance[:opened]) <= 0 and not any(count % 2 for count in balance[opened:])
