"""The worker: one Faust app with its scorers, tables and read API, composed from the settings."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Final, cast

import structlog
from msgspec.structs import replace

from agents.change_scoring import ChangeScoring
from agents.circuits import Circuits
from agents.content import RevisionSource
from agents.homes import Homes
from agents.kafka import existing_topics
from agents.known_texts import KnownTexts
from agents.loaded_rows import LoadKeeper
from agents.pipeline import Pipeline, Settle, settle_by_delivery, settle_with_commit, untraced
from agents.retries import Retries, RetrySettings
from agents.retry_wait import RetryWait
from agents.scoring import RevisionScoring
from agents.told_content import ToldContent
from app.api.asgi import create_api
from app.api.clients import LimitedOnDemand
from app.api.current import CurrentApi
from app.api.intake import IntakeAccess
from app.api.server import bind, run_server
from app.client_classes import open_clients
from app.cluster.member import Member, embedded_address
from app.cluster.metrics import ClusterMetrics, ClusterStatus
from app.cluster.sharing import Sharing, owned_progress, places_topic
from app.configuration import Configuration, read_configuration
from app.content import open_content
from app.data_dir import locked_data_dir
from app.dead_letters import LoggedDeadLetters
from app.direct import WorkerDirectScoring
from app.embedded import EmbeddedEngine
from app.feed import Feed
from app.feed_metrics import FeedMetrics
from app.flight_watch import FlightWatch
from app.in_place import InPlace, inherited_listener
from app.intake import WorkerIntake, intake_access
from app.kafka_access import kafka_access
from app.kafka_topics import choose_topics, declare, prepare_reload
from app.load_metrics import LoadMetrics
from app.loads import WorkerLoads
from app.logging import event_logger
from app.metrics import Metrics
from app.model_monitor import ModelMonitor, Observers
from app.observer import StreamObserver
from app.on_demand_metrics import OnDemandMetrics, OnDemandStatus
from app.on_demand_works import OnDemandWorks
from app.pages.wiki_links import links_of
from app.pool_metrics import PoolMetrics
from app.reload_metrics import ReloadMetrics
from app.reloads import Reloads
from app.rules import output_streams, usual_retry
from app.scorers import Scorers
from app.settings import Settings
from app.source import open_settings_source
from app.stream_app import PromptTables
from app.stream_config import stream_app
from app.stream_metrics import StreamMetrics
from app.table_filling import TableFilling
from app.table_metrics import TableMetrics
from app.take_over import TakeOver
from app.text_metrics import TextMetrics
from app.tracing import TracedFlights, open_tracing
from app.wiki_metrics import WikiMetrics
from app.windows import Windows
from schemas.errors import RevstreamError
from schemas.keys import PAGE_CHANGE_TOPIC
from tables.predictions import Predictions
from tables.reader import Freshness, PredictionReader, Progress

# So long a process that began anew lets clients wait, rather than say that it is not ready.
_WHOLE_SECONDS: Final = 30.0
_WHOLE_POLL_SECONDS: Final = 0.02

_log = structlog.get_logger("revstream.worker")


class WorkerRows:
    """The worker's own tables as a `tables.reader.RowSource`."""

    def __init__(self, predictions: Predictions) -> None:
        self.get = predictions.get
        self.listed = predictions.listed
        self.heads = predictions.heads
        self.floor = predictions.floor
        self.arrived = predictions.arrived
        self.get_many = predictions.get_many
        self.hidden_among = predictions.hidden_among
        self._predictions = predictions
        self._was_ready = False
        self.is_recovered = False

    def freshness(self) -> Freshness:
        """Return whether the tables were complete once, and are open still."""
        self._was_ready = self._was_ready or (self.is_recovered and not self._predictions.recovering)
        return Freshness(self._was_ready, () if self._was_ready else ("recovering",), None)


class Worker:
    """Everything in one worker process.

    Args:
        settings: Of the process.
        scorers: Of the same settings; their processes may load already. The worker stops them.
        takes_source: Whether to feed the embedded log from ``settings.source``.

    Raises:
        RevstreamError: A setting or the address cannot be used.
    """

    _began_anew = False
    _feeding: asyncio.Task[None] | None = None

    def __init__(self, settings: Settings, scorers: Scorers, *, takes_source: bool) -> None:
        self.settings = settings
        self.scorers = scorers
        self.catalogue = scorers.catalogue
        self._source = open_settings_source(settings) if takes_source else None
        self._serving: asyncio.Task[None] | None = None
        self._working: list[asyncio.Task[None]] = []
        self._is_stopping = False
        self.metrics = Metrics()
        self._tracing = open_tracing(settings)
        self._held = contextlib.ExitStack()
        self._listener: socket.socket | None = None
        self._api_parting, self._api_stop = asyncio.Event(), asyncio.Event()
        self._access = kafka_access(settings)
        self.app = stream_app(settings, self._access)
        self.app.before_recovery = self._start
        self.app.before_stop = self._drain
        self.app.after_stop = self._stop
        places = None if settings.is_embedded else places_topic(settings.app_id)
        self.predictions = Predictions(self.app, partitions=settings.partitions, places_topic=places)
        self.rows = WorkerRows(self.predictions)
        self.reader = PredictionReader(self.rows)
        self.feed = self._open_feed()
        self.sharing: Sharing | None = None
        if not settings.is_embedded:
            self.sharing = Sharing(settings, self.app, self.predictions, self.reader)
        self._fill_tables()
        wiki_queries = WikiMetrics()
        self._content = open_content(settings, observe=wiki_queries.observe)
        self.scoring = self._scoring(self._content)
        self.texts = KnownTexts(settings.content_cache_mb << 20)
        self.observer = StreamObserver(
            self.metrics.registry,
            screen=sys.stdout if takes_source else None,
            log=event_logger(settings.log_level, settings.log_format),
            # On a terminal the scores themselves are shown.
            logs_events=not (takes_source and sys.stderr.isatty()),
        )
        self.monitor = ModelMonitor(self.catalogue)
        for collector in (
            PoolMetrics(scorers.pool.status),
            TableMetrics(self.predictions.file_status),
            TextMetrics(self.texts.status),
            ClusterMetrics(self._partitions if self.sharing is None else self.sharing.status),
            wiki_queries,
            self.monitor,
        ):
            self.metrics.registry.register(collector)
        configuration = read_configuration(settings, self.catalogue)
        self.rules = configuration.book()
        settle = settle_with_commit if settings.is_embedded else settle_by_delivery
        self.circuits = Circuits(pause_seconds=settings.wiki_pause_seconds)
        self.on_demand = self._open_on_demand(settle)
        self.member = Member(self.on_demand.on_demand, self.catalogue, self.sharing)
        self.clients = open_clients(settings)
        self.metrics.registry.register(OnDemandMetrics(self._on_demand_status))
        retries = Retries(
            self.app,
            RetrySettings(settings.app_id, usual_retry(settings), settings.retry_give_up_seconds),
            self.circuits,
        )
        self.pipeline = Pipeline(
            self.app,
            catalogue=self.catalogue,
            # On demand nothing is kept: no withdrawal comes between one page's requests in their order.
            scoring=ChangeScoring(
                self._scoring(ToldContent(self._content, self.texts)),
                self.circuits,
                content_wait_seconds=settings.content_wait_seconds,
            ),
            texts=self.texts,
            predictions=self.predictions,
            settle=settle,
            retries=retries,
            rules=self.rules,
            observer=Observers(self.observer, self.monitor, *filter(None, (self._tracing,))),
            erases=settings.is_embedded,
            heed=self.on_demand.heed,
            begin_trail=untraced if self._tracing is None else self._tracing.begin_event,
        )
        self.reloads = self._open_reloads(configuration)
        self._intake = self._open_intake(settle)
        self.windows = Windows(
            self.app,
            self.pipeline,
            RetryWait(retries, self.circuits, settle=settle, is_over=self.pipeline.is_over),
            source_topics=(PAGE_CHANGE_TOPIC,),
            partitions=settings.partitions,
            size=settings.window_events,
            retry_size=settings.retry_window_events,
            ready=scorers.ready,
            keeper=self.on_demand.keeper,
            loads=self.loads,
        )
        self.metrics.registry.register(StreamMetrics(lambda: self.windows.status(self.circuits.open_count)))
        self.app.on_partitions_revoked.connect(self._forget_texts)
        self.app.on_partitions_assigned.connect(self._begin_generation)
        self.app.on_rebalance_complete.connect(self._recovered)

    # Composition

    def _scoring(self, content: RevisionSource) -> RevisionScoring:
        return RevisionScoring(
            content, self.scorers.pool, self.scorers.inline, max_text_bytes=self.settings.max_text_bytes
        )

    def _open_on_demand(self, settle: Settle) -> OnDemandWorks:
        watch = FlightWatch() if self._tracing is None else TracedFlights(self._tracing)
        self.metrics.registry.register(watch)
        return OnDemandWorks(
            self.settings,
            self.app,
            scoring=self.scoring,
            catalogue=self.catalogue,
            predictions=self.predictions,
            settle=settle,
            is_let_alone=self.circuits.is_open,
            watch=watch,
        )

    def _open_intake(self, settle: Settle) -> IntakeAccess:
        settings = self.settings

        def not_ready() -> list[str]:
            return [*self._not_ready(), *self.rows.freshness().reasons]

        self._loads = WorkerLoads(
            self.app,
            partitions=settings.partitions,
            is_embedded=settings.is_embedded,
            not_ready=not_ready,
        )
        self.loads = LoadKeeper(self.app, self.predictions, settle=settle)
        self.metrics.registry.register(LoadMetrics(lambda: self.loads.counts))
        events = WorkerIntake(
            self.app,
            topic=PAGE_CHANGE_TOPIC,
            not_ready=not_ready,
            most_waiting=settings.intake_backlog_events,
        )
        return intake_access(settings, events, self._loads, self.reloads)

    def _open_reloads(self, configuration: Configuration) -> Reloads:
        self._take_over = TakeOver(
            self.scorers,
            self.pipeline,
            on_demand=self.on_demand,
            member=self.member,
            feed=self.feed,
            monitor=self.monitor,
            check=self._check_topics,
        )
        reloads = Reloads(lambda: read_configuration(self.settings), configuration, self._take_over.apply)
        self.metrics.registry.register(ReloadMetrics(reloads.status))
        return reloads

    def _open_feed(self) -> Feed:
        feed = Feed(self.rows, self.catalogue, readers_most=self.settings.feed_readers)
        self.metrics.registry.register(FeedMetrics(feed.status))
        cast(PromptTables, self.app.tables).changed = feed.changed
        return feed

    async def _begin_generation(self, *_: Any, **__: Any) -> None:
        self.windows.drop_stale()

    async def _forget_texts(self, *_: Any, **__: Any) -> None:
        # Whoever has the partitions next hears what is withdrawn of their pages, and we no longer do.
        self.texts.clear()

    async def _recovered(self, *_: Any, **__: Any) -> None:
        self.rows.is_recovered = True

    # Life

    def open(self) -> None:
        """Take the data directory and the address for this process. Idempotent.

        Raises:
            StoreLocked: Another worker holds the data directory.
            PortInUse: Another process listens on the address.
        """
        if self._listener is None:
            with contextlib.ExitStack() as held:
                held.enter_context(locked_data_dir(self.settings))
                self._listener = inherited_listener()
                self._began_anew = self._listener is not None
                self._listener = self._listener or bind(self.settings.http_host, self.settings.http_port)
                self._held = held.pop_all()

    def starts_anew(self) -> InPlace:
        """Return what has the process begin anew. To be called once, by whoever ends the process by it."""
        settings = self.settings

        def listener() -> socket.socket:
            if self._listener is None:
                raise RuntimeError("the worker is not open yet")
            return self._listener

        self._loads.in_place = InPlace(lambda: read_configuration(settings), listener)
        return self._loads.in_place

    async def _start(self) -> None:
        """Serve, load the models and take events, none of which waits for recovery."""
        self.open()
        if not self.settings.is_embedded:
            await self._prepare_topics()
        if self.sharing is not None:
            self.sharing.advertise(self.address)
            self._working.append(self._guard(self.sharing.run()))
            told = self.sharing.address
        else:
            told = embedded_address(self.settings, self.address)
        make = partial(
            create_api,
            reader=self.reader,
            on_demand=LimitedOnDemand(self.member.on_demand),
            clients=self.clients,
            readiness=self._not_ready,
            metrics=self.metrics,
            intake=self._intake,
            ores_legacy_scores=self.settings.ores_legacy_scores,
            direct=WorkerDirectScoring(
                self.scorers.pool, self._content, max_text_bytes=self.settings.max_text_bytes
            ),
            cluster=None if self.sharing is None else self.sharing.finder,
            peering=self.member.peering(told),
            feed=self.feed,
            progress=self._progress,
            cache_seconds=self.settings.cache_seconds,
            wiki_links=links_of(self.settings),
            dead_letters=LoggedDeadLetters(self.settings.log_path) if self.settings.is_embedded else None,
            health=self.monitor.health,
            tracing=self._tracing,
            logs_requests=self.settings.log_level == "debug",
        )
        api = CurrentApi(make, self.catalogue, self.rules)
        self._take_over.api = api
        settings = self.settings
        await self.scorers.begin()
        serving = run_server(
            api,
            settings.http_host,
            settings.http_port,
            stop=self._api_stop,
            parting=self._api_parting,
            listener=self._listener,
            grace_seconds=settings.shutdown_timeout_seconds,
            refused=self.metrics.refused,
        )
        self._serving = self._guard(self._once_whole(serving) if self._began_anew else serving)
        self._feeding = self._guard(self.feed.run(self._api_stop))
        self._working.append(self._guard(self.scorers.ready()))
        self._working.append(self._guard(self.loads.commit_promptly()))
        if self.settings.snapshot_folder:
            self._working.append(self._guard(self._follow_snapshots()))
        if settings.is_embedded:
            engine = EmbeddedEngine(settings, self.app, self.windows, self.predictions)
            engine.tell_address(told)
            self._working += map(self._guard, engine.upkeep())
            if self._source is not None:
                self._working.append(self._guard(engine.feed(self._source)))
        self.observer.serve_at(self.address)
        _log.info("listening", address=self.address, broker=settings.broker_url)

    async def _once_whole(self, serving: Coroutine[Any, Any, None]) -> None:
        """Serve as soon as the tables are whole: who connected meanwhile waits rather than is refused."""
        deadline = monotonic() + _WHOLE_SECONDS

        def is_over() -> bool:
            return self.rows.freshness().is_ready or self._api_stop.is_set() or monotonic() > deadline

        while not is_over():  # noqa: ASYNC110 - recovery gives no event
            await asyncio.sleep(_WHOLE_POLL_SECONDS)
        await serving

    def _fill_tables(self) -> None:
        """Have the tables filled in bulk before the rest is recovered."""
        filling = TableFilling(self.settings, self.predictions)

        async def fill() -> int:
            return await filling.fill(self.predictions.recovering, self.app.consumer)

        recovery = cast(PromptTables, self.app.tables).recovery
        recovery.fill, recovery.rows_filling = fill, lambda: filling.rows_left

    async def _follow_snapshots(self) -> None:
        # Parquet's library takes 0.3 s and 55 MB, and few workers have use for it.
        from app.score_references import ScoreReferences  # noqa: PLC0415

        references = ScoreReferences(Path(self.settings.snapshot_folder), lambda: self.monitor.catalogue)
        self.monitor.reference = references.find
        await references.keep_looking()

    async def _prepare_topics(self) -> None:
        """Choose the topics to read, and see that all that are needed are there."""
        settings, access = self.settings, self._access
        rules = None if self.rules is None else self.rules.rules
        outputs = output_streams(rules, self.catalogue)
        existing = await existing_topics(",".join(settings.kafka_addresses), access=access)
        read = choose_topics(settings, existing, rules=rules, outputs=outputs)
        self.pipeline.homes = Homes(
            self.app,
            read.moved,
            settings.partitions,
            cut_alike=read.cut_alike,
            is_one_stream=read.is_one_stream,
        )
        self.on_demand.homes = self._loads.homes = self.pipeline.homes
        self.windows.read((*read.sources, read.moved))
        await declare(
            settings,
            access,
            read,
            retries=(*self.windows.retry_topics, self.on_demand.keeper.topic, self.loads.topic),
            changelogs=self.predictions.changelog_topics.values(),
            outputs=outputs,
        )
        _log.info("reading", topics=read.sources)

    async def _check_topics(self, new: Configuration) -> None:
        if not self.settings.is_embedded:
            await prepare_reload(self.settings, self._access, self.reloads.current, new)

    def _guard(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Return a task of which any failure stops the worker."""

        async def guarded() -> None:
            try:
                await work
            except Exception as error:
                self.app.fail(error)

        return asyncio.create_task(guarded())

    async def _drain(self) -> None:
        """Stop taking events, finish those in flight, and commit them.

        1. Say that we are not ready, so that a balancer sends look-ups elsewhere.
        2. Stop the source: what it did not hand over it hands over at the next start.
        3. Finish what is in flight.
        4. Commit it while the tables are open.
        5. Answer all that came, also while the balancer learns of it: closed tables would say "not found".
        """
        self._is_stopping = True  # 1
        self._api_parting.set()
        closed_at = monotonic() + self.settings.shutdown_delay_seconds
        for task in self._working:  # 2
            task.cancel()
        has_read = await self.windows.close(drain_seconds=self.settings.shutdown_timeout_seconds)  # 3
        if has_read and not self.app.crashed:  # 4
            try:
                async with asyncio.timeout(self.settings.shutdown_timeout_seconds):
                    await self.app.consumer.commit()
            except TimeoutError:
                # What it would have told is told anew: the events come again to who reads them next.
                _log.warning("offsets_uncommitted", broker=self.settings.broker)
            except RevstreamError as error:
                self.app.failure = self.app.failure or error
        if not self.app.crashed:  # 5
            await asyncio.sleep(closed_at - monotonic())
        self._api_stop.set()
        if self._serving is not None:
            await asyncio.wait((self._serving,))

    async def _stop(self) -> None:
        self._api_stop.set()
        if self._serving is not None:
            await self._serving
        if self._feeding is not None:
            await self._feeding
        await asyncio.gather(*self._working, return_exceptions=True)
        await self.reloads.stop()
        await self._take_over.close()
        await self.on_demand.close()
        await self.scorers.stop(drain_seconds=self.settings.shutdown_timeout_seconds)
        await self._content.close()
        await self.member.close()
        if self.sharing is not None:
            await self.sharing.close()
        if self._tracing is not None:
            await self._tracing.close()
        self._held.close()

    def _not_ready(self) -> list[str]:
        reasons = []
        if self._is_stopping:
            reasons.append("stopping")
        if not self.scorers.is_ready:
            reasons.append("models_loading")
        if self.sharing is not None:
            reasons.extend(self.sharing.reasons())
        return reasons

    def _on_demand_status(self) -> OnDemandStatus:
        status = self.on_demand.status()
        return replace(status, refused={**status.refused, **self.clients.refused})

    def _partitions(self) -> ClusterStatus:
        recovering = self.predictions.recovering
        left = sum(one.rows_left or 0 for one in self._progress())
        owned = len(self.predictions.held - recovering)
        return ClusterStatus({"owned": owned, "recovering": len(recovering)}, {"owner": left})

    def _progress(self) -> list[Progress]:
        if self.sharing is not None:
            return self.sharing.progress()
        return list(owned_progress(self.app, self.predictions))

    @property
    def address(self) -> str:
        """The address of the read API, ``http://127.0.0.1:8090``; known once `open` was called."""
        if self._listener is None:
            raise RuntimeError("the worker is not open yet")
        host, port = self._listener.getsockname()[:2]
        shown = f"[{host}]" if self._listener.family == socket.AF_INET6 else host
        return f"http://{shown}:{port}"
