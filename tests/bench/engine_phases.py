"""Where the time of the engine goes, and stacks for flame graphs.

Nothing in the engine knows of this: steps of its plans and a few functions are wrapped for as long as it is
measured, so that it costs nothing otherwise. Wrapping costs some itself, most where calls are short.
"""

import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

from models.engine import analysis, document, rules
from models.engine.extractor import Extractor
from models.engine.matches import Matcher
from models.engine.plan import Plan
from models.engine.program import Program
from models.engine.tokens import tokenizer
from models.revscoring_scorer import RevscoringScorer
from models.scoring import Scorer, score_revision
from schemas.revision import Revision

_SAMPLE_SECONDS = 0.002
_DEPTH = 60
_FUNCTIONS: Sequence[tuple[Any, str, str]] = (
    (analysis, "word_runs", "matches"),
    (Matcher, "find_in", "matches"),
    (analysis.Analysis, "block", "counts"),
    (rules, "compare", "change"),
    (document.Change, "delta", "change"),
    (document.Change, "figures", "change"),
    (document.Change, "proportions", "change"),
    (Plan, "run", "features"),
    (RevscoringScorer, "answers", "predict"),
)


class PhaseClock:
    """Adds up CPU time by phase; time in a phase within another counts for the inner one alone."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._open = ["other"]
        self._since = time.process_time()

    def wrapped(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        """Return a function that does the same and counts for a phase."""

        def counted(*given: Any, **named: Any) -> Any:
            self._turn()
            self._open.append(name)
            try:
                return function(*given, **named)
            finally:
                self._turn()
                self._open.pop()

        return counted

    def _turn(self) -> None:
        now = time.process_time()
        self.seconds[self._open[-1]] += now - self._since
        self._since = now


def phases(
    scorers: Sequence[Scorer], read: Callable[[], Iterator[Revision]], extractor: Extractor
) -> dict[str, Any]:
    """Score a history with the time of each phase.

    Args:
        scorers: Of the models.
        read: Reads the history.
        extractor: Has its plan.
    """
    count = 0
    with ExitStack() as stack:
        clock = PhaseClock()
        _wrap(clock, stack, extractor)
        revisions = read()
        following = clock.wrapped(lambda: next(revisions, None), "read")
        while (revision := following()) is not None:
            score_revision(scorers, revision, extractor)
            count += 1
    total = sum(clock.seconds.values())
    return {
        "revisions": count,
        "total_cpu_ms_per_revision": round(total / count * 1e3, 4),
        "cpu_ms_per_revision": {
            name: round(seconds / count * 1e3, 4) for name, seconds in sorted(clock.seconds.items())
        },
        "percent": {name: round(seconds / total * 100, 1) for name, seconds in sorted(clock.seconds.items())},
    }


@contextmanager
def sampled_stacks(into: Path) -> Iterator[None]:
    """Write the stacks of a block as flame graph tools read them, one sample for each 2 ms of CPU time."""
    stacks: Counter[str] = Counter()

    def take(_signal: int, frame: FrameType | None) -> None:
        names: list[str] = []
        while frame is not None and len(names) < _DEPTH:
            code = frame.f_code
            names.append(f"{Path(code.co_filename).stem}.{code.co_qualname}".replace(";", ","))
            frame = frame.f_back
        stacks[";".join(reversed(names))] += 1

    before = signal.signal(signal.SIGPROF, take)
    signal.setitimer(signal.ITIMER_PROF, _SAMPLE_SECONDS, _SAMPLE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        into.write_text("".join(f"{stack} {count}\n" for stack, count in sorted(stacks.items())))


def _wrap(clock: PhaseClock, stack: ExitStack, extractor: Extractor) -> None:
    for owner, name, phase in _FUNCTIONS:
        stack.enter_context(patch.object(owner, name, clock.wrapped(getattr(owner, name), phase)))
    split = tokenizer().split
    stack.enter_context(patch.object(tokenizer(), "split", clock.wrapped(split, "tokens")))
    for plan in (planned.plan for planned in extractor._plans.values()):
        analyses = {
            id(step.process.analysis): step.process.analysis
            for step in plan._steps
            if isinstance(step.process, rules.Analyse)
        }
        for each in analyses.values():
            stack.enter_context(patch.object(each, "split", clock.wrapped(each.split, "blocks")))
        steps = tuple(
            step._replace(process=clock.wrapped(step.process, phase)) if (phase := _phase_of(step)) else step
            for step in plan._steps
        )
        stack.enter_context(patch.object(plan, "_program", Program(steps)))


def _phase_of(step: Any) -> str:
    """Return the phase of a step that is one as a whole; nothing for the others."""
    process = getattr(step.process, "__func__", step.process)
    module = getattr(process, "__module__", None) or type(process).__module__
    name = getattr(process, "__name__", "")
    if "node" in module or "wikitext.datasources.parsed" in module or name == "_process_wikicode":
        return "nodes"
    if name == "compare" and module == rules.__name__:
        return "change"
    return "features" if module.startswith("revscoring.") else ""
