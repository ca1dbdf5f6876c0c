"""The stream from decoding to outputs over a real embedded log, with texts that a test scripts."""

import contextlib
import functools
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
from faust.types import Message
from msgspec import Struct
from msgspec.structs import replace

from agents.change_scoring import ChangeScoring
from agents.circuits import Circuits
from agents.embedded.house import backlog as uncommitted
from agents.embedded.log import Log
from agents.embedded.transport import Transport
from agents.known_texts import KnownTexts
from agents.loaded_rows import LoadKeeper
from agents.on_demand_scores import OnDemandKeeper
from agents.pipeline import EventReport, Pipeline, settle_with_commit, untraced
from agents.retries import Retries, RetrySettings
from agents.retry_wait import RetryWait
from agents.rules.book import RuleBook
from agents.rules.file import parse_rules
from agents.rules.rule import Retry
from agents.scoring import RevisionScoring
from agents.told_content import ToldContent
from app.admission import Admission
from app.costs import Costs
from app.flight_watch import FlightWatch
from app.flights import Flights, FlightTimes
from app.on_demand import WorkerOnDemand
from app.on_demand_works import refuse_withdrawn_now
from app.shared_on_demand import SharedOnDemand
from app.stream_app import StreamApp
from app.windows import Windows
from models.pool import Work
from models.store import ModelStore
from models.trail import Trail
from models.work import load_work
from schemas.catalogue import Catalogue
from schemas.errors import PredictionWithdrawn
from schemas.keys import (
    PAGE_CHANGE_TOPIC,
    PAGE_CONTENT_CHANGE_TOPIC,
    PAGES_TABLE,
    REVISIONS_TABLE,
    row_key,
)
from schemas.prediction import PredictionRow, ScoreKind
from schemas.retry import retry_topic
from schemas.revision_score import STREAM_PREFIX
from tables.codec import decode_row
from tables.predictions import CommittingTables, Predictions, PredictionTable
from tables.reader import Freshness, PredictionReader
from tests.artefacts import write_artefact
from tests.audit import backlog, records, taken
from tests.input_events import encoded, page_change
from tests.log_events import append_events
from tests.pool_work import running
from tests.revisions import ScriptedContent
from tests.until import until

APP_ID = "pipeline"
WIKI = "mosswiki"
RETRY_TOPIC = retry_topic(APP_ID, PAGE_CHANGE_TOPIC)


class Timing(Struct, frozen=True):
    """How a pipeline repeats; short, so that a test sees the end.

    Attributes:
        retry: Of events of which no rule says more.
        give_up_seconds: As of `agents.retries.RetrySettings`.
        hold_seconds: As of `agents.retry_wait.RetryWait`.
        pause_seconds: As of `agents.circuits.Circuits`, like the next.
        failures: In a row, after which a wiki is let alone.
        content_seconds: As of `agents.change_scoring.ChangeScoring`.
    """

    retry: Retry = Retry(limit=2, delay_seconds=0.05, factor=2.0)
    give_up_seconds: float = 60.0
    hold_seconds: float = 0.5
    pause_seconds: float = 0.2
    failures: int = 5
    content_seconds: float = 20.0


QUICK = Timing()


def edit(rev_id: int, *, page_id: int = 31, **fields: Any) -> bytes:
    """Return an edit, each with an id of its own."""
    event = page_change(**fields)
    event["page"] = event["page"] | {"page_id": page_id}
    event["revision"] = event["revision"] | {"rev_id": rev_id, "rev_parent_id": rev_id - 1}
    event["meta"] = event["meta"] | {"id": f"3b1b3a52-6d0e-4a07-9a55-{rev_id:012}"}
    return encoded(event)


def told_edit(rev_id: int, text: str, *, page_id: int = 31, **fields: Any) -> bytes:
    """Return an edit whose event carries the text."""
    event = msgspec.json.decode(edit(rev_id, page_id=page_id, **fields))
    event["meta"]["stream"] = PAGE_CONTENT_CHANGE_TOPIC
    event["revision"]["content_slots"]["main"]["content_body"] = text
    return encoded(event)


class Observed:
    """Keeps what a pipeline reports."""

    def __init__(self) -> None:
        self.reports: list[EventReport] = []

    def event_handled(self, report: EventReport) -> None:
        self.reports.append(report)


class CommittedRows:
    """The rows of a pipeline as `tables.lists.IndexedRows`."""

    def __init__(self, predictions: Predictions) -> None:
        self.get = predictions.get
        self.listed = predictions.listed
        self.heads = predictions.heads
        self.floor = predictions.floor
        self.arrived = predictions.arrived
        self.get_many = predictions.get_many
        self.hidden_among = predictions.hidden_among

    def freshness(self) -> Freshness:
        return Freshness(True, (), None)


class RunningPipeline:
    """A pipeline under way: give it events, then look at what it kept and sent."""

    def __init__(
        self, app: StreamApp, predictions: Predictions, content: ScriptedContent, circuits: Circuits
    ) -> None:
        self.app = app
        self.circuits = circuits
        self.predictions = predictions
        self.content = content
        self.texts = KnownTexts(1 << 20)
        self.on_demand: SharedOnDemand
        self.keeper: OnDemandKeeper
        self.loads = LoadKeeper(app, predictions, settle=settle_with_commit)
        self.flights: Flights
        self.watch = FlightWatch()
        self.observed = Observed()
        self.log: Log = cast(Transport, app.transport).log

    def give(self, *events: bytes) -> None:
        """Put events into the log."""
        append_events(self.log, events, partitions=1)

    @property
    def taken(self) -> int:
        return taken(self.log)

    def is_recovered(self) -> bool:
        """Tell whether the first recovery has ended and events flow."""
        return bool(cast(Any, self.app.tables).recovery.completed.is_set())

    async def until_done(self) -> None:
        """Wait until all events are handled and committed, those that were put off as well."""
        await until(lambda: backlog(self.log, APP_ID) + self.put_off == 0, 20)
        # The tables come a moment after the log.
        await cast(Any, self.app.consumer).maybe_wait_for_commit_to_finish()

    @property
    def put_off(self) -> int:
        """How many events lie in the retry topic and are not committed."""
        return uncommitted(self.log, RETRY_TOPIC, APP_ID)

    @property
    def outcomes(self) -> list[str]:
        return [report.outcome for report in self.observed.reports]

    def row(self, rev_id: int, *, wiki_id: str = WIKI) -> PredictionRow | None:
        """Return the committed row of a revision."""
        found = self.predictions.get(REVISIONS_TABLE, row_key(wiki_id, rev_id))
        return None if found is None else decode_row(found)

    def page(self, page_id: int = 31, *, wiki_id: str = WIKI) -> PredictionRow | None:
        """Return the committed row of a page."""
        found = self.predictions.get(PAGES_TABLE, row_key(wiki_id, page_id))
        return None if found is None else decode_row(found)

    @property
    def reader(self) -> PredictionReader:
        """Return what look-ups ask."""
        return PredictionReader(CommittedRows(self.predictions))

    def withdrawn(self, rev_id: int) -> str | None:
        """Return what withdraws a revision, ``page`` or ``revision``; None where it is shown."""
        row = self.row(rev_id)
        assert row is not None
        hidden = self.reader.hidden_pages(WIKI, np.array([row.page_id]))
        try:
            assert self.reader.revision(WIKI, rev_id) is not None
        except PredictionWithdrawn as error:
            what = str(error.fields["withdrawn"])
            assert bool(hidden) is (what == "page")
            return what
        assert not hidden
        return None

    def sent(self, topic: str = f"{STREAM_PREFIX}moss") -> list[Any]:
        """Return the events of a topic."""
        return [msgspec.json.decode(record.value or b"") for _, record in records(self.log, topic)]


@contextlib.asynccontextmanager
async def pipeline(
    folder: Path,
    *,
    rules: str = "",
    places_topic: str | None = None,
    timing: Timing = QUICK,
    make_work: Callable[[], Work] | None = None,
    attempts: int = 2,
    most_seconds: float = 10.0,
    begin_trail: Callable[[Message], Trail] = untraced,
) -> AsyncIterator[RunningPipeline]:
    """Run a pipeline with one model which reads texts, ``moss``, and one which does not, ``revid``.

    On the wiki ``fernwiki`` there is ``fern``, for which the text alone counts, and ``moss``; on the wiki
    ``topicwiki`` a ``moss`` that passes for a model of topics.

    Args:
        folder: For its files.
        rules: A rule file; none where empty.
        places_topic: Where to tell the partitions of rows.
        timing: How it repeats.
        make_work: Scores in place of the model.
        attempts: Tries of a revision whose scoring process dies.
        most_seconds: Of on-demand work that may wait.
        begin_trail: Begins a trace with each record.
    """
    write_artefact(folder / "models", "tiny")
    inline = ModelStore([folder / "models"]).load("tiny")
    infos = {
        name: replace(inline.info, id=replace(inline.info.id, model_name=name), reads_content=name == "moss")
        for name in ("moss", "revid")
    }
    fern = replace(infos["moss"], id=replace(infos["moss"].id, model_name="fern"), reads_text_alone=True)
    app = StreamApp(
        APP_ID,
        broker=f"embedded://{folder}/log.db",
        store="committed://",
        datadir=str(folder / "data"),
        Table=PredictionTable,
        TableManager=CommittingTables,
        broker_commit_interval=0.05,
        topic_partitions=1,
        topic_disable_leader=True,
        table_standby_replicas=0,
        stream_recovery_delay=0.0,
        stream_wait_empty=False,
        stream_buffer_maxsize=512,
        web_enabled=False,
        consumer_auto_offset_reset="earliest",
    )
    content = ScriptedContent()
    circuits = Circuits(pause_seconds=timing.pause_seconds, failures=timing.failures)
    predictions = Predictions(app, partitions=1, places_topic=places_topic)
    under_way = RunningPipeline(app, predictions, content, circuits)
    retries = Retries(app, RetrySettings(APP_ID, timing.retry, timing.give_up_seconds), circuits)
    make_work = make_work or functools.partial(load_work, (folder / "models",), ("tiny",))
    async with running(make_work, attempts=attempts) as pool:
        models = Catalogue(
            {
                WIKI: {"moss": infos["moss"]},
                "plainwiki": infos,
                "fernwiki": {"fern": fern, "moss": infos["moss"]},
                "topicwiki": {"moss": replace(infos["moss"], kind=ScoreKind.MULTILABEL)},
            }
        )
        scoring = RevisionScoring(
            ToldContent(content, under_way.texts), pool, {"tiny": inline}, max_text_bytes=1000
        )
        _score_on_demand(under_way, scoring, models, most_seconds)
        whole = Pipeline(
            app,
            catalogue=models,
            rules=RuleBook(parse_rules(rules, "rules.yaml", timing.retry), models) if rules else None,
            scoring=ChangeScoring(
                scoring,
                circuits,
                content_wait_seconds=timing.content_seconds,
            ),
            texts=under_way.texts,
            predictions=under_way.predictions,
            settle=settle_with_commit,
            retries=retries,
            observer=under_way.observed,
            erases=True,
            heed=under_way.flights.heed,
            begin_trail=begin_trail,
        )
        wait = RetryWait(
            retries,
            circuits,
            settle=settle_with_commit,
            is_over=whole.is_over,
            hold_seconds=timing.hold_seconds,
        )
        async with _started(app, whole, wait, under_way):
            yield under_way
            await under_way.flights.close()


def _score_on_demand(
    under_way: RunningPipeline, scoring: RevisionScoring, models: Catalogue, most_seconds: float
) -> None:
    admission, costs = Admission(processes=1, most_seconds=most_seconds), Costs()
    predictions = under_way.predictions
    under_way.keeper = OnDemandKeeper(under_way.app, predictions, settle=settle_with_commit, erases=True)
    under_way.flights = Flights(
        scoring,
        admission=admission,
        costs=costs,
        keeper=under_way.keeper,
        refuse_withdrawn=partial(refuse_withdrawn_now, predictions),
        times=FlightTimes(content_seconds=20.0, kept_seconds=0.5, missing_seconds=10.0, gather_seconds=0.05),
        watch=under_way.watch,
    )
    under_way.on_demand = SharedOnDemand(
        WorkerOnDemand(scoring, models),
        under_way.flights,
        models,
        admission=admission,
        costs=costs,
        is_let_alone=under_way.circuits.is_open,
    )


@contextlib.asynccontextmanager
async def _started(
    app: StreamApp, whole: Pipeline, wait: RetryWait, under_way: RunningPipeline
) -> AsyncIterator[None]:
    windows = Windows(
        app,
        whole,
        wait,
        source_topics=(PAGE_CHANGE_TOPIC,),
        partitions=1,
        size=8,
        retry_size=8,
        ready=_nothing,
        keeper=under_way.keeper,
        loads=under_way.loads,
    )

    async def drain() -> None:
        await windows.close(drain_seconds=2)

    app.before_recovery = app.after_stop = _nothing
    app.before_stop = drain
    await app.start()
    try:
        yield
    finally:
        await app.stop()
        cast(Transport, app.transport).log.close()


async def _nothing() -> None:
    pass


async def next_generation(app: StreamApp) -> None:
    """Give all partitions back and take them again, as a rebalance does."""
    before = app.consumer_generation_id
    await app.consumer.subscribe(set(cast(Any, app.topics)._topic_name_index))
    await until(lambda: app.consumer_generation_id > before, 20)
