"""What earlier releases named otherwise, so that their definitions can be said in today's names."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from models import resources
from models.features import former_wikibase
from models.features.definitions import REFUSED, Definition

_AGGREGATORS = "revscoring.features.meta.aggregators."
_ITEM = "revscoring.features.wikibase.datasources.revision_oriented._process_item"
_HAS_VALUE = "revscoring.features.wikibase.features.revision_oriented.HasPropertyValue"
_REGISTERED = "revscoring.features.temporal.revision_oriented._process_seconds_since_registration"
_UNGROUPED_MARK = "before 1.2:"
_REGEX = "revscoring.datasources.meta.extractors.regex"
_UNGROUPED = re.compile(r"\\b\((.*)\)\\b", re.DOTALL)
_REFERENCE = re.compile(r"\\[1-9]|\(\?P=|\(\?\(")
FORMER_HAS_VALUE = former_wikibase.MARK + _HAS_VALUE
# Releases before 2.0 had a class for each aggregation, where there is one for all today.
_KINDS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    f"{_AGGREGATORS}{name}": (f"{_AGGREGATORS}AggregatorsScalar", {"func": {"name": function}})
    for name, function in {
        "len": "builtins.len",
        "sum": "builtins.sum",
        "max": "builtins.max",
        "min": "builtins.min",
    }.items()
} | {
    # Its class only names the function that looks words up.
    "revscoring.datasources.meta.vectorizers.word2vec": ("revscoring.datasources.datasource.Datasource", {}),
}


def kind_of(kind: str) -> tuple[str, Mapping[str, Any]]:
    """Return what a class of an earlier release is today, and the arguments that stand for the difference."""
    return _KINDS.get(kind, (kind, {}))


def module_of(name: str) -> str:
    """Return a dotted name with the package's name of today; articlequality was wikiclass until 2018."""
    package, _, rest = name.partition(".")
    return f"articlequality.{rest}" if package == "wikiclass" else name


def registered_seconds(user_id: Any, registration: Any, timestamp: Any) -> int:
    """Return the age of an account as releases before 1.2 did, to whom id 0 was an account of 2006.

    Args:
        user_id: None or a number.
        registration: Timestamp; None where unknown.
        timestamp: Of the edit.
    """
    today = resources.module("features.temporal.revision_oriented")._process_seconds_since_registration
    return int(today(-1 if user_id == 0 else user_id or 0, registration, timestamp))


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{former_wikibase.MARK + name: function for name, function in former_wikibase.FUNCTIONS.items()},
    _UNGROUPED_MARK + _REGISTERED: registered_seconds,
}


def dated(definitions: Sequence[Definition]) -> list[Definition]:
    r"""Say in today's names what meant something else when a model was made.

    A model whose graph reads items with pywikibase is of before release 2.3, whose functions for items have
    other outcomes than those of the same names today. One whose word lists are ``\b(…)\b``, all of which is a
    match, is of before release 1.2; since then they are ``(\b)(…)(\b)``, with the second group for a match.
    """
    marks: dict[str, str] = {}
    if any(definition.process == {"name": _ITEM} for definition in definitions):
        marks |= dict.fromkeys([_HAS_VALUE, *former_wikibase.FUNCTIONS], former_wikibase.MARK)
    if any(_ungrouped(definition) for definition in definitions):
        marks[_REGISTERED] = _UNGROUPED_MARK
    return [_grouped(_marked(definition, marks)) for definition in definitions]


def _marked(definition: Definition, marks: Mapping[str, str]) -> Definition:
    kind, process = definition.kind, definition.process
    match process:
        case {"name": str(name)} if name in marks:
            process = {"name": marks[name] + name}
    return msgspec.structs.replace(definition, kind=marks.get(kind, "") + kind, process=process)


def _ungrouped(definition: Definition) -> str | None:
    """Return what the groups of a word list hold, where it is one of before release 1.2."""
    match definition.arguments.get("group_re"):
        case {"regex": str(pattern)} if definition.kind == _REGEX:
            found = _UNGROUPED.fullmatch(pattern)
            return found and found[1]
    return None


def _grouped(definition: Definition) -> Definition:
    body = _ungrouped(definition)
    if body is None:
        return definition
    if _REFERENCE.search(body):
        reason = f"{definition.name!r} counts the groups of its word list as releases before 1.2 did"
        return Definition(REFUSED, definition.name, arguments={"reason": reason})
    group = {**definition.arguments["group_re"], "regex": rf"(\b)({body})(\b)"}
    return msgspec.structs.replace(definition, arguments={**definition.arguments, "group_re": group})
