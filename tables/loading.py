"""Rows of snapshots, on their way into the tables."""

from collections.abc import Iterator
from itertools import groupby, islice
from struct import Struct as Layout
from typing import Final, NamedTuple

from msgspec.structs import replace

from schemas.loaded import (
    NO_OFFSET,
    LoadedModel,
    LoadedRow,
    LoadedRows,
    LoadedScore,
    is_of_snapshot,
    snapshot_event_id,
    time_of,
)
from schemas.prediction import (
    PredictionRow,
    Provenance,
    Score,
    ScoreFailure,
    StoredScore,
    Withdrawal,
)
from tables import row_binary
from tables.codec import HEADER, encode_row
from tables.merge import merge_revision

# What is written without a pause in between.
_ROWS_AT_ONCE: Final = 32


class LoadCounts(NamedTuple):
    """What became of loaded rows.

    Attributes:
        written: They are in the tables now.
        unchanged: They were there, and what is there stays.
        withheld: Of them nothing is taken in: what is stored counts for more, or was erased.
    """

    written: int = 0
    unchanged: int = 0
    withheld: int = 0


class LoadableRow:
    """A row of a snapshot as the tables keep it.

    Args:
        loaded: The row.
        encoding: Of its record.

    Attributes:
        rev_id: Its revision.
        place: Orders revisions of a page, as the table of pages does.
        encoded: The row in bytes, as it is written where nothing is stored.
    """

    __slots__ = ("_encoding", "_loaded", "encoded", "place", "rev_id")

    def __init__(self, loaded: LoadedRow, encoding: "RowEncoding") -> None:
        self._loaded = loaded
        self._encoding = encoding
        self.rev_id = loaded.rev_id
        self.place = loaded.rev_us, loaded.rev_id
        self.encoded = encoding.encoded(loaded)

    @property
    def row(self) -> PredictionRow:
        """The row itself, which few rows have to be asked for."""
        return self._encoding.row(self._loaded)

    def merged(self, stored: PredictionRow | None, erased: Withdrawal | None) -> PredictionRow | None:
        """Return the row that says what is stored and what is loaded.

        - What an event or a client had scored stays: it knew of the user what a dump does not tell. Where
          both came with snapshots, or the stored one is a failure, the rule of `tables.merge` decides.
        - What was erased stays erased: scores as of a moment up to it are not taken in.
        - What is hidden stays hidden.

        Args:
            stored: Row of the revision; None where there is none.
            erased: What befell the page; None where nothing did.

        Returns:
            None where nothing is left of the loaded row, so that nothing is to be written.
        """
        acts = [act for act in (erased, None if stored is None else stored.withdrawal) if act is not None]
        erased_dt = max((act.erased_dt for act in acts if act.erased_dt is not None), default=None)
        held = {} if stored is None else {_name(score): score for score in stored.scores}
        row = self.row
        scores = tuple(
            score
            for score in row.scores
            if (erased_dt is None or score.provenance.event_dt > erased_dt)
            and not _stays(held.get(_name(score)), score)
        )
        if not scores:
            return None
        withdrawal = None if stored is None else stored.withdrawal
        return merge_revision(stored, replace(row, scores=scores, withdrawal=withdrawal))


class RowEncoding:
    """Turns the rows of one record into rows of the tables. Equal rows give equal bytes, see `encode_row`.

    Args:
        rows: The record.
        topic: That it lies in.
        partition: That it lies in.
    """

    def __init__(self, rows: LoadedRows, *, topic: str, partition: int) -> None:
        self._rows = rows
        self._topic = topic
        self._partition = partition
        self._event_id = snapshot_event_id(rows.snapshot)
        self._wiki = HEADER + row_binary.text_bytes(rows.wiki_id)
        self._origin = b"".join(
            (
                row_binary.text_bytes(self._event_id),
                row_binary.text_bytes(topic),
                row_binary.long_bytes(partition),
                row_binary.long_bytes(NO_OFFSET),
            )
        )
        self._layouts = [_layout(model) for model in rows.models]
        self._heads: dict[tuple[int, tuple[int, ...]], bytes] = {}
        self._ends: dict[tuple[int | None, bool | None], bytes] = {}
        self._times: dict[int, bytes] = {}

    def pages(self) -> Iterator[tuple[int, list[LoadableRow]]]:
        """Yield the rows of each page, no more than some at a time."""
        for page_id, rows in groupby(self._rows.rows, lambda row: row.page_id):
            while some := [LoadableRow(row, self) for row in islice(rows, _ROWS_AT_ONCE)]:
                yield page_id, some

    def encoded(self, row: LoadedRow) -> bytes:
        """Return a row in bytes."""
        rev_time = row_binary.time_bytes(row.rev_us)
        end = self._ends.get((row.namespace_id, row.is_bot))
        if end is None:
            end = row_binary.origin_end(row.namespace_id, row.is_bot)
            self._ends[row.namespace_id, row.is_bot] = end
        parts = [
            self._wiki,
            row_binary.long_bytes(row.page_id),
            row_binary.long_bytes(row.rev_id),
            rev_time,
            row_binary.long_bytes(len(row.scores)),
        ]
        for score in row.scores:
            if score.failure is not None or score.origin is not None:
                return encode_row(self.row(row))
            head = self._heads.get((score.model, score.prediction))
            if head is None:
                head = self._heads[score.model, score.prediction] = self._head(score)
            scored_time = self._times.get(score.scored_us)
            if scored_time is None:
                scored_time = self._times[score.scored_us] = row_binary.time_bytes(score.scored_us)
            parts += (head, self._layouts[score.model].pack(*score.probability))
            parts += (self._origin, rev_time, scored_time, end)
        parts.append(b"\0\0")
        return b"".join(parts)

    def _head(self, score: LoadedScore) -> bytes:
        model = self._rows.models[score.model]
        prediction = [model.labels[chosen] for chosen in score.prediction]
        return row_binary.score_head(model.id, model.kind) + row_binary.outcome_bytes(prediction)

    def row(self, row: LoadedRow) -> PredictionRow:
        """Return a row."""
        return PredictionRow(
            self._rows.wiki_id,
            row.page_id,
            row.rev_id,
            time_of(row.rev_us),
            tuple(self._stored(row, score) for score in row.scores),
        )

    def _stored(self, row: LoadedRow, score: LoadedScore) -> StoredScore:
        model, origin = self._rows.models[score.model], score.origin
        outcome: Score | ScoreFailure
        if score.failure is None:
            outcome = Score(
                model.kind,
                tuple(model.labels[chosen] for chosen in score.prediction),
                dict(zip(model.labels, score.probability, strict=True)),
            )
        else:
            outcome = ScoreFailure(*score.failure)
        provenance = Provenance(
            event_id=self._event_id if origin is None else origin.event_id,
            source_topic=self._topic if origin is None else origin.source_topic,
            source_partition=self._partition if origin is None else origin.source_partition,
            source_offset=NO_OFFSET if origin is None else origin.source_offset,
            event_dt=time_of(row.rev_us if origin is None else origin.event_us),
            scored_dt=time_of(score.scored_us),
            namespace_id=row.namespace_id,
            is_bot=row.is_bot,
        )
        return StoredScore(model.id, outcome, provenance)


class _Probabilities:
    """Packs the probabilities of one model's labels."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        texts = [row_binary.text_bytes(label) for label in labels]
        self._count = row_binary.long_bytes(len(labels)) if labels else b""
        self._texts = texts
        self._layout = Layout("<" + "".join(f"{len(text)}sd" for text in texts))

    def pack(self, *probability: float) -> bytes:
        values = [value for pair in zip(self._texts, probability, strict=True) for value in pair]
        return self._count + self._layout.pack(*values) + row_binary.END


def _layout(model: LoadedModel) -> _Probabilities:
    return _Probabilities(model.labels)


def _name(score: StoredScore) -> tuple[str, str]:
    return score.model.model_name, score.model.model_version


def _stays(held: StoredScore | None, loaded: StoredScore) -> bool:
    """Tell whether a stored score is kept, whenever the loaded one was made."""
    return (
        held is not None
        and isinstance(held.outcome, Score)
        and is_of_snapshot(loaded.provenance.event_id)
        and not is_of_snapshot(held.provenance.event_id)
    )
