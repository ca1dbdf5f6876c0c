"""Rules from the file that the settings name, and what they would do to recorded events."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from agents.decide import ScoreWith, Skip, SkipReason, Withdraw, decide
from agents.lines import MAX_LINE_BYTES
from agents.recorded_file import RecordedFile
from agents.rules.book import RuleBook
from agents.rules.decide import Plan, Telling, named_streams
from agents.rules.explain import explain
from agents.rules.file import parse_rules
from agents.rules.match import Failure
from agents.rules.rule import USUAL_RETRY, OutputKind, Retry, Rule, Verdict
from app.catalogue import build_catalogue, open_store
from app.settings import Settings
from schemas.catalogue import Catalogue
from schemas.decode import decode_event
from schemas.errors import EventError, SettingsError
from schemas.keys import PAGE_CHANGE_TOPIC
from schemas.page_change import Canary
from schemas.revision_score import STREAM_PREFIX

_SHOWN_REASONS: Final = 5


def usual_retry(settings: Settings) -> Retry:
    """Return how often events are repeated of which no rule says more."""
    return Retry(settings.retry_limit, settings.retry_delay_seconds, settings.retry_factor)


def read_rules(path: Path, usual: Retry = USUAL_RETRY) -> tuple[Rule, ...]:
    """Return the rules of a file.

    Args:
        path: Of the file.
        usual: The policy, in whole or in part, of rules that do not say it.

    Raises:
        SettingsError: It cannot be read, or something in it is not understood.
    """
    return parse_rules(read_rule_file(path), str(path), usual)


def read_rule_file(path: Path) -> bytes:
    """Return the bytes of a file of rules, ours or others'.

    Raises:
        SettingsError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"The rules in {path} cannot be read: {error.strerror}. Correct the path or its rights.",
            setting="rules",
            path=str(path),
        ) from error


def open_rules(settings: Settings, catalogue: Catalogue) -> RuleBook | None:
    """Return the rules of the settings over a catalogue; None where they name none.

    Raises:
        SettingsError: The file cannot be read or understood.
    """
    if not settings.rules:
        return None
    return RuleBook(read_rules(Path(settings.rules).expanduser(), usual_retry(settings)), catalogue)


def require_rules(settings: Settings) -> RuleBook:
    """Return the rules of the settings over the models of the settings.

    Raises:
        SettingsError: No file is named, or it cannot be read or understood.
        ModelError: A model of the settings cannot be found.
    """
    book = open_rules(settings, build_catalogue(settings, open_store(settings)))
    if book is None:
        raise SettingsError(
            "No file of rules is named. Name one with --rules, REVSTREAM_RULES or in the settings file.",
            setting="rules",
        )
    return book


def unknown_models(rules: tuple[Rule, ...], catalogue: Catalogue) -> dict[str, list[str]]:
    """Return rule to the models that it names and no wiki has."""
    missing: dict[str, list[str]] = {}
    for rule in rules:
        for case in rule.cases:
            for name in case.models:
                if not any(catalogue.find(wiki_id, name) for wiki_id in catalogue.wikis):
                    missing.setdefault(rule.name, []).append(name)
    return missing


def untagged_rules(rules: tuple[Rule, ...], catalogue: Catalogue) -> list[str]:
    """Return the rules that ask for weighted tags and name no model that could give any."""
    return [
        rule.name
        for rule in rules
        if any(target.kind is OutputKind.WEIGHTED_TAGS for case in rule.cases for target in case.outputs)
        and OutputKind.WEIGHTED_TAGS not in output_streams((rule,), catalogue).values()
    ]


def output_streams(rules: tuple[Rule, ...] | None, catalogue: Catalogue) -> dict[str, OutputKind]:
    """Return the streams that scores and what is said of pages go to, with what each tells, sorted.

    Args:
        rules: That say so; None without rules, where each model has a stream of its own.
        catalogue: The models of each wiki.
    """
    if rules is not None:
        return dict(named_streams(rules, catalogue))
    names = {name for wiki in catalogue.wikis.values() for name in wiki}
    return {STREAM_PREFIX + name: OutputKind.REVISION_SCORE for name in sorted(names)}


def read_events(path: Path) -> Iterator[bytes]:
    """Return the events of a file: one alone, or one a line; .gz, .bz2 and .zst are unpacked.

    Raises:
        SourceError: The file cannot be read.
    """
    file = RecordedFile(path, MAX_LINE_BYTES)
    file.open()
    try:
        rest: list[bytes] = []
        while lines := file.lines():
            for line in lines:
                # An event that is laid out over several lines opens with a brace alone.
                if rest or line.value.strip() == b"{":
                    rest.append(line.value)
                elif line.value.strip():
                    yield line.value
        if rest:
            yield b"\n".join(rest)
    finally:
        file.close()


def explain_event(book: RuleBook, value: bytes, read_from: str = PAGE_CHANGE_TOPIC) -> Iterator[str]:
    """Return lines that say what would be done about an event, and why.

    Args:
        book: The rules.
        value: Bytes of the event.
        read_from: The topic that it would be read from.
    """
    outcome = _foresee(book, value, read_from)
    if outcome.plan is None:
        yield f"Not scored: {outcome.skipped}, {outcome.cause}."
    else:
        yield from explain(outcome.plan, unscored=outcome.skipped, withdrawn=outcome.withdrawn)


class Forecast:
    """Counts what the rules would do about many events.

    Args:
        book: The rules.
        read_from: The topic that the events would be read from.
    """

    def __init__(self, book: RuleBook, read_from: str = PAGE_CHANGE_TOPIC) -> None:
        self._book = book
        self._read_from = read_from
        self.events = 0
        self.scored = 0
        self._skipped: Counter[str] = Counter()
        self._taken: Counter[str] = Counter()
        self._left: dict[str, Counter[str]] = {rule.name: Counter() for rule in book.rules}
        self._sent: Counter[str] = Counter()

    def add(self, value: bytes) -> None:
        """Count an event."""
        self.events += 1
        outcome = _foresee(self._book, value, self._read_from)
        if outcome.withdrawn is not None:
            self._sent.update(output.stream for output in outcome.withdrawn.outputs)
        if outcome.skipped or outcome.plan is None:
            self._skipped[outcome.skipped] += 1
            return
        if outcome.plan.models:
            self.scored += 1
            self._sent.update(output.stream for output in outcome.plan.outputs)
        for verdict in outcome.plan.verdicts:
            if verdict.case_index is not None:
                self._taken[verdict.rule.name] += 1
            else:
                self._left[verdict.rule.name][_condition(verdict)] += 1

    def lines(self) -> Iterator[str]:
        """Return what was counted."""
        yield f"{self.events} events: {self.scored} would be scored{_listed(self._skipped, ', not scored: ')}"
        for rule in self._book.rules:
            left = self._left[rule.name]
            yield f"{rule.name}\ttakes {self._taken[rule.name]}\tleaves {left.total()}{_listed(left, ': ')}"
        for stream, count in sorted(self._sent.items()):
            yield f"{stream}\t{count} events"


class _Outcome(Struct, frozen=True):
    """What becomes of an event: ``skipped`` where the rules have no say, because of ``cause``."""

    plan: Plan | None
    skipped: str = ""
    cause: str = ""
    withdrawn: Telling | None = None


def _foresee(book: RuleBook, value: bytes, read_from: str) -> _Outcome:
    """Follow an event through the decisions of the pipeline."""
    try:
        change = decode_event(value)
    except EventError as error:
        return _Outcome(None, error.code, error.message)
    if isinstance(change, Canary):
        return _Outcome(book.plan(value, read_from), SkipReason.CANARY)
    plan = book.plan(value, read_from, change.wiki_id)
    decision = decide(change, book.catalogue)
    if isinstance(decision, Skip):
        return _Outcome(plan, decision.reason)
    # Deletions and their like withdraw predictions, or show them again, whichever rule they were made by.
    if isinstance(decision, Withdraw):
        return _Outcome(plan, change.page_change_kind, withdrawn=book.when_withdrawn(change.wiki_id))
    return _Outcome(plan, "" if isinstance(decision, ScoreWith) else change.page_change_kind)


def _condition(verdict: Verdict) -> str:
    """Return where a rule stops, without the values of the event, so that it can be counted."""
    reason = verdict.reasons[-1]
    path = reason.detail.path if isinstance(reason.detail, Failure) else ""
    return f"{reason.part} {path}".strip()


def _listed(counts: Mapping[str, int], before: str) -> str:
    most = Counter(counts).most_common(_SHOWN_REASONS)
    return before + ", ".join(f"{what} {count}" for what, count in most) if most else ""
