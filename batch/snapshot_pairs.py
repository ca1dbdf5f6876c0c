"""The rows of one model in two snapshots, revision by revision, within a bound of memory.

DuckDB joins them by wiki, model and revision into one table in a file, and every figure is told from that:
what does not fit into memory goes to the disk.
"""

# ruff: noqa: S608 - what is put into statements are names of our columns, numbers, and texts in quotes.

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import duckdb
from msgspec import Struct

from batch.snapshot_database import open_database
from batch.snapshot_difference import ABSENT, SCORED, Flip, OutcomeChange, ScoreChange, SideModel
from batch.snapshot_manifest import SnapshotFile
from schemas.errors import SnapshotUnusable, StoreError, StoreFull

UNIT: Final = "\x1f"
"""Between the labels of a prediction, which is one text in the table."""

BOTH_SCORED: Final = f"first_outcome = '{SCORED}' AND second_outcome = '{SCORED}'"


class ModelFiles(Struct, frozen=True):
    """Where the rows of one model of one wiki lie in a snapshot.

    Attributes:
        snapshot: Folder of the snapshot.
        files: Of scores and of errors.
        model: Whose rows count, where the files hold several versions.
    """

    snapshot: Path
    files: tuple[SnapshotFile, ...]
    model: SideModel

    def paths(self, *, is_errors: bool) -> list[str]:
        """Return the paths of scores, or of errors."""
        return [str(self.snapshot / file.path) for file in self.files if file.is_errors is is_errors]


class ScoreForms(Struct, frozen=True):
    """How a model answered.

    Attributes:
        kinds: Usually one; none where there is no score.
        labels: All that have a probability anywhere.
    """

    kinds: frozenset[str]
    labels: tuple[str, ...]


class Counts(Struct, frozen=True):
    """Revisions by where they have rows; the meaning of each is that of `ModelDifference`."""

    rows_both: int
    rows_first: int
    rows_second: int
    scored_both: int
    same_prediction: int
    same_score: int


@contextmanager
def scratch_database(folder: Path | None, *, memory_bytes: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database that spills to a folder of its own, which goes with it.

    Args:
        folder: Where that folder is made; None for the system's.
        memory_bytes: What DuckDB may hold before it writes to the folder.
    """
    with (
        TemporaryDirectory(prefix="revstream-diff-", dir=folder) as scratch,
        open_database(Path(scratch), memory_bytes=memory_bytes) as database,
    ):
        database.execute("SET preserve_insertion_order = false")
        yield database


class Pairs:
    """The rows of one model of one wiki in two snapshots, joined.

    Args:
        database: Where the table is made; one at a time.
        first: Rows of the first snapshot.
        second: And of the second.
        labels: All labels of the model, in its order.

    Raises:
        SnapshotUnusable: A file cannot be read, or holds a revision twice.
    """

    def __init__(
        self,
        database: duckdb.DuckDBPyConnection,
        first: ModelFiles,
        second: ModelFiles,
        labels: Sequence[str],
    ) -> None:
        self._database = database
        self._sides = (first, second)
        self.labels = tuple(labels)
        database.execute("DROP TABLE IF EXISTS pairs")
        columns = "".join(
            f", first.p{number} AS first_{number}, second.p{number} AS second_{number}"
            for number in range(len(labels))
        )
        sides = [_side(side, labels) for side in (first, second)]
        self.all(f"""
            CREATE TABLE pairs AS
            WITH first AS ({sides[0]}), second AS ({sides[1]})
            SELECT rev_id, coalesce(second.page_id, first.page_id) AS page_id,
                coalesce(first.outcome, '{ABSENT}') AS first_outcome,
                coalesce(second.outcome, '{ABSENT}') AS second_outcome,
                first.prediction AS first_prediction, second.prediction AS second_prediction{columns}
            FROM first FULL JOIN second USING (rev_id)
        """)
        for name, side, query in (("first", first, sides[0]), ("second", second, sides[1])):
            (joined,) = self.one(f"SELECT count(*) FILTER ({name}_outcome <> '{ABSENT}') FROM pairs")
            held, distinct = self.one(f"SELECT count(*), count(DISTINCT rev_id) FROM ({query})")
            if not held == distinct == joined:
                raise SnapshotUnusable(
                    f"{side.snapshot} holds {held - distinct} rows of revisions that it holds already. Run "
                    f"`revstream snapshot verify {side.snapshot}`.",
                    path=str(side.snapshot),
                )

    def counts(self) -> Counts:
        """Return how many revisions have rows where."""
        same = " AND ".join(
            ["first_prediction = second_prediction"]
            + [f"first_{number} IS NOT DISTINCT FROM second_{number}" for number in range(len(self.labels))]
        )
        return Counts(
            *self.one(f"""
                SELECT count(*) FILTER (first_outcome <> '{ABSENT}' AND second_outcome <> '{ABSENT}'),
                    count(*) FILTER (second_outcome = '{ABSENT}'),
                    count(*) FILTER (first_outcome = '{ABSENT}'),
                    count(*) FILTER ({BOTH_SCORED}),
                    count(*) FILTER ({BOTH_SCORED} AND first_prediction = second_prediction),
                    count(*) FILTER ({BOTH_SCORED} AND {same})
                FROM pairs
            """)
        )

    def outcomes(self) -> tuple[OutcomeChange, ...]:
        """Return which ends revisions came to on both sides, the commonest first."""
        rows = self.all(
            "SELECT first_outcome, second_outcome, count(*) FROM pairs GROUP BY ALL ORDER BY 3 DESC, 1, 2"
        )
        return tuple(OutcomeChange(*row) for row in rows)

    def flips(self, most: int) -> tuple[tuple[Flip, ...], int]:
        """Return which predictions revisions had on both sides, the commonest first, and how many others.

        Args:
            most: Combinations to give.
        """
        rows = self.all(f"""
            SELECT first_prediction, second_prediction, rows, sum(rows) OVER (),
                sum(rows) OVER (PARTITION BY first_prediction), count(*) OVER ()
            FROM (
                SELECT first_prediction, second_prediction, count(*) AS rows FROM pairs
                WHERE {BOTH_SCORED} GROUP BY ALL
            ) ORDER BY rows DESC, 1, 2 LIMIT {most}
        """)
        flips = tuple(
            Flip(_labels(first), _labels(second), count, float(count / whole), float(count / of_first))
            for first, second, count, whole, of_first, _ in rows
        )
        return flips, (rows[0][5] - len(rows) if rows else 0)

    def largest(self, labels: Sequence[str], most: int) -> tuple[ScoreChange, ...]:
        """Return the revisions whose probabilities changed most, the greatest change first.

        Args:
            labels: Those that count.
            most: Revisions to give.
        """
        numbers = [self.labels.index(label) for label in labels]
        if not numbers:
            return ()
        changes = ", ".join(f"abs(second_{number} - first_{number})" for number in numbers)
        values = ", ".join(f"first_{number}, second_{number}" for number in numbers)
        rows = self.all(f"""
            SELECT page_id, rev_id, first_prediction, second_prediction, {values}
            FROM pairs WHERE {BOTH_SCORED} AND greatest({changes}) > 0
            ORDER BY greatest({changes}) DESC, rev_id LIMIT {most}
        """)
        return tuple(_change(row, labels) for row in rows)

    def one(self, query: str, values: Mapping[str, Any] | None = None) -> tuple[Any, ...]:
        """Return the one row of a query over the table ``pairs``: an aggregate without groups."""
        (row,) = self.all(query, values)
        return row

    def all(self, query: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Return all rows of a query over the table ``pairs``."""
        with _readable(*self._sides):
            return self._database.execute(query, dict(values or {})).fetchall()


def score_forms(database: duckdb.DuckDBPyConnection, side: ModelFiles) -> ScoreForms:
    """Return how a model answered in one snapshot.

    Raises:
        SnapshotUnusable: A file cannot be read.
    """
    paths = side.paths(is_errors=False)
    if not paths:
        return ScoreForms(frozenset(), ())
    with _readable(side):
        rows = database.execute(
            f"SELECT DISTINCT kind, map_keys(probability) FROM {_parquet(paths)} {_of_version(side)} "
            "ORDER BY ALL"
        ).fetchall()
    labels = dict.fromkeys(label for _, labels in rows for label in labels)
    return ScoreForms(frozenset(kind for kind, _ in rows), tuple(labels))


@contextmanager
def _readable(*sides: ModelFiles) -> Iterator[None]:
    """Turn what DuckDB says of files, or of a full disk, into errors of ours."""
    try:
        yield
    except duckdb.Error as error:
        told = str(error).splitlines()[0]
        if isinstance(error, duckdb.OutOfMemoryException) and "max_temp_directory_size" not in told:
            raise StoreError(f"The rows cannot be joined in that memory: {told}. Allow more.") from error
        if "No space left" in told or "max_temp_directory_size" in told:
            raise StoreFull(
                f"The disk for the joined rows is full: {told}. Free space, or name another folder."
            ) from error
        names = " and ".join(dict.fromkeys(str(side.snapshot) for side in sides))
        raise SnapshotUnusable(
            f"The rows of {names} cannot be compared: {told}. Run `revstream snapshot verify`.",
            path=names,
        ) from error


def _side(side: ModelFiles, labels: Sequence[str]) -> str:
    """Return a query for the rows of one snapshot: revision, outcome, prediction, a column for each label."""
    columns = "".join(f", NULL::DOUBLE AS p{number}" for number in range(len(labels)))
    # Names and types; those of the other parts follow.
    parts = [
        "SELECT NULL::BIGINT AS page_id, NULL::BIGINT AS rev_id, NULL::VARCHAR AS outcome, "
        f"NULL::VARCHAR AS prediction{columns} WHERE false"
    ]
    scores, errors = side.paths(is_errors=False), side.paths(is_errors=True)
    if scores:
        values = "".join(f", probability[{_quoted(label)}]" for label in labels)
        parts.append(f"""
            SELECT page_id, rev_id, '{SCORED}', array_to_string(list_sort(prediction), '{UNIT}'){values}
            FROM {_parquet(scores)} {_of_version(side)}
        """)
    if errors:
        parts.append(f"""
            SELECT page_id, rev_id, error_code, NULL{", NULL" * len(labels)}
            FROM {_parquet(errors)} {_of_version(side)}
        """)
    return " UNION ALL ".join(parts)


def _parquet(paths: Sequence[str]) -> str:
    # Folders say wiki and model, which their names would add as columns.
    return f"read_parquet([{', '.join(map(_quoted, paths))}], hive_partitioning = false)"


def _of_version(side: ModelFiles) -> str:
    return f"WHERE model_version = {_quoted(side.model.model_version)}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _labels(text: str) -> tuple[str, ...]:
    return tuple(text.split(UNIT)) if text else ()


def _change(row: Sequence[Any], labels: Sequence[str]) -> ScoreChange:
    page_id, rev_id, first, second, *values = row
    pairs = list(zip(values[::2], values[1::2], strict=True))
    place = max(range(len(labels)), key=lambda number: abs(pairs[number][1] - pairs[number][0]))
    before, after = pairs[place]
    return ScoreChange(page_id, rev_id, labels[place], before, after, _labels(first), _labels(second))
