"""When the phases of one event or request began and ended: for histograms and traces alike."""

from collections.abc import Mapping
from time import monotonic
from types import TracebackType
from typing import Final, Literal, TypeAlias, get_args

from models.trace import CARRIED, Trace

Phase: TypeAlias = Literal[
    "decode", "decide", "withdraw", "fetch", "wait", "features", "predict", "upsert", "emit", "store"
]
"""What is done about an event or a request: read it; decide by rules and tables; hide or show predictions;
fetch the text; wait for a scoring process; compute features; have the models predict; write rows; send what
is to be told; have the tables keep what a client asked for."""
PHASES: Final[tuple[Phase, ...]] = get_args(Phase)


class Trail:
    """The phases of one event or request. Noting one takes a fraction of a microsecond.

    Args:
        trace: Its place in a trace; None where nothing is traced.
        attributes: What the trace tells of where it came from.

    Attributes:
        began: When it was taken up, on the monotonic clock, in seconds.
        phases: Each with its begin and end, on the same clock, in the order of their ends.
        steps: Of the trace, of phases in which others are asked or told.
    """

    __slots__ = ("attributes", "began", "phases", "steps", "trace")

    def __init__(self, trace: Trace | None = None, attributes: Mapping[str, str | int] | None = None) -> None:
        self.began = monotonic()
        self.phases: list[tuple[Phase, float, float]] = []
        self.trace = trace
        self.attributes = attributes
        self.steps: dict[Phase, Trace] = {}

    def end(self, phase: Phase, began: float) -> float:
        """Note that a phase ends now; return when that is, which is when the next one begins."""
        now = monotonic()
        self.phases.append((phase, began, now))
        return now

    def during(self, phase: Phase) -> "_During":
        """Return a context whose time is that of a phase, and whose requests to others carry the trace."""
        return _During(self, phase)

    def step(self, phase: Phase) -> Trace | None:
        """Return the step of the trace that a phase is; None where nothing is traced."""
        if self.trace is None:
            return None
        step = self.steps.get(phase)
        if step is None:
            step = self.steps[phase] = self.trace.step()
        return step

    def headers(self, phase: Phase) -> dict[str, bytes]:
        """Return the headers of records that are written in a phase; none where nothing is traced."""
        step = self.step(phase)
        return {} if step is None else step.record_headers


class _During:
    __slots__ = ("_began", "_phase", "_token", "_trail")

    def __init__(self, trail: Trail, phase: Phase) -> None:
        self._trail = trail
        self._phase = phase

    def __enter__(self) -> None:
        step = self._trail.step(self._phase)
        self._token = None if step is None else CARRIED.set(step)
        self._began = monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._trail.end(self._phase, self._began)
        if self._token is not None:
            CARRIED.reset(self._token)
