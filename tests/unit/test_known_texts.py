"""The texts that went by: the latest of each page, within bounds, and nothing that is hidden."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.known_texts import KnownTexts
from schemas.decode import decode_event
from schemas.page_change import PageChange
from schemas.revision import ParentRevision
from tests.decisions import change

WIKI = "mosswiki"
LARGE = "x" * 4000


def texts(most_bytes: int = 1 << 20) -> KnownTexts:
    return KnownTexts(most_bytes)


def keep(known: KnownTexts, rev_id: int, text: str = "moss", *, page_id: int = 31) -> None:
    known.keep(WIKI, page_id, rev_id, ParentRevision(text), mark=known.mark())


def heed(known: KnownTexts, value: bytes) -> None:
    event = decode_event(value)
    assert isinstance(event, PageChange)
    known.heed(event)


def test_a_page_has_its_latest_text_alone() -> None:
    known = texts()
    keep(known, 1)
    keep(known, 2, "fern")
    assert known.get(WIKI, 1) is None
    assert known.get(WIKI, 2) == ParentRevision("fern")
    assert known.get("fernwiki", 2) is None
    assert (known.status().found, known.status().missed) == (1, 2)


def test_what_was_used_longest_ago_goes_first() -> None:
    known = texts(12_000)
    keep(known, 1, LARGE, page_id=1)
    keep(known, 2, LARGE, page_id=2)
    assert known.get(WIKI, 1) is not None
    keep(known, 3, LARGE, page_id=3)
    assert [known.get(WIKI, rev_id) is not None for rev_id in (1, 2, 3)] == [True, False, True]


def test_what_is_larger_than_the_bound_is_not_kept_and_nothing_goes_for_it() -> None:
    known = texts(6_000)
    keep(known, 1, LARGE, page_id=1)
    keep(known, 2, LARGE * 2, page_id=2)
    assert known.get(WIKI, 1) is not None
    assert known.get(WIKI, 2) is None


def test_a_bound_of_zero_keeps_nothing() -> None:
    known = texts(0)
    keep(known, 1, "")
    assert known.status().size_bytes == 0
    assert known.get(WIKI, 1) is None


@pytest.mark.parametrize(
    "value",
    [
        change("delete"),
        change("delete", revision={"rev_id": 1}),
        change("delete", without=("performer",), revision={"is_content_visible": False}),
        change("visibility_change", revision={"is_content_visible": False}),
        change("visibility_change", revision={"is_editor_visible": False}),
        change("visibility_change", revision={"is_comment_visible": False}, without=("performer",)),
        # A revision can have come to another page since.
        change(
            "visibility_change",
            page={"page_id": 99, "page_title": "M", "namespace_id": 0},
            revision={"is_content_visible": False},
        ),
    ],
)
def test_what_is_hidden_is_forgotten_at_once_and_not_kept_by_who_had_it_before(value: bytes) -> None:
    known = texts()
    mark = known.mark()
    keep(known, 5002)
    heed(known, value)
    known.keep(WIKI, 31, 5002, ParentRevision("moss"), mark=mark)
    assert known.get(WIKI, 5002) is None
    assert known.status().size_bytes == 0


@pytest.mark.parametrize("value", [change("edit"), change("visibility_change"), change("undelete")])
def test_what_hides_nothing_changes_nothing(value: bytes) -> None:
    known = texts()
    keep(known, 5002)
    heed(known, value)
    assert known.get(WIKI, 5002) is not None


def test_when_all_is_forgotten_a_text_from_before_is_not_kept() -> None:
    known = texts()
    mark = known.mark()
    keep(known, 1)
    known.clear()
    known.keep(WIKI, 32, 2, ParentRevision("moss"), mark=mark)
    assert known.get(WIKI, 1) is known.get(WIKI, 2) is None
    assert known.status().size_bytes == 0


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(0, 3000)), max_size=60),
    st.integers(0, 9000),
)
def test_the_bound_holds_and_the_size_is_that_of_what_is_kept(
    kept: list[tuple[int, int, int]], most_bytes: int
) -> None:
    known = texts(most_bytes)
    for page_id, rev_id, length in kept:
        keep(known, rev_id, "x" * length, page_id=page_id)
        assert known.status().size_bytes <= most_bytes
    for page_id, rev_id, _ in kept:
        heed(known, change("delete", page={"page_id": page_id, "page_title": "M", "namespace_id": 0}))
        heed(known, change("delete", revision={"rev_id": rev_id}))
    assert known.status().size_bytes == 0
