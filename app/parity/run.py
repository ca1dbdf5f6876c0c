"""Scores the history of a dump twice, live and by a backfill, and compares."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from app.catalogue import build_catalogue, open_store
from app.parity.batch import backfill, snapshot_rows
from app.parity.comparison import Compared, Comparison, Told
from app.parity.facts import known_users, writing_users
from app.parity.features import score_again
from app.parity.live import replay, stored_rows
from app.settings import Settings
from batch.dump import read_dump
from batch.dump_events import dump_events
from schemas.catalogue import Catalogue
from schemas.decode import decode_event
from schemas.errors import SourceError, WikiUnknown
from schemas.page_change import PageChange

_TAKEN: Final = (
    "wikis",
    "model_folders",
    "max_text_bytes",
    "content_cache_mb",
    "pool_processes",
    "score_cpu_limit_seconds",
    "score_wall_limit_seconds",
    "score_memory_limit_mb",
    "partitions",
    "window_events",
    "log_level",
)
"""Settings of the user that both ways go by. All else is ours: nobody else sees the worker."""

Heard = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and of how much."""


class ParityReport(Struct):
    """What a comparison of the two ways came to.

    Attributes:
        dump: File that was scored.
        wiki_id: Of its wiki.
        models: Artefacts by the name that clients use.
        events: Page changes replayed: one for each revision that has an id.
        is_equal: Whether nothing differs.
        compared: What was compared, and the differences.
        seconds: Elapsed time of each part.
    """

    dump: str
    wiki_id: str
    models: dict[str, str]
    events: int
    is_equal: bool
    compared: Compared
    seconds: dict[str, float]


class Parity:
    """One comparison, in a folder of its own.

    Args:
        settings: Models, limits and processes: both ways have the same.
        dump: Any dump that can be read.
        users: Tables and users files that tell of accounts, to both ways alike; none where nothing is to be
            known of any.
        folder: Takes all files of the comparison.
        heard: Hears how far it is.
    """

    def __init__(
        self, settings: Settings, dump: Path, users: Sequence[str], folder: Path, *, heard: Heard
    ) -> None:
        # The worker looks for a users file beside the dump, and must find this one or none.
        self._dump = folder / "dump" / dump.name
        self._dump.parent.mkdir(parents=True)
        self._dump.symlink_to(dump.absolute())
        self._users = self._dump.with_name(f"{dump.name.partition('.xml')[0]}.users.jsonl")
        self._user_sources = users
        self._folder = folder
        self._events = folder / "events.jsonl"
        self._heard = heard
        self._seconds: dict[str, float] = {}
        taken = {name: getattr(settings, name) for name in _TAKEN}
        self._settings = replace(
            Settings(**taken),
            data_dir=folder / "worker",
            source=str(self._events),
            content=str(self._dump),
            http_port=0,
            pace_events_per_second=0.0,
            log_format="json",
        )

    def run(self, *, with_text: bool, with_features: bool) -> ParityReport:
        """Score both ways and compare.

        1. Write the events, and note what they ask for.
        2. Replay them through a worker, and read its rows.
        3. Score the same revisions live once more, to have their features.
        4. Backfill the dump, and read the snapshot's rows.
        5. Compare.

        Args:
            with_text: Whether the events carry the texts, as ``mediawiki.page_content_change`` does.
            with_features: Whether features are compared as well: then everything is scored thrice.

        Raises:
            WikiUnknown: No model is configured for the wiki of the dump.
            SourceError: The dump cannot be read to its end, does not name its wiki, or holds nothing.
            EngineError: The worker failed.
        """
        catalogue = build_catalogue(self._settings, open_store(self._settings))
        with closing(Comparison(self._folder / "compared.sqlite")) as comparison:
            with self._timed("events"):  # 1
                events = self._write_events(with_text=with_text)
                comparison.tell("asked", self._asked(catalogue))
            with self._timed("live"):  # 2
                replay(self._settings, events, heard=lambda done: self._heard("replayed", done, events))
                comparison.tell("live", stored_rows(self._settings.data_dir))
            if with_features:  # 3
                with self._timed("again"):
                    asyncio.run(self._score_again(comparison, events))
            with self._timed("batch"):  # 4
                path = backfill(
                    self._settings, self._dump, self._users, self._folder, with_features=with_features
                )
                comparison.tell("batch", snapshot_rows(path))
            with self._timed("compare"):  # 5
                compared = comparison.compare()
        wiki_id = self._wiki_id()
        return ParityReport(
            dump=self._dump.name,
            wiki_id=wiki_id,
            models={name: info.artefact for name, info in catalogue.models(wiki_id).items()},
            events=events,
            is_equal=not compared.differences,
            compared=compared,
            seconds=self._seconds,
        )

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._seconds[part] = round(time.monotonic() - began, 3)

    def _write_events(self, *, with_text: bool) -> int:
        count = 0
        revisions = read_dump(self._dump, max_text_bytes=self._settings.max_text_bytes)
        with known_users(self._user_sources, self._folder) as facts, self._events.open("wb") as file:
            known = writing_users(self._users, revisions, facts)
            for event in dump_events(known, facts, with_text=with_text):
                file.write(event + b"\n")
                count += 1
        if not count:
            raise SourceError(
                f"{self._dump.name} holds no revision with an id, so there is nothing to compare"
            )
        return count

    def _changes(self) -> Iterator[PageChange]:
        with self._events.open("rb") as file:
            for line in file:
                change = decode_event(line)
                if isinstance(change, PageChange):
                    yield change

    def _wiki_id(self) -> str:
        return next((change.wiki_id for change in self._changes()), "")

    def _asked(self, catalogue: Catalogue) -> Iterator[Told]:
        for change in self._changes():
            models = catalogue.models(change.wiki_id)
            if not models:
                raise WikiUnknown(
                    f"No model is configured for {change.wiki_id}, the wiki of {self._dump.name}: name some "
                    "in the setting wikis.",
                    wiki_id=change.wiki_id,
                )
            for name in models:
                yield Told(change.wiki_id, change.revision.rev_id, name)

    async def _score_again(self, comparison: Comparison, events: int) -> None:
        done = 0
        with self._events.open("rb") as file:
            async for again in score_again(self._settings, file):
                wiki_id, rev_id = again.change.wiki_id, again.change.revision.rev_id
                comparison.tell(
                    "again",
                    (
                        Told(
                            wiki_id,
                            rev_id,
                            one.model.model_name,
                            outcome=one.outcome,
                            features=one.features,
                        )
                        for one in again.scored
                    ),
                )
                done += 1
                self._heard("scored again with features", done, events)
