"""The tokens of wikitext as releases of 2015 cut it, at a fifth of the cost, and where a text may be parted.

What kind of token a string is follows from the string alone: no pattern of these lexicons looks behind
itself, none ahead of what it then takes, and so a token taken out of its text is the same token. For the same
reason any stretch of a text from the beginning of one token to the end of another has the same tokens alone.
"""

import functools
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Final

from models.engine.words import WordMemo
from models.features.former_tokens import LEXICONS, Token, pattern_of, token_of

_WORDS: Final = 100_000
# Ahead of the patterns, where none but the one for words, or for spaces, can match.
_QUICKLY: Final = r"[A-Za-z]+(?=[ .,\n\])}|=;!?\"(<>/*-])| (?=[!-~])"
FIRST: Final = "0.1.1"
# A run of blank space with two line feeds; where it ends.
_FIRST_BREAK = re.compile(r"\n[ \t\r]*\n[ \t\r\n]*")
_BREAK = re.compile(r"(?<!\s)(?:\n|\n\r|\r\n)\s*(?:\n|\n\r|\r\n)+")
# Web addresses reach over blank space from U+00A1 on, which they take for letters.
_SPACE = re.compile(r"[\t-\r\x1c- \x85\xa0]")
_TAG_OPENS = re.compile(r"<\\?[a-z]")
# A part ends behind every fourth paragraph or so, and behind every long one.
_PARAGRAPHS: Final = 4
_LONG_CHARS: Final = 200


class Lexicon:
    """How one release cuts a text.

    Args:
        release: Of deltas, as ``models.features.former_tokens`` names it.
    """

    def __init__(self, release: str) -> None:
        self.release = release
        patterns = "|".join(f"(?:{pattern})" for _, pattern in LEXICONS[release])
        expression = re.compile(patterns if release == FIRST else f"{_QUICKLY}|{patterns}")
        if expression.groups:
            raise ValueError(f"the lexicon of {release} has groups that this does not know")
        self.split = expression.findall
        self._match = pattern_of(release).match
        self._known: WordMemo[Token] = WordMemo(self._token, _WORDS)
        self._codes: WordMemo[str] = WordMemo(self._code, _WORDS)

    def tokens(self, text: str) -> list[Token]:
        """Return the tokens of a text; equal ones may be one object."""
        return self.tokens_of(self.split(text))

    def tokens_of(self, values: Iterable[str]) -> list[Token]:
        """Return strings that are tokens as these."""
        return [*map(self._known.__getitem__, values)]

    def codes(self, values: Iterable[str]) -> str:
        """Return a letter for each of some tokens.

        ``b`` is a break between paragraphs, ``s`` other blank space, ``e`` what may end a sentence, and ``o``
        anything else.
        """
        return "".join(map(self._codes.__getitem__, values))

    def parts(self, text: str) -> Sequence[str]:
        """Cut a text where a break ends, so that the parts have the tokens and the breaks of the whole.

        Returns:
            The parts in order; joined, they are the text.
        """
        found = (
            [match.end() for match in _FIRST_BREAK.finditer(text)] if self.release == FIRST else _ends(text)
        )
        ends = [end for start, end in pairwise([0, *found]) if _is_end(text[start:end])]
        if not ends or ends[-1] < len(text):
            ends.append(len(text))
        return [text[start:end] for start, end in pairwise([0, *ends])]

    @functools.cached_property
    def sentences_of_first(self) -> Callable[[str], list[str]]:
        """Finds the sentences of a paragraph of the first release, and the blank space between them.

        The fifth token and any behind it ends a sentence where it is a full stop or the like.
        """
        token = "|".join(pattern for _, pattern in LEXICONS[FIRST])
        return re.compile(rf"[\n \t\r]+|(?>{token}){{4}}[^.?!]*+[.?!]+|(?s:.+)").findall

    def _token(self, value: str) -> Token:
        match = self._match(value)
        if match is None or match.end() != len(value):
            raise ValueError(f"{value[:100]!r} is a token in its text only")
        return token_of(value, match.lastgroup)

    def _code(self, value: str) -> str:
        if self.release == FIRST:
            if value[0] in " \t\r\n":
                return "b" if value.count("\n") >= 2 else "s"
            return "e" if value[0] in ".?!" else "o"
        kind = self._known[value].type
        return {"break": "b", "whitespace": "s", "period": "e", "qmark": "e", "epoint": "e"}.get(kind, "o")


@functools.cache
def lexicon(release: str) -> Lexicon:
    """Return the one of this process."""
    return Lexicon(release)


def _is_end(paragraph: str) -> bool:
    """Tell whether a part ends behind a paragraph.

    Each part costs some work beside that for its characters. Where one ends depends on the paragraph before
    alone, so that an edit moves the ends near it only.
    """
    if len(paragraph) > _LONG_CHARS:
        return True
    return zlib.crc32(paragraph.encode("utf-8", "surrogatepass")) % _PARAGRAPHS == 0


def _ends(text: str) -> list[int]:
    """Return where breaks end that are breaks for certain.

    Two kinds of token may reach over one: a tag, from ``<`` and a letter to the next ``>``, and a web
    address, which takes one space if it ends where the space begins.
    """
    ends: list[int] = []
    start = 0
    is_open = False
    for match in _BREAK.finditer(text):
        begin, end = match.span()
        closed = text.rfind(">", start, begin)
        if closed >= 0 or not is_open:
            is_open = _TAG_OPENS.search(text, max(closed, start), begin) is not None
        if not is_open and not _may_end_with_address(text, start, begin):
            ends.append(end)
        start = end
    return ends


def _may_end_with_address(text: str, start: int, end: int) -> bool:
    """Tell whether a web address may end there: no space is behind the last colon or two slashes."""
    sign = max(text.rfind(":", start, end), text.rfind("//", start, end))
    return sign >= 0 and _SPACE.search(text, sign, end) is None
