"""What earlier releases named otherwise, so that their definitions can be said in today's names."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from models import resources
from models.features import former_edits, former_markup, former_texts, former_wikibase, former_words
from models.features.definitions import REFUSED, Definition
from models.features.former_edits import UNKNOWN, Origin, StandIn

_AGGREGATORS = "revscoring.features.meta.aggregators."
_ITEM = "revscoring.features.wikibase.datasources.revision_oriented._process_item"
_HAS_VALUE = "revscoring.features.wikibase.features.revision_oriented.HasPropertyValue"
_REGISTERED = "revscoring.features.temporal.revision_oriented._process_seconds_since_registration"
_UNGROUPED_MARK = "before 1.2:"
_REGEX = "revscoring.datasources.meta.extractors.regex"
_UNGROUPED = re.compile(r"\\b\((.*)\)\\b", re.DOTALL)
_REFERENCE = re.compile(r"\\[1-9]|\(\?P=|\(\?\(")
FORMER_HAS_VALUE = former_wikibase.MARK + _HAS_VALUE
_DATASOURCE = "revscoring.datasources.datasource.Datasource"
_OPERATIONS = "revscoring.datasources.diff.process_operations"
_TOKENS = tuple(name for name in former_texts.MARKED if name != _OPERATIONS)
# When releases of deltas came out that cut or compare texts otherwise, seconds since 1970.
_DELTAS_0_3_1, _DELTAS_0_3_3, _DELTAS_0_3_8 = 1_436_486_400, 1_439_251_200, 1_449_964_800
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
    **former_edits.FUNCTIONS,
    **former_markup.FUNCTIONS,
    **former_texts.FUNCTIONS,
    **former_words.FUNCTIONS,
    _UNGROUPED_MARK + _REGISTERED: registered_seconds,
}


def stand_in(kind: str, name: str, origin: Origin) -> StandIn | None:
    """Return what fills a datasource of the first releases, which asked a wiki or a language for it.

    Args:
        kind: Class of the datasource.
        name: Its name, without ``datasource.`` in front.
        origin: Of the model.
    """
    if kind == former_words.UTILITY:
        return former_words.utility(name, origin)
    return former_edits.STAND_INS.get(name) if kind == _DATASOURCE else None


def more_roots(process: object) -> tuple[str, ...]:
    """Return the datasources of today that our stand-in for a function reads after those of its release."""
    return former_edits.MORE_ROOTS.get(str(process), ())


def dated(definitions: Sequence[Definition], origin: Origin = UNKNOWN) -> list[Definition]:
    r"""Say in today's names what meant something else when a model was made.

    A model whose graph reads items with pywikibase is of before release 2.3, whose functions for items have
    other outcomes than those of the same names today. One whose word lists are ``\b(…)\b``, all of which is a
    match, is of before release 1.2; since then they are ``(\b)(…)(\b)``, with the second group for a match.
    """
    marks: dict[str, str] = _of_deltas(definitions, origin.trained)
    if any(definition.process == {"name": _ITEM} for definition in definitions):
        marks |= dict.fromkeys([_HAS_VALUE, *former_wikibase.FUNCTIONS], former_wikibase.MARK)
    if any(_ungrouped(definition) for definition in definitions):
        marks[_REGISTERED] = _UNGROUPED_MARK
    return [_grouped(_marked(definition, marks)) for definition in definitions]


def _of_deltas(definitions: Sequence[Definition], trained: float | None) -> dict[str, str]:
    """Return the marks of what the releases of deltas before 0.4 did each in a way of its own."""
    if not any(_reads_tokens(definition) for definition in definitions):
        # Before release 0.5 texts were compared, and tokens made on the way.
        first, second = trained is None or trained < _DELTAS_0_3_1, (trained or 0) < _DELTAS_0_3_3
        return {_OPERATIONS: f"deltas {'0.3.0' if first else '0.3.1' if second else '0.3.3'}:"}
    return dict.fromkeys(_TOKENS, "deltas 0.3.8:") if (trained or 0) >= _DELTAS_0_3_8 else {}


def _reads_tokens(definition: Definition) -> bool:
    match definition.process:
        case {"name": str(name)}:
            return name in _TOKENS
    return False


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
