"""Which dumps are found, how they are cut, and that the pieces hold what the whole holds."""

import bz2
from collections.abc import Callable
from pathlib import Path

import pytest

from batch.dump import read_dump
from batch.dump_inputs import DumpInput, DumpRange, list_inputs, look_for_inputs, read_range, split_input
from schemas.errors import SourceError
from tests.dump_documents import document, multistream, page

PAGES = [page(number, texts=[f"text {number}.{each} " * 20 for each in range(3)]) for number in range(1, 41)]


def only(path: Path) -> DumpInput:
    """Return the one input that a path names."""
    (found,) = list_inputs([str(path)])
    return found


def texts(ranges: list[DumpRange]) -> list[tuple[int | None, int | None, str | None, str | None]]:
    """Return what pieces hold, one after the other."""
    return [
        (one.page.page_id, one.rev_id, one.text, one.site.wiki_id)
        for each in ranges
        for one in read_range(each)
    ]


def whole(path: Path) -> list[tuple[int | None, int | None, str | None, str | None]]:
    """Return what a dump holds, read at once."""
    return [(one.page.page_id, one.rev_id, one.text, one.site.wiki_id) for one in read_dump(path)]


def test_plain_xml_is_cut_before_pages(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    path.write_text(document(PAGES))
    ranges = split_input(only(path), 5000)
    assert len(ranges) > 5
    assert [each.begin for each in ranges[1:]] == [each.end for each in ranges[:-1]]
    assert texts(ranges) == whole(path)
    assert all(texts([each]) for each in ranges)


@pytest.mark.parametrize("with_index", [True, False])
def test_a_multistream_dump_is_cut_at_its_streams(tmp_path: Path, with_index: bool) -> None:
    path = tmp_path / "testwiki-20260101-pages-articles-multistream.xml.bz2"
    index = path.with_name("testwiki-20260101-pages-articles-multistream-index.txt.bz2")
    path.write_bytes(multistream(PAGES, index=index if with_index else None))
    ranges = split_input(only(path), 500)
    assert len(ranges) > 3
    assert texts(ranges) == whole(path)


def test_an_index_of_another_dump_costs_pieces_and_no_page(tmp_path: Path) -> None:
    path = tmp_path / "testwiki-20260101-pages-articles-multistream.xml.bz2"
    path.write_bytes(multistream(PAGES))
    index = path.with_name("testwiki-20260101-pages-articles-multistream-index.txt")
    index.write_text("".join(f"{place}:1:Page\n" for place in range(7, 3000, 250)))
    assert texts(split_input(only(path), 500)) == whole(path)


def test_streams_that_begin_anywhere_are_not_cut_at(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml.bz2"
    data = document(PAGES).encode()
    path.write_bytes(b"".join(bz2.compress(data[at : at + 700]) for at in range(0, len(data), 700)))
    (one,) = split_input(only(path), 500)
    assert one.is_whole
    assert texts([one]) == whole(path)


@pytest.mark.parametrize("inside", ["<!-- <page> -->", "<![CDATA[ <page> ]]>"])
def test_what_only_looks_like_a_page_is_not_cut_at(tmp_path: Path, inside: str) -> None:
    path = tmp_path / "dump.xml"
    path.write_text(document([*PAGES, PAGES[0].replace("text 1.0", inside, 1)]))
    assert [one.is_whole for one in split_input(only(path), 5000)] == [True]


@pytest.mark.parametrize(
    "pack", [str.encode, lambda text: multistream(PAGES) * 2], ids=["plain", "multistream"]
)
def test_several_documents_in_a_row_stay_together(tmp_path: Path, pack: Callable[[str], bytes]) -> None:
    path = tmp_path / "dump.xml"
    path.write_bytes(pack(document(PAGES) * 2))
    (one,) = split_input(only(path), 500)
    assert len(texts([one])) == 2 * 3 * len(PAGES)


def test_utf_16_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    path.write_bytes(('<?xml version="1.0" encoding="UTF-16"?>' + document(PAGES)).encode("utf-16"))
    (one,) = split_input(only(path), 500)
    assert len(texts([one])) == 3 * len(PAGES)
    assert only(path).wiki_id == "testwiki"


def test_a_piece_that_is_damaged_says_where_and_keeps_what_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    path.write_text(document([*PAGES[:30], PAGES[30].replace("text 31.1", "a &nbsp; b", 1), *PAGES[31:]]))
    ranges = split_input(only(path), 5000)
    found: list[int | None] = []
    broken: list[tuple[DumpRange, str]] = []
    for each in ranges:
        try:
            found.extend(one.rev_id for one in read_range(each))
        except SourceError as error:
            broken.append((each, error.message))
    ((place, message),) = broken
    assert f"from byte {place.begin} to {place.end}" in message
    assert 311 in found  # The page's first revision, before the defect.
    assert 312 not in found


def test_a_piece_whose_end_is_missing_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    path.write_text(document(PAGES).removesuffix("</mediawiki>"))
    *others, last = split_input(only(path), 5000)
    assert texts(others)
    with pytest.raises(SourceError, match="not a whole dump"):
        texts([last])


def make(folder: Path, *names: str) -> None:
    """Write small dumps of these names."""
    for name in names:
        data = document(PAGES[:1]).encode()
        (folder / name).write_bytes(bz2.compress(data) if name.endswith("bz2") else data)


def test_a_folder_gives_its_dumps_and_not_what_lies_beside_them(tmp_path: Path) -> None:
    make(
        tmp_path,
        "testwiki-20260101-pages-meta-history2.xml-p858p900.bz2",
        "testwiki-20260101-pages-meta-history1.xml-p1p857.bz2",
        "testwiki-20260101-pages-articles-multistream-index.txt",
        "testwiki-20260101-stub-meta-history.xml",
        "testwiki-20260101-pages-logging.xml",
        "testwiki-20260101-user_groups.sql",
        "testwiki-20260101-md5sums.txt",
        "testwiki-20260101.users.jsonl",
        "notes.txt",
    )
    listing = look_for_inputs([str(tmp_path)])
    assert [(one.first_page_id, one.last_page_id) for one in listing.inputs] == [(1, 857), (858, 900)]
    assert len(listing.passed_over) == 7


def test_nothing_is_read_twice_because_it_lies_there_in_two_forms(tmp_path: Path) -> None:
    make(
        tmp_path,
        "testwiki-20260101-pages-meta-history.xml",
        "testwiki-20260101-pages-meta-history.xml.bz2",
        "testwiki-20260101-pages-meta-current.xml.bz2",
        "testwiki-20260101-pages-articles.xml.bz2",
        "otherwiki-20260101-pages-articles.xml.bz2",
        "export.xml",
        "export.xml.bz2",
    )
    assert sorted(one.name for one in list_inputs([str(tmp_path)])) == [
        "export.xml",
        "otherwiki-20260101-pages-articles.xml.bz2",
        "testwiki-20260101-pages-meta-history.xml",
    ]
    named = [str(tmp_path / "testwiki-20260101-pages-articles.xml.bz2"), str(tmp_path / "export*")]
    assert [one.name for one in list_inputs(named)] == [
        "export.xml",
        "testwiki-20260101-pages-articles.xml.bz2",
    ]


def test_a_glob_may_go_deeper(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    make(tmp_path / "a" / "b", "deep.xml")
    assert [one.name for one in list_inputs([str(tmp_path / "**" / "*.xml*")])] == ["deep.xml"]


def test_the_wiki_is_what_the_caller_the_dump_or_the_name_say(tmp_path: Path) -> None:
    path = tmp_path / "namewiki-20260101-pages-articles.xml"
    path.write_text(document(PAGES[:1]))
    assert list_inputs([str(path)], wiki_id="toldwiki")[0].wiki_id == "toldwiki"
    assert only(path).wiki_id == "testwiki"
    path.write_text(document(PAGES[:1]).replace("<dbname>testwiki</dbname>", ""))
    assert only(path).wiki_id == "namewiki"
    path.write_text("no dump at all")
    assert only(path).wiki_id == "namewiki"


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    for source in (tmp_path, tmp_path / "*.xml", tmp_path / "absent.xml"):
        with pytest.raises(SourceError, match=r"no dump|cannot open"):
            list_inputs([str(source)])
