"""Edits that no wiki ever saw, written by a seeded pen, to judge the features of the first releases by.

Runs on the old interpreters too. What it writes has all that their tokenisers tell apart: words of many
scripts, digits within words, web addresses, tags, tables, sentences and paragraphs that move or repeat.
"""

import json
import random
import sys
from collections.abc import Sequence
from typing import Any

_WORDS = (
    *("the", "river", "of", "winter", "was", "stupid", "and", "Fat"),
    *("gizli", "salak", "İstanbul", "it", "mal", "k\u0131ç", "ÇÜK", "göt"),
    *("aaaaaah", "lol", "hello", "don't", "l\u2019eau", "rock'n'roll", "MiXeD", "ÀÉÎ"),
    *("straße", "Дом", "река", "كتاب", "نهر", "हिन्दी", "ভাষা", "漢字かな"),
    *("カタカナ", "한국어", "㈱", "㋿", "ﾊﾝ", "x2", "2nd", "F16"),
    *("F", "0478", "2015", "1,234.56", "٣٤", "²", "abc123def", "under_score"),
    *("\U0001d4b3", "😀", "é", "idiot", "suck", "sucks", "bitch", "wanker"),
    *("ok", ":)", "...", "?!", "--", "\u2013", "«", "»"),
    *("§", "€", "\u00a0", "\u200b", "\u2028", "\u0007", "pal", "help"),
)
_MARKUP = (
    *("[[House|old house]]", "[[Category:Birds]]", "[[File:A b.jpg|thumb|text]]", "[[image:x.png]]"),
    *("{{cite web|url=http://example.org/a?b=c|title=T}}", "{{Infobox settlement|name=N}}", "{{stub}}"),
    *(
        "<ref>A source.</ref>",
        '<ref name="a"/>',
        "<br/>",
        "<\\ref>",
        "<!-- hidden. Or not? -->",
        "&nbsp;",
        "&amp;",
    ),
    *(
        "{|\n|-\n| a || b\n|}",
        "== Title ==\n",
        "=== Deeper ===\n",
        "===== Five =====\n",
        "====== Six ======\n",
    ),
    *("'''bold'''", "''italic''", "''''' five", "* item\n", "#redirect", "[http://example.com link text]"),
    *(
        "http://example.org/path?x=1&y=2",
        "https://user:pw@host.example:8080/a",
        "//cdn.example.net/x",
        "://odd",
    ),
    *(
        "http://192.0.2.7/a",
        "http://10.0.0.1 b",
        "http://1.2.3.456",
        "http://Upper.example",
        "mailto:a@b.example",
    ),
    *(
        "ftp://a--b.example",
        "http://a.example.",
        "news:comp.lang",
        "http://ünï.example/ü",
        "geo:1,2",
        "tel:555",
    ),
    *("http://a-b-.c", "sip:x@y", "http://x.example:123456", "http://a@b@c.example/d", "|", "]]", "{{{1}}}"),
)
_ENDS = (".", ".", ".", "!", "?", "...", ".", ";", "")
_GAPS = ("\n\n", "\n\n", "\n\n", "\n", "\n\n\n", " \n \n", "\r\n\r\n", "\n\r\n\r", "\t", "  ")
_COMMENTS = (
    *(
        "",
        "/* History */ ",
        "/* History */ more",
        "fixed",
        "x",
        "/* a */ /* b */ yes",
        "/**/ no",
        "said /* late */",
    ),
    *("/* A*b */", "Undid revision 5"),
)


class Pen:
    """Writes the same for the same seed on every interpreter."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def pick(self, items: "Sequence[Any]") -> "Any":
        """Return one of some items."""
        return items[int(self._random.random() * len(items))]

    def chance(self, share: float) -> bool:
        """Tell yes in a share of all times."""
        return self._random.random() < share

    def sentence(self) -> str:
        """Return a sentence."""
        parts = [
            self.pick(_MARKUP) if self.chance(0.2) else self.pick(_WORDS)
            for _ in range(1 + int(self._random.random() * 12))
        ]
        end: str = self.pick(_ENDS)
        return " ".join(parts) + end

    def page(self, paragraphs: int) -> "list[list[str]]":
        """Return paragraphs, each a list of sentences."""
        return [
            [self.sentence() for _ in range(1 + int(self._random.random() * 5))] for _ in range(paragraphs)
        ]

    def edit(self, page: "list[list[str]]") -> "list[list[str]]":
        """Return another state of a page: some of it moved, repeated, gone, new or changed within."""
        page = [list(paragraph) for paragraph in page]
        for paragraph in page:
            for at in range(len(paragraph)):
                if self.chance(0.15):
                    words = paragraph[at].split(" ")
                    words[int(self._random.random() * len(words))] = self.pick(_WORDS)
                    paragraph[at] = " ".join(words)
            if self.chance(0.15):
                paragraph.append(self.pick(paragraph))
            if self.chance(0.15):
                paragraph.insert(0, self.sentence())
        if self.chance(0.4):
            page.append(self.pick(page))
        if self.chance(0.4):
            page.insert(0, page.pop())
        if self.chance(0.4) and len(page) > 1:
            del page[int(self._random.random() * len(page))]
        return page

    def text(self, page: "list[list[str]]") -> str:
        """Return a page as text."""
        return "".join(" ".join(paragraph) + self.pick(_GAPS) for paragraph in page)


def made_up(count: int = 60) -> "list[dict[str, Any]]":
    """Return edits as plain values: texts, times in seconds since 1970, users, comments."""
    edits = []
    for seed in range(count):
        pen = Pen(seed)
        before = pen.page(1 + seed % 9 + (25 if seed % 10 == 3 else 0))
        saved = 1400000000 + seed * 987654
        parent = None
        if seed % 7 != 6:
            parent = {
                "text": "" if seed % 11 == 5 else pen.text(before),
                "seconds": saved - (0, 59, 86400, 40000000)[seed % 4],
                "user": _user(seed + seed % 3),
            }
        edits.append(
            {
                "text": "" if seed % 13 == 12 else pen.text(pen.edit(before)),
                "seconds": saved,
                "namespace_id": (0, 1, 2, 0, 10)[seed % 5],
                "comment": _COMMENTS[seed % len(_COMMENTS)],
                "user": _user(seed),
                "groups": (["*", "user"], ["bot", "user"], ["sysop"])[seed % 3],
                "registered": (None, saved - 1000000, 1100000000)[seed % 3],
                "parent": parent,
            }
        )
    return edits


def _user(number: int) -> "list[Any]":
    return [0, f"192.0.2.{number % 5}"] if number % 4 == 0 else [number, f"Editor {number}"]


if __name__ == "__main__":
    json.dump(made_up(), sys.stdout)
