"""Chunk files sorted into one stream for each wiki and model, whatever their order and size.

DuckDB sorts within a bound of memory and spills the rest to a folder. A revision that two chunks tell of, as
dumps that overlap do, is told once, by the rule by which two rows of a table become one: a score beats a
failure, then the later ``scored_dt`` wins. Between rows that are equal in this the greater values do.
"""

# ruff: noqa: S608 - what is put into statements are names of our columns, and of features in quotes.
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from batch.snapshot_database import open_database
from batch.snapshot_rows import chunk_summary
from batch.snapshot_table import MIXED_SCHEMA, FeatureColumn, merged_features
from batch.snapshot_writer import SORTED_BY
from schemas.snapshot_columns import ERROR_COLUMNS, SCORE_COLUMNS

_BATCH_ROWS: Final = 32_768
_SQL_TYPES: Final = {"boolean": "BOOLEAN", "long": "BIGINT", "double": "DOUBLE", "string": "VARCHAR"}
_KEY: Final = "rev_id, model_version"
_FIRST_RANKS: Final = ("scored_dt", "rev_dt", "page_id")


class MergedGroup(Struct):
    """One model on one wiki, in all chunk files.

    Attributes:
        wiki_id: Database name.
        model_name: Name of the model.
        files: That have rows of it.
        error_files: That have failures of it.
        hashes: Of the models' artefacts.
        features: Its columns, with types that hold all values.
    """

    wiki_id: str
    model_name: str
    files: list[str]
    error_files: list[str]
    hashes: set[str]
    features: tuple[FeatureColumn, ...] = ()


class ChunkMerge:
    """Chunk files, seen as sorted streams. A context manager.

    Args:
        chunks: The files.
        scratch: Folder for what does not fit into memory; on a disk with room for all rows.
        memory_bytes: What sorting may take.
        threads: How many sort; None for all cores.

    Raises:
        SnapshotUnusable: A chunk file cannot be read.
    """

    def __init__(
        self, chunks: Sequence[Path], scratch: Path, *, memory_bytes: int, threads: int | None = None
    ) -> None:
        self.groups = _groups(chunks)
        self._database = open_database(scratch, memory_bytes=memory_bytes, threads=threads)
        self._left_out: int = 0

    def __enter__(self) -> "ChunkMerge":
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def settle(self, group: MergedGroup) -> int:
        """Turn to a group, and find out which of its rows are told twice.

        Returns:
            How many rows its streams leave out.
        """
        run = self._database.execute
        features = [_quoted(one.name) for one in group.features]
        self._look_at(group, group.files, features)
        run(
            f"""
            CREATE OR REPLACE TEMP TABLE doubled AS
            SELECT {_KEY} FROM told GROUP BY {_KEY} HAVING count(*) > 1
            """
        )
        rest = [name for name in MIXED_SCHEMA.names if name not in _FIRST_RANKS]
        ranks = ", ".join(f"{name} DESC NULLS LAST" for name in (*_FIRST_RANKS, *rest, *features))
        run(
            f"""
            CREATE OR REPLACE TEMP TABLE left_out AS
            SELECT filename, file_row_number FROM (
                SELECT filename, file_row_number, row_number() OVER (
                    PARTITION BY {_KEY} ORDER BY error_code IS NULL DESC, {ranks}
                ) AS rank
                FROM told SEMI JOIN doubled USING ({_KEY})
            ) WHERE rank > 1
            """
        )
        [(self._left_out,)] = run("SELECT count(*) FROM left_out").fetchall()
        return self._left_out

    def stream(self, group: MergedGroup, *, is_errors: bool) -> Iterator[Any]:
        """Yield record batches of the group that was settled last, sorted by page, revision and version."""
        columns = [column.name for column in (ERROR_COLUMNS if is_errors else SCORE_COLUMNS)]
        files = group.error_files if is_errors else group.files
        if not files:
            return
        # As text the hashes would be more than half of what is sorted.
        hashes = ", ".join("'" + one.replace("'", "''") + "'" for one in sorted(group.hashes))
        columns[columns.index("model_sha512")] = f"CAST(model_sha512 AS ENUM ({hashes})) AS model_sha512"
        features = [] if is_errors else group.features
        columns += [
            f"CAST({_quoted(one.name)} AS {_SQL_TYPES[one.type]}) AS {_quoted(one.name)}" for one in features
        ]
        self._look_at(group, files, [_quoted(one.name) for one in features])
        once = "ANTI JOIN left_out USING (filename, file_row_number)" if self._left_out else ""
        result = self._database.sql(
            f"""
            SELECT {", ".join(columns)} FROM told {once}
            WHERE error_code IS {"NOT NULL" if is_errors else "NULL"}
            ORDER BY {", ".join(SORTED_BY)}
            """
        )
        yield from result.to_arrow_reader(_BATCH_ROWS)

    def _look_at(self, group: MergedGroup, files: Sequence[str], features: Sequence[str]) -> None:
        """Have ``told`` stand for the rows of a group in some of its files."""
        run = self._database.execute
        run("SET VARIABLE files = $1", [files])
        run("SET VARIABLE wiki_id = $1", [group.wiki_id])
        run("SET VARIABLE model_name = $1", [group.model_name])
        run(
            f"""
            CREATE OR REPLACE TEMP VIEW told AS
            SELECT {", ".join([*MIXED_SCHEMA.names, *features])}, filename, file_row_number
            FROM read_parquet(
                getvariable('files'), filename = true, file_row_number = true, hive_partitioning = false,
                union_by_name = {"true" if features else "false"}
            )
            WHERE wiki_id = getvariable('wiki_id') AND model_name = getvariable('model_name')
            """
        )


def _groups(chunks: Sequence[Path]) -> list[MergedGroup]:
    found: dict[tuple[str, str], MergedGroup] = {}
    for path in chunks:
        summary = chunk_summary(path)
        for count in summary.counts:
            key = count.wiki_id, count.model.model_name
            group = found.setdefault(key, MergedGroup(*key, files=[], error_files=[], hashes=set()))
            group.hashes.add(count.model.model_sha512)
            if count.error_code and group.error_files[-1:] != [str(path)]:
                group.error_files.append(str(path))
        for one in summary.groups:
            group = found[one.wiki_id, one.model_name]
            group.files.append(str(path))
            group.features = merged_features(group.features, one.features)
    return [found[key] for key in sorted(found)]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
