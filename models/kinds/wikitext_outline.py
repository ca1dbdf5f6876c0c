"""What a wikitext is made of, in one linear pass and without knowledge of its language.

Neither namespaces nor templates nor magic words are looked up, so that the same rules hold on every wiki.
Exactness is not the aim: the outlines of two revisions of one page are compared, and what stayed the same
cancels out.
"""

import re
from collections import Counter
from typing import Final

from msgspec import Struct

MOST_CHARACTERS: Final = 1_000_000
DEEPEST: Final = 40

_MARKS: Final = re.compile(
    # Most characters start nothing: they are passed over at the first glance.
    r"(?=[<{|}\[\]hH='])(?:"
    r"(?P<comment><!--.*?(?:-->|\Z))"
    r"|(?P<verbatim><(?P<tag>nowiki|math|chem|pre|score|syntaxhighlight|source)\b[^<>]*(?<!/)>"
    r".*?(?:</(?P=tag)\s*>|\Z))"
    r"|(?P<open>\{\{|\{\||\[\[|<ref\b[^<>]*(?<!/)>|<gallery\b[^<>]*(?<!/)>)"
    r"|(?P<close>\}\}|\|\}(?!\})|\]\]|</ref\s*>|</gallery\s*>)"
    r"|(?P<ref><ref\b[^<>]*/>)"
    r"|(?P<tagged></?[a-zA-Z][^<>]*>)"
    r"|(?P<external>\[(?:https?:)?//[^\[\]<>\n]*\]|https?://[^\s\[\]<>|{}]+)"
    r"|(?<![^\n])(?P<heading>={1,6}[^=\n][^\n]*=)[ \t]*$"
    r"|(?P<quotes>'{2,5}))",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
_MEDIA: Final = re.compile(
    r"[^|\[\]{}\n]+\.(?:jpe?g|png|gif|svg|webp|tiff?|xcf|ogg|oga|ogv|opus|mp3|wav|flac|mid|webm|mpe?g|pdf|djvu)\b",
    re.IGNORECASE,
)
# A namespace is followed by its colon without a blank, which a colon in a title mostly is not.
_NAMESPACED: Final = re.compile(r"\s*[^\s:|\[\]][^:|\[\]]*:\S")
_KINDS: Final = {"{{": "template", "{|": "table", "[[": "link", "<r": "reference", "<g": "gallery"}
_CLOSES: Final = {"}}": "template", "|}": "table", "]]": "link", "</r": "reference", "</g": "gallery"}


class Outline(Struct, frozen=True):
    """What a wikitext is made of.

    Attributes:
        elements: How often each stands there, by kind and source text: ``template``, ``table``, ``link``,
            ``media``, ``reference``, ``external_link``, ``heading``. One that holds another counts both.
        prose: What is left for readers: without templates, tables, references, galleries, comments, tags and
            targets of links.
    """

    elements: Counter[tuple[str, str]]
    prose: str


class _Opened(Struct):
    kind: str
    start: int
    pieces: int


def outline(wikitext: str) -> Outline:
    """Outline a wikitext in linear time.

    What is opened and never closed counts as text. Elements deeper than ``DEEPEST`` count with those that
    hold them.

    Args:
        wikitext: What follows the first million characters is not looked at.
    """
    return _Reader(wikitext[:MOST_CHARACTERS]).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._elements: Counter[tuple[str, str]] = Counter()
        self._pieces: list[str] = []
        self._opened: list[_Opened] = []
        # How many of each kind are open, so that a close without an open is told at once.
        self._open_kinds: Counter[str] = Counter()

    def read(self) -> Outline:
        end = 0
        for mark in _MARKS.finditer(self._text):
            start = mark.start()
            if start > end:
                self._pieces.append(self._text[end:start])
            end = mark.end()
            match mark.lastgroup:
                case "open":
                    self._open(mark.group(), start)
                case "close":
                    self._close(mark.group(), end)
                case "ref":
                    self._count("reference", mark.group())
                case "external":
                    self._external(mark.group())
                case "heading":
                    self._count("heading", mark.group())
                    self._pieces.append(mark.group().strip("= "))
                case _:
                    pass
        self._pieces.append(self._text[end:])
        return Outline(self._elements, "".join(self._pieces))

    def _count(self, kind: str, source: str) -> None:
        self._elements[kind, source] += 1

    def _open(self, mark: str, start: int) -> None:
        kind = _KINDS[mark[:2].lower()]
        self._opened.append(_Opened(kind, start, len(self._pieces)))
        self._open_kinds[kind] += 1
        # Stays if nothing closes it, and goes with all else inside if something does.
        self._pieces.append(mark if mark[0] != "<" else "")

    def _close(self, mark: str, end: int) -> None:
        kind = _CLOSES[mark[:3].lower()]
        if not self._open_kinds[kind]:
            self._pieces.append(mark if mark[0] != "<" else "")
            return
        while True:
            opened = self._opened.pop()
            self._open_kinds[opened.kind] -= 1
            if opened.kind == kind:
                break
        inside = self._pieces[opened.pieces + 1 :]
        del self._pieces[opened.pieces :]
        if len(self._opened) < DEEPEST:
            source = self._text[opened.start : end]
            if kind != "gallery":
                self._count("media" if kind == "link" and _MEDIA.match(source, 2) else kind, source)
            if kind == "link":
                self._link(source, "".join(inside))
            elif kind == "gallery":
                self._gallery(source)

    def _link(self, source: str, shown: str) -> None:
        if not _NAMESPACED.match(source, 2):
            self._pieces.append(shown.rpartition("|")[2])

    def _gallery(self, source: str) -> None:
        for line in source.splitlines()[1:]:
            if _MEDIA.match(line):
                self._count("media", line)

    def _external(self, source: str) -> None:
        self._count("external_link", source)
        if source[0] == "[":
            self._pieces.append(source[1:-1].partition(" ")[2])
