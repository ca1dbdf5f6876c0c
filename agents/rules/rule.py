"""One rule: which events it takes, and what is done with them."""

from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from agents.rules.javascript import Regex
from agents.rules.match import Failure, Fields, UnmatchableError, describe
from agents.rules.sample import Sample
from agents.rules.shorthands import words_of


class RuleStage(StrEnum):
    """How far a rule has come. Only production writes to the streams that others read."""

    EXPERIMENTAL = "experimental"
    STAGING = "staging"
    PRODUCTION = "production"


class OutputKind(StrEnum):
    """What is told of predictions; the words of the rule files."""

    REVISION_SCORE = "revision_score"
    PAGE_PREDICTION = "prediction_classification_change"
    WEIGHTED_TAGS = "weighted_tags"


class Target(Struct, frozen=True):
    """One thing that a case tells, and where.

    Attributes:
        kind: What.
        stream: The stream that all of it goes to; None for the one that it has by its name.
    """

    kind: OutputKind = OutputKind.REVISION_SCORE
    stream: str | None = None


class Retry(Struct, frozen=True):
    """How often an event is scored again when its content or a model cannot be had for now.

    Attributes:
        limit: Repetitions, from 0.
        delay_seconds: Before the first one.
        factor: How many times longer the next one waits.
        ignore: Error codes that are taken for done: the failure is recorded, and not sent.
    """

    limit: int = 2
    delay_seconds: float = 60.0
    factor: float = 6.0
    ignore: frozenset[str] = frozenset()

    def wait_seconds(self, repetition: int) -> float:
        """Return the wait before a repetition, counted from 1."""
        return self.delay_seconds * self.factor ** (repetition - 1)


USUAL_RETRY: Final = Retry()
"""ChangeProp's."""


class Case(Struct, frozen=True):
    """One way in which a rule takes an event; the first that fits counts.

    Attributes:
        match: What the event has to be; None for any.
        match_not: What it must not be: any of these.
        on: ORES's words of which one has to fit; empty for any event.
        sample: Which part of the events that fit is taken; None for all. An event that is left goes to no
            later case.
        models: Names on the wiki of the event, versions by ``name@version``; empty for all that score there.
        outputs: What is told of the predictions, each kind once. Scores have a stream for each model where
            the target has none, and where it has one they are in one event.
        tag_prefix: Of weighted tags; None for the one that each model has by its name.
    """

    match: Fields | None = None
    match_not: tuple[Fields, ...] = ()
    on: tuple[str, ...] = ()
    sample: Sample | None = None
    models: tuple[str, ...] = ()
    outputs: tuple[Target, ...] = (Target(),)
    tag_prefix: str | None = None


class Part(StrEnum):
    """The part of a rule for which it leaves an event."""

    TOPICS = "topics"
    MATCH = "match"
    MATCH_NOT = "match_not"
    ON = "on"
    SAMPLE = "sample"


class Reason(Struct, frozen=True):
    """Why a case does not fit.

    Attributes:
        part: Of the case, or of the rule.
        detail: The condition that failed; what was excluded; or text.
    """

    part: Part
    detail: Failure | Fields | str

    def __str__(self) -> str:
        if isinstance(self.detail, Fields):
            return f"match_not: the event is {describe(self.detail)}"
        return f"{self.part}: {self.detail}"


class Verdict(Struct, frozen=True):
    """What a rule makes of an event.

    Attributes:
        rule: The rule.
        case_index: The case that takes it, from 0; None where the rule leaves the event.
        reasons: Why not: one for each case tried without success, in order.
    """

    rule: "Rule"
    case_index: int | None
    reasons: tuple[Reason, ...] = ()

    @property
    def case(self) -> Case | None:
        """Return the case that takes the event; None where the rule leaves it."""
        return None if self.case_index is None else self.rule.cases[self.case_index]


class Rule(Struct, frozen=True):
    """A rule.

    Attributes:
        name: Unique in its file.
        topics: Names, without the prefix of a data centre, and regular expressions over such names.
        cases: One or more, in order.
        exclude_topics: Names that no expression in ``topics`` takes.
        concurrency: Events scored at once for this rule in one worker; None for no limit of its own.
        retry: What to do about what cannot be had for now.
        stage: A rule that is not in production sends to streams of its own, ``staging.…``.
        line: Where it begins in its file, from 1; 0 where it comes from none.
    """

    name: str
    topics: tuple[str | Regex, ...]
    cases: tuple[Case, ...] = (Case(),)
    exclude_topics: frozenset[str] = frozenset()
    concurrency: int | None = None
    retry: Retry = USUAL_RETRY
    stage: RuleStage = RuleStage.PRODUCTION
    line: int = 0

    def reads(self, topic: str) -> bool:
        """Tell whether the rule hears of the events of a topic."""
        if topic in self.exclude_topics:
            return False
        return any(one == topic if isinstance(one, str) else one.matches(topic) for one in self.topics)

    def judge(self, topic: str, event: Any) -> Verdict:
        """Return whether the rule takes an event, and otherwise why not.

        Args:
            topic: That the event was read from, without the prefix of a data centre.
            event: As JSON gives it.
        """
        if not self.reads(topic):
            return Verdict(self, None, (Reason(Part.TOPICS, f"{topic} is not among {self._topics()}"),))
        reasons: list[Reason] = []
        for index, case in enumerate(self.cases):
            try:
                reason = _misfit(case, event)
            except UnmatchableError:
                return Verdict(self, None, (*reasons, _UNMATCHABLE))
            if reason is None:
                if case.sample is not None and not case.sample.takes(event):
                    return Verdict(self, None, (*reasons, _outside(case.sample, event)))
                return Verdict(self, index, tuple(reasons))
            reasons.append(reason)
        return Verdict(self, None, tuple(reasons))

    def _topics(self) -> str:
        return ", ".join(one if isinstance(one, str) else one.source for one in self.topics)


_UNMATCHABLE: Final = Reason(Part.MATCH, "a list of the event holds null where the pattern has a mapping")


def _misfit(case: Case, event: Any) -> Reason | None:
    if case.match is not None:
        failure = case.match.failure(event)
        if failure is not None:
            return Reason(Part.MATCH, failure)
    for excluded in case.match_not:
        if excluded.failure(event) is None:
            return Reason(Part.MATCH_NOT, excluded)
    if case.on:
        words = words_of(event)
        if words.isdisjoint(case.on):
            fits = ", ".join(sorted(words)) or "nothing of ORES's"
            return Reason(Part.ON, f"the event is {fits}, and {' or '.join(case.on)} is wanted")
    return None


def _outside(sample: Sample, event: Any) -> Reason:
    place = f"{sample.text(event)!r} lies at {sample.place(event):.4f}"
    return Reason(Part.SAMPLE, f"{place}, and up to {sample.rate:g} is taken")
