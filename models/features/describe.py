"""From the features of a model file to definitions."""

from collections.abc import Mapping, Sequence
from typing import Any

from models import inputs
from models.features import former, kinds
from models.features.definitions import KNOWN, REFUSED, ROOT, Definition, canonical, fingerprints
from models.features.former_edits import UNKNOWN, Origin, StandIn
from models.features.values import encode
from models.pickles import Global, Instance
from schemas.errors import ModelIncompatible

_DEPTH = 100
_MOST_DEFINITIONS = 20_000
_OWN = frozenset({"name", "process", "dependencies", "calls", "returns", "func_name"})
_OWN_METHODS = frozenset({"process", "_process", "operate"})
_RETURNS: Mapping[str, str] = {
    "bool": "bool",
    "int": "int",
    "float": "float",
    "str": "str",
    "float64": "float",
}
_OR_NONE = "revscoring.dependencies.util.or_none"
_NOT_IMPLEMENTED = "revscoring.dependencies.dependent.not_implemented"


def describe(
    features: Sequence[Any], known: Mapping[str, str] | None = None, *, origin: Origin = UNKNOWN
) -> tuple[tuple[int, ...], tuple[Definition, ...]]:
    """Describe features with all that they rest on.

    Args:
        features: Inert objects of a model file, in the order of the model's input.
        known: Printed names of what the installed revscoring defines, by fingerprint. Parts that are the
            same are named instead of described, so that models share what they compute.
        origin: What the file says of the model's making, where its release did not put all into features.

    Returns:
        Position of each feature among the definitions, and the definitions. A feature that cannot be
        described has one that says why; binding it refuses with that.
    """
    describer = _Describer(origin)
    positions = [describer.feature(feature) for feature in features]
    return _with_known(positions, former.dated(describer.definitions, origin), known or {})


class _Describer:
    def __init__(self, origin: Origin) -> None:
        self.definitions: list[Definition] = []
        self._origin = origin
        self._positions: dict[str, int] = {}
        self._open: set[int] = set()

    def feature(self, feature: Any) -> int:
        try:
            return self._node(feature, 0)
        except ModelIncompatible as error:
            self._open.clear()
            name = _printed(feature) if _is_named(feature) else "feature.?"
            return self._add(Definition(REFUSED, name, arguments={"reason": error.message}))

    def _node(self, node: Any, depth: int) -> int:
        if not _is_named(node):
            raise ModelIncompatible(f"it rests on {_kind_of(node)}, which is no feature and no datasource")
        # As revscoring's solver does: whatever prints this name first answers for all that print it.
        name = _printed(node)
        if name in self._positions and id(node) not in self._open:
            return self._positions[name]
        if id(node) in self._open:
            raise ModelIncompatible(f"{name!r} rests on itself")
        stand_in = former.stand_in(str(node.kind), node.state["name"], self._origin)
        if stand_in is not None:
            return self._stand_in(name, stand_in)
        if depth > _DEPTH or len(self.definitions) > _MOST_DEFINITIONS:
            raise ModelIncompatible("it rests on more parts than any feature of revscoring")
        self._open.add(id(node))
        needed = node.state.get("dependencies") or ()
        if not isinstance(needed, (list, tuple)):
            raise ModelIncompatible(f"{name!r} has no list of what it needs")
        on = tuple(self._node(need, depth + 1) for need in needed)
        on += tuple(self._root(root) for root in former.more_roots(node.state.get("process")))
        self._open.discard(id(node))
        position = self._add(_definition(node, name, on))
        self._positions[name] = position
        return position

    def _stand_in(self, name: str, stand_in: StandIn) -> int:
        if stand_in.function is None:
            raise ModelIncompatible(f"{name!r} cannot be had: {stand_in.reason}")
        on = tuple(self._root(root) for root in stand_in.roots)
        definition = Definition(kinds.DATASOURCE, name, process={"name": stand_in.function}, on=on)
        self._positions[name] = position = self._add(definition)
        return position

    def _root(self, name: str) -> int:
        if name not in self._positions:
            self._positions[name] = self._add(Definition(ROOT, name))
        return self._positions[name]

    def _add(self, definition: Definition) -> int:
        self.definitions.append(definition)
        return len(self.definitions) - 1


def _definition(node: Instance, name: str, on: tuple[int, ...]) -> Definition:
    state = node.state
    kind, more = former.kind_of(str(node.kind))
    process = state.get("process")
    if kind not in kinds.ATTRIBUTES:
        raise ModelIncompatible(f"{name!r} is a {kind}, which today's revscoring does not have")
    if isinstance(process, Global) and str(process) == _NOT_IMPLEMENTED and not on:
        return Definition(ROOT, name)
    if name in inputs.injectable() and _kind_of(process) == _OR_NONE:
        # A date that later releases make of its text; a revision here has both.
        return Definition(ROOT, name)
    unknown = state.keys() - _OWN - kinds.ATTRIBUTES[kind]
    if unknown:
        named = ", ".join(sorted(str(attribute)[:100] for attribute in unknown))
        raise ModelIncompatible(f"{name!r} has {named}, which today's {kind} has not")
    arguments = {
        attribute: encode(state[attribute], node)
        for attribute in sorted(kinds.ATTRIBUTES[kind])
        if attribute in state
    }
    returns = state.get("returns")
    return Definition(
        kind,
        name,
        returns=_returns(name, returns) if returns is not None else "",
        process=_process(process, node, name),
        arguments={**arguments, **more},
        on=on,
    )


def _process(process: Any, node: Instance, name: str) -> Any:
    if isinstance(process, Instance) and str(process.kind) == "builtins.getattr" and process.args[0] is node:
        if process.args[1] not in _OWN_METHODS:
            raise ModelIncompatible(f"{name!r} is computed by {process.args[1]!r}, which no feature has")
        return None
    return encode(process, node)


def _returns(name: str, returns: Any) -> str:
    if isinstance(returns, Global) and returns.name in _RETURNS:
        return _RETURNS[returns.name]
    raise ModelIncompatible(f"{name!r} gives {_kind_of(returns)}, which is no number")


def _is_named(node: Any) -> bool:
    return (
        isinstance(node, Instance)
        and isinstance(node.state, dict)
        and isinstance(node.state.get("name"), str)
    )


def _printed(node: Instance) -> str:
    kind, _ = former.kind_of(str(node.kind))
    if kind in kinds.VECTOR_KINDS:
        prefix = "feature_vector"
    else:
        prefix = "feature" if "returns" in node.state else "datasource"
    return f"{prefix}.{canonical(node.state['name'])}"


def _kind_of(value: Any) -> str:
    return str(value.kind) if isinstance(value, Instance) else type(value).__name__


def _with_known(
    positions: Sequence[int], definitions: Sequence[Definition], known: Mapping[str, str]
) -> tuple[tuple[int, ...], tuple[Definition, ...]]:
    """Name what is known, and leave out what nothing rests on any more."""
    replaced = [
        Definition(KNOWN, known[fingerprint], returns=definition.returns)
        if fingerprint in known
        else definition
        for definition, fingerprint in zip(definitions, fingerprints(definitions), strict=True)
    ]
    needed: set[int] = set()
    waiting = list(positions)
    while waiting:
        if (position := waiting.pop()) not in needed:
            needed.add(position)
            waiting += replaced[position].on
    moved = {position: index for index, position in enumerate(sorted(needed))}
    kept = tuple(
        Definition(
            definition.kind,
            definition.name,
            definition.returns,
            definition.process,
            definition.arguments,
            tuple(moved[on] for on in definition.on),
        )
        for definition in (replaced[position] for position in sorted(needed))
    )
    return tuple(moved[position] for position in positions), kept
