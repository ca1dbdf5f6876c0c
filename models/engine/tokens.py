"""The tokens of wikitext, as revscoring splits it, at a fifth of the cost.

The lexicon is deltas' own. Its groups are made non-capturing, so that ``findall`` gives strings and no
matches, and the most frequent kinds of token are tried first where no other rule of the lexicon could
match there: words of ASCII letters that end where a word must end, and single spaces before visible
ASCII.

``models/native/tokens.c`` knows the lexicon by heart, and asks the expression where it cannot tell a token.
"""

import functools
import hashlib
import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from models import resources
from models.engine.characters import character_classes
from models.native import Native, native

# A word goes on over letters, digits, `_`, apostrophes and the combined scripts; none of these do that.
# Two rules before it begin with a letter: protocols end in ":", and are no word before one of these.
_ASCII_WORD = r"[A-Za-z]+(?=[ .,\n\])}|=;!?\"(<>/*-])"
# `[^\S\n\r]+` takes all the spaces; visible ASCII is no space.
_SPACE = r" (?=[!-~])"
_GROUP = re.compile(r"(?<!\\)\((?!\?)")
# SHA-256 of the kinds and rules that tokens.c knows.
_KNOWN_LEXICON: Final = "de23562c016421bb782e4738709c745abc2a7321d102893aa9b4750208062b13"


class Tokenizer:
    """Splits wikitext like deltas' ``wikitext_split``.

    Attributes:
        split: Returns the tokens of a text, as strings.
        find_all: The same by the expression alone.
        match: Of the expression, at a place of a text.
        classes: What characters are to the lexicon, for the function in C; None where it knows another.
    """

    split: Callable[[str], list[str]]

    def __init__(self) -> None:
        splitter = resources.module("features.wikitext.datasources.tokenized").wikitext_split
        lexicon = [(kind, _GROUP.sub("(?:", pattern)) for kind, pattern in splitter.lexicon]
        rules = "|".join(f"(?:{pattern})" for _, pattern in lexicon)
        pattern = re.compile(f"{_ASCII_WORD}|{_SPACE}|{rules}")
        if pattern.groups:
            raise ValueError("the lexicon of deltas has groups that this does not know")
        self.split = self.find_all = pattern.findall
        self.match = pattern.match
        self.classes = _classes(dict(lexicon)) if _is_known(lexicon) else None
        if native is not None and self.classes is not None:
            self.split = _compiled(native, self.classes, pattern.match)
        self._typed = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in lexicon)).match
        self._token = importlib.import_module("deltas.tokenizers.token").Token

    def token(self, value: str) -> Any:
        """Return one of the strings of ``split`` as deltas' token, with its type.

        Raises:
            ValueError: The string alone is no token, so that its type is not known.
        """
        if self.classes is not None and value.isascii() and value.isalpha():
            # No rule of the lexicon before that of words takes letters alone.
            return self._token(value, type="word")
        match = self._typed(value)
        if match is None or match.end() != len(value):
            raise ValueError(f"{value[:100]!r} is a token in its text only")
        return self._token(value, type=match.lastgroup)


def _compiled(
    functions: Native, classes: bytes, match: Callable[[str, int], re.Match[str] | None]
) -> Callable[[str], list[str]]:
    split = functions.split_tokens
    return lambda text: split(text, classes, match)


def _is_known(lexicon: Sequence[tuple[str, str]]) -> bool:
    return hashlib.sha256(repr(lexicon).encode()).hexdigest() == _KNOWN_LEXICON


def _classes(rules: Mapping[str, str]) -> bytes:
    """Return what characters are to the lexicon, by the numbers that tokens.c gives them."""
    combined = importlib.import_module("deltas.tokenizers.wikitext_split").combined_word
    return character_classes(
        {
            1: r"\s",
            2: rules["number"],
            4: rf"[^\W\d]|[{combined}]",
            8: rf"[\w{combined}]",
            16: f"{rules['japan_punct']}|{rules['cjk']}",
        }
    )


@functools.cache
def tokenizer() -> Tokenizer:
    """Return the one of this process."""
    return Tokenizer()
