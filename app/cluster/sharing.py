"""How a worker on Kafka takes part in answering for all."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit

from yarl import URL

from agents.assignor import AdvertisingAssignor, Placement
from app.cluster.addresses import with_token
from app.cluster.finder import ClusterFinder
from app.cluster.metrics import ClusterStatus
from app.cluster.node import Node
from app.cluster.peers import Peers
from app.settings import Settings
from app.stream_app import PromptTables, StreamApp
from app.topic_readers import topic_reader
from schemas.errors import SettingsError
from schemas.keys import PLACES, REVISIONS_TABLE
from tables.copies import Copies
from tables.predictions import Predictions
from tables.reader import PredictionReader, Progress

ANY_HOST = frozenset({"0.0.0.0", "::"})  # noqa: S104 - what not to advertise
# A row of another worker is found so much later, at the most.
_PATIENCE_SECONDS: Final = 0.5


def places_topic(app_id: str) -> str:
    """Return the topic that tells in which partition each row lies."""
    return f"{app_id}-{PLACES}"


def advertised_url(settings: Settings, address: str) -> str:
    """Return how other workers reach this one.

    Args:
        settings: May name it.
        address: That the read API listens on.

    Raises:
        SettingsError: It listens on all addresses, and no name of this machine is known.
    """
    if settings.advertised_url:
        return settings.advertised_url.rstrip("/")
    parts = urlsplit(address)
    if parts.hostname not in ANY_HOST:
        return address
    name = next(
        (one for one in (socket.getfqdn(), socket.gethostname()) if not one.startswith("localhost")), ""
    )
    if not name:
        raise SettingsError(
            f"The read API listens on all addresses ({address}), and this machine does not know its name. "
            "Set advertised_url to the address at which other workers reach it.",
            setting="advertised_url",
        )
    return f"http://{name}:{parts.port}"


class Sharing:
    """The parts of one worker that others see.

    Args:
        settings: Of the process.
        app: Its Faust app; the assignor and the tables are told of this.
        predictions: Its tables.
        reader: Over them.

    Attributes:
        node: Answers for what is here.
        finder: Finds what is elsewhere.
    """

    def __init__(
        self, settings: Settings, app: StreamApp, predictions: Predictions, reader: PredictionReader
    ) -> None:
        self._settings = settings
        self._app = app
        self._predictions = predictions
        self._tables = tuple(predictions.changelog_topics)
        self._topic = predictions.changelog_topics[REVISIONS_TABLE]
        topics = {**predictions.changelog_topics, PLACES: places_topic(settings.app_id)}
        self._copies = Copies(topic_reader(settings, patience_seconds=_PATIENCE_SECONDS), topics, self._path)
        self._peers = Peers()
        self._placed: tuple[object, Placement] = (None, Placement({}, {}))
        self._was_whole = False
        self.node = Node(predictions, reader, self._copies, partitions=settings.partitions)
        self.finder = ClusterFinder(self.node, self._peers, self._placement, lambda: self.address)
        self.address = ""
        tables = cast(PromptTables, app.tables)
        tables.before_rebalance, tables.after_rebalance = self._release, self._follow

    def _path(self, table: str, partition: int) -> Path:
        if table == PLACES:
            return self._settings.data_dir / "worker" / f"{PLACES}-{partition}.db"
        return self._predictions.partition_path(table, partition)

    @property
    def _assignor(self) -> AdvertisingAssignor:
        return cast(AdvertisingAssignor, self._app.assignor)

    def _placement(self) -> Placement:
        distribution = self._assignor.changelog_distribution
        if distribution is not self._placed[0]:
            self._placed = distribution, self._assignor.placement(self._topic)
        return self._placed[1]

    # Life

    def advertise(self, address: str) -> None:
        """Say where this worker answers; before it joins the others.

        Raises:
            SettingsError: As `advertised_url`.
        """
        self.address = with_token(advertised_url(self._settings, address))
        self._app.conf.canonical_url = URL(self.address)

    def workers(self) -> tuple[str, ...]:
        """Return the addresses of all workers that are alive, as of the last rebalance."""
        return self._placement().workers

    async def run(self) -> None:
        """Follow standbys and places until cancelled."""
        await self._copies.run()

    async def close(self) -> None:
        """Close connections and files."""
        await asyncio.gather(self._peers.close(), self._copies.close())

    def _release(self) -> None:
        """Close the standbys that become our own, before they are opened as such."""
        standbys = self._assignor.standby_partitions(self._topic)
        ours = self._assignor.active_partitions(self._topic)
        for partition in set(self.node.taken) - ours:
            del self.node.taken[partition]
        for partition in ours:
            whole = [self._copies.whole(table, partition) for table in self._tables]
            moments = [copy.caught_up for copy in whole if copy is not None and copy.caught_up is not None]
            if len(moments) == len(self._tables):
                self.node.taken[partition] = min(moments)
        for table in self._tables:
            self._copies.release(table, set(self._copies.held(table)) - standbys)

    def _follow(self) -> None:
        """Follow the standbys that are ours now, which are closed by now if they were our own."""
        standbys = self._assignor.standby_partitions(self._topic)
        for table in self._tables:
            self._copies.follow(table, standbys)
        self._copies.follow(PLACES, standbys | self._assignor.active_partitions(self._topic))

    # What is told

    def reasons(self) -> tuple[str, ...]:
        """Return why look-ups of others' rows cannot be answered yet; empty from the first time they can."""
        wanted = self._copies.wanted(PLACES)
        self._was_whole = self._was_whole or all(self._copies.whole(PLACES, one) for one in wanted)
        return () if self._was_whole else ("places_recovering",)

    def progress(self) -> list[Progress]:
        """Return what is being filled, by table and partition."""
        return sorted(self._filling(), key=lambda one: (one.table, one.partition))

    def _filling(self) -> Iterator[Progress]:
        standbys = self._assignor.standby_partitions(self._topic)
        for table in (*self._tables, PLACES):
            held = self._copies.held(table)
            for partition in self._copies.wanted(table):
                if self._copies.whole(table, partition) is None:
                    left = held[partition].records_left if partition in held else None
                    yield Progress(table, partition, "standby" if partition in standbys else "owner", left)
        yield from owned_progress(self._app, self._predictions)

    def status(self) -> ClusterStatus:
        """Return what the metrics show."""
        recovering = self._predictions.recovering
        rows_left = {"owner": 0, "standby": 0}
        for one in self._filling():
            rows_left[one.role] += one.rows_left or 0
        copies = [copy for table in self._tables for copy in self._copies.held(table).values()]
        ages = [self._copies.age_seconds(copy) for copy in copies if copy.caught_up is not None]
        return ClusterStatus(
            partitions={
                "owned": len(self._predictions.held - recovering),
                "recovering": len(recovering),
                "standby": len(self._copies.wanted(REVISIONS_TABLE)),
            },
            rows_left=rows_left,
            standby_age_seconds=max(ages, default=None),
            questions=self._peers.asked,
        )


def owned_progress(app: StreamApp, predictions: Predictions) -> Iterator[Progress]:
    """Yield what a worker's own tables are recovering."""
    remaining = cast(PromptTables, app.tables).recovery.rows_left()
    left = {(tp.topic, tp.partition): count for tp, count in remaining.items()}
    for table, topic in predictions.changelog_topics.items():
        for partition in predictions.recovering:
            count = left.get((topic, partition))
            yield Progress(table, partition, "owner", None if count is None else max(0, count))
