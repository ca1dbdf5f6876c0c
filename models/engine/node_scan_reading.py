"""Where a scan of wikitext stands: what it found, what is open, and what becomes of what nothing closes.

See ``models.engine.node_scan_of``.
"""

from collections.abc import Callable, Mapping
from typing import Final

from models.engine.node_scan_open import Kind, Nodes, Open
from models.engine.node_scan_spans import UnprovenMarkup

_OF_TEMPLATE: Final = frozenset({Kind.NAME, Kind.KEY, Kind.VALUE})
# Each level takes up to three of the tokenizer's hundred.
_DEEPEST: Final = 12
_PATIENCE: Final = 4


class Reading:
    """One pass over a text.

    Args:
        text: Without characters of code 0.
    """

    _takes: Mapping[str, Callable[[], None]]

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        # Since when there was nothing but text.
        self._text_start = 0
        self._open = [Open(Kind.OUTSIDE, 0, 0, Nodes())]
        self._nodes = Nodes()
        self._is_in_heading = False
        # Whether something was open at the end of the text; whether a quote was.
        self._met_end = self._met_open_quote = False
        # How many characters may still be read again.
        self._patience = _PATIENCE * len(text)

    @property
    def _top(self) -> Open:
        return self._open[-1]

    def _push(self, kind: Kind, behind: int) -> Open:
        """Open something that goes on at a place, also where it turns out to be text."""
        if len(self._open) > _DEEPEST:
            raise UnprovenMarkup
        opened = Open(kind, behind, self._text_start, self._nodes.copy(), is_in_heading=self._is_in_heading)
        self._open.append(opened)
        return opened

    def _go_on(self, place: int) -> None:
        """Go on behind what was recognised."""
        self._place = self._text_start = place

    def _count(self, kind: str) -> None:
        self._nodes.counts[kind] += 1

    def _name(self, name: str) -> None:
        self._count("Tag")
        self._nodes.names.append(name)

    def _fail(self) -> None:
        """Take for text what was opened last, and go on behind its opening."""
        while True:
            opened = self._open.pop()
            self._patience -= self._place - opened.behind
            if self._patience < 0 or opened.must_close:
                raise UnprovenMarkup
            self._nodes = opened.nodes
            self._place, self._text_start = opened.behind, opened.text_start
            self._is_in_heading = opened.is_in_heading
            if opened.is_behind:
                self._end_heading(opened.level, opened.behind)
            elif opened.kind is Kind.BOLD and self._top.kind is Kind.ITALIC:
                self._refuse_bold()
            elif opened.kind is Kind.BOLD or opened.is_refused:
                self._open_italic(opened)
            elif opened.kind in _OF_TEMPLATE and self._top.kind in {Kind.NAME, Kind.TITLE}:
                continue
            return

    def _end_heading(self, level: int, behind: int) -> None:
        """Close the heading that was opened last, and go on."""
        self._open.pop()
        self._nodes.levels.append(level)
        self._is_in_heading = False
        self._count("Heading")
        self._go_on(behind)

    def _refuse_bold(self) -> None:
        """Take what is not bold, in what is italic: as text at first, then as an apostrophe and the end."""
        italic = self._top
        if italic.must_close:
            raise UnprovenMarkup
        if italic.is_again:
            self._open.pop()
            self._text_start = self._place
        else:
            italic.is_refused = True

    def _open_italic(self, opened: Open) -> None:
        """Open as italic what was not bold, behind an apostrophe, or what is read again: nothing ended it."""
        is_again = opened.kind is Kind.ITALIC
        if is_again and (len(self._open) > 1 or self._met_open_quote):
            raise UnprovenMarkup
        self._push(Kind.ITALIC, opened.behind).is_again = is_again
        self._name("i")
        self._go_on(opened.behind)

    def _behind_run(self, character: str) -> int:
        rest = self._text[self._place :]
        return len(self._text) - len(rest.lstrip(character))
