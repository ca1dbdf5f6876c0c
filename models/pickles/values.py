"""What stands for a class, a function or an object that a pickle names: names and values, nothing alive."""

from typing import Any

from msgspec import Struct


class Global(Struct, frozen=True):
    """A name in a module, as a pickle asks for it; never looked up.

    Args:
        module: In one spelling where versions differ: ``builtins``, ``copyreg``, ``numpy.core``.
        name: One identifier, but for the few dotted names that the closed list spells out.
    """

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Instance:
    """What a pickle would have made by a call: the call's parts, and what was put into its outcome.

    Equality is identity, and ``repr`` tells the kind alone: instances may hold one another in a circle.

    Args:
        kind: The class or function that was to be called.
        args: Positional arguments.
        kwargs: Named arguments; only protocol 4 has them.
        state: What the last BUILD set, mostly the object's ``__dict__``; None without.
        items: Appended to it, where it is a kind of list.
        pairs: Keys and values set in it, where it is a kind of dict.
    """

    __slots__ = ("args", "items", "kind", "kwargs", "pairs", "state")

    def __init__(
        self,
        kind: Global,
        args: tuple[Any, ...] = (),
        *,
        kwargs: dict[str, Any] | None = None,
        state: Any = None,
        items: list[Any] | None = None,
        pairs: list[tuple[Any, Any]] | None = None,
    ) -> None:
        self.kind = kind
        self.args = args
        self.kwargs = {} if kwargs is None else kwargs
        self.state = state
        self.items = [] if items is None else items
        self.pairs = [] if pairs is None else pairs

    def __repr__(self) -> str:
        return f"<Instance of {self.kind}>"
