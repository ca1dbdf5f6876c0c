"""Words of a language as revscoring looked them up before release 1.0.

The first releases asked small functions of a language (``is_badword``), which a file names without holding
them; their word lists are here where models of those days read them. Since release 0.5 the file holds the
patterns, and names the dictionary.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from models import resources
from models.features.former_edits import MADE, UNKNOWN, Origin, StandIn
from models.features.former_texts import FIRST_WORD
from models.pickles import Instance
from schemas.errors import ModelIncompatible

_FOLDER = Path(__file__).parent
_FEATURES = "revscoring.features."
_META = "revscoring.languages.meta."
_SPACE_DELIMITED = "revscoring.languages.space_delimited."
_LANGUAGES = "revscoring.languages."
UTILITY = "revscoring.languages.language.LanguageUtility"
TOKEN_FILTER = _META + "token_filter.TokenFilter"
SEGMENT_REGEX = _META + "regex_extractors.SegmentRegexExtractor"
TEXT_REGEX = _META + "regex_extractors.TextRegexExtractor"
INFONOISE = _META + "infonoise.Infonoise"
# Attributes of each class of those releases.
ATTRIBUTES: Mapping[str, frozenset[str]] = {
    TOKEN_FILTER: frozenset({"filter", "if_none"}),
    SEGMENT_REGEX: frozenset({"group_re", "if_none"}),
    TEXT_REGEX: frozenset({"group_re", "if_none"}),
    INFONOISE: frozenset({"stopwords", "stem_word"}),
}
_CHECKS: Mapping[str, bool] = {"in_dictionary": True, "not_in_dictionary": False}
# Texts of pages and parents were made fit for dictionaries, those of differences were not.
_TIDYING = frozenset(
    {f"{_SPACE_DELIMITED}revision.Revision", f"{_SPACE_DELIMITED}parent_revision.ParentRevision"}
)
_DICTIONARY_PLACE = 1
# What could be told about a word; since the end of July 2015 by patterns that no file of then holds.
_LISTS_UNTIL = 1_438_300_800


def process_of(kind: str, built: Any) -> Callable[..., Any]:
    """Return what an object of a class of those releases computes.

    Args:
        kind: One of ``ATTRIBUTES``.
        built: Has the attributes of that class.
    """
    return _PROCESSES[kind](built)


class _Reader:
    """What an object of a class of those releases computes.

    Attributes:
        built: The object.
    """

    def __init__(self, built: Any) -> None:
        self.built = built


class Filtered(_Reader):
    """Leaves out the tokens that do not pass a test."""

    def __call__(self, tokens: Iterable[Any] | None) -> list[Any]:
        """Return the others in their order."""
        return [token for token in _given(self.built, tokens) if self.built.filter(token)]


class InSegments(_Reader):
    """Finds the matches of a pattern in parts of a text."""

    def __call__(self, segments: Iterable[str] | None) -> list[str]:
        """Return them in their order."""
        find = self.built.group_re.finditer
        return [match[0] for segment in _given(self.built, segments) for match in find(segment)]


class InText(_Reader):
    """Finds the matches of a pattern in a text."""

    def __call__(self, text: str | None) -> list[str]:
        """Return them in their order."""
        return [match[0] for match in self.built.group_re.finditer(_given(self.built, text) or "")]


def _given(built: Any, value: Any) -> Any:
    if value is None and built.if_none is not None:
        built.if_none()
    return () if value is None else value


def _infonoise(built: Any) -> Callable[..., Any]:
    def infonoise(words: list[str]) -> float:
        stems = (built.stem_word(word) for word in words if word.lower() not in built.stopwords)
        return sum(map(len, stems)) / max(sum(map(len, words)), 1)

    return infonoise


_PROCESSES: Mapping[str, Callable[[Any], Callable[..., Any]]] = {
    TOKEN_FILTER: Filtered,
    SEGMENT_REGEX: InSegments,
    TEXT_REGEX: InText,
    INFONOISE: _infonoise,
}


def encode_check(of: Any, method: str) -> Mapping[str, Any] | None:
    """Write a look-up of words in the dictionary of a language as plain JSON.

    Args:
        of: What the method belongs to.
        method: Its name.

    Returns:
        None where it is no such look-up.

    Raises:
        ModelIncompatible: The language has no dictionary that can be opened here.
    """
    if method not in _CHECKS or not isinstance(of, Instance) or not str(of.kind).startswith(_SPACE_DELIMITED):
        return None
    parts = _held(_held(of, "language"), "resources")
    held = parts.args if isinstance(parts, Instance) else ()
    tag = _held(held[_DICTIONARY_PLACE], "tag") if len(held) > _DICTIONARY_PLACE else None
    if not isinstance(tag, str) or not tag.replace("_", "").isalnum():
        raise ModelIncompatible("a feature of the model reads a dictionary without a language")
    return {"spelled": tag, "is_wanted": _CHECKS[method], "is_tidied": str(of.kind) in _TIDYING}


class Check(Struct, frozen=True):
    """Tells whether a dictionary knows a word, or does not know it.

    Attributes:
        dictionary: Of one language.
        is_wanted: Whether known words pass.
        is_tidied: Whether characters that take two units of UTF-16 are replaced first.
    """

    dictionary: Any
    is_wanted: bool
    is_tidied: bool

    def __call__(self, word: str) -> bool:
        """Tell whether a word passes."""
        text = _tidied(word) if self.is_tidied else str(word)
        return bool(self.dictionary.check(text)) is self.is_wanted


def _tidied(word: str) -> str:
    return "".join(sign if sign <= "\uffff" else "\ufffd" for sign in word)


def check(tag: str, *, is_wanted: bool, is_tidied: bool) -> Check:
    """Return the test of a language.

    Args:
        tag: Language, ``en_US``.
        is_wanted: As in ``Check``.
        is_tidied: As in ``Check``.
    """
    return Check(resources.dictionary(tag), is_wanted, is_tidied)


def utility(name: str, origin: Origin = UNKNOWN) -> StandIn:
    """Return what stands for a function of a language.

    Args:
        name: ``is_badword``.
        origin: Of the model.
    """
    if origin.language is None:
        return StandIn(None, reason="the file does not say of which language the model is")
    language = origin.language.removeprefix(_LANGUAGES)
    function = f"{MADE}{language}.{name}"
    if function not in _UTILITIES or (origin.trained or 0) > _LISTS_UNTIL:
        return StandIn(
            None,
            reason=f"{name} of {origin.language} asked what neither the file nor this release holds: "
            "a word list, NLTK's corpora or a dictionary",
        )
    # A datasource needs a root to rest on; every model that reads words reads the text.
    return StandIn(function, ("datasource.revision.text",))


@functools.cache
def _badwords(language: str) -> frozenset[str]:
    text = (_FOLDER / f"former_badwords_{language}.txt").read_text(encoding="utf-8")
    return frozenset(text.split("\n")) - {""}


def _is_badword_in_english(word: str) -> bool:
    return resources.stemmer("english").stem(word).lower() in _badwords("english")


def _is_badword_in_turkish(word: str) -> bool:
    return word.lower() in _badwords("turkish")


def _is_badword_in_azerbaijani(_word: str) -> bool:
    # Its list was empty, and every model of azwiki was trained with none found.
    return False


_UTILITIES: Mapping[str, Callable[[str], Any]] = {
    f"{MADE}english.is_badword": _is_badword_in_english,
    f"{MADE}turkish.is_badword": _is_badword_in_turkish,
    f"{MADE}azerbaijani.is_badword": _is_badword_in_azerbaijani,
}


def counted(is_sought: Callable[[str], bool], words: Iterable[str]) -> int:
    """Count the words that a function of a language knows."""
    return sum(bool(is_sought(word)) for word in words)


def _counted_in_segments(is_sought: Callable[[str], bool], segments: Iterable[str]) -> int:
    return sum(counted(is_sought, FIRST_WORD.findall(segment)) for segment in segments)


def counted_in_text(is_sought: Callable[[str], bool], text: str | None) -> int:
    """Count the words of a text that a function of a language knows; None has none."""
    return counted(is_sought, FIRST_WORD.findall(text or ""))


def _held(value: Any, attribute: str) -> Any:
    state = value.state if isinstance(value, Instance) else None
    return state.get(attribute) if isinstance(state, dict) else None


class Utility(Struct, frozen=True):
    """Gives a function of a language.

    Attributes:
        function: Of one word.
    """

    function: Callable[[str], Any]

    def __call__(self, _text: str | None) -> Callable[[str], Any]:
        """Return it, whatever the text."""
        return self.function


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{name: Utility(function) for name, function in _UTILITIES.items()},
    **{f"{_FEATURES}{kind}_added.process": _counted_in_segments for kind in ("badwords", "misspellings")},
    **{f"{_FEATURES}prev_{kind}.process": counted_in_text for kind in ("badwords", "misspellings")},
    **{
        f"{_FEATURES}diff.process_{kind}_{change}": counted
        for kind in ("badwords", "misspellings")
        for change in ("added", "removed")
    },
    **{
        f"{_FEATURES}{place}.process_{kind}": counted
        for kind in ("badwords", "misspellings", "informal_words")
        for place in ("revision", "parent_revision")
    },
}
