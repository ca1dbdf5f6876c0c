"""The record of rows of a snapshot, on their way into the tables of a running system."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from math import isfinite
from typing import Annotated, Final

import zstandard
from msgspec import DecodeError, Meta, Struct
from msgspec.msgpack import Decoder, Encoder

from schemas.errors import EventUndecodable
from schemas.prediction import ModelId, ScoreKind

CONTENT_TYPE: Final = "application/octet-stream"
FORMAT_VERSION: Final = 1
RECORD_BYTES: Final = 900_000
"""The largest record: what a broker takes by default, less its own frame."""

_PLAIN_BYTES: Final = 16 << 20
_SUFFIX: Final = ".loaded"
_SNAPSHOT: Final = "snapshot:"
# No record of the log told of a score that came with a snapshot.
NO_OFFSET: Final = -1
_LEVEL: Final = 3
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# The years 1 to 9999.
_FIRST_US: Final = -62_135_596_800_000_000
_LAST_US: Final = 253_402_300_799_999_999

_LONG: Final = 1 << 63

_Id = Annotated[int, Meta(ge=0)]
_Time = Annotated[int, Meta(ge=_FIRST_US, le=_LAST_US)]


class LoadedModel(Struct, frozen=True, array_like=True):
    """A model that scores of a record are of, with the labels that they give probabilities of.

    Attributes:
        id: Which model spoke.
        kind: How it answers.
        labels: Sorted.
    """

    id: ModelId
    kind: ScoreKind
    labels: tuple[str, ...]


class LoadedOrigin(Struct, frozen=True, array_like=True):
    """The event that a score is of, where the snapshot was written from tables.

    Attributes:
        event_id: As `schemas.prediction.Provenance`; so are the others.
        source_topic: Topic.
        source_partition: Partition.
        source_offset: Offset.
        event_us: Microseconds since 1970.
    """

    event_id: str
    source_topic: str
    source_partition: int
    source_offset: int
    event_us: _Time


class LoadedScore(Struct, frozen=True, array_like=True):
    """One model's score or failure.

    Attributes:
        model: Which of the record's.
        prediction: Labels chosen, by their place among those of the model.
        probability: Of each label of the model, in its order; empty of a failure.
        scored_us: When scoring finished, in microseconds since 1970.
        failure: Code and message, where there is no score.
        origin: None where no event is known, as of what was scored from a dump.
    """

    model: Annotated[int, Meta(ge=0)]
    prediction: tuple[Annotated[int, Meta(ge=0)], ...]
    probability: tuple[float, ...]
    scored_us: _Time
    failure: tuple[str, str] | None = None
    origin: LoadedOrigin | None = None


class LoadedRow(Struct, frozen=True, array_like=True):
    """What models said of one revision.

    Attributes:
        page_id: Its page.
        rev_id: The revision.
        rev_us: When it was saved, in microseconds since 1970.
        namespace_id: Of the page; None where nobody told.
        is_bot: Whether a bot saved it; None where nobody told.
        scores: At least one, sorted by model.
    """

    page_id: _Id
    rev_id: _Id
    rev_us: _Time
    namespace_id: int | None
    is_bot: bool | None
    scores: Annotated[tuple[LoadedScore, ...], Meta(min_length=1)]


class LoadedRows(Struct, frozen=True, array_like=True):
    """Rows of one wiki whose pages share a partition. Ids and numbers alone: no title, no user, no text.

    Attributes:
        format_version: Of this record.
        wiki_id: Database name.
        snapshot: Its name.
        models: That the scores are of.
        rows: Those of a page one behind the other.
    """

    format_version: int
    wiki_id: Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00]+\Z")]
    snapshot: Annotated[str, Meta(max_length=255)]
    models: tuple[LoadedModel, ...]
    rows: tuple[LoadedRow, ...]


_encode = Encoder().encode
_decode = Decoder(LoadedRows).decode


def loaded_topic(app_id: str) -> str:
    """Return the topic that these records go to: ``revstream.loaded``."""
    return app_id + _SUFFIX


def snapshot_event_id(snapshot: str) -> str:
    """Return what provenance names where a score came with a snapshot, and no event is known."""
    return _SNAPSHOT + snapshot


def is_of_snapshot(event_id: str) -> bool:
    """Tell whether provenance names a snapshot."""
    return event_id.startswith(_SNAPSHOT)


def microseconds_of(dt: datetime) -> int:
    """Return the whole microseconds from 1970 to a time."""
    return (dt - _EPOCH) // timedelta(microseconds=1)


def time_of(microseconds: int) -> datetime:
    """Return the time so many microseconds after 1970, aware UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def encode_loaded(rows: LoadedRows) -> bytes:
    """Return a record's bytes, with a checksum."""
    packer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True, write_content_size=True)
    return packer.compress(_encode(rows))


def decode_loaded(value: bytes) -> LoadedRows:
    """Read a record back, and check all of it.

    Raises:
        EventUndecodable: These bytes are none, are damaged, or hold what no row can.
    """
    try:
        rows = _decode(_unpacked(value))
    except (zstandard.ZstdError, DecodeError, ValueError) as error:
        raise _no_rows(str(error)) from error
    defect = next(chain(_defects_of_models(rows), _defects_of_rows(rows)), None)
    if defect is not None:
        raise _no_rows(defect)
    return rows


def _unpacked(value: bytes) -> bytes:
    size_bytes = zstandard.frame_content_size(value)
    if not 0 <= size_bytes <= _PLAIN_BYTES:
        raise ValueError(f"a record holds {size_bytes} bytes, and the limit is {_PLAIN_BYTES}")
    return zstandard.ZstdDecompressor().decompress(value, max_output_size=_PLAIN_BYTES)


def _no_rows(what: str) -> EventUndecodable:
    return EventUndecodable(
        f"these are no rows of a snapshot: {what}; let nothing but `revstream snapshot load` write them"
    )


def _defects_of_models(rows: LoadedRows) -> Iterator[str]:
    if rows.format_version != FORMAT_VERSION:
        yield f"format {rows.format_version}, and this version reads {FORMAT_VERSION}"
    for model in rows.models:
        sha512 = model.id.model_sha512
        if len(sha512) != 128 or set(sha512) - set("0123456789abcdef"):
            yield f"the sha512 of {model.id.model_name} is no sha512"
        if list(model.labels) != sorted(set(model.labels)):
            yield f"the labels of {model.id.model_name} are not sorted and single"


def _defects_of_rows(rows: LoadedRows) -> Iterator[str]:
    counts = [len(model.labels) for model in rows.models]
    names = [(model.id.model_name, model.id.model_version) for model in rows.models]
    for row in rows.rows:
        if row.page_id >= _LONG or row.rev_id >= _LONG or not -_LONG <= (row.namespace_id or 0) < _LONG:
            yield f"revision {row.rev_id} has a number of more than 64 bits"
        before = None
        for score in row.scores:
            if score.model >= len(counts) or not _fits(score, counts[score.model]):
                yield f"revision {row.rev_id} has a score that does not fit its model"
                return
            if before is not None and before >= names[score.model]:
                yield f"revision {row.rev_id} has scores that are not sorted and single"
            before = names[score.model]


def _fits(score: LoadedScore, labels: int) -> bool:
    origin = score.origin
    if origin is not None and not (
        -_LONG <= origin.source_partition < _LONG and -_LONG <= origin.source_offset < _LONG
    ):
        return False
    return score.failure is not None or (
        len(score.probability) == labels
        # A sum is finite unless a part is not; probabilities do not add up to infinity.
        and isfinite(sum(score.probability))
        and max(score.prediction, default=-1) < labels
    )
