"""Reads what workers left behind, and compares it with what their source asks for."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec.structs import replace
from rocksdict import AccessType, Options, Rdict

from agents.decide import ScoreWith, decide
from agents.embedded.erasure import is_trace
from agents.embedded.house import backlog as uncommitted
from agents.embedded.log import Log, LogRecord
from batch.local_source import DumpRevisionSource
from models.scoring import Scorer, score_revision
from schemas.catalogue import Catalogue
from schemas.decode import decode_event, peek_key
from schemas.erasure import Erasure
from schemas.errors import ContentError, EventError
from schemas.keys import DEAD_LETTER_TOPIC, PAGE_CHANGE_TOPIC, PAGES_TABLE, REVISIONS_TABLE, row_key
from schemas.page_change import PageChange, PageChangeKind
from schemas.prediction import ModelId, PredictionRow, Score, ScoredModel, ScoreFailure, StoredScore
from schemas.revision import RevisionRequest
from schemas.revision_score import STREAM_PREFIX, revision_score_event
from tables.codec import decode_row

_OFFSET_KEY = b"__faust\0offset__"


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
        table_differs_from_source: Revisions whose stored outcome is not what scoring them again gives, or
            pages whose row is not that of their latest scored revision.
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
    table_differs_from_source: int = 0

    @property
    def faults(self) -> int:
        """How much is wrong."""
        counts = msgspec.structs.asdict(self)
        return sum(number for name, number in counts.items() if name not in {"events", "scored_events"})


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
    """Return how many events are taken and not committed, by any process."""
    log.refresh()
    return uncommitted(log, PAGE_CHANGE_TOPIC, group_id)


def table_rows(data_dir: Path, table: str) -> dict[bytes, bytes]:
    """Return all rows of a table of a stopped worker."""
    rows: dict[bytes, bytes] = {}
    for path in sorted((data_dir / "worker").glob(f"v*/tables/{table}-*.db")):
        db = Rdict(str(path), options=Options(raw_mode=True), access_type=AccessType.read_only())
        rows.update((key, row) for key, row in db.items() if isinstance(key, bytes) and key != _OFFSET_KEY)
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


async def audit(
    *,
    data_dir: Path,
    app_id: str,
    lines: list[bytes],
    catalogue: Catalogue,
    scorers: dict[str, Scorer],
    dump: Path,
    scratch: Path,
    is_at_least_once: bool = False,
) -> Audit:
    """Compare tables, changelogs, outputs and offsets of a stopped worker with its source.

    Args:
        data_dir: Of the worker.
        app_id: Of the worker.
        lines: The events fed to it.
        catalogue: The models it served.
        scorers: The same models, loaded here, by artefact.
        dump: Where it took texts from.
        scratch: For an index of the dump of our own.
        is_at_least_once: Whether outputs may be repeated, and the tables lie with several workers: those
            that a changelog gives stand for them.
    """
    log = Log(data_dir / "log.db")
    try:
        auditor = _Auditor(
            log=log,
            data_dir=data_dir,
            app_id=app_id,
            catalogue=catalogue,
            scorers=scorers,
            content=DumpRevisionSource(dump, cache_dir=scratch),
            is_at_least_once=is_at_least_once,
        )
        return await auditor.run(lines)
    finally:
        log.close()


class _Auditor:
    def __init__(
        self,
        *,
        log: Log,
        data_dir: Path,
        app_id: str,
        catalogue: Catalogue,
        scorers: dict[str, Scorer],
        content: DumpRevisionSource,
        is_at_least_once: bool,
    ) -> None:
        self._log = log
        self._app_id = app_id
        self._data_dir = data_dir
        self._catalogue = catalogue
        self._scorers = scorers
        self._content = content
        self._is_at_least_once = is_at_least_once
        self._found = Audit()

    async def run(self, lines: list[bytes]) -> Audit:
        found = self._found
        found.events = len(lines)
        given = Counter(lines)
        taken = Counter(record.value or b"" for _, record in records(self._log, PAGE_CHANGE_TOPIC))
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
        tables = changelogs
        if not self._is_at_least_once:
            tables = {name: table_rows(self._data_dir, name) for name in changelogs}
        for name, changelog in changelogs.items():
            rows = tables[name]
            found.table_differs_from_changelog += sum(
                rows.get(key) != changelog.get(key) for key in rows.keys() | changelog.keys()
            )
        await self._check_rows(wanted, tables)
        await self._content.close()
        return found

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
        for change, decision in wanted:
            held = tables[REVISIONS_TABLE].get(row_key(change.wiki_id, change.revision.rev_id))
            if held is None:
                self._found.without_outcome += 1
                continue
            row = decode_row(held)
            if row.withdrawal is not None and row.withdrawal.erased_dt is not None:
                continue
            self._found.table_differs_from_source += not await self._is_as_scored_again(change, decision, row)
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

    async def _is_as_scored_again(self, change: PageChange, decision: ScoreWith, row: PredictionRow) -> bool:
        stored = {score.model: score for score in row.scores}
        expected = await self._score_again(change, decision)
        return set(stored) == set(expected) and all(
            _same(stored[model], outcome) for model, outcome in expected.items()
        )

    async def _score_again(
        self, change: PageChange, decision: ScoreWith
    ) -> dict[ModelId, Score | ScoreFailure]:
        models = list(decision.models.values())
        request = RevisionRequest(change.wiki_id, change.revision.rev_id, change.revision.rev_parent_id)
        try:
            revision = await self._content.get(request)
        except ContentError as error:
            return {info.id: ScoreFailure(error.code, error.message) for info in models}
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


def _same(stored: StoredScore, outcome: Score | ScoreFailure) -> bool:
    if isinstance(outcome, ScoreFailure):
        return isinstance(stored.outcome, ScoreFailure) and stored.outcome.code == outcome.code
    return stored.outcome == outcome
