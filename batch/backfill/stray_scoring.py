"""Strays read once more, together with their parents, and the rows that they had without them taken back."""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from batch.backfill.chunk import ChunkText
from batch.backfill.plan import Plan, PlannedPart
from batch.backfill.strays import Stray
from batch.dump_inputs import read_range
from batch.dump_revision import DumpRevision, DumpSite
from batch.index_builder import text_state
from batch.locations import is_remote
from batch.snapshot_rows import chunk_summary, read_chunk, write_chunk
from schemas.errors import SourceError

_CACHE_KIB: Final = 16 << 10

_encoder: Final = msgspec.msgpack.Encoder()
_revisions: Final = msgspec.msgpack.Decoder(DumpRevision)
_texts: Final = msgspec.msgpack.Decoder(ChunkText)


class StrayTexts:
    """Strays and their parents, in a file aside: memory does not grow with their number.

    Args:
        plan: All its parts are read.
        strays: Of the plan.
    """

    def __init__(self, plan: Plan, strays: Sequence[Stray]) -> None:
        self._plan = plan
        self._folder = tempfile.TemporaryDirectory(prefix="revstream-strays-")
        # Read in a thread of its own, made here.
        self._database = sqlite3.connect(
            Path(self._folder.name) / "strays.sqlite", isolation_level=None, check_same_thread=False
        )
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            f"PRAGMA cache_size = -{_CACHE_KIB}",
            "CREATE TABLE parents (wiki_id TEXT, rev_id INTEGER, text BLOB, PRIMARY KEY (wiki_id, rev_id))",
            "CREATE TABLE strays (source INTEGER, revision BLOB)",
        ):
            self._database.execute(statement)
        self._read(strays)

    def close(self) -> None:
        """Delete the file. Idempotent."""
        self._database.close()
        self._folder.cleanup()

    def revisions(self, source: int) -> Iterator[DumpRevision]:
        """Yield the strays of an input in the order of its file."""
        rows = self._database.execute(
            "SELECT revision FROM strays WHERE source = ? ORDER BY rowid", (source,)
        )
        for (revision,) in rows:
            yield _revisions.decode(revision)

    def parent(self, wiki_id: str, rev_id: int) -> ChunkText | None:
        """Return the parent of a stray."""
        row = self._database.execute(
            "SELECT text FROM parents WHERE wiki_id = ? AND rev_id = ?", (wiki_id, rev_id)
        ).fetchone()
        return None if row is None else _texts.decode(row[0])

    def _read(self, strays: Sequence[Stray]) -> None:
        """Read the parts that have any of them, each once."""
        self._database.execute("BEGIN")
        for part in self._plan.parts:
            revisions = {one.rev_id for one in strays if one.part == part.number}
            parents = {one.rev_parent_id for one in strays if one.parent_part == part.number}
            if not revisions and not parents:
                continue
            wiki_id = self._plan.input_of(part).wiki_id
            for revision in _readable(self._plan, part):
                if revision.rev_id in parents:
                    text = ChunkText(
                        revision.rev_id,
                        revision.rev_dt,
                        revision.user,
                        text_state(revision),
                        revision.text or "",
                    )
                    self._database.execute(
                        "INSERT OR IGNORE INTO parents VALUES (?, ?, ?)",
                        (wiki_id, revision.rev_id, _encoder.encode(text)),
                    )
                if revision.rev_id in revisions:
                    # The names of all namespaces would be most of it.
                    bare = replace(revision, site=DumpSite(schema_version=revision.site.schema_version))
                    self._database.execute(
                        "INSERT INTO strays VALUES (?, ?)", (part.source, _encoder.encode(bare))
                    )
        self._database.execute("COMMIT")


class StrayParents:
    """Stands where a part has the texts of its page.

    Args:
        texts: Hold the parents.
        wiki_id: Database name.
    """

    def __init__(self, texts: StrayTexts, wiki_id: str) -> None:
        self._texts = texts
        self._wiki_id = wiki_id

    def add(self, text: ChunkText) -> None:
        """Pass over a stray: what is wanted of it as a parent is there."""

    def get(self, rev_id: int) -> ChunkText | None:
        """Return a parent."""
        return self._texts.parent(self._wiki_id, rev_id)

    def forget(self) -> None:
        """Keep all: another page may begin."""

    def close(self) -> None:
        """Leave the texts to who opened them."""


def stray_parts(plan: Plan, strays: Sequence[Stray]) -> list[PlannedPart]:
    """Return a part of its own for the strays of each input, numbered behind those of the plan."""
    ranges = {plan.parts[one.part].source: plan.parts[one.part].range for one in strays}
    return [
        PlannedPart(number=len(plan.parts) + source, source=source, range=its_range)
        for source, its_range in sorted(ranges.items(), key=itemgetter(0))
    ]


def take_back(strays: Sequence[Stray], chunk_path: Callable[[int, int], Path]) -> None:
    """Take the rows that strays had without their parents out of the chunks of their parts. Idempotent.

    Raises:
        StoreFull: The disk is full; the chunk is as it was.
    """
    for (part, number), of_chunk in groupby(sorted(strays), key=attrgetter("part", "chunk")):
        path = chunk_path(part, number)
        gone = {one.rev_id for one in of_chunk}
        rows = [row for row in read_chunk(path) if row.rev_id not in gone]
        if len(rows) < chunk_summary(path).rows:
            write_chunk(path, rows)


def _readable(plan: Plan, part: PlannedPart) -> Iterator[DumpRevision]:
    revisions = read_range(part.range, max_text_bytes=plan.max_text_bytes)
    if is_remote(plan.input_of(part).url):
        yield from revisions
        return
    # What is wrong with it was told when it was read first.
    with suppress(SourceError):
        yield from revisions
