"""Lists that revscoring makes of a text item by item: of tokens or matches, by filters and maps."""

import functools
import re
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final, NamedTuple

from msgspec import Struct

from models.engine.functions import function_key, of_revscoring
from models.engine.matches import Matcher
from models.engine.phrases import Phrases, phrases_of
from models.engine.segments import of_string, quicker

TOKENS: Final = "tokens"
SEGMENTS: Final = "segments"
TEXTS: Final = frozenset({"datasource.revision.text", "datasource.revision.parent.text"})
"""Printed names of the datasources that hold a text."""

_PARSED = "features.wikitext.datasources.tokenized"
_META = "datasources.meta."
_DICTIONARY = "languages.features.dictionary.datasources"


Base = str | Matcher | Phrases


class Filter(Struct, frozen=True):
    """Keeps the items that a function is true of; with ``inverse``, the others."""

    include: Callable[[Any], Any]
    inverse: bool


class Map(Struct, frozen=True):
    """Puts what a function makes of an item in its place."""

    function: Callable[[Any], Any]


class Chain(Struct, frozen=True):
    """A list of a text, made item by item.

    Attributes:
        text: The node that holds the text.
        base: What the list is made of: ``TOKENS``, the strings of ``SEGMENTS``, or what finds matches.
        steps: In order.
        keys: Of the steps, equal for steps that do the same.
    """

    text: Any
    base: Base
    steps: tuple[Filter | Map, ...] = ()
    keys: tuple[Hashable, ...] = ()

    @property
    def key(self) -> Hashable:
        """Equal for chains that do the same, to whatever text."""
        return self.base, self.keys

    def then(self, step: Filter | Map) -> "Chain":
        """Return the list with one more step."""
        key: Hashable
        if isinstance(step, Map):
            key = ("map", function_key(step.function))
        else:
            key = ("filter", function_key(step.include), bool(step.inverse))
        return Chain(self.text, self.base, (*self.steps, step), (*self.keys, key))

    @property
    def gives_lengths(self) -> bool:
        """Whether the items are lengths: whole numbers from 0 on."""
        return bool(self.steps) and self.steps[-1] == Map(len)


def chain_of(node: Any) -> Chain | None:
    """Return how revscoring makes a list; None where that is not item by item from a text."""
    process: Any = getattr(node, "process", None)
    dependencies: Sequence[Any] = getattr(node, "dependencies", ())
    if process is None or len(dependencies) != 1:
        return None
    below = dependencies[0]
    if str(below) in TEXTS:
        return _base(process, below)
    code = getattr(process, "__func__", process)
    step: Filter | Map | None = None
    owner: Any = getattr(process, "__self__", None)
    if owner is node:
        if code is of_revscoring(_META + "filters", "filter").process:
            step = Filter(quicker(node.include), bool(node.inverse))
        elif code is of_revscoring(_META + "mappers", "map").process:
            if node.apply is str and (segments := _strings_of_segments(below)) is not None:
                return segments
            step = Map(node.apply)
    if step is not None:
        return _then(below, step)
    for name, inverse in (("_process_dict_words", False), ("_process_non_dict_words", True)):
        if code is of_revscoring(_DICTIONARY, name):
            return _dictionary(below, inverse=inverse)
    return None


def _base(process: Any, text: Any) -> Chain | None:
    if process is of_revscoring(_PARSED, "_process_tokens"):
        return Chain(text, TOKENS)
    code = getattr(process, "__func__", None)
    if code is of_revscoring(_META + "extractors", "regex").process:
        return Chain(text, _matcher(*_patterns(process.__self__)))
    if code is of_revscoring(_META + "extractors", "trie").process:
        phrases = _phrases(process.__self__.word_processor)
        return None if phrases is None else Chain(text, phrases)
    return None


def _strings_of_segments(node: Any) -> Chain | None:
    """Return the strings of deltas' segments that revscoring makes, all or those that a filter keeps."""
    process: Any = getattr(node, "process", None)
    if process == of_revscoring(_PARSED, "paragraphs_sentences_and_whitespace").segment:
        tokens = chain_of(node.dependencies[0])
        is_known = tokens is not None and tokens.base is TOKENS and not tokens.steps
        return Chain(tokens.text, SEGMENTS) if tokens is not None and is_known else None
    if getattr(process, "__func__", None) is of_revscoring(_META + "filters", "filter").process:
        include, segments = of_string(node.include), _strings_of_segments(node.dependencies[0])
        if include is not None and segments is not None and not segments.steps:
            return segments.then(Filter(include, bool(node.inverse)))
    return None


class _Extractor(NamedTuple):
    group_re: re.Pattern[str]
    exclude_re: re.Pattern[str] | None


def _patterns(extractor: Any) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
    return extractor.group_re, getattr(extractor, "exclude_re", None)


@functools.lru_cache(maxsize=256)
def _matcher(expression: re.Pattern[str], exclusion: re.Pattern[str] | None) -> Matcher:
    """Return the one matcher of a list in this process: making one takes a tenth of a second."""
    return Matcher(_Extractor(expression, exclusion))


@functools.lru_cache(maxsize=16)
def _phrases(processor: Any) -> Phrases | None:
    """Return the phrases of a list once in this process."""
    return phrases_of(processor)


def _then(below: Any, step: Filter | Map) -> Chain | None:
    chain = chain_of(below)
    return None if chain is None else chain.then(step)


def _dictionary(split: Any, *, inverse: bool) -> Chain | None:
    splitter = of_revscoring(_DICTIONARY, "dict_splitter")
    process: Any = getattr(split, "process", None)
    if getattr(process, "__func__", None) is not splitter.process or len(split.dependencies) != 1:
        return None
    return _then(split.dependencies[0], Filter(_Check(process.__self__.dictionary_check), inverse))


class _Check:
    """Asks a dictionary for a token as the plain string that it is."""

    def __init__(self, check: Callable[[str], Any]) -> None:
        self._check = check
        self._key = function_key(check)

    def __call__(self, token: str) -> Any:
        return self._check(str(token))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Check) and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)
