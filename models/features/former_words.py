"""Words of a language as revscoring looked them up before release 1.0.

The first releases asked small functions of a language (``is_badword``), which a file names without holding
them; their word lists are here where models of those days read them. Since release 0.5 the file holds the
patterns, and names the dictionary.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

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


def _filtered(built: Any) -> Callable[..., Any]:
    return lambda tokens: [token for token in _given(built, tokens) if built.filter(token)]


def _of_segments(built: Any) -> Callable[..., Any]:
    return lambda segments: [
        match[0] for segment in _given(built, segments) for match in built.group_re.finditer(segment)
    ]


def _of_text(built: Any) -> Callable[..., Any]:
    return lambda text: [match[0] for match in built.group_re.finditer(_given(built, text) or "")]


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
    TOKEN_FILTER: _filtered,
    SEGMENT_REGEX: _of_segments,
    TEXT_REGEX: _of_text,
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


def check(tag: str, *, is_wanted: bool, is_tidied: bool) -> Callable[[str], bool]:
    """Return a test whether a dictionary knows a word, or does not know it.

    Args:
        tag: Language, ``en_US``.
        is_wanted: Whether known words pass.
        is_tidied: Whether characters that take two units of UTF-16 are replaced first.
    """
    dictionary = resources.dictionary(tag)

    def passes(word: str) -> bool:
        text = "".join(sign if sign <= "\uffff" else "\ufffd" for sign in word) if is_tidied else str(word)
        return bool(dictionary.check(text)) is is_wanted

    return passes


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


def _counted(is_sought: Callable[[str], bool], words: Iterable[str]) -> int:
    return sum(bool(is_sought(word)) for word in words)


def _counted_in_segments(is_sought: Callable[[str], bool], segments: Iterable[str]) -> int:
    return sum(_counted(is_sought, FIRST_WORD.findall(segment)) for segment in segments)


def _counted_in_text(is_sought: Callable[[str], bool], text: str | None) -> int:
    return _counted(is_sought, FIRST_WORD.findall(text or ""))


def _held(value: Any, attribute: str) -> Any:
    state = value.state if isinstance(value, Instance) else None
    return state.get(attribute) if isinstance(state, dict) else None


def _given_utility(function: Callable[[str], Any]) -> Callable[[str], Callable[[str], Any]]:
    return lambda _text: function


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{name: _given_utility(function) for name, function in _UTILITIES.items()},
    **{f"{_FEATURES}{kind}_added.process": _counted_in_segments for kind in ("badwords", "misspellings")},
    **{f"{_FEATURES}prev_{kind}.process": _counted_in_text for kind in ("badwords", "misspellings")},
    **{
        f"{_FEATURES}diff.process_{kind}_{change}": _counted
        for kind in ("badwords", "misspellings")
        for change in ("added", "removed")
    },
    **{
        f"{_FEATURES}{place}.process_{kind}": _counted
        for kind in ("badwords", "misspellings", "informal_words")
        for place in ("revision", "parent_revision")
    },
}
