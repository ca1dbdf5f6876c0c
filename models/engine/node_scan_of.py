"""The nodes of wikitext, counted in one pass in the order in which mwparserfromhell's tokenizer reads.

The tokenizer reads a text from its beginning to its end, with a stack of what is open; the kind of what was
opened last decides what closes it, what else is read within, and what makes it text after all: a line that
ends within a heading, the end of the whole text within nearly everything. Then the tokenizer goes back and
reads on behind the opening, and so does this. Whatever else it does is left to it, by ``UnprovenMarkup``:
unusual tables and tags, more braces or apostrophes than these, and all where its answer rests on what it
remembers of earlier ways.

``models/native/markup.c`` does the same.
"""

import contextlib
import re
from typing import Final

from models.engine.node_scan_open import Kind
from models.engine.node_scan_spans import UnprovenMarkup
from models.engine.node_scan_tables import TableReading

Scanned = tuple[tuple[int, ...], list[int], list[str], bool]
"""How many nodes there are of each of ``KINDS``, the levels of the headings, the names of the tags, and
whether all this stays the same, whatever follows the text."""

_MARK: Final = re.compile(r"[{}\[\]<|=&':!\n]")
_LINE: Final = re.compile(r"([*#:;]+)|----+")
_ITEMS: Final = {"*": "li", "#": "li", ":": "dd", ";": "dt"}
_BEHIND_HEADING: Final = re.compile(r"(?:[^\n={\[<']|'(?!')|<!--[\s\S]*?-->)*+(?:\n|\Z)")


def scan_nodes_of(text: str) -> Scanned | None:
    """Count the nodes of a text; return None where it is not known how the parser reads it."""
    with contextlib.suppress(UnprovenMarkup):
        return _Scan(text).all()
    return None


class _Scan(TableReading):
    """One pass over a text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._takes = {
            "\n": self._take_newline,
            "=": self._take_equals,
            "{": self._take_brace,
            "}": self._take_closing_brace,
            "[": self._take_bracket,
            "]": self._take_closing_bracket,
            "|": self._take_bar,
            "<": self._take_lesser,
            "&": self._take_ampersand,
            "'": self._take_apostrophes,
            ":": self._take_colon,
            "!": self._take_exclamation,
        }

    def all(self) -> Scanned:
        """Scan the text.

        Raises:
            UnprovenMarkup: See the module.
        """
        text = self._text
        if "\0" in text:
            raise UnprovenMarkup
        self._begin_line()
        while self._place < len(text) or len(self._open) > 1:
            if self._place >= len(text):
                self._met_end = True
                self._fail()
            elif self._top.kind is Kind.NAME:
                self._take_in_name()
            elif self._top.kind is Kind.TITLE:
                self._take_in_title()
            elif self._top.kind is Kind.ADDRESS:
                self._take_in_address()
            else:
                mark = _MARK.search(text, self._place)
                self._place = mark.start() if mark else len(text)
                if mark:
                    self._takes[mark[0]]()
        is_closed = text.endswith("\n") and not self._met_end
        return tuple(self._nodes.counts.values()), self._nodes.levels, self._nodes.names, is_closed

    def _begin_line(self) -> None:
        """Take what is read at the beginning of a line alone: marks of lists, and rules."""
        match = _LINE.match(self._text, self._place)
        if match is None:
            return
        if match[1] is None:
            self._name("hr")
        else:
            for mark in match[1]:
                self._name(_ITEMS[mark])
            self._top.has_term |= ";" in match[1]
        self._go_on(match.end())

    def _take_newline(self) -> None:
        if self._top.kind in {Kind.HEADING, Kind.CAPTION}:
            self._fail()
            return
        if self._is_in_heading:
            raise UnprovenMarkup
        self._place += 1
        opened = self._top
        opened.has_term = opened.has_cells = opened.has_headers = opened.may_have_style = False
        self._begin_line()

    def _take_equals(self) -> None:
        text, place, opened = self._text, self._place, self._top
        may_open = not self._is_in_heading and (place == 0 or text[place - 1] == "\n")
        if opened.kind is Kind.KEY:
            if opened.has_template or opened.has_term:
                raise UnprovenMarkup
            if may_open and text.startswith("==", place):
                self._open_heading()
            else:
                opened.kind = Kind.VALUE
                self._go_on(place + 1)
        elif may_open and opened.kind is not Kind.VALUE:
            self._open_heading()
        elif opened.kind is Kind.HEADING:
            self._close_heading()
        else:
            self._place += 1

    def _open_heading(self) -> None:
        behind = self._behind_run("=")
        self._push(Kind.HEADING, behind).level = behind - self._place
        self._is_in_heading = True
        self._go_on(behind)

    def _close_heading(self) -> None:
        """Close a heading, once it is known that nothing behind it on its line does so."""
        behind = self._behind_run("=")
        opened = self._top
        if opened.is_behind:
            raise UnprovenMarkup
        level = min(behind - self._place, opened.level, 6)
        if _BEHIND_HEADING.match(self._text, behind):
            self._end_heading(level, behind)
            return
        rest = self._push(Kind.HEADING, behind)
        rest.is_behind, rest.level = True, level
        self._go_on(behind)

    def _take_apostrophes(self) -> None:
        """Take apostrophes: one is text, two and three make text italic and bold."""
        behind = self._behind_run("'")
        length = behind - self._place
        kind = self._top.kind
        if length == 1:
            self._place += 1
        elif (kind is Kind.ITALIC and length in {2, 5}) or (kind is Kind.BOLD and length in {3, 5}):
            self._open.pop()
            self._go_on(self._place + (2 if kind is Kind.ITALIC else 3))
        elif length == 4 or length > 5:
            raise UnprovenMarkup
        else:
            if length != 3:
                self._push(Kind.ITALIC, behind).must_close = length == 5
                self._name("i")
            if length != 2:
                self._push(Kind.BOLD, behind)
                self._name("b")
            self._go_on(behind)
