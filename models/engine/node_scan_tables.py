"""Tables, in a scan of wikitext."""

from typing import Final

from models.engine import node_scan_spans as spans
from models.engine.node_scan_links import LinkReading
from models.engine.node_scan_open import Kind
from models.engine.node_scan_spans import UnprovenMarkup

_OF_TABLE: Final = frozenset({Kind.TABLE, Kind.ROW, Kind.CELL})


class TableReading(LinkReading):
    """Takes bars and exclamation marks in tables."""

    def _open_table(self) -> None:
        if self._is_behind_text():
            self._place += 1
        elif self._is_in_heading:
            raise UnprovenMarkup
        else:
            self._open_with_style(Kind.TABLE, "table")

    def _take_bar(self) -> None:
        if self._top.kind in _OF_TABLE:
            self._take_in_table()
        else:
            super()._take_bar()

    def _take_exclamation(self) -> None:
        if self._top.kind in _OF_TABLE:
            self._take_in_table()
        else:
            self._place += 1

    def _take_in_table(self) -> None:
        mark, opened = self._text[self._place], self._top
        is_doubled = self._text.startswith(2 * mark, self._place)
        if is_doubled and (opened.has_headers or (mark == "|" and opened.has_cells)):
            if opened.kind is Kind.CELL:
                self._close_cell()
            else:
                self._open_cell(2, is_header=mark == "!" or not opened.has_cells)
        elif mark == "|" and opened.may_have_style:
            self._take_style()
        elif self._is_behind_text():
            self._place += 1
        else:
            self._take_at_line_start(self._text[self._place : self._place + 2])

    def _take_at_line_start(self, marks: str) -> None:
        kind = self._top.kind
        if kind is Kind.CELL:
            self._close_cell()
        elif marks not in {"|}", "|-"}:
            self._open_cell(1, is_header=marks[0] == "!")
        elif kind is Kind.ROW:
            self._open.pop()
            self._go_on(self._place)
        elif marks == "|-":
            self._open_with_style(Kind.ROW, "tr")
        else:
            self._open.pop()
            self._go_on(self._place + 2)

    def _open_with_style(self, kind: Kind, name: str) -> None:
        """Open a table or a row, with the attributes on its line."""
        self._open_part(kind, name, spans.behind_style(self._text, self._place + 2, "\n"))

    def _open_part(self, kind: Kind, name: str, place: int) -> None:
        self._push(kind, self._place).must_close = True
        self._name(name)
        self._go_on(place)

    def _open_cell(self, length: int, *, is_header: bool) -> None:
        self._open_part(Kind.CELL, "th" if is_header else "td", self._place + length)
        cell = self._top
        cell.start = self._place
        cell.may_have_style = True
        cell.has_headers, cell.has_cells = is_header, not is_header

    def _close_cell(self) -> None:
        """Go on at the same place around a cell, whose kind the line keeps."""
        cell = self._open.pop()
        self._top.has_cells |= cell.has_cells
        self._top.has_headers |= cell.has_headers
        self._go_on(self._place)

    def _take_style(self) -> None:
        """Read what stood in a cell so far as its attributes, and begin it anew."""
        cell = self._top
        if spans.behind_style(self._text, cell.start, "|") != self._place:
            raise UnprovenMarkup
        name = self._nodes.names[len(cell.nodes.names)]
        self._nodes = cell.nodes.copy()
        self._name(name)
        cell.may_have_style = False
        self._go_on(self._place + 1)

    def _is_behind_text(self) -> bool:
        """Tell whether text stands before this on its line.

        Raises:
            UnprovenMarkup: Blanks do.
        """
        line = self._text[self._text.rfind("\n", 0, self._place) + 1 : self._place]
        if line.isspace():
            raise UnprovenMarkup
        return bool(line)
