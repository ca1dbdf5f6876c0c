"""Values of a pickled object as plain JSON: sets, patterns, functions by name, dictionaries by tag."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from models.features import former_words, kinds
from models.pickles import Global, Instance
from schemas.errors import ModelIncompatible

SELF = "self"
_DEPTH = 20
_STEMMER = re.compile(r"nltk\.stem\.snowball\.([A-Z][a-z]+)Stemmer")


def encode(value: Any, owner: Any = None, *, depth: int = 0) -> Any:
    """Write a value as plain JSON.

    Args:
        value: As ``models.pickles`` reads it.
        owner: The object that the value belongs to; a method bound to it is written as its own.
        depth: How many values hold this one.

    Raises:
        ModelIncompatible: The value is of none of the kinds that definitions hold.
    """
    if depth > _DEPTH:
        raise ModelIncompatible("a feature of the model holds values nested deeper than any of revscoring's")
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    for kind, write in _CONTAINERS.items():
        if isinstance(value, kind):
            return write(value, lambda item: encode(item, owner, depth=depth + 1))
    if isinstance(value, Instance):
        return _encode_instance(value, owner, depth + 1)
    raise ModelIncompatible(
        f"a feature of the model holds a {type(value).__name__}, which none of revscoring's holds"
    )


_CONTAINERS: Mapping[Any, Callable[[Any, Callable[[Any], Any]], Any]] = {
    Global: lambda value, _write: {"name": str(value)},
    list: lambda value, write: [write(item) for item in value],
    tuple: lambda value, write: {"tuple": [write(item) for item in value]},
    (set, frozenset): lambda value, write: {"set": sorted((write(item) for item in value), key=repr)},
    dict: lambda value, write: {
        "dict": sorted(([write(key), write(item)] for key, item in value.items()), key=repr)
    },
}


def _encode_instance(value: Instance, owner: Any, depth: int) -> Any:
    kind = str(value.kind)
    if kind == "builtins.getattr" and len(value.args) == 2 and isinstance(value.args[1], str):
        return _encode_method(value.args[0], value.args[1], owner, depth)
    if kind in _KINDS:
        return _KINDS[kind](value)
    if stemmer := _STEMMER.fullmatch(kind):
        return _encode_stemmer(stemmer[1], value)
    if kind in kinds.HELPERS:
        state = _state(value)
        return {
            "object": kind,
            "state": {
                name: encode(state.get(name), owner, depth=depth) for name in sorted(kinds.HELPERS[kind])
            },
        }
    raise ModelIncompatible(f"a feature of the model holds a {kind}, which cannot be built from plain data")


def _encode_pattern(value: Instance) -> Any:
    pattern, flags = (*value.args, 0)[:2]
    if isinstance(flags, Instance) and len(flags.args) == 1:
        flags = flags.args[0]
    if not (isinstance(pattern, str) and isinstance(flags, int)):
        raise ModelIncompatible("a feature of the model holds a regular expression that is no text")
    return {"regex": pattern, "flags": int(flags)}


def _encode_method(of: Any, method: str, owner: Any, depth: int) -> Any:
    if check := former_words.encode_check(of, method):
        return check
    if method not in kinds.METHODS:
        raise ModelIncompatible(f"a feature of the model calls {method!r}, which none of revscoring's calls")
    if of is owner:
        return {"method": method, "of": SELF}
    return {"method": method, "of": encode(of, owner, depth=depth)}


def _encode_dictionary(value: Instance) -> Any:
    tag = _state(value).get("tag")
    if not isinstance(tag, str) or not tag.replace("_", "").isalnum():
        raise ModelIncompatible("a feature of the model reads a dictionary without a language")
    return {"dictionary": tag}


def _encode_stemmer(name: str, value: Instance) -> Any:
    state = _state(value)
    if name == "Snowball":
        inner = state.get("stemmer")
        if isinstance(inner, Instance):
            return encode(inner)
    elif not state.get("stopwords"):
        return {"stemmer": name.lower()}
    raise ModelIncompatible("a feature of the model reads a stemmer that leaves some words as they are")


def _encode_keywords(value: Instance) -> Any:
    state = _state(value)
    trie, mark = state.get("keyword_trie_dict"), state.get("_keyword")
    if not isinstance(trie, dict) or not isinstance(mark, str):
        raise ModelIncompatible("a feature of the model holds keywords that cannot be read")
    words: dict[str, str] = {}
    waiting: list[tuple[str, Any]] = [("", trie)]
    while waiting:
        prefix, branch = waiting.pop()
        for key, rest in branch.items():
            if key == mark:
                words[prefix] = rest
            elif isinstance(rest, dict):
                waiting.append((prefix + key, rest))
    return {
        "keywords": sorted([word, str(clean)] for word, clean in words.items()),
        "case_sensitive": bool(state.get("case_sensitive")),
    }


def _state(value: Instance) -> Mapping[str, Any]:
    if not isinstance(value.state, dict):
        raise ModelIncompatible(f"a {value.kind} of the model says nothing of itself")
    return value.state


_KINDS: Mapping[str, Callable[[Instance], Any]] = {
    "re._compile": _encode_pattern,
    "enchant.Dict": _encode_dictionary,
    kinds.KEYWORDS: _encode_keywords,
}
