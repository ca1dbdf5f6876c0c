"""Templates, their arguments, and links, in a scan of wikitext."""

import re
from typing import Final

from models.engine import node_scan_spans as spans
from models.engine.characters import CHARACTERS
from models.engine.node_scan_open import Kind
from models.engine.node_scan_spans import UnprovenMarkup
from models.engine.node_scan_tags import TagReading

_ARGUMENT: Final = re.compile(r"\{\{\{[^{}\[\]<>|&'\n]+(\}\}\}|\|)")
_TEMPLATE_NAME: Final = re.compile(r"[^{}\[\]<>|&'\n]+\}\}(?!\})")
_WORD_BEFORE: Final = re.compile(r"[A-Za-z0-9]*\Z")
# What characters from here on are, the function in C does not know.
_UNKNOWN: Final = chr(CHARACTERS)
# No scheme is as long.
_LONGEST_WORD: Final = 16
_ENDS: Final = ("\n", " ", "[", "]", "<", ">", '"', "''")
_MORE_ENDS: Final = {
    Kind.KEY: ("|", "}}", "="),
    Kind.VALUE: ("|", "}}"),
    Kind.HEADING: ("=",),
    Kind.DEFAULT: ("}}}",),
}
_IN_TEMPLATE: Final = frozenset({Kind.KEY, Kind.VALUE})


class LinkReading(TagReading):
    """Takes braces, brackets, bars and colons."""

    def _take_brace(self) -> None:
        """Take braces: two open a template, three an argument."""
        behind = self._behind_run("{")
        length = behind - self._place
        if length == 4 and _TEMPLATE_NAME.match(self._text, behind):
            # No argument has such a name, so that this is a template in the name of another.
            length = 2
            behind = self._place + 2
        if length > 3:
            raise UnprovenMarkup
        if length == 1 and self._text.startswith("|", behind):
            self._open_table()
            return
        if length == 1:
            self._place += 1
            return
        self._top.has_template = True
        if length == 3:
            self._open_argument()
            return
        self._push(Kind.NAME, behind)
        self._count("Template")
        self._go_on(behind)

    def _open_table(self) -> None:
        raise NotImplementedError

    def _open_argument(self) -> None:
        match = _ARGUMENT.match(self._text, self._place)
        if match is None:
            raise UnprovenMarkup
        if match[1] == "|":
            self._push(Kind.DEFAULT, self._place + 3).must_close = True
        self._count("Argument")
        self._go_on(match.end())

    def _take_closing_brace(self) -> None:
        kind = self._top.kind
        if kind in _IN_TEMPLATE and self._text.startswith("}}", self._place):
            self._open.pop()
            self._go_on(self._place + 2)
        elif kind is Kind.DEFAULT and self._text.startswith("}}}", self._place):
            self._open.pop()
            self._go_on(self._place + 3)
        else:
            self._place += 1

    def _take_in_name(self) -> None:
        text, place, name = self._text, self._place, self._top
        character = text[place]
        if character == "|" or text.startswith("}}", place):
            if not name.has_text and not name.has_template:
                self._fail()
                return
            name.kind, name.has_template = Kind.KEY, False
            if character == "}":
                self._open.pop()
            self._go_on(place + (2 if character == "}" else 1))
        elif character.isspace():
            name.has_ended |= name.has_text and character == "\n"
            self._place += 1
        elif character in "{}[]<>":
            self._take_in_either()
        elif name.has_ended:
            self._fail()
        elif text[place - 1] == "\n" and character in "*#:;-":
            raise UnprovenMarkup
        else:
            name.has_text = True
            self._take_in_either()

    def _take_in_title(self) -> None:
        text, place = self._text, self._place
        if text[place] == "\n":
            self._fail()
        elif text[place] == "|":
            self._top.kind = Kind.SHOWN
            self._go_on(place + 1)
        elif text.startswith("]]", place):
            self._open.pop()
            self._go_on(place + 2)
        else:
            self._take_in_either()

    def _take_in_either(self) -> None:
        """Take what may stand in the name of a template and in the title of a link alike."""
        text, place = self._text, self._place
        character = text[place]
        may_stand = (character != "{" or text.startswith("{{", place)) and (
            character != "<" or spans.begins_comment(text, place)
        )
        if character in "[]}>" or not may_stand:
            self._fail()
        elif character in "{<&'":
            self._takes[character]()
        else:
            self._place += 1

    def _take_bracket(self) -> None:
        if not self._text.startswith("[[", self._place):
            self._open_external_link()
            return
        behind = self._place + 2
        if spans.behind_scheme(self._text, behind) >= 0:
            raise UnprovenMarkup
        self._push(Kind.TITLE, behind)
        self._count("Wikilink")
        self._go_on(behind)

    def _open_external_link(self) -> None:
        """Take a bracket alone, or one with the scheme of an address behind it."""
        behind = self._place + 1
        start = -1 if self._top.kind is Kind.CAPTION else spans.behind_scheme(self._text, behind)
        if start < 0:
            self._place = behind
            return
        self._push(Kind.ADDRESS, behind).start = start
        self._count("ExternalLink")
        self._go_on(start)

    def _take_in_address(self) -> None:
        text, place = self._text, self._place
        character = text[place]
        if character == "\n" or (place == self._top.start and character in " ]"):
            self._fail()
        elif character == " ":
            self._top.kind = Kind.CAPTION
            self._go_on(place + 1)
        elif character == "]":
            self._open.pop()
            self._go_on(place + 1)
        elif character in '[<>"' or text.startswith("''", place):
            raise UnprovenMarkup
        elif character == "&" or text.startswith("{{", place):
            self._takes[character]()
        else:
            self._place += 1

    def _behind_address(self, start: int, ends: tuple[str, ...]) -> tuple[int, int]:
        """Return where an address ends, and how many entities are in it."""
        text, place, entities = self._text, start, 0
        while place < len(text) and not text.startswith(ends, place):
            if text.startswith("{{", place):
                raise UnprovenMarkup
            end = spans.entity(text, place) if text[place] == "&" else place
            entities += end > place
            place = max(end, place + 1)
        return place, entities

    def _take_closing_bracket(self) -> None:
        kind = self._top.kind
        if kind is Kind.CAPTION:
            self._open.pop()
            self._go_on(self._place + 1)
        elif kind is Kind.SHOWN and self._text.startswith("]]", self._place):
            self._open.pop()
            self._go_on(self._place + 2)
        else:
            self._place += 1

    def _take_bar(self) -> None:
        opened = self._top
        if opened.kind not in _IN_TEMPLATE:
            self._place += 1
            return
        if opened.has_term:
            raise UnprovenMarkup
        opened.kind, opened.has_template = Kind.KEY, False
        self._go_on(self._place + 1)

    def _take_colon(self) -> None:
        """Take a colon: a link where the word before it is a scheme."""
        text, colon = self._text, self._place
        match = _WORD_BEFORE.search(text[max(self._text_start, colon - _LONGEST_WORD) : colon])
        word = "" if match is None else match[0]
        slashes = text.startswith("//", colon + 1)
        start = colon + (3 if slashes else 1)
        before = text[max(self._text_start, colon - len(word) - 1) : colon - len(word)]
        if self._top.kind is Kind.CAPTION or not spans.is_scheme(word, has_slashes=slashes):
            self._take_colon_alone()
            return
        if before >= _UNKNOWN:
            raise UnprovenMarkup
        if before == "_" or before.isalnum() or text[start : start + 1] in {"", "\n", " ", "[", "]"}:
            self._take_colon_alone()
            return
        end, entities = self._behind_address(start, _ENDS + _MORE_ENDS.get(self._top.kind, ()))
        if end == start or text.startswith("<!", end):
            raise UnprovenMarkup
        self._nodes.counts["HTMLEntity"] += entities
        self._count("ExternalLink")
        self._go_on(end + text.startswith(" ", end))

    def _take_colon_alone(self) -> None:
        """Take a colon of no link: behind a term it begins what the term means."""
        opened = self._top
        if opened.has_term:
            opened.has_term = False
            self._name("dd")
            self._go_on(self._place + 1)
        else:
            self._place += 1
