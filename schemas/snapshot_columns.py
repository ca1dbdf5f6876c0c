"""The columns of a snapshot: one definition, from which the Arrow and the Avro schema are made."""

from enum import StrEnum
from typing import Final

from msgspec import Struct

SCHEMA_VERSION: Final = 1
"""Rises with every change to the columns. Within one version nothing is renamed, retyped or removed."""

FEATURE_PREFIX: Final = "feature."
"""What the name of every optional column begins with."""


class ColumnType(StrEnum):
    """What a column holds, in words that every format has a type for."""

    LONG = "long"
    INT = "int"
    BOOLEAN = "boolean"
    STRING = "string"
    TIMESTAMP = "timestamp"
    STRINGS = "list of strings"
    PROBABILITIES = "map of string to double"


class Column(Struct, frozen=True):
    """One column.

    Attributes:
        name: As files have it.
        type: Of its values. Times are microseconds since 1970, UTC.
        meaning: One sentence or two.
        is_nullable: Whether a row may lack it.
    """

    name: str
    type: ColumnType
    meaning: str
    is_nullable: bool = False


_REVISION: Final = (
    Column("page_id", ColumnType.LONG, "Page of the revision."),
    Column("rev_id", ColumnType.LONG, "Revision."),
    Column(
        "rev_parent_id",
        ColumnType.LONG,
        "Revision that it was made from; null where it has none, or where the source does not tell.",
        is_nullable=True,
    ),
    Column("rev_dt", ColumnType.TIMESTAMP, "When the revision was saved."),
    Column(
        "namespace_id",
        ColumnType.LONG,
        "Namespace of the page; null where the source does not tell.",
        is_nullable=True,
    ),
    Column(
        "is_bot",
        ColumnType.BOOLEAN,
        "Whether a bot saved the revision; null where the source does not tell.",
        is_nullable=True,
    ),
    Column("model_version", ColumnType.STRING, "Version of the model, a text."),
    Column("model_sha512", ColumnType.STRING, "Hash of the model's artefact, 128 hexadecimal digits."),
)
_ORIGIN: Final = (
    Column("scored_dt", ColumnType.TIMESTAMP, "When scoring finished."),
    Column(
        "event_id",
        ColumnType.STRING,
        "meta.id of the page change that caused the score; null for a backfill, as are the next four.",
        is_nullable=True,
    ),
    Column("source_topic", ColumnType.STRING, "Topic of that event.", is_nullable=True),
    Column("source_partition", ColumnType.INT, "Its partition.", is_nullable=True),
    Column("source_offset", ColumnType.LONG, "Its offset.", is_nullable=True),
    Column("event_dt", ColumnType.TIMESTAMP, "Its time.", is_nullable=True),
)

SCORE_COLUMNS: Final = (
    *_REVISION,
    Column("kind", ColumnType.STRING, "How the model answers: binary, multiclass or multilabel."),
    Column(
        "prediction",
        ColumnType.STRINGS,
        "The labels chosen, exactly one unless multilabel. Booleans are true and false.",
    ),
    Column("probability", ColumnType.PROBABILITIES, "Each label's probability, sorted by label."),
    Column(
        "features_missing",
        ColumnType.STRINGS,
        "Features that took their declared default, because the source does not tell what they read; the "
        "live score may differ. Null where nobody kept note, as in exports.",
        is_nullable=True,
    ),
    *_ORIGIN,
)
"""Of the scores. Features, where they were asked for, follow."""

ERROR_COLUMNS: Final = (
    *_REVISION,
    Column("error_code", ColumnType.STRING, "Stable code of the error, the same as live."),
    Column("error_message", ColumnType.STRING, "What happened, the likely cause, and what to do."),
    *_ORIGIN,
)
"""Of what could not be scored."""

PARTITION_COLUMNS: Final = (
    Column("snapshot", ColumnType.STRING, "Name of the snapshot."),
    Column("wiki_id", ColumnType.STRING, "Database name of the wiki."),
    Column("model_name", ColumnType.STRING, "Name of the model, as clients ask for it."),
)
"""What folders say, and files need not."""
