"""Asks workers and a replica for everything, and compares their answers with the changelogs."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from agents.embedded.log import Log
from app.api.documents import full_document
from app.api.endpoint import json_response
from schemas.catalogue import Catalogue
from schemas.errors import PredictionNotFound, PredictionWithdrawn, WikiUnknown
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE
from schemas.prediction import PredictionRow
from tables.codec import decode_row
from tables.reader import Freshness, PredictionReader
from tests.audit import newest_of_changelog
from tests.programs import Program

# A partition may be on its way from one worker to another, and records on theirs to the replica.
_SETTLE_SECONDS = 60.0
_EXAMPLES = 5


class LookUps(msgspec.Struct):
    """What look-ups answered.

    Attributes:
        keys: Revisions and pages asked for, of each process.
        other_than_changelog: Answers of workers that differ from what the changelog comes to; each answers
            for all of them.
        other_on_replica: Answers of the replica that do.
        examples: Some of the wrong ones.
    """

    keys: int = 0
    other_than_changelog: int = 0
    other_on_replica: int = 0
    examples: list[str] = []

    def compare(self, path: str, expected: Any, answers: Sequence[Any]) -> None:
        """Count what is wrong with answers of all workers and, last, a replica."""
        *of_workers, copy = answers
        before = self.wrong
        self.other_than_changelog += sum(answer != expected for answer in of_workers)
        self.other_on_replica += copy != expected
        if self.wrong > before and len(self.examples) < _EXAMPLES:
            self.examples.append(f"{path}: {json.dumps(expected)} expected, answered {json.dumps(answers)}")

    @property
    def wrong(self) -> int:
        """How much is wrong."""
        return self.other_than_changelog + self.other_on_replica


async def check_look_ups(
    log_path: Path, app_id: str, catalogue: Catalogue, workers: Sequence[str], replica: Program
) -> LookUps:
    """Ask for every row of the changelogs in a mirrored log.

    Args:
        log_path: The mirror.
        app_id: Of the workers.
        catalogue: Of the workers.
        workers: Addresses of all of them.
        replica: A replica, which may be behind still.
    """
    await asyncio.to_thread(replica.until_answered, "/readyz")
    log = Log(log_path)
    rows = _Rows(
        {
            # A worker that stood still may tell its outcome of an event after the one that follows it.
            table: newest_of_changelog(log, f"{app_id}-{table}-changelog")
            for table in (REVISIONS_TABLE, PAGES_TABLE)
        }
    )
    log.close()
    wanted = dict(rows.answers(catalogue))
    deadline = time.monotonic() + _SETTLE_SECONDS
    async with aiohttp.ClientSession() as session:
        while True:
            asked = [_asked(session, path, workers, replica.address) for path in wanted]
            found = LookUps(keys=len(wanted))
            for path, answers in zip(wanted, await asyncio.gather(*asked), strict=True):
                found.compare(path, wanted[path], answers)
            if not found.wrong or time.monotonic() > deadline:
                return found
            await asyncio.sleep(1)


async def _asked(
    session: aiohttp.ClientSession, path: str, workers: Sequence[str], replica: str
) -> list[Any]:
    """Return what the workers and, last, the replica answer."""
    answers = []
    for address in (*workers, replica):
        async with session.get(f"{address}{path}?provenance=1") as response:
            answers.append(_bare(await response.json()))
    return answers


class _Rows:
    """Rows as changelogs give them, and the answers that they make."""

    def __init__(self, tables: dict[str, dict[bytes, bytes]]) -> None:
        self._tables = tables

    def get(self, table: str, key: bytes) -> bytes | None:
        return self._tables[table].get(key)

    def freshness(self) -> Freshness:
        return Freshness(True, (), None)

    def answers(self, catalogue: Catalogue) -> Iterator[tuple[str, Any]]:
        """Yield the path of each row, and what a process answers that has it."""
        reader = PredictionReader(self)
        for row in map(decode_row, self._tables[REVISIONS_TABLE].values()):
            told = partial(reader.revision, row.wiki_id, row.rev_id)
            yield f"/scores/{row.wiki_id}/{row.rev_id}", self._answer(told, row.wiki_id, catalogue)
        for row in map(decode_row, self._tables[PAGES_TABLE].values()):
            told = partial(reader.page, row.wiki_id, row.page_id)
            yield f"/pages/{row.wiki_id}/{row.page_id}", self._answer(told, row.wiki_id, catalogue)

    def _answer(self, told: Callable[[], PredictionRow | None], wiki_id: str, catalogue: Catalogue) -> Any:
        try:
            row = told()
        except PredictionWithdrawn as error:
            return error.code
        if row is None:
            # Rows of wikis without a model say what is hidden, and are empty once it is shown again.
            return (PredictionNotFound if wiki_id in catalogue.wikis else WikiUnknown).code
        document = full_document(row, catalogue.models(wiki_id))
        return _bare(json.loads(bytes(json_response(document).body)))


def _bare(document: Any) -> Any:
    """Return an answer without what is of its moment: of an error, its code."""
    if "error" in document:
        return document["error"]["code"]
    return {name: value for name, value in document.items() if name != "freshness"}
