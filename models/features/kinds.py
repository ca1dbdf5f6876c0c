"""The classes and functions that a definition may name: revscoring's operators, datasources and processes.

Nothing else is ever looked up by the text of a model file. A function may be named where a module of
revscoring, or of a package with feature lists, defines it; those modules hold nothing but what computes
features.
"""

import importlib
import inspect
from collections.abc import Mapping
from types import FunctionType
from typing import Any

from models import resources, stand_ins, vectors
from models.features import former, former_words
from schemas.errors import ModelIncompatible

_FEATURES = "revscoring.features.feature."
_META = "revscoring.features.meta."
_SOURCES = "revscoring.datasources.meta."
_WIKITEXT = "revscoring.features.wikitext.datasources."

DATASOURCE = "revscoring.datasources.datasource.Datasource"
FEATURE = _FEATURES + "Feature"
CONSTANT = _FEATURES + "Constant"
SCALAR = _META + "aggregators.AggregatorsScalar"
REGEX = _SOURCES + "extractors.regex"
TRIE = _SOURCES + "extractors.trie"
# Attributes of each class beyond name, process, dependencies, calls and returns.
ATTRIBUTES: Mapping[str, frozenset[str]] = {
    DATASOURCE: frozenset(),
    FEATURE: frozenset(),
    CONSTANT: frozenset({"value"}),
    **{
        _FEATURES + name: frozenset()
        for name in (
            *("add", "sub", "mul", "div", "gt", "lt", "ge", "le", "eq", "ne"),
            *("and_", "or_", "max", "min", "log", "not_"),
        )
    },
    SCALAR: frozenset({"func"}),
    _META + "aggregators.AggregatorsVector": frozenset({"func"}),
    _META + "bools.regex_match": frozenset({"regex"}),
    _META + "bools.item_in_set": frozenset({"item"}),
    _META + "bools.set_contains_item": frozenset({"items"}),
    _META + "bools.sets_intersect": frozenset({"items"}),
    _META + "vectorizers.vectorize": frozenset({"keys"}),
    _SOURCES + "dicts.keys": frozenset(),
    _SOURCES + "dicts.values": frozenset(),
    REGEX: frozenset({"group_re", "exclude_re"}),
    TRIE: frozenset({"word_processor"}),
    _SOURCES + "filters.filter": frozenset({"include", "inverse"}),
    _SOURCES + "filters.regex_matching": frozenset({"include", "inverse", "regex"}),
    _SOURCES + "filters.positive": frozenset({"include", "inverse"}),
    _SOURCES + "filters.negative": frozenset({"include", "inverse"}),
    _SOURCES + "filters.not_none": frozenset({"include", "inverse"}),
    _SOURCES + "frequencies.table": frozenset(),
    _SOURCES + "frequencies.delta": frozenset(),
    _SOURCES + "frequencies.prop_delta": frozenset(),
    _SOURCES + "frequencies.positive": frozenset(),
    _SOURCES + "frequencies.negative": frozenset({"absolute"}),
    _SOURCES + "gramming.gram": frozenset({"grams"}),
    _SOURCES + "hashing.hash": frozenset({"n"}),
    _SOURCES + "indexable.index": frozenset({"i", "default"}),
    _SOURCES + "mappers.map": frozenset({"apply"}),
    _SOURCES + "mappers.lower_case": frozenset({"apply"}),
    _SOURCES + "mappers.derepeat": frozenset({"apply"}),
    _SOURCES + "mappers.de1337": frozenset({"apply"}),
    _SOURCES + "mappers.abs": frozenset({"apply"}),
    _SOURCES + "selectors.tfidf": frozenset(
        {"max_terms", "weight", "boolean", "document_freq", "document_n"}
    ),
    _SOURCES + "selectors.filter_keys": frozenset({"keys"}),
    _SOURCES + "timestamp.Timestamp": frozenset(),
    "revscoring.features.wikibase.datasources.diff.dict_diff_field": frozenset({"field_name"}),
    "revscoring.features.wikibase.features.revision_oriented.HasPropertyValue": frozenset(
        {"property", "value"}
    ),
    former.FORMER_HAS_VALUE: frozenset({"property", "value"}),
    **former_words.ATTRIBUTES,
    _WIKITEXT + "parsed.get_key": frozenset({"key", "default"}),
    _WIKITEXT + "parsed.execute_method": frozenset({"method_name", "args", "kwargs"}),
    "revscoring.languages.features.dictionary.datasources.dict_splitter": frozenset({"dictionary_check"}),
}
# Objects whose methods do the work of a datasource, with their attributes.
HELPERS: Mapping[str, frozenset[str]] = {
    _WIKITEXT + "tokenized.TokenIsInTypes": frozenset({"types"}),
    _WIKITEXT + "parsed.HeadingOfLevel": frozenset({"level"}),
    "deltas.segmenters.paragraphs_sentences_and_whitespace.ParagraphsSentencesAndWhitespace": frozenset(
        {"whitespace", "paragraph_end", "sentence_end", "min_sentence"}
    ),
    "revscoring.languages.features.stopwords.stopwords.WordIsInStopwordSet": frozenset({"stopword_set"}),
    "revscoring.languages.features.dictionary.util.MultiDictChecker": frozenset({"dicts"}),
    REGEX: frozenset({"group_re", "exclude_re"}),
    TRIE: frozenset({"word_processor"}),
}
# Classes of former releases, by what they are today.
FORMER: Mapping[str, str] = {
    former.FORMER_HAS_VALUE: FEATURE,
    **dict.fromkeys(former_words.ATTRIBUTES, DATASOURCE),
    former_words.INFONOISE: FEATURE,
}
METHODS = frozenset(
    {"filter", "segment", "match", "stem", "check", "process"}
    | {"is_positive", "is_negative", "is_not_none", "lower", "no_repeat", "no_1337"}
)
KEYWORDS = "flashtext.keyword.KeywordProcessor"
VECTOR_KINDS = frozenset({_META + "aggregators.AggregatorsVector", _META + "vectorizers.vectorize"})
_BUILTINS = frozenset({"len", "sum", "max", "min", "abs", "str", "int", "float", "bool", "set", "list"})
_NUMBERS = frozenset({"statistics.mean", "numpy.mean", "numpy.float64"})
# Modules whose functions a definition may name; they hold nothing but what computes features.
_MODULES = (
    *(f"revscoring.{package}." for package in ("features", "datasources", "languages")),
    *(f"{package}.feature_lists." for package in stand_ins.FEATURE_LISTS),
)
_TOPICS = "drafttopic.feature_lists."
_NODES = "mwparserfromhell.nodes."
_METHOD_NAMES = frozenset({"strip_code", "get_sections"})


def is_allowed_method(name: str) -> bool:
    """Tell whether a parse tree may be asked this: to strip its markup, or to list its nodes of a kind."""
    return name in _METHOD_NAMES or (name.startswith("filter_") and name.isidentifier())


def class_of(kind: str) -> Any:
    """Return a class that ``ATTRIBUTES`` or ``HELPERS`` lists.

    Raises:
        ModelIncompatible: The installed packages have no such class.
    """
    module, _, name = kind.rpartition(".")
    try:
        found = getattr(_module(module), name)
    except (ImportError, AttributeError) as error:
        raise _missing(kind) from error
    return found


def named(name: str) -> Any:
    """Return a function or class that a definition names.

    Args:
        name: ``builtins.len``, ``revscoring.features.wikitext.datasources.parsed._extract_tag_name``.

    Raises:
        ModelIncompatible: The name is not among those that a definition may use, or is not defined here.
    """
    if name in former.FUNCTIONS:
        return former.FUNCTIONS[name]
    module, _, attribute = former.module_of(name).rpartition(".")
    if (module == "builtins" and attribute in _BUILTINS) or name in _NUMBERS:
        return getattr(importlib.import_module(module), attribute)
    if name.startswith(_NODES):
        return _node(name)
    if module.startswith(_TOPICS):
        return _of_topics(name, module.removeprefix(_TOPICS), attribute)
    if not module.startswith(_MODULES):
        raise ModelIncompatible(f"{name!r} is none of the functions that compute features", feature=name)
    try:
        found = getattr(_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise _missing(name) from error
    if not isinstance(found, FunctionType) or found.__module__ != module:
        raise ModelIncompatible(f"{name!r} is no function of that module", feature=name)
    return found


def takes(function: Any, count: int) -> bool:
    """Tell whether a function can be called with so many values."""
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def _of_topics(name: str, module: str, function: str) -> Any:
    # The lists of topic models open files of word vectors while they are imported; these are their functions.
    if function == "process_claims_to_words":
        return vectors.words_of_claims
    found = vectors.vectorizer(module) if function == "vectorize_words" else None
    if found is None:
        raise _missing(name)
    return found


def _module(name: str) -> Any:
    package, _, rest = name.partition(".")
    if package not in {"revscoring", *stand_ins.FEATURE_LISTS}:
        return importlib.import_module(name)
    if rest.startswith("languages."):
        return resources.language(rest.partition(".")[2])
    if package != "revscoring":
        return resources.feature_list(package, rest.removeprefix("feature_lists."))
    return stand_ins.imported(name)


def _node(name: str) -> Any:
    nodes = importlib.import_module("mwparserfromhell.nodes")
    found = getattr(nodes, name.rpartition(".")[2], None)
    if not (isinstance(found, type) and issubclass(found, nodes.Node)):
        raise _missing(name)
    return found


def _missing(name: str) -> ModelIncompatible:
    return ModelIncompatible(
        f"{name!r} is not defined by the installed packages; it belongs to a release of its day", feature=name
    )
