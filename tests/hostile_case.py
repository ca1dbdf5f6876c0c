"""How an attack on the reader of pickles is described, and put into the corpus."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from schemas.errors import ModelCorrupt, ModelError, ModelRefused


class Case(NamedTuple):
    """One attack.

    Args:
        name: What it tries.
        build: Makes its pickles.
        error: How each must be refused.
        wanted: A part of the message; where a program is to run, its name.
        runs: Whether Python's own reader runs something.
    """

    name: str
    build: Callable[[], Iterable[bytes]]
    error: type[ModelError]
    wanted: str
    runs: bool = False


CORPUS: dict[str, Case] = {}

FORM = ModelCorrupt
NAME = ModelRefused


def hostile(
    error: type[ModelError], wanted: str, *, runs: bool = False
) -> Callable[[Callable[[], bytes | Iterable[bytes]]], Callable[[], bytes | Iterable[bytes]]]:
    """Put a function that builds one pickle or several into the corpus, under its own name."""

    def register(build: Callable[[], bytes | Iterable[bytes]]) -> Callable[[], bytes | Iterable[bytes]]:
        def pickles() -> Iterable[bytes]:
            made = build()
            return [made] if isinstance(made, bytes) else made

        name = build.__name__.strip("_")
        CORPUS[name] = Case(name, pickles, error, wanted, runs)
        return build

    return register
