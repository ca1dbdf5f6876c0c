"""Real dumps of every format and packing, as other projects keep them."""

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from batch.dump import read_dump
from batch.dump_revision import DumpRevision, sha1_base36
from batch.index_builder import build_index
from batch.local_index import DumpIndex
from batch.local_source import DumpRevisionSource
from schemas.errors import ContentTooLarge, SourceError
from schemas.revision import RevisionRequest


@pytest.fixture(scope="module")
def dumps(shared: Path) -> Path:
    """The folder of real dumps."""
    return shared / "data" / "dumps"


def pages_of(revisions: list[DumpRevision]) -> int:
    return len({revision.page.page_title for revision in revisions})


def matching(revisions: list[DumpRevision]) -> tuple[int, int]:
    """Return how many texts have the checksum that the dump declares, and how many have another."""
    checked = [one for one in revisions if one.text is not None and one.sha1 is not None]
    good = sum(sha1_base36((one.text or "").encode()) == one.sha1 for one in checked)
    return good, len(checked) - good


@pytest.mark.parametrize(
    ("name", "site", "counts"),
    [
        ("aawiki-20260101-pages-meta-history.xml.7z", ("aawiki", "0.11"), (507, 1307)),
        ("aawiki-20260101-pages-meta-current.xml.bz2", ("aawiki", "0.11"), (507, 507)),
        ("fatwiki-20240920-pages-articles-multistream.xml.bz2", ("fatwiki", "0.11"), (3566, 3566)),
        ("smallwiki-pages-articles.xml.bz2", ("ltgwiki", "0.10"), (2004, 2004)),
        ("enwiki-pages-articles1-shortened.xml.bz2", ("enwiki", "0.10"), (206, 206)),
        ("macbre_dump.xml.bz2", ("fowiki", "0.10"), (2, 2)),
        ("enwiki-20140102.tiny.xml.gz", (None, "0.8"), (2, 106)),
        ("wikidatawiki-20140220_sample-daily-dump.xml", (None, "0.8"), (2, 7)),
        ("wikitrust_wiki_00023.xml", (None, "0.3"), (1, 247)),
        ("wikitrust_amen.xml.gz", (None, "0.3"), (1, 49)),
        ("refinery_Simplewiki.Sample.xml", ("simplewiki", "0.11"), (2, 33)),
        ("refinery_simplewiki_older_MediawikiDumperOutputTest.xml", ("simplewiki", "0.10"), (2, 33)),
        ("refinery_mediawiki-dump-test.xml", (None, None), (3, 6)),
    ],
)
def test_every_real_dump_is_read_whole(
    dumps: Path, name: str, site: tuple[str | None, str | None], counts: tuple[int, int]
) -> None:
    found = list(read_dump(dumps / name))
    assert (pages_of(found), len(found)) == counts
    assert (found[0].site.wiki_id, found[0].site.schema_version) == site


@pytest.mark.parametrize(
    "name",
    [
        "aawiki-20260101-pages-meta-history.xml.7z",
        "aawiki-20260101-pages-meta-current.xml.bz2",
        "fatwiki-20240920-pages-articles-multistream.xml.bz2",
        "smallwiki-pages-articles.xml.bz2",
        "enwiki-pages-articles1-shortened.xml.bz2",
    ],
)
def test_every_text_is_read_to_the_byte(dumps: Path, name: str) -> None:
    good, bad = matching(list(read_dump(dumps / name)))
    assert good > 200
    assert bad == 0


def test_wrong_checksums_are_passed_on_and_not_repaired(dumps: Path) -> None:
    good, bad = matching(list(read_dump(dumps / "enwiki-20140102.tiny.xml.gz")))
    assert bad > good > 0


def test_content_models_are_kept(dumps: Path) -> None:
    models = Counter(
        one.content_model for one in read_dump(dumps / "fatwiki-20240920-pages-articles-multistream.xml.bz2")
    )
    assert models == {"wikitext": 3308, "Scribunto": 206, "sanitized-css": 52}


def test_a_multistream_dump_has_the_pages_of_its_index(dumps: Path) -> None:
    index = dumps / "fatwiki-20240920-pages-articles-multistream-index.txt"
    with index.open(newline="") as file:
        listed = {int(row[1]) for row in csv.reader(file, delimiter=":")}
    found = read_dump(dumps / "fatwiki-20240920-pages-articles-multistream.xml.bz2")
    assert {one.page.page_id for one in found} == listed


@pytest.mark.parametrize(
    "name", ["refinery_Simplewiki.Sample.xml", "refinery_simplewiki_older_MediawikiDumperOutputTest.xml"]
)
def test_suppressed_fields_are_found_where_the_file_has_them(dumps: Path, name: str) -> None:
    written = (dumps / name).read_text()
    found = list(read_dump(dumps / name))
    for element, hidden in (
        ("text", [one.is_text_hidden for one in found]),
        ("comment", [one.is_comment_hidden for one in found]),
        ("contributor", [one.is_user_hidden for one in found]),
    ):
        count = len(re.findall(rf"<{element} [^>]*deleted=\"deleted\"", written))
        assert sum(hidden) == count > 0


@pytest.mark.parametrize("suffix", ["xml", "xml.gz", "xml.bz2", "xml.xz", "xml.lzma", "xml.7z"])
def test_each_packing_gives_the_same_revisions(dumps: Path, suffix: str) -> None:
    folder = dumps / "encodings"
    plain = [(one.rev_id, one.text, one.user) for one in read_dump(folder / "article-pyrus.xml")]
    packed = [(one.rev_id, one.text, one.user) for one in read_dump(folder / f"article-pyrus.{suffix}")]
    assert packed == plain
    assert len(plain) == 6


@pytest.mark.parametrize("name", ["article-pyrus-utf16.xml", "article-pyrus-utf16.xml.bz2"])
def test_utf_16_gives_the_same_texts(dumps: Path, name: str) -> None:
    folder = dumps / "encodings"
    assert [one.text for one in read_dump(folder / name)] == [
        one.text for one in read_dump(folder / "article-pyrus.xml")
    ]


@pytest.mark.parametrize(("name", "revisions"), [("wikitrust_wiki4.xml", 3), ("wikitrust_wiki5.xml", 7)])
def test_malformed_dumps_give_what_is_whole_and_the_place(dumps: Path, name: str, revisions: int) -> None:
    found: list[DumpRevision] = []
    with pytest.raises(SourceError, match=r"undefined entity at line \d+"):
        found.extend(read_dump(dumps / name))
    assert len(found) == revisions


def test_what_is_called_7z_and_is_none_is_an_error(dumps: Path) -> None:
    with pytest.raises(SourceError, match="not a whole dump"):
        list(read_dump(dumps / "encodings" / "article-pyrus.xml_invalid.7z"))


def test_ten_megabytes_in_a_small_file_are_read_or_refused(dumps: Path) -> None:
    path = dumps / "wikidetox_test_wiki_dump.xml.bz2"
    largest = max(read_dump(path), key=lambda one: len(one.text or ""))
    assert len((largest.text or "").encode()) == 10_112_256
    refused = [one for one in read_dump(path, max_text_bytes=1 << 20) if one.is_text_too_large]
    assert [one.rev_id for one in refused] == [largest.rev_id]


async def test_the_source_refuses_the_ten_megabytes_and_gives_the_rest(dumps: Path, tmp_path: Path) -> None:
    path = dumps / "wikidetox_test_wiki_dump.xml.bz2"
    source = DumpRevisionSource(path, cache_dir=tmp_path)
    given = refused = 0
    for one in read_dump(path):
        if one.rev_id is None or one.rev_parent_id is not None:
            continue
        try:
            found = await source.get(RevisionRequest("enwiki", one.rev_id))
        except ContentTooLarge:
            refused += 1
        else:
            given += 1
            assert found.text == one.text
    await source.close()
    assert given > 0
    assert refused <= 1


async def test_old_histories_get_their_parents_from_the_order(dumps: Path, tmp_path: Path) -> None:
    path = dumps / "wikitrust_wiki_00023.xml"
    source = DumpRevisionSource(path, cache_dir=tmp_path, wiki_id="enwiki")
    before: str | None = None
    for one in read_dump(path):
        assert one.rev_id is not None
        found = await source.get(RevisionRequest("enwiki", one.rev_id))
        assert found.text == one.text
        assert found.parent_text == before
        before = one.text
    await source.close()


def test_an_index_holds_all_of_a_real_dump(dumps: Path, tmp_path: Path) -> None:
    path = dumps / "smallwiki-pages-articles.xml.bz2"
    index = DumpIndex(build_index(path, None, tmp_path, max_text_bytes=1 << 20))
    assert index.revision_count == 2004
    assert index.wiki_id == "ltgwiki"
    index.close()
