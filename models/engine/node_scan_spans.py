"""Entities, comments, tags and schemes, for ``models.engine.node_scan_of``.

The lists are those of mwparserfromhell's definitions; ``models.engine.node_scan`` holds them against the
installed ones.
"""

import html.entities
import re
from typing import Final

SCHEMES_WITH_SLASHES: Final = frozenset(
    (
        *("ftp", "ftps", "git", "gopher", "http", "https", "irc", "ircs", "mms", "nntp"),
        *("redis", "sftp", "ssh", "svn", "telnet", "worldwind"),
    )
)
SCHEMES: Final = frozenset(
    ("bitcoin", "geo", "magnet", "mailto", "news", "sip", "sips", "sms", "tel", "urn", "xmpp")
)
VOID_TAGS: Final = frozenset(("br", "wbr", "hr", "meta", "link", "img"))
OPTIONAL_TAGS: Final = frozenset(("li", "dt", "dd", "th", "td", "tr"))
UNPARSED_TAGS: Final = frozenset(
    (
        *("categorytree", "ce", "chem", "gallery", "graph", "hiero", "imagemap", "inputbox", "math"),
        *("nowiki", "pre", "score", "section", "source", "syntaxhighlight", "templatedata", "timeline"),
    )
)

_ENTITY: Final = re.compile(
    r"&(?:#(?:[xX]([0-9a-fA-F]{1,5})|([0-9]{1,5}));|([A-Za-z0-9]+);|(#[0-9A-Za-z\x80-\U0010ffff]))"
)
_FIRST_SURROGATE: Final = 0xD800
# The tokenizer may read behind its own copy of these.
_LONGEST_ENTITY: Final = 8
_BRACKETED: Final = re.compile(r"//|([A-Za-z0-9+.\-]+):(//)?")
_NAME: Final = re.compile(r"[^{}\[\]<>|=&'#*;:/\-!\n\s]*")
_PLAIN_NAME: Final = re.compile("[A-Za-z][A-Za-z0-9]*")
_BLANKS: Final = "[ \t\n]*"
_VALUE: Final = r"\"[^\"\n\\<>{}\[\]]*\"|'[^'\n\\<>{}\[\]]*'|(?:(?!/>)[^\s\\<>{}\[\]\"'=])+"
_OPEN: Final = r"([\"'])(?:(?!/>)[^\s\\<>{}\[\]\"'=])*"
_ATTRIBUTE: Final = re.compile(
    rf"[ \t\n]+[A-Za-z][A-Za-z0-9\-_:.]*(?:{_BLANKS}={_BLANKS}(?:{_VALUE}|{_OPEN}))?"
)
_TAG_ENDS: Final = re.compile(rf"{_BLANKS}(>|/>)")
_STYLE_VALUE: Final = r"\"[^\"\n\\<>{}\[\]|]*\"|'[^'\n\\<>{}\[\]|]*'|(?:(?!/>)[^\s\\<>{}\[\]\"'=|])+"
_STYLE: Final = {
    end: re.compile(
        rf"(?:[ \t]*+[A-Za-z\-][A-Za-z0-9\-_:.]*+(?:{blanks}={blanks}(?:{value}))?+(?=[ \t{end}]))*+"
        rf"[ \t]*+(?=[{end}])"
    )
    for end, blanks, value in (("\n", r"[ \t]*+", _VALUE), ("|", r"[ \t\n]*+", _STYLE_VALUE))
}
CLOSING: Final = re.compile("</([A-Za-z0-9]+)>")


class UnprovenMarkup(Exception):
    """It is not known how the parser reads this."""


def entity(text: str, place: int) -> int:
    """Return where an entity ends; where none begins at this ampersand, the place itself."""
    match = _ENTITY.match(text, place)
    if match is None:
        return place
    hexadecimal, decimal, name, rest = match.groups()
    if rest:
        raise UnprovenMarkup
    if name:
        if len(name) == _LONGEST_ENTITY:
            raise UnprovenMarkup
        return match.end() if name in html.entities.entitydefs else place
    if not 0 < (int(decimal) if decimal else int(hexadecimal, 16)) < _FIRST_SURROGATE:
        raise UnprovenMarkup
    return match.end()


def is_scheme(word: str, *, has_slashes: bool) -> bool:
    """Tell whether a scheme of the tokenizer is spelt so."""
    lowered = word.lower() if word.isascii() else ""
    return lowered in SCHEMES or (has_slashes and lowered in SCHEMES_WITH_SLASHES)


def behind_scheme(text: str, start: int) -> int:
    """Return where the address begins behind a scheme that begins here; -1 where none does."""
    match = _BRACKETED.match(text, start)
    if match is None or (match[1] and not is_scheme(match[1], has_slashes=bool(match[2]))):
        return -1
    return match.end()


def begins_comment(text: str, place: int) -> bool:
    """Tell whether a comment begins here."""
    return text.startswith("<!--", place)


def behind_comment(text: str, place: int) -> int:
    """Return where a comment ends that begins here.

    Raises:
        UnprovenMarkup: It does not end.
    """
    end = text.find("-->", place + 4)
    if end < 0:
        raise UnprovenMarkup
    return end + 3


def tag_opening(text: str, start: int) -> tuple[str, int, bool, bool] | None:
    """Read a tag from its name on.

    Returns:
        Its name, where its opening ends, whether it closes itself, and whether a quote stayed open; None
        where no tag begins.

    Raises:
        UnprovenMarkup: It has an unusual form.
    """
    match = _NAME.match(text, start)
    end = match.end() if match else start
    name = text[start:end]
    following = text[end : end + 1]
    is_ended = following == ">" or text.startswith("/>", end)
    if not name or not following or (not is_ended and (following == "\n" or not following.isspace())):
        return None
    if _PLAIN_NAME.fullmatch(name) is None:
        raise UnprovenMarkup
    met_open_quote = False
    while attribute := _ATTRIBUTE.match(text, end):
        end = attribute.end()
        if opened := attribute[1]:
            # Where no such quote follows at all, the tokenizer comes back from the end of the text.
            if opened in text[attribute.end(1) :]:
                raise UnprovenMarkup
            met_open_quote = True
    closing = _TAG_ENDS.match(text, end)
    if closing is None:
        raise UnprovenMarkup
    return name, closing.end(), closing[1] == "/>", met_open_quote


def behind_style(text: str, place: int, end: str) -> int:
    """Return where attributes end, up to the end of a line or a bar.

    Raises:
        UnprovenMarkup: They have an unusual form.
    """
    match = _STYLE[end].match(text, place)
    if match is None:
        raise UnprovenMarkup
    return match.end()
