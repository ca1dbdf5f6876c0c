"""The features of a pickled model, and what they rest on, with the names that they have today.

revscoring knows a feature by the text it prints, and caches values by it. Until 1.2 that text was the bare
name, since then it says ``feature.`` or ``datasource.`` in front; a name that nobody gave is made from those
beneath it (``log((wikitext.revision.chars + 1))``), and how it is made changed too. Here every such name is
made anew, as revscoring 2.11.13 makes it; a name that somebody gave is kept as it is.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from models.pickles import Global, Instance
from schemas.errors import ModelCorrupt

# A published model has some 300 nodes; the largest name has some 500 characters.
_MOST_NODES = 20_000
_MOST_EDGES = 100_000
_MOST_NAME_CHARACTERS = 20_000
_MOST_CHARACTERS = 20_000_000

_MODIFIERS = ("revscoring.features.feature", "revscoring.features.modifiers")
_OPERATORS: Mapping[str, str] = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "gt": ">",
    "lt": "<",
    "ge": ">=",
    "le": "<=",
    "eq": "==",
    "ne": "!=",
    "and_": "and",
    "or_": "or",
}
_FUNCTIONS: Mapping[str, str] = {"log": "log({})", "max": "max({})", "min": "min({})", "not_": "not {}"}
_AGGREGATORS = "revscoring.features.meta.aggregators"
_VECTORS = frozenset({"AggregatorsVector", "vectorize", "FeatureVector"})
_TOKENIZED = re.compile(r"tokenized\(<(.*)>\)", re.DOTALL)
_PREFIXES = ("", "datasource.", "dependent.", "feature.", "feature_vector.")
_LITERAL = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_SET = re.compile(rf"({_LITERAL})|(\{{(?:{_LITERAL}|[^{{}}'\"])*\}})", re.DOTALL)
_RETURNS: Mapping[str, str] = {
    "bool": "bool",
    "int": "int",
    "float": "float",
    "float64": "float",
    "str": "str",
}


class Dependent(Struct, frozen=True, eq=False):
    """A feature or a datasource of the model's graph.

    Attributes:
        kind: Class it was pickled as.
        pickled_name: As the file has it.
        name: As revscoring 2.11.13 names it, without ``feature.`` in front.
        prefix: ``feature``, ``feature_vector`` or ``datasource``.
        returns: ``bool``, ``int``, ``float``, ``str``; None for a datasource.
        needs: Those it is computed from, in order.
        state: Attributes of the pickled object.
    """

    kind: Global
    pickled_name: str
    name: str
    prefix: str
    returns: str | None
    needs: tuple["Dependent", ...]
    state: Mapping[str, Any]

    def __str__(self) -> str:
        """Print as revscoring 2.11.13 does."""
        return f"{self.prefix}.{self.name}"

    @property
    def is_vector(self) -> bool:
        """Whether it gives several columns of the matrix."""
        return self.prefix == "feature_vector"


class FeatureGraph:
    """The features of one model with all that they rest on.

    Args:
        features: Inert, in the order of the model's input.

    Raises:
        ModelCorrupt: The graph has a circle, is larger than any model's, or holds what is no dependent.
    """

    def __init__(self, features: Sequence[Any]) -> None:
        self._read: dict[int, Dependent] = {}
        self._instances: list[Instance] = []
        self._first: dict[tuple[str, str], Dependent] = {}
        self._edges = self._characters = 0
        self.features = tuple(self._resolve(feature) for feature in features)

    def rename(self) -> None:
        """Give the inert objects themselves the names of today, so that definitions made of them agree."""
        for instance in self._instances:
            instance.state["name"] = self._read[id(instance)].name

    def __iter__(self) -> Iterator[Dependent]:
        """Give every feature and datasource once, each after those that it needs."""
        return iter(self._read.values())

    def resting_on(self, is_sought: Callable[[Dependent], bool]) -> frozenset[int]:
        """Return the positions of the features that are, or rest on, what is sought."""
        found: set[int] = set()
        for dependent in self:
            if is_sought(dependent) or any(id(need) in found for need in dependent.needs):
                found.add(id(dependent))
        return frozenset(position for position, feature in enumerate(self.features) if id(feature) in found)

    def _resolve(self, root: Any) -> Dependent:
        # By hand rather than by recursion: a file may nest deeper than Python's stack.
        waiting: list[tuple[Any, bool]] = [(root, False)]
        open_: set[int] = set()
        while waiting:
            instance, is_ready = waiting.pop()
            if id(instance) in self._read:
                continue
            kind, state, needs = _checked(instance)
            if is_ready:
                open_.discard(id(instance))
                self._read[id(instance)] = self._made(kind, state, needs)
                if isinstance(instance, Instance):
                    self._instances.append(instance)
                continue
            if id(instance) in open_:
                raise ModelCorrupt(
                    f"feature {state['name']!r} of the model rests on itself; refuse its source"
                )
            self._edges += len(needs)
            if len(self._read) + len(open_) > _MOST_NODES or self._edges > _MOST_EDGES:
                raise ModelCorrupt(
                    f"the features of the model rest on more than {_MOST_NODES} others; refuse its source"
                )
            open_.add(id(instance))
            waiting.append((instance, True))
            waiting += [(needed, False) for needed in reversed(needs) if id(needed) not in self._read]
        return self._read[id(root)]

    def _made(self, kind: Global, state: Mapping[str, Any], needs: Sequence[Any]) -> Dependent:
        needed = tuple(self._read[id(instance)] for instance in needs)
        returns = state.get("returns")
        prefix = "datasource" if "returns" not in state else "feature"
        if kind.name in _VECTORS:
            prefix = "feature_vector"
        pickled_name = state["name"]
        # Two of one printed name are one to revscoring, which computes the first that it meets. A graph of
        # releases that named `len(x)` and `sum(x)` alike was trained with that, so it is kept.
        same = self._first.get((prefix, pickled_name))
        name = same.name if same else _name(kind, state, needed)
        self._characters += len(name)
        if len(name) > _MOST_NAME_CHARACTERS or self._characters > _MOST_CHARACTERS:
            raise _too_long(name)
        dependent = Dependent(
            kind=kind,
            pickled_name=pickled_name,
            name=name,
            prefix=prefix,
            returns=_RETURNS.get(returns.name) if isinstance(returns, Global) else None,
            needs=needed,
            state=state,
        )
        self._first.setdefault((prefix, pickled_name), dependent)
        return dependent


def sort_sets(name: str) -> str:
    """Print the sets within a name in sorted order; Python prints them in random order.

    Args:
        name: ``revision.user.in_group({'sysop', 'bot'})``.
    """
    return _SET.sub(lambda match: match[1] or _sorted_set(match[2]), name)


def _sorted_set(text: str) -> str:
    try:
        items = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    if not isinstance(items, set):
        return text
    return "{" + ", ".join(repr(item) for item in sorted(items, key=repr)) + "}"


def _checked(instance: Any) -> tuple[Global, Mapping[str, Any], Sequence[Any]]:
    if isinstance(instance, str):
        # The first releases named what the caller gives, "session", by plain text.
        return Global("builtins", "str"), {"name": instance}, ()
    state = instance.state if isinstance(instance, Instance) else None
    if not isinstance(state, dict) or not isinstance(state.get("name"), str):
        kind = instance.kind if isinstance(instance, Instance) else type(instance).__name__
        raise ModelCorrupt(
            f"the features of the model rest on {_short(kind)}, which is no feature and no datasource; "
            "refuse its source, or fetch it again"
        )
    if len(state["name"]) > _MOST_NAME_CHARACTERS:
        raise _too_long(state["name"])
    needs = state.get("dependencies") or ()
    if not isinstance(needs, (list, tuple)):
        raise ModelCorrupt(f"feature {_short(state['name'])} of the model has no list of what it needs")
    return instance.kind, state, needs


def _too_long(name: str) -> ModelCorrupt:
    return ModelCorrupt(
        f"a feature of the model has a name of {len(name)} characters, or all have too many; refuse its "
        "source"
    )


def _short(text: object) -> str:
    printed = str(text)
    return printed if len(printed) <= 100 else printed[:100] + "…"


def _name(kind: Global, state: Mapping[str, Any], needs: tuple[Dependent, ...]) -> str:
    pickled = state["name"]
    if kind.module in _MODIFIERS:
        made = _modifier_name(kind.name, pickled, needs)
        return pickled if made is None else made
    if kind.module == _AGGREGATORS and len(needs) == 1:
        function = state.get("func")
        called = function.name if isinstance(function, Global) else kind.name
        made_then = {
            f"{callee}(<{prefix}{needs[0].pickled_name}>)"
            for callee in {kind.name, called}
            for prefix in _PREFIXES
        }
        return f"{called}(<{needs[0]}>)" if pickled in made_then else sort_sets(pickled)
    name = _with_needs_of_today(pickled, needs)
    tokenized = _TOKENIZED.fullmatch(name)
    return f"tokenized({tokenized[1]})" if tokenized else sort_sets(name)


def _modifier_name(function: str, pickled: str, needs: tuple[Dependent, ...]) -> str | None:
    """Return the name of an operator or a function of features; None where somebody named it."""
    then, now = [need.pickled_name for need in needs], [need.name for need in needs]
    if (sign := _OPERATORS.get(function)) and len(needs) == 2:
        if pickled in {f"({then[0]} {sign} {then[1]})", f"{then[0]} {sign} {then[1]}"}:
            return f"({now[0]} {sign} {now[1]})"
    elif (form := _FUNCTIONS.get(function)) and pickled == form.format(", ".join(then)):
        return form.format(", ".join(now))
    return None


def _with_needs_of_today(pickled: str, needs: tuple[Dependent, ...]) -> str:
    for need in needs:
        for prefix in _PREFIXES:
            then = f"<{prefix}{need.pickled_name}>"
            if then in pickled:
                pickled = pickled.replace(then, f"<{need}>")
                break
    return pickled
