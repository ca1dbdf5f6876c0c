"""How old the oldest row is that went into the answer to a request."""

from contextvars import ContextVar, Token

from tables.reader import Freshness


class Age:
    """Of one answer.

    Attributes:
        seconds: Of the oldest row in it; None where all are from their owner.
    """

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        self.seconds: float | None = None


_current: ContextVar[Age | None] = ContextVar("age", default=None)


def begin_age() -> tuple[Age, Token[Age | None]]:
    """Return the age of the answer that is begun here, for `end_age`."""
    age = Age()
    return age, _current.set(age)


def end_age(token: Token[Age | None]) -> None:
    """Note nothing more."""
    _current.reset(token)


def note_age(freshness: Freshness) -> None:
    """Note where a row of the answer is from, in any task of the request."""
    age = _current.get()
    if age is not None and freshness.age_seconds is not None:
        age.seconds = max(freshness.age_seconds, age.seconds or 0.0)
