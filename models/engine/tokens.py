"""The tokens of wikitext, as revscoring splits it, at a fifth of the cost.

The lexicon is deltas' own. Its groups are made non-capturing, so that ``findall`` gives strings and no
matches, and the most frequent kinds of token are tried first where no other rule of the lexicon could
match there: words of ASCII letters that end where a word must end, and single spaces before visible
ASCII.
"""

import functools
import importlib
import re
from typing import Any

from models import resources

# A word goes on over letters, digits, `_`, apostrophes and the combined scripts; none of these do that.
# Two rules before it begin with a letter: protocols end in ":", and are no word before one of these.
_ASCII_WORD = r"[A-Za-z]+(?=[ .,\n\])}|=;!?\"(<>/*-])"
# `[^\S\n\r]+` takes all the spaces; visible ASCII is no space.
_SPACE = r" (?=[!-~])"
_GROUP = re.compile(r"(?<!\\)\((?!\?)")


class Tokenizer:
    """Splits wikitext like deltas' ``wikitext_split``."""

    def __init__(self) -> None:
        splitter = resources.module("features.wikitext.datasources.tokenized").wikitext_split
        lexicon = [(kind, _GROUP.sub("(?:", pattern)) for kind, pattern in splitter.lexicon]
        rules = "|".join(f"(?:{pattern})" for _, pattern in lexicon)
        pattern = re.compile(f"{_ASCII_WORD}|{_SPACE}|{rules}")
        if pattern.groups:
            raise ValueError("the lexicon of deltas has groups that this does not know")
        self.split = pattern.findall
        self._typed = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in lexicon)).match
        self._token = importlib.import_module("deltas.tokenizers.token").Token

    def token(self, value: str) -> Any:
        """Return one of the strings of ``split`` as deltas' token, with its type.

        Raises:
            ValueError: The string alone is no token, so that its type is not known.
        """
        match = self._typed(value)
        if match is None or match.end() != len(value):
            raise ValueError(f"{value[:100]!r} is a token in its text only")
        return self._token(value, type=match.lastgroup)


@functools.cache
def tokenizer() -> Tokenizer:
    """Return the one of this process."""
    return Tokenizer()
