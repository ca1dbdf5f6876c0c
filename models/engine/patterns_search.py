"""Where a text has some of its runs of word characters."""

import re
from collections.abc import Collection, Iterator

from models.engine.patterns_syntax import is_word_character
from models.engine.words import WordMemo

RUN = re.compile(r"\w+")
_MOST_SEARCHES = 40
_SHORT = 3
_CHARACTERS_SEARCHED = 1_000  # in the time that it takes to look back from one place


def runs_at(text: str, words: Collection[str]) -> Iterator[tuple[int, str]]:
    """Yield where a text has some of its runs, with the run."""
    if len(words) > _MOST_SEARCHES:
        for run in RUN.finditer(text):
            if run.group() in words:
                yield run.start(), run.group()
        return
    for word in words:
        if len(word) <= _SHORT:
            # A short string is part of many runs, which are better passed over without coming back here.
            for run in _short_runs[word].finditer(text):
                yield run.start(), word
            continue
        start = text.find(word)
        while start >= 0:
            end = start + len(word)
            if not (_is_word_at(text, start - 1) or _is_word_at(text, end)):
                yield start, word
            start = text.find(word, end)


def runs_before(text: str, character: str, words: Collection[str]) -> Iterator[int]:
    """Yield where a text has some of its runs with a character behind."""
    if len(words) * len(text) > _CHARACTERS_SEARCHED * text.count(character):
        end = text.find(character)
        while end >= 0:
            start = run_start(text, end)
            if text[start:end] in words:
                yield start
            end = text.find(character, end + 1)
        return
    for word in words:
        start = text.find(word + character)
        while start >= 0:
            if not _is_word_at(text, start - 1):
                yield start
            start = text.find(word + character, start + len(word))


def run_start(text: str, end: int) -> int:
    """Return where the run that ends at a place begins; the place itself where none ends there."""
    while _is_word_at(text, end - 1):
        end -= 1
    return end


def _is_word_at(text: str, place: int) -> bool:
    return 0 <= place < len(text) and is_word_character(text[place])


def one_of(characters: Collection[str]) -> re.Pattern[str] | None:
    """Return an expression for one of some characters; None for none."""
    return re.compile(f"[{re.escape(''.join(sorted(characters)))}]") if characters else None


def _short_run(word: str) -> re.Pattern[str]:
    literal = re.escape(word)
    # The literal comes first: it is what the search looks for.
    return re.compile(rf"{literal}(?!\w)(?<!\w{literal})")


_short_runs = WordMemo(_short_run, 1_000)
