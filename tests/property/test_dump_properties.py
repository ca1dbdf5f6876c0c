"""Any dump, in any packing, cut anywhere."""

import bz2
import io
import re
import tempfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch.dump import read_dump
from batch.dump_inputs import list_inputs, read_range, split_input
from batch.dump_revision import DumpRevision
from schemas.errors import SourceError
from tests.dump_documents import PLAIN_HEAD
from tests.packings import PACKINGS

# Whatever XML admits and MediaWiki may hold.
WORDS = st.text(
    st.one_of(
        st.sampled_from("ab<>&'\" \n\t/]é漢😀"),
        st.characters(min_codepoint=0x20, exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"),
    ),
    max_size=40,
)
REVISIONS = st.fixed_dictionaries(
    {
        "id": st.none() | st.integers(1, 1 << 40),
        "parentid": st.none() | st.integers(1, 1 << 40),
        "user": st.none() | st.tuples(WORDS, st.integers(0, 1 << 40)),
        "comment": st.none() | WORDS,
        "text": st.none() | WORDS,
        "model": st.none() | st.sampled_from(["wikitext", "json", "Scribunto"]),
        "is_minor": st.booleans(),
    }
)
PAGES = st.lists(
    st.fixed_dictionaries(
        {"title": WORDS, "id": st.integers(1, 1 << 40), "revisions": st.lists(REVISIONS, max_size=3)}
    ),
    max_size=4,
)


def element(name: str, value: object) -> str:
    """Return an element; nothing where there is no value."""
    return "" if value is None else f"<{name}>{escape(str(value))}</{name}>"


def revision(fields: dict[str, Any]) -> str:
    hidden = ' deleted="deleted" />'
    user = fields["user"]
    return "".join(
        [
            "<revision>",
            element("id", fields["id"]),
            element("parentid", fields["parentid"]),
            "<timestamp>2024-02-29T12:00:01Z</timestamp>",
            f"<contributor{hidden}"
            if user is None
            else f"<contributor>{element('username', user[0])}{element('id', user[1])}</contributor>",
            "<minor />" if fields["is_minor"] else "",
            f"<comment{hidden}" if fields["comment"] is None else element("comment", fields["comment"]),
            element("model", fields["model"]),
            f"<text{hidden}" if fields["text"] is None else element("text", fields["text"]),
            "</revision>\n",
        ]
    )


def written(pages: list[dict[str, Any]]) -> str:
    body = "".join(
        f"<page>{element('title', each['title'])}<ns>0</ns>{element('id', each['id'])}"
        f"<redirect title={quoteattr(each['title'])} />"
        f"{''.join(map(revision, each['revisions']))}</page>\n"
        for each in pages
    )
    return f"{PLAIN_HEAD}{body}</mediawiki>"


def facts(one: DumpRevision) -> tuple[object, ...]:
    user = one.user and (one.user.user_text, one.user.user_id)
    return one.page.page_title, one.rev_id, one.rev_parent_id, user, one.comment, one.text, one.content_model


def expected(pages: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    return [
        (
            page["title"],
            each["id"],
            each["parentid"],
            each["user"],
            each["comment"],
            each["text"],
            each["model"] or "wikitext",
        )
        for page in pages
        for each in page["revisions"]
    ]


@given(PAGES, st.sampled_from(sorted(PACKINGS)), st.booleans())
def test_any_dump_in_any_packing_gives_what_was_written(
    pages: list[dict[str, Any]], packing: str, is_wide: bool
) -> None:
    document = written(pages)
    wide = f'<?xml version="1.0" encoding="UTF-16"?>{document}'
    data = wide.encode("utf-16") if is_wide else document.encode()
    packed = io.BytesIO(PACKINGS[packing](data))
    assert list(map(facts, read_dump(packed, max_text_bytes=1000))) == expected(pages)


@given(PAGES, st.sampled_from(sorted(PACKINGS)), st.floats(0, 1, exclude_max=True))
def test_a_dump_cut_anywhere_gives_a_beginning_and_an_error(
    pages: list[dict[str, Any]], packing: str, share: float
) -> None:
    packed = PACKINGS[packing](written(pages).encode())
    found: list[DumpRevision] = []
    with pytest.raises(SourceError):
        found.extend(read_dump(io.BytesIO(packed[: int(len(packed) * share)])))
    assert list(map(facts, found)) == expected(pages)[: len(found)]


@settings(deadline=None)
@given(PAGES, st.integers(1, 2000), st.integers(1, 3), st.booleans())
def test_pieces_hold_what_the_whole_holds(
    pages: list[dict[str, Any]], target_bytes: int, per_stream: int, is_packed: bool
) -> None:
    document = written(pages)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dump.xml"
        if is_packed:
            head, *rest = re.split("(?=<page>|</mediawiki>)", document)
            streams = [rest[at : at + per_stream] for at in range(0, len(rest), per_stream)]
            path.write_bytes(b"".join(bz2.compress("".join(each).encode()) for each in [[head], *streams]))
        else:
            path.write_text(document)
        (one,) = list_inputs([str(path)])
        ranges = split_input(one, target_bytes)
        assert [each.begin for each in ranges[1:]] == [each.end for each in ranges[:-1]]
        assert ranges[-1].end == path.stat().st_size
        assert [facts(each) for piece in ranges for each in read_range(piece)] == expected(pages)
