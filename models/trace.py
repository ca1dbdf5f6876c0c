"""The place of one event or request in a trace through several systems, as W3C's Trace Context has it.

Who traces is `app.tracing`. All others hand the place on, which costs nothing where there is none.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from random import getrandbits
from typing import Final

from msgspec import Struct


class Trace(Struct, frozen=True):
    """One step of a trace.

    Attributes:
        trace_id: Of the whole, 32 hexadecimal digits.
        span_id: Of the step, 16 hexadecimal digits.
        parent_id: Of the step that it is part of; empty where it is the first.
        is_sampled: Whether the trace is kept.
        state: What other systems have said of the trace, for others to read.
    """

    trace_id: str
    span_id: str
    parent_id: str
    is_sampled: bool
    state: str = ""

    def step(self) -> "Trace":
        """Return a new step within this one."""
        # Zero, which is no id, comes once in 10^19 times.
        return Trace(self.trace_id, f"{getrandbits(64):016x}", self.span_id, self.is_sampled, self.state)

    @property
    def headers(self) -> dict[str, str]:
        """What a request carries that is made in this step."""
        told = {"traceparent": f"00-{self.trace_id}-{self.span_id}-{self.is_sampled:02x}"}
        return told | {"tracestate": self.state} if self.state else told

    @property
    def record_headers(self) -> dict[str, bytes]:
        """What a record of a log carries that is written in this step."""
        return {name: text.encode() for name, text in self.headers.items()}


CARRIED: Final[ContextVar[Trace | None]] = ContextVar("CARRIED", default=None)
"""The step in which requests to others are made now."""


def carried_headers() -> Mapping[str, str] | None:
    """Return what a request carries that is made now; None where nothing is traced."""
    trace = CARRIED.get()
    return None if trace is None else trace.headers
