"""From definitions to revscoring's own objects, with today's functions."""

import functools
import importlib
import re
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from models import resources
from models.features import former, former_wikibase, former_words, kinds
from models.features.definitions import KNOWN, REFUSED, ROOT, Definition, fingerprints
from models.features.values import SELF
from schemas.errors import ModelCorrupt, ModelIncompatible

_TYPES: Mapping[str, type] = {"bool": bool, "int": int, "float": float, "str": str}
_FIELDS = frozenset({"added", "removed", "intersection", "changed", "unchanged"})
_lock = threading.RLock()
# One object in a process for equal definitions, so that twenty models of one wiki hold one word list.
_built: "weakref.WeakValueDictionary[str, Any]" = weakref.WeakValueDictionary()


class Rebuilder:
    """Builds what the definitions of one artefact describe.

    Args:
        definitions: Of the artefact.
        installed: Gives what the installed revscoring defines, by printed name.

    Raises:
        ModelCorrupt: A definition rests on a later one.
    """

    def __init__(self, definitions: Sequence[Definition], installed: Callable[[], Mapping[str, Any]]) -> None:
        for index, definition in enumerate(definitions):
            if any(not 0 <= earlier < index for earlier in definition.on):
                raise ModelCorrupt(
                    f"definition {index} of the artefact, {definition.name!r}, rests on a later one; import "
                    "the model anew"
                )
        self._definitions = definitions
        self._fingerprints = fingerprints(definitions)
        self._installed = installed
        self._objects: dict[int, Any] = {}

    def feature(self, position: int) -> Any:
        """Return revscoring's object of a definition.

        Raises:
            ModelIncompatible: It cannot be built here.
        """
        if not 0 <= position < len(self._definitions):
            raise ModelIncompatible(f"the artefact carries no definition {position}; import the model anew")
        with _lock:
            # A definition builds on earlier ones only, so there is no circle and no need to recurse.
            for index in sorted(self._beneath(position)):
                if index not in self._objects:
                    self._objects[index] = self._object(index)
            return self._objects[position]

    def _beneath(self, position: int) -> set[int]:
        found: set[int] = set()
        waiting = [position]
        while waiting:
            index = waiting.pop()
            if index in found:
                continue
            found.add(index)
            waiting += self._definitions[index].on
        return found

    def _object(self, index: int) -> Any:
        definition = self._definitions[index]
        if definition.kind == REFUSED:
            raise ModelIncompatible(str(definition.arguments.get("reason")))
        if definition.kind == KNOWN:
            return self._known(definition)
        if definition.kind == ROOT:
            return resources.module("datasources").Datasource(definition.name.removeprefix("datasource."))
        fingerprint = self._fingerprints[index]
        built = _built.get(fingerprint)
        if built is None:
            needed = [self._objects[earlier] for earlier in definition.on]
            built = _built[fingerprint] = _build(definition, fingerprint, needed)
        return built

    def _known(self, definition: Definition) -> Any:
        if definition.name not in self._installed():
            raise ModelIncompatible(
                f"{definition.name!r} is not defined by the installed revscoring; install the version that "
                "the artefact's environment names, or import the model anew"
            )
        return self._installed()[definition.name]


def _build(definition: Definition, fingerprint: str, needed: list[Any]) -> Any:
    if (
        definition.kind not in kinds.ATTRIBUTES
        or definition.arguments.keys() - kinds.ATTRIBUTES[definition.kind]
    ):
        raise ModelIncompatible(
            f"{definition.name!r} is defined as a {definition.kind}, which cannot be built"
        )
    kind = kinds.class_of(kinds.FORMER.get(definition.kind, definition.kind))
    built = kind.__new__(kind)
    # revscoring's caches know a value by the name of what computes it: the mark keeps definitions apart
    # that print one name, and lets equal ones of several models share their values.
    name = definition.name.partition(".")[2]
    attributes = vars(built)
    _check_names(definition)
    attributes.update(name=f"{name}@{fingerprint[:16]}", calls=0, dependencies=needed)
    if definition.returns:
        attributes["returns"] = _TYPES[definition.returns]
    for attribute, value in definition.arguments.items():
        attributes[attribute] = _decode(value, built)
    if definition.kind == former.FORMER_HAS_VALUE:
        attributes["process"] = former_wikibase.has_property_value(built.property, built.value)
    elif definition.kind in kinds.FORMER:
        attributes["process"] = former_words.process_of(definition.kind, built)
    else:
        attributes["process"] = _process(definition, built)
    if not kinds.takes(attributes["process"], len(needed)):
        raise ModelIncompatible(
            f"{definition.name!r} was computed from {len(needed)} values, but today's function takes "
            "another number of them"
        )
    return built


def _check_names(definition: Definition) -> None:
    """Refuse what revscoring would ask of an object by a name that no feature uses."""
    field, method = definition.arguments.get("field_name"), definition.arguments.get("method_name")
    if not (field is None or field in _FIELDS) or not (
        method is None or kinds.is_allowed_method(str(method))
    ):
        raise ModelIncompatible(f"{definition.name!r} asks for {field or method!r}, which no feature does")


def _process(definition: Definition, built: Any) -> Any:
    if definition.process is not None:
        return _decode(definition.process, built)
    for method in ("process", "_process", "operate"):
        if hasattr(type(built), method):
            return getattr(built, method)
    raise ModelIncompatible(f"{definition.name!r} has no process")


def _decode(value: Any, owner: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item, owner) for item in value]
    if not isinstance(value, dict):
        return value
    for keys, read in _FORMS.items():
        if value.keys() == keys:
            try:
                return read(value, owner)
            except (TypeError, KeyError, ValueError, AttributeError) as error:
                raise _malformed() from error
    raise _malformed()


def _method(value: Mapping[str, Any], owner: Any) -> Any:
    if value["method"] not in kinds.METHODS:
        raise _malformed()
    of = owner if value["of"] == SELF else _decode(value["of"], owner)
    return getattr(of, value["method"])


def _malformed() -> ModelIncompatible:
    return ModelIncompatible(
        "a definition of the artefact holds a value of no known form; import the model anew"
    )


@functools.lru_cache(maxsize=512)
def _compiled(pattern: str, flags: int) -> Any:
    try:
        return re.compile(pattern, flags)
    except (re.error, ValueError, OverflowError, RecursionError) as error:
        raise ModelIncompatible(
            f"the regular expression {pattern[:60]!r} of the model cannot be read by this Python: {error}"
        ) from error


def _keywords(words: Sequence[Any], is_case_sensitive: object) -> Any:
    processor = importlib.import_module("flashtext").KeywordProcessor(case_sensitive=bool(is_case_sensitive))
    for word, clean in words:
        processor.add_keyword(word, clean)
    return processor


def _helper(kind: str, state: Mapping[str, Any]) -> Any:
    if kind not in kinds.HELPERS or state.keys() - kinds.HELPERS[kind]:
        raise ModelIncompatible(f"a {kind} of the artefact has unknown attributes; import the model anew")
    helper_class = kinds.class_of(kind)
    helper = helper_class.__new__(helper_class)
    vars(helper).update({name: _decode(value, helper) for name, value in state.items()})
    return helper


_FORMS: Mapping[frozenset[str], Callable[[Mapping[str, Any], Any], Any]] = {
    frozenset({"tuple"}): lambda value, owner: tuple(_decode(item, owner) for item in value["tuple"]),
    frozenset({"set"}): lambda value, owner: {_decode(item, owner) for item in value["set"]},
    frozenset({"dict"}): lambda value, owner: {
        _decode(key, owner): _decode(item, owner) for key, item in value["dict"]
    },
    frozenset({"regex", "flags"}): lambda value, _owner: _compiled(value["regex"], value["flags"]),
    frozenset({"name"}): lambda value, _owner: kinds.named(value["name"]),
    frozenset({"method", "of"}): _method,
    frozenset({"spelled", "is_wanted", "is_tidied"}): lambda value, _owner: former_words.check(
        value["spelled"], is_wanted=value["is_wanted"], is_tidied=value["is_tidied"]
    ),
    frozenset({"dictionary"}): lambda value, _owner: resources.dictionary(value["dictionary"]),
    frozenset({"stemmer"}): lambda value, _owner: resources.stemmer(value["stemmer"]),
    frozenset({"keywords", "case_sensitive"}): lambda value, _owner: _keywords(
        value["keywords"], value["case_sensitive"]
    ),
    frozenset({"object", "state"}): lambda value, _owner: _helper(value["object"], value["state"]),
}
