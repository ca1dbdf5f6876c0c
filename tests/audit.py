"""Reads what workers left behind, and compares it with what their source asks for."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import msgspec
from msgspec.structs import replace
from rocksdict import AccessType, Options, Rdict

from agents.content import RevisionSource
from agents.decide import ScoreWith, decide
from agents.embedded.erasure import is_trace
from agents.embedded.house import backlog as uncommitted
from agents.embedded.log import Log, LogRecord
from agents.scoring import without_content
from app.catalogue import build_catalogue, open_store
from app.settings import Settings
from models.scoring import Scorer, score_revision
from schemas.catalogue import Catalogue, ModelInfo
from schemas.decode import decode_event, peek_key
from schemas.erasure import Erasure
from schemas.errors import ContentError, ContentUnavailable, EventError
from schemas.keys import DEAD_LETTER_TOPIC, PAGE_CHANGE_TOPIC, PAGES_TABLE, REVISIONS_TABLE, row_key
from schemas.page_change import PageChange, PageChangeKind
from schemas.prediction import (
    ModelId,
    PredictionRow,
    Provenance,
    Score,
    ScoredModel,
    ScoreFailure,
    StoredScore,
)
from schemas.revision import Revision, RevisionRequest
from schemas.revision_score import STREAM_PREFIX, revision_score_event
from tables.changelog import MERGES
from tables.codec import decode_row, encode_row

_OFFSET_KEY = b"__faust\0offset__"
_FETCHED_AT_ONCE = 50
_NO_FAULTS = {"events", "scored_events", "given_up"}


class ServedModels(NamedTuple):
    """The models of some settings, and their scorers loaded here, by artefact."""

    catalogue: Catalogue
    scorers: dict[str, Scorer]

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Load them."""
        store = open_store(settings)
        catalogue = build_catalogue(settings, store)
        return cls(catalogue, {artefact: store.load(artefact) for artefact in catalogue.artefacts()})


class Audit(msgspec.Struct):
    """What is wrong after a run; all zero where nothing is.

    Attributes:
        events: Events in the source's file.
        scored_events: Of these, events that are to be scored.
        not_taken: Events of the file that are not in the log.
        taken_twice: Events that are in the log more often than in the file.
        not_consumed: Events in the log beyond the committed offsets.
        without_outcome: Events to be scored with neither a score nor a recorded error in the tables.
        without_output: (event, model) pairs whose output event is missing.
        unasked_outputs: Ids of output events that belong to no such pair.
        duplicate_outputs: Output events that share their id with another; on Kafka, where repetitions are
            allowed, only those that differ from it.
        without_letter: Undecodable events with no dead letter, or with several.
        table_differs_from_changelog: Keys whose row is not the newest in the changelog.
        overwritten: Keys whose last record in the changelog says less than one before it: a worker that had
            lost its partition wrote over its follower, and compaction would make that final.
        table_differs_from_source: Revisions whose stored outcome is not what scoring them again gives, or
            pages whose row is not that of their latest scored revision.
        given_up: Of the events to be scored, those whose wiki did not answer for as long as a worker asks.
    """

    events: int = 0
    scored_events: int = 0
    not_taken: int = 0
    taken_twice: int = 0
    not_consumed: int = 0
    without_outcome: int = 0
    without_output: int = 0
    unasked_outputs: int = 0
    duplicate_outputs: int = 0
    without_letter: int = 0
    table_differs_from_changelog: int = 0
    overwritten: int = 0
    table_differs_from_source: int = 0
    given_up: int = 0

    @property
    def faults(self) -> int:
        """How much is wrong."""
        counts = msgspec.structs.asdict(self)
        return sum(number for name, number in counts.items() if name not in _NO_FAULTS)


class _OutputMeta(msgspec.Struct):
    id: str


class _Output(msgspec.Struct):
    meta: _OutputMeta


def records(log: Log, topic: str) -> Iterator[tuple[int, LogRecord]]:
    """Yield partition and record of a whole topic."""
    for partition in range(log.partitions(topic) or 0):
        position = log.start(topic, partition)
        while found := log.read(topic, partition, position, limit=1000):
            for record in found:
                yield partition, record
            position = found[-1].offset + 1


def taken(log: Log) -> int:
    """Return how many source events were ever taken into the log."""
    log.refresh()
    return sum(log.end(PAGE_CHANGE_TOPIC, number) for number in range(log.partitions(PAGE_CHANGE_TOPIC) or 0))


def backlog(log: Log, group_id: str) -> int:
    """Return how many events are taken, or put off, and not committed, by any process."""
    log.refresh()
    return sum(uncommitted(log, topic, group_id) for topic in log.topics() if is_source(topic, group_id))


def is_source(topic: str, group_id: str) -> bool:
    """Tell whether a group consumes a topic: the page changes, or those that it put off."""
    return topic == PAGE_CHANGE_TOPIC or topic.startswith(f"{group_id}.retry.")


def table_rows(data_dir: Path, table: str) -> dict[bytes, bytes]:
    """Return all rows of a table of a stopped worker."""
    rows: dict[bytes, bytes] = {}
    for path in sorted((data_dir / "worker").glob(f"v*/tables/{table}-*.db")):
        db = Rdict(str(path), options=Options(raw_mode=True), access_type=AccessType.read_only())
        rows.update(
            (key, row)
            for key, row in db.items()
            if isinstance(key, bytes) and key != _OFFSET_KEY and not key.startswith(b"\0")  # the index
        )
        db.close()
    return rows


def newest_of_changelog(log: Log, topic: str) -> dict[bytes, bytes]:
    """Return what a table rebuilt from its changelog holds."""
    rows: dict[bytes, bytes] = {}
    for _, record in records(log, topic):
        if record.key is None:
            continue
        if record.value is None:
            rows.pop(record.key, None)
        else:
            rows[record.key] = record.value
    return rows


def merged_changelog(log: Log, topic: str, table: str) -> dict[bytes, bytes]:
    """Return what the records of a table's changelog come to, in whatever order workers wrote them."""
    merged: dict[bytes, PredictionRow] = {}
    for _, record in records(log, topic):
        if record.key is not None and record.value is not None:
            row = decode_row(record.value)
            held = merged.get(record.key)
            merged[record.key] = row if held is None else MERGES[table](held, row)
    return {key: encode_row(row) for key, row in merged.items()}


async def audit(
    *,
    data_dir: Path,
    app_id: str,
    lines: list[bytes],
    models: ServedModels,
    content: RevisionSource,
    is_at_least_once: bool = False,
    give_up_seconds: float | None = None,
) -> Audit:
    """Compare tables, changelogs, outputs and offsets of a stopped worker with its source.

    Args:
        data_dir: Of the worker.
        app_id: Of the worker.
        lines: The events fed to it.
        models: Those it served.
        content: Gives the texts that it took, and fails as they did. Closed in the end.
        is_at_least_once: Whether outputs may be repeated, and the tables lie with several workers: those
            that a changelog gives stand for them.
        give_up_seconds: A wiki that did not answer for so long after an event is a failure to be recorded;
            never if None.
    """
    log = Log(data_dir / "log.db")
    try:
        auditor = _Auditor(
            log=log,
            data_dir=data_dir,
            app_id=app_id,
            models=models,
            content=content,
            is_at_least_once=is_at_least_once,
            give_up_seconds=give_up_seconds,
        )
        return await auditor.run(lines)
    finally:
        await content.close()
        log.close()


class _Auditor:
    def __init__(
        self,
        *,
        log: Log,
        data_dir: Path,
        app_id: str,
        models: ServedModels,
        content: RevisionSource,
        is_at_least_once: bool,
        give_up_seconds: float | None,
    ) -> None:
        self._log = log
        self._app_id = app_id
        self._data_dir = data_dir
        self._catalogue, self._scorers = models
        self._content = content
        self._is_at_least_once = is_at_least_once
        self._give_up_seconds = give_up_seconds
        self._taken_at: dict[str, float] = {}
        self._found = Audit()

    async def run(self, lines: list[bytes]) -> Audit:
        found = self._found
        found.events = len(lines)
        given = Counter(lines)
        source = [record for _, record in records(self._log, PAGE_CHANGE_TOPIC)]
        taken = Counter(record.value or b"" for record in source)
        self._taken_at = self._times(source)
        erased = _erased(lines)
        found.not_taken = (given - taken - Counter(line for line in lines if line in erased)).total()
        found.taken_twice = (taken - given).total()
        found.not_consumed = backlog(self._log, self._app_id)
        wanted, letters = self._wanted(lines)
        self._check_letters(letters, len([line for line in letters if line in erased]))
        self._check_outputs(wanted, self._wanted([line for line in lines if line not in erased])[0])
        found.scored_events = len(wanted)
        changelogs = {
            name: newest_of_changelog(self._log, f"{self._app_id}-{name}-changelog")
            for name in (REVISIONS_TABLE, PAGES_TABLE)
        }
        if self._is_at_least_once:
            last, changelogs = changelogs, {name: self._merged_changelog(name) for name in changelogs}
            found.overwritten = sum(
                not _says_as_much(last[name].get(key), row)
                for name, rows in changelogs.items()
                for key, row in rows.items()
            )
            tables = changelogs
        else:
            tables = {name: table_rows(self._data_dir, name) for name in changelogs}
        for name, changelog in changelogs.items():
            rows = tables[name]
            found.table_differs_from_changelog += sum(
                rows.get(key) != changelog.get(key) for key in rows.keys() | changelog.keys()
            )
        await self._check_rows(wanted, tables)
        return found

    def _times(self, source: list[LogRecord]) -> dict[str, float]:
        """Return when each event was taken, in Unix seconds; the latest of several."""
        times: dict[str, float] = {}
        for record in source:
            with contextlib.suppress(EventError):
                change = decode_event(record.value or b"")
                if isinstance(change, PageChange):
                    times[change.event_id] = record.timestamp_ms / 1000
        return times

    def _merged_changelog(self, table: str) -> dict[bytes, bytes]:
        return merged_changelog(self._log, f"{self._app_id}-{table}-changelog", table)

    def _wanted(self, lines: list[bytes]) -> tuple[list[tuple[PageChange, ScoreWith]], list[bytes]]:
        wanted, letters = [], list[bytes]()
        for line in lines:
            try:
                change = decode_event(line)
            except EventError:
                letters.append(line)
                continue
            decision = decide(change, self._catalogue)
            if isinstance(decision, ScoreWith) and isinstance(change, PageChange):
                wanted.append((change, decision))
        return wanted, letters

    def _check_letters(self, expected: list[bytes], erased: int) -> None:
        offsets = Counter(record.key for _, record in records(self._log, DEAD_LETTER_TOPIC))
        repeated = 0 if self._is_at_least_once else offsets.total() - len(offsets)
        missing = len(expected) - len(offsets)
        self._found.without_letter = max(missing - erased, -missing, 0) + repeated

    def _check_outputs(
        self, wanted: list[tuple[PageChange, ScoreWith]], kept: list[tuple[PageChange, ScoreWith]]
    ) -> None:
        for model_name in {name for _, decision in wanted for name in decision.models}:
            values = [record.value or b"" for _, record in records(self._log, STREAM_PREFIX + model_name)]
            if self._is_at_least_once:
                values = list(set(values))
            ids = Counter(msgspec.json.decode(value, type=_Output).meta.id for value in values)
            expected, needed = (
                {
                    _output_id(change, decision.models[model_name].id)
                    for change, decision in changes
                    if model_name in decision.models
                }
                for changes in (wanted, kept)
            )
            self._found.duplicate_outputs += ids.total() - len(ids)
            self._found.without_output += len(needed - ids.keys())
            self._found.unasked_outputs += len(ids.keys() - expected)

    async def _check_rows(
        self, wanted: list[tuple[PageChange, ScoreWith]], tables: dict[str, dict[bytes, bytes]]
    ) -> None:
        latest: dict[tuple[str, int], PredictionRow] = {}
        async for change, decision, content in self._with_content(wanted):
            held = tables[REVISIONS_TABLE].get(row_key(change.wiki_id, change.revision.rev_id))
            if held is None:
                self._found.without_outcome += 1
                continue
            row = decode_row(held)
            if row.withdrawal is not None and row.withdrawal.erased_dt is not None:
                continue
            if self._is_given_up(change, row):
                self._found.given_up += 1
            elif not self._is_as_scored_again(decision, row, content):
                self._found.table_differs_from_source += 1
            page = (change.wiki_id, change.page.page_id)
            before = latest.get(page)
            if before is None or (row.rev_dt, row.rev_id) >= (before.rev_dt, before.rev_id):
                latest[page] = row
        for (wiki_id, page_id), row in latest.items():
            held = tables[PAGES_TABLE].get(row_key(wiki_id, page_id))
            # Whether a page is withdrawn is not a matter of its scores; a bare row has nothing but that.
            self._found.table_differs_from_source += held is None or (
                replace(decode_row(held), withdrawal=None) != replace(row, withdrawal=None)
            )

    def _is_given_up(self, change: PageChange, row: PredictionRow) -> bool:
        """Tell whether a failure is recorded because a worker has asked the wiki for long enough."""
        return self._give_up_seconds is not None and any(
            isinstance(score.outcome, ScoreFailure)
            and score.outcome.code == ContentUnavailable.code
            and score.provenance.scored_dt.timestamp() - self._taken_at[change.event_id]
            >= self._give_up_seconds
            for score in row.scores
        )

    async def _with_content(
        self, wanted: list[tuple[PageChange, ScoreWith]]
    ) -> AsyncIterator[tuple[PageChange, ScoreWith, Revision | ContentError]]:
        for start in range(0, len(wanted), _FETCHED_AT_ONCE):
            part = wanted[start : start + _FETCHED_AT_ONCE]
            contents = await asyncio.gather(*(self._fetched(change) for change, _ in part))
            for (change, decision), content in zip(part, contents, strict=True):
                yield change, decision, content

    async def _fetched(self, change: PageChange) -> Revision | ContentError:
        revision = change.revision
        request = RevisionRequest(change.wiki_id, revision.rev_id, revision.rev_parent_id, change.domain)
        try:
            return await self._content.get(request)
        except ContentError as error:
            return error

    def _is_as_scored_again(
        self, decision: ScoreWith, row: PredictionRow, content: Revision | ContentError
    ) -> bool:
        stored = {score.model: score for score in row.scores}
        expected = self._score_again(decision, row, content)
        return set(stored) == set(expected) and all(
            _same(stored[model], outcome) for model, outcome in expected.items()
        )

    def _score_again(
        self, decision: ScoreWith, row: PredictionRow, content: Revision | ContentError
    ) -> dict[ModelId, Score | ScoreFailure]:
        models = list(decision.models.values())
        if isinstance(content, Revision):
            return self._outcomes(models, content)
        failure = ScoreFailure(content.code, content.message)
        failed = {info.id: failure for info in models if info.reads_content}
        request = RevisionRequest(row.wiki_id, row.rev_id, None)
        others = [info for info in models if not info.reads_content]
        return failed | self._outcomes(others, without_content(request))

    def _outcomes(
        self, models: Sequence[ModelInfo], revision: Revision
    ) -> dict[ModelId, Score | ScoreFailure]:
        scored = score_revision([self._scorers[info.artefact] for info in models], revision)
        return {info.id: one.outcome for info, one in zip(models, scored, strict=True)}


def _erased(lines: list[bytes]) -> set[bytes]:
    """Return the lines of which the embedded log may hold nothing any more: they tell what was suppressed."""
    erased: set[bytes] = set()
    for number, line in enumerate(lines):
        try:
            change = decode_event(line)
        except EventError:
            continue
        if not isinstance(change, PageChange) or not change.is_suppression:
            continue
        is_page = change.page_change_kind is PageChangeKind.DELETE
        rev_ids = (change.revision.rev_id,)
        erasure = Erasure(change.wiki_id, change.page.page_id, is_page, rev_ids, "", 0, number)
        erased.update(
            each
            for each in lines
            if is_trace(LogRecord(0, 0, peek_key(each), each, None), erasure, is_keyed=bool(peek_key(each)))
        )
    return erased


def _output_id(change: PageChange, model: ModelId) -> str:
    # The id does not depend on what the model says.
    return revision_score_event(change, [ScoredModel(model, ScoreFailure("none", "none"))]).event_id


def _says_as_much(last: bytes | None, row: bytes) -> bool:
    """Tell whether a row says what another does, whenever and out of which record that was scored."""
    return last is not None and _said(decode_row(last)) == _said(decode_row(row))


def _said(row: PredictionRow) -> PredictionRow:
    bare = Provenance("", "", 0, 0, row.rev_dt, row.rev_dt)
    return replace(row, scores=tuple(replace(score, provenance=bare) for score in row.scores))


def _same(stored: StoredScore, outcome: Score | ScoreFailure) -> bool:
    if isinstance(outcome, ScoreFailure):
        return isinstance(stored.outcome, ScoreFailure) and stored.outcome.code == outcome.code
    return stored.outcome == outcome
