"""Tags as in HTML, comments and entities, in a scan of wikitext."""

import re
from typing import Final

from models.engine import node_scan_spans as spans
from models.engine.node_scan_open import Kind
from models.engine.node_scan_reading import Reading
from models.engine.node_scan_spans import UnprovenMarkup

_UNPARSED_MARKS: Final = re.compile("&|</")


class TagReading(Reading):
    """Takes what begins with ``<`` or ``&``."""

    def _take_ampersand(self) -> None:
        end = spans.entity(self._text, self._place)
        if end == self._place:
            self._place += 1
        else:
            self._count("HTMLEntity")
            self._go_on(end)

    def _take_lesser(self) -> None:
        text, place = self._text, self._place
        if spans.begins_comment(text, place):
            end = spans.behind_comment(text, place)
            self._count("Comment")
            self._go_on(end)
        elif text.startswith("<!", place):
            raise UnprovenMarkup
        elif text.startswith("</", place):
            self._close_tag()
        else:
            self._open_tag()

    def _open_tag(self) -> None:
        start = self._place + 1
        opening = spans.tag_opening(self._text, start)
        if opening is None:
            self._place = start
            return
        name, end, closes_itself, met_open_quote = opening
        if met_open_quote and self._is_in_heading:
            raise UnprovenMarkup
        if met_open_quote:
            self._met_end = self._met_open_quote = True
        lowered = name.lower()
        if not closes_itself and lowered not in spans.VOID_TAGS:
            body = self._push(Kind.BODY, start)
            body.tag, body.must_close = lowered, lowered in spans.OPTIONAL_TAGS
        self._name(name)
        self._go_on(end)
        if not closes_itself and lowered in spans.UNPARSED_TAGS:
            self._take_unparsed(lowered)

    def _close_tag(self) -> None:
        """Take "</" with a name: the end of a tag, of another than was opened, or text."""
        match = spans.CLOSING.match(self._text, self._place)
        if match is None:
            raise UnprovenMarkup
        name = match[1].lower()
        if self._top.kind is not Kind.BODY:
            if name in spans.VOID_TAGS:
                raise UnprovenMarkup
            self._place += 2
        elif name == self._top.tag:
            self._open.pop()
            self._go_on(match.end())
        else:
            self._fail()

    def _take_unparsed(self, name: str) -> None:
        """Take what stands in a tag within which nothing but entities is read."""
        text = self._text
        while match := _UNPARSED_MARKS.search(text, self._place):
            self._place = match.start()
            if match[0] == "&":
                self._take_ampersand()
                continue
            start = match.end()
            end = start + len(name)
            closing, following = text[start:end], text[end : end + 1]
            if closing.lower() == name and closing.isascii() and following == ">":
                self._open.pop()
                self._go_on(end + 1)
                return
            if not closing.isascii() or following.isspace():
                raise UnprovenMarkup
            self._place = start
        self._place = len(text)
        self._met_end = True
        self._fail()
