"""Tokens of a text as the tokenisers of 2015 cut them, whose words are other words than today's.

===================  ==========================  ====================================================
deltas               time                        what differs from the next
===================  ==========================  ====================================================
0.1.1                until spring of 2015        runs of letters, digits and underscores are one token
0.3.0, 0.3.1         until August 2015           words end at digits; no web addresses
0.3.3 to 0.3.5       until 13 December 2015      a web address reaches over a space to the next word
0.3.8                until spring of 2016        addresses end at brackets; Japanese has its own tokens
===================  ==========================  ====================================================

Releases 0.3.2, 0.3.6 and 0.3.7 each lived for a day or less.
"""

import functools
import re
from collections.abc import Mapping

WORD = "word"
_LETTERS = "a-z\u00a1-\uffff0-9"
_HAN = (
    "\u3400-\u4dff\u4e00-\u9fcc\uf900-\ufaff"
    "\U00020000-\U000215ff\U00021600-\U000230ff\U00023100-\U000245ff\U00024600-\U000260ff"
    "\U00026100-\U000275ff\U00027600-\U000290ff\U00029100-\U0002a6df\U0002f800-\U0002fa1f"
)
_KANA = "\u3041-\u3096\u30a0-\u30ff\u2e80-\u2fd5\uff5f-\uff9f"
_KANGXI = "\u31f0-\u31ff\u3220-\u3243\u3280-\u337f"
_PLAIN = "bitcoin|geo|magnet|mailto|news|sips?|tel|urn"
_SLASHED = "ftp|ftps|git|gopher|https?|ircs?|mms|nntp|redis|sftp|ssh|svn|telnet|worldwind|xmpp"
# An address of four numbers, none of a private network.
_NUMBERS = (
    r"(?!10(?:\.\d{1,3}){3})(?!127(?:\.\d{1,3}){3})(?!169\.254(?:\.\d{1,3}){2})"
    r"(?!192\.168(?:\.\d{1,3}){2})(?!172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2})"
    r"(?:[1-9]\d?|1\d\d|2[01]\d|22[0-3])(?:\.(?:1?\d{1,2}|2[0-4]\d|25[0-5])){2}"
    r"\.(?:[1-9]\d?|1\d\d|2[0-4]\d|25[0-4])"
)
_LABEL = rf"[{_LETTERS}]+(?:-[{_LETTERS}]+)*"
_HOST = rf"(?:\S+@)?(?:{_NUMBERS}|{_LABEL}(?:\.{_LABEL})*)(?::\d{{2,5}})?"
_BREAK = ("break", r"(?:\n|\n\r|\r\n)\s*(?:\n|\n\r|\r\n)+")
_SPACE = ("whitespace", r"\s+")
_COMMENTS = (("comment_start", "<!--"), ("comment_end", "-->"))
_ENTITY = ("entity", "&[a-z][a-z0-9]*;")
_NUMBER = ("number", r"\d+")
_TAG = ("tag", r"<\\?[a-z][a-z0-9]*\b[^>]*>")
_SIGNS = (
    *(("period", r"\.+"), ("qmark", r"\?+"), ("epoint", "!+")),
    *(("comma", ",+"), ("colon", ":+"), ("scolon", ";+")),
)
_BRACKETS = (
    *(("dbrack_open", r"\[\["), ("dbrack_close", r"\]\]")),
    *(("brack_open", r"\["), ("brack_close", r"\]")),
    *(("tab_open", r"\{\|"), ("tab_close", r"\|\}")),
    *(("dcurly_open", r"\{\{"), ("dcurly_close", r"\}\}")),
    *(("curly_open", r"\{"), ("curly_close", r"\}")),
    *(("bold", "'''"), ("italic", "''"), ("equals", "=+"), ("etc", ".")),
)
_QUOTED_WORD = (WORD, "\\w*[^\\W\\d]['\u2019\\w]*")


def _of_late_2015(url: str, cjk: str) -> tuple[tuple[str, str], ...]:
    head = (*_COMMENTS, ("url", url), _ENTITY, ("cjk", f"[{cjk}]"), _TAG, _NUMBER, _QUOTED_WORD)
    return (*head, *_SIGNS, _BREAK, _SPACE, *_BRACKETS)


LEXICONS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "0.1.1": (("etc", r"\w+|[.?!]+|[\n \t\r]+|\[\[|\]\]|\{\{|\}\}|&\w+;|'''|''|=+|\{\||\|\}|\|-|."),),
    "0.3.1": (
        *(*_COMMENTS, _ENTITY, (WORD, r"[^[\W\d]+"), _NUMBER, _TAG),
        *(*_SIGNS, _BREAK, _SPACE, *_BRACKETS),
    ),
    "0.3.3": _of_late_2015(rf"(?:(?:{_PLAIN}):|(?:|{_SLASHED})://){_HOST}(?:[^{_LETTERS}]\S*)?", _HAN),
    "0.3.8": _of_late_2015(
        rf"(?:(?:{_PLAIN}):|(?:(?:|{_SLASHED}):)?//){_HOST}(?:[^{_LETTERS}\]\[][^\]\[\s]*)?",
        _HAN + _KANA + _KANGXI,
    ),
}


class Token(str):
    """A piece of a text.

    Attributes:
        type: ``word``, ``number``, ``break``; ``etc`` for what has no other.
    """

    __slots__ = ("type",)
    type: str


def tokenise(text: str, release: str) -> list[Token]:
    """Cut a text into tokens.

    Args:
        text: Wikitext.
        release: Of deltas: ``0.1.1``, ``0.3.1``, ``0.3.3``, ``0.3.8``.

    Returns:
        Tokens in order; what no pattern knows, such as a lone line end of 0.1.1, is in none.
    """
    tokens: dict[str, Token] = {}
    found = []
    for match in pattern_of(release).finditer(text):
        value = match[0]
        if value not in tokens:
            # The first of equal tokens gave its type to all of them.
            tokens[value] = token_of(value, match.lastgroup)
        found.append(tokens[value])
    return found


def token_of(value: str, kind: str | None) -> Token:
    """Return a token.

    Args:
        value: The piece of text.
        kind: Name of the pattern that it matches, None for one without.
    """
    token = Token(value)
    token.type = kind or "etc"
    return token


@functools.cache
def pattern_of(release: str) -> re.Pattern[str]:
    """Return what matches a token of a release, in a group that bears its type."""
    return re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in LEXICONS[release]))
