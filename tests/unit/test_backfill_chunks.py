"""Chunks are cut the same each time, and hold all that their revisions read."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

import pytest

from batch.backfill.chunk import Chunk
from batch.backfill.chunks import Chunker
from batch.backfill.filters import Filters
from batch.backfill.parents import ParentTexts
from batch.dump_revision import DumpRevision, DumpSite
from batch.local_index import TextState
from schemas.errors import SourceError
from tests.backfill_dumps import BEGIN, history, page_of, revision_of

EVERYTHING = Filters()


def chunker(filters: Filters = EVERYTHING, chunk_bytes: int = 1000, limit_chars: int = 1 << 20) -> Chunker:
    return Chunker(3, "xwiki", "x.xml", filters, chunk_bytes=chunk_bytes, parents=ParentTexts(limit_chars))


def cut(revisions: Iterable[DumpRevision], filters: Filters = EVERYTHING, **how: int) -> list[Chunk]:
    return list(chunker(filters, **how).cut(revisions))


def parents(chunks: Iterable[Chunk]) -> dict[int, str | None]:
    """Return the text that each revision has as its parent's."""
    return {
        chunk.rev_id(place): None if one.parent is None else chunk.texts[one.parent].text
        for chunk in chunks
        for place, one in enumerate(chunk.revisions)
    }


def rev_ids(chunks: Iterable[Chunk]) -> list[list[int]]:
    return [[chunk.rev_id(place) for place in range(len(chunk.revisions))] for chunk in chunks]


# A chunk of 1000 bytes has room for one revision by number, so that these are cut by size alone.
ROOMY = 1 << 20


def test_a_chunk_ends_at_the_first_border_of_pages_behind_its_size() -> None:
    chunks = cut(history([2, 2, 2, 2], chars=ROOMY // 3), chunk_bytes=ROOMY)
    assert rev_ids(chunks) == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert [(chunk.part, chunk.number) for chunk in chunks] == [(3, 0), (3, 1)]


def test_a_giant_page_is_cut_within_and_its_parent_text_goes_along() -> None:
    chunks = cut(history([7], chars=ROOMY), chunk_bytes=ROOMY)
    assert rev_ids(chunks) == [[1, 2], [3], [4], [5], [6], [7]]
    assert [len(chunk.texts) for chunk in chunks] == [2, 2, 2, 2, 2, 2]
    assert parents(chunks) == parents(cut(history([7], chars=ROOMY), chunk_bytes=100 * ROOMY))


def test_many_short_revisions_are_cut_by_their_number() -> None:
    chunks = cut(history([1] * 300, chars=1), chunk_bytes=64 * (8 << 10))
    assert [len(chunk.revisions) for chunk in chunks] == [64, 64, 64, 64, 44]


def test_a_text_that_several_revisions_read_travels_once() -> None:
    (chunk,) = cut(history([50], chars=10), chunk_bytes=ROOMY)
    assert len(chunk.texts) == 50
    assert len(chunk.pages) == 1


def test_texts_that_are_filtered_out_are_still_parents() -> None:
    whole = parents(cut(history([40, 3], chars=10), chunk_bytes=ROOMY))
    for filters in (
        Filters(sample=0.2),
        Filters(since=BEGIN + timedelta(hours=20)),
        Filters(is_latest_only=True),
    ):
        some = parents(cut(history([40, 3], chars=10), filters, chunk_bytes=ROOMY))
        assert 0 < len(some) < len(whole)
        assert some.items() <= whole.items()


def test_latest_only_takes_the_last_of_each_page_that_the_other_filters_admit() -> None:
    until = Filters(is_latest_only=True, until=BEGIN + timedelta(hours=4))
    assert [id_ for ids in rev_ids(cut(history([2, 3]), Filters(is_latest_only=True))) for id_ in ids] == [
        2,
        5,
    ]
    assert [id_ for ids in rev_ids(cut(history([2, 3]), until)) for id_ in ids] == [2, 3]


def test_a_larger_sample_holds_the_smaller_one() -> None:
    small, large = (
        {rev_id for rev_id in range(1, 20_001) if Filters(sample=share).samples(rev_id)}
        for share in (0.05, 0.1)
    )
    assert small < large
    assert len(large) == pytest.approx(2000, rel=0.1)


def test_namespaces_are_told_by_number() -> None:
    assert cut(history([2], namespace_id=1), Filters(namespaces=(0,))) == []
    assert rev_ids(cut(history([1], namespace_id=1), Filters(namespaces=(0, 1)))) == [[1]]


@pytest.mark.parametrize("limit_chars", [1 << 20, 150])
def test_a_parent_that_is_not_the_revision_before_is_found(limit_chars: int) -> None:
    page = page_of(1)
    texts = {rev_id: f"{rev_id} é ".ljust(100, "y") for rev_id in range(1, 6)}
    told = [(1, None), (2, 1), (3, 1), (4, 2), (5, 99)]
    read = [revision_of(page, rev_id, parent, texts[rev_id]) for rev_id, parent in told]
    chunks = cut(read, chunk_bytes=ROOMY, limit_chars=limit_chars)
    assert parents(chunks) == {1: None, 2: texts[1], 3: texts[1], 4: texts[2], 5: None}
    assert [one.rev_parent_id for one in chunks[0].revisions] == [None, 1, 1, 2, 99]


def test_a_parent_that_stands_behind_its_child_is_found() -> None:
    pages = page_of(1), page_of(2)
    texts = {rev_id: f"text {rev_id}" for rev_id in range(1, 8)}
    told = [(3, 5), (4, 5), (5, 1), (6, 99), (1, None)]
    read = [revision_of(pages[0], rev_id, parent, texts[rev_id]) for rev_id, parent in told]
    (chunk,) = cut([*read, revision_of(pages[1], 7, 3, texts[7])], chunk_bytes=ROOMY)
    expected = {1: None, 3: texts[5], 4: texts[5], 5: texts[1], 6: None, 7: None}
    assert parents([chunk]) == expected
    assert sorted(rev_ids([chunk])[0]) == sorted(expected)
    assert {chunk.rev_id(place): one.rev_parent_id for place, one in enumerate(chunk.revisions)} == {
        **dict(told),
        7: 3,
    }
    (latest,) = cut(read[::-1], Filters(is_latest_only=True), chunk_bytes=ROOMY)
    assert parents([latest]) == {6: None}
    (last,) = cut(
        read[:3], Filters(until=BEGIN + timedelta(hours=4.5), is_latest_only=True), chunk_bytes=ROOMY
    )
    assert parents([last]) == {4: texts[5]}


def test_what_waits_for_its_parent_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch.backfill.chunks.REMEMBERED_CHARS", 250)
    page = page_of(1)
    read = [revision_of(page, rev_id, 9, "x" * 100) for rev_id in range(1, 5)]
    chunks = cut([*read, revision_of(page, 9, None, "late")], chunk_bytes=ROOMY)
    assert parents(chunks) == {1: None, 2: None, 3: None, 4: "late", 9: None}


def test_the_texts_of_a_page_are_no_parents_of_the_next() -> None:
    pages = page_of(1), page_of(2)
    read = [revision_of(pages[0], 1, None, "a"), revision_of(pages[1], 2, 1, "b")]
    assert parents(cut(read, chunk_bytes=ROOMY))[2] is None


def test_before_parents_were_told_the_revision_above_is_the_parent() -> None:
    site, page = DumpSite(schema_version="0.3"), page_of(1)
    read = [revision_of(page, rev_id, None, f"text {rev_id}", site=site) for rev_id in (4, 9)]
    (chunk,) = cut(read, chunk_bytes=ROOMY)
    assert [one.rev_parent_id for one in chunk.revisions] == [None, 4]
    assert parents([chunk])[9] == "text 4"


def test_the_memory_of_a_page_is_bounded() -> None:
    kept = ParentTexts(500)
    reading = Chunker(0, "xwiki", "x.xml", EVERYTHING, chunk_bytes=1 << 30, parents=kept)
    most = 0

    def watched() -> Iterator[DumpRevision]:
        nonlocal most
        for revision in history([100], chars=100):
            yield revision
            most = max(most, kept.chars)

    list(reading.cut(watched()))
    assert 0 < most <= 500


def test_why_a_text_is_absent_goes_along() -> None:
    page = page_of(1)
    read = [
        revision_of(page, 1, None, None, is_text_hidden=True),
        revision_of(page, 2, 1, None, is_text_too_large=True),
        revision_of(page, 3, 2, None),
    ]
    (chunk,) = cut(read, chunk_bytes=ROOMY)
    assert [text.state for text in chunk.texts] == [TextState.HIDDEN, TextState.TOO_LARGE, TextState.LEFT_OUT]


def test_revisions_without_an_id_are_counted() -> None:
    page = page_of(1)
    one = chunker()
    assert rev_ids(one.cut([revision_of(page, None), revision_of(page, 2)])) == [[2]]
    assert (one.read, one.without_id) == (2, 1)


@pytest.mark.parametrize("is_latest_only", [False, True])
def test_a_defect_is_raised_behind_what_was_complete(is_latest_only: bool) -> None:
    def broken() -> Iterator[DumpRevision]:
        yield from history([2, 2])
        raise SourceError("cut off", line=9)

    chunks = chunker(Filters(is_latest_only=is_latest_only), chunk_bytes=ROOMY).cut(broken())
    # What is the latest revision of the page that breaks off is not known.
    assert rev_ids([next(chunks)]) == ([[2]] if is_latest_only else [[1, 2, 3, 4]])
    with pytest.raises(SourceError, match="cut off"):
        next(chunks)
