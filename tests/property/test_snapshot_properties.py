"""Any rows, cut into any chunks, become one snapshot, as the rules of the tables would have it."""

import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from batch.snapshot import open_snapshot
from batch.snapshot_rows import read_chunk, write_chunk
from batch.snapshot_verify import verify_snapshot
from schemas.prediction import Outcome, PredictionRow, Provenance, Score, ScoreFailure, ScoreKind, StoredScore
from schemas.snapshot_row import SnapshotRow
from tables.merge import merge_revision
from tests.rows import REV_DT, binary
from tests.snapshots import snapshot_row, write_snapshot

_SLOW = settings(max_examples=25, deadline=None)

times = st.integers(-(2**40), 2**40).map(lambda number: REV_DT + timedelta(microseconds=number))
labels = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
probabilities = st.floats(0, 1)
scores = st.dictionaries(labels, probabilities, min_size=1, max_size=4).flatmap(
    lambda found: st.builds(
        Score,
        st.just(ScoreKind.MULTILABEL),
        st.lists(st.sampled_from(sorted(found)), unique=True).map(tuple),
        st.just(found),
    )
)
failures = st.builds(ScoreFailure, st.sampled_from(["feature_error", "content_too_large"]), labels)
outcomes: st.SearchStrategy[Outcome] = st.one_of(scores, failures)
values = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))


@st.composite
def rows(draw: st.DrawFn) -> SnapshotRow:
    """Draw a row of any content, with or without features."""
    row = snapshot_row(
        1,
        draw(outcomes),
        wiki_id=draw(st.sampled_from(["enwiki", "dewiki"])),
        page_id=draw(st.integers(0, 2**62)),
        model_name=draw(st.sampled_from(["damaging", "a b/c"])),
        model_version=draw(st.sampled_from(["0.5.1", "0.6.0"])),
    )
    is_live = draw(st.booleans())
    return replace(
        row,
        rev_id=draw(st.integers(1, 2**62)),
        rev_parent_id=draw(st.none() | st.integers(0, 2**62)),
        rev_dt=draw(times),
        namespace_id=draw(st.none() | st.integers(-2, 3000)),
        is_bot=draw(st.none() | st.booleans()),
        scored_dt=draw(times),
        event_id=draw(labels) if is_live else None,
        source_topic=draw(labels) if is_live else None,
        source_partition=draw(st.integers(0, 2**31 - 1)) if is_live else None,
        source_offset=draw(st.integers(0, 2**62)) if is_live else None,
        event_dt=draw(times) if is_live else None,
    )


@given(st.lists(rows(), max_size=8))
@_SLOW
def test_a_chunk_file_gives_back_what_was_written(written: list[SnapshotRow]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.chunk"
        summary = write_chunk(path, written)
        back = list(read_chunk(path))
    assert back == sorted(written, key=lambda row: (row.wiki_id, row.model.model_name))
    assert summary.rows == sum(count.rows for count in summary.counts) == len(written)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), values, min_size=1), min_size=1, max_size=6))
@_SLOW
def test_features_keep_their_values(written: list[dict[str, bool | int | float]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.chunk"
        write_chunk(path, [snapshot_row(1 + place, features=each) for place, each in enumerate(written)])
        back = [row.features for row in read_chunk(path)]
    kinds = {name: {type(each[name]) for each in written if name in each} for name in "abc"}
    for one, other in zip(written, back, strict=True):
        # Only what has to share a column with fractions may lose digits, as it does where it is read.
        assert other == {name: float(value) if float in kinds[name] else value for name, value in one.items()}


def as_table_row(row: SnapshotRow) -> PredictionRow:
    provenance = Provenance("", "", 0, 0, row.rev_dt, row.scored_dt)
    score = StoredScore(row.model, row.outcome, provenance)
    return PredictionRow(row.wiki_id, row.page_id, row.rev_id, row.rev_dt, (score,))


@st.composite
def told_twice(draw: st.DrawFn) -> list[list[SnapshotRow]]:
    """Draw chunks that tell of few revisions, at times that differ."""
    told: st.SearchStrategy[Outcome] = st.sampled_from(
        [binary(0.25), binary(0.75), ScoreFailure("feature_error", "why")]
    )
    seconds = draw(st.lists(st.integers(0, 100), min_size=1, max_size=12, unique=True))
    found = [
        snapshot_row(
            draw(st.integers(1, 4)),
            draw(told),
            page_id=draw(st.integers(1, 3)),
            scored_after=timedelta(seconds=second),
        )
        for second in seconds
    ]
    ends = sorted(draw(st.lists(st.integers(0, len(found)), max_size=3)))
    return [found[begin:end] for begin, end in zip([0, *ends], [*ends, len(found)], strict=True)]


@given(told_twice())
@_SLOW
def test_of_what_is_told_twice_stays_what_the_tables_would_keep(chunks: Sequence[list[SnapshotRow]]) -> None:
    kept: dict[int, PredictionRow] = {}
    for row in (row for rows in chunks for row in rows):
        kept[row.rev_id] = merge_revision(kept.get(row.rev_id), as_table_row(row))
    with tempfile.TemporaryDirectory() as folder:
        path = write_snapshot(Path(folder), *chunks)
        found = list(open_snapshot(path).rows())
        assert verify_snapshot(path) == []
        doubled = sum(one.rows for one in open_snapshot(path).manifest.doubled)
    assert {row.rev_id: (row.outcome, row.scored_dt) for row in found} == {
        rev_id: (score.outcome, score.provenance.scored_dt)
        for rev_id, table_row in kept.items()
        for score in table_row.scores
    }
    assert len(found) + doubled == sum(map(len, chunks))
