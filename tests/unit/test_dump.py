"""The dump reader over small documents written here."""

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import zstandard

from batch.dump import read_dump
from batch.dump_revision import DumpRevision, DumpUser, sha1_base36
from schemas.errors import SourceError

HEAD = (
    '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en"><siteinfo>'
    "<sitename>Test</sitename><dbname>testwiki</dbname><base>https://test.example/wiki/Main</base>"
    '<namespaces><namespace key="0" /><namespace key="1">Talk</namespace></namespaces></siteinfo>'
)
REVISION = (
    "<revision><id>7</id><parentid>5</parentid><timestamp>2024-02-29T12:00:01Z</timestamp>"
    "<contributor><username>Ann</username><id>3</id></contributor><minor /><comment>a &amp; b</comment>"
    "<origin>7</origin><model>wikitext</model><format>text/x-wiki</format>"
    '<text bytes="9" sha1="x" xml:space="preserve">one\n&lt;two&gt;</text><sha1>abc</sha1></revision>'
)
PAGE = f"<page><title>Talk:Tea</title><ns>1</ns><id>2</id>{REVISION}</page>"
DOCUMENT = f"{HEAD}{PAGE}</mediawiki>"


def revision(fields: str) -> str:
    """Return a document with one revision of these elements."""
    fields = fields if "<timestamp>" in fields else f"<timestamp>2024-01-01T00:00:00Z</timestamp>{fields}"
    return f"{HEAD}<page><title>A</title><ns>0</ns><id>1</id><revision>{fields}</revision></page></mediawiki>"


def read(document: str | bytes, max_text_bytes: int | None = None) -> list[DumpRevision]:
    """Return the revisions of a document."""
    data = document.encode() if isinstance(document, str) else document
    return list(read_dump(io.BytesIO(data), max_text_bytes=max_text_bytes))


def test_every_field_of_a_revision_is_read() -> None:
    (found,) = read(DOCUMENT)
    assert found.site.wiki_id == "testwiki"
    assert found.site.schema_version == "0.11"
    assert found.site.namespaces == {0: "", 1: "Talk"}
    assert (found.page.page_id, found.page.page_title, found.page.namespace_id) == (2, "Talk:Tea", 1)
    assert (found.rev_id, found.rev_parent_id) == (7, 5)
    assert found.rev_dt == datetime(2024, 2, 29, 12, 0, 1, tzinfo=UTC)
    assert found.user == DumpUser(3, "Ann")
    assert found.comment == "a & b"
    assert found.is_minor_edit
    assert (found.text, found.text_bytes, found.sha1) == ("one\n<two>", 9, "abc")
    assert (found.content_model, found.content_format) == ("wikitext", "text/x-wiki")
    assert [found.is_text_hidden, found.is_user_hidden, found.is_comment_hidden] == [False] * 3


def test_a_redirect_tells_its_target() -> None:
    page = PAGE.replace("<id>2</id>", '<id>2</id><redirect title="Coffee" />')
    (found,) = read(f"{HEAD}{page}</mediawiki>")
    assert found.page.is_redirect
    assert found.page.redirect_title == "Coffee"


@pytest.mark.parametrize("part", ["text", "comment", "contributor"])
def test_hidden_text_comment_and_editor_are_told_apart(part: str) -> None:
    parts = {
        "contributor": "<contributor><ip>192.0.2.1</ip></contributor>",
        "comment": "<comment>c</comment>",
        "text": '<text bytes="1">t</text>',
    }
    parts[part] = f'<{part} deleted="deleted" />'
    (found,) = read(revision("<id>1</id>" + "".join(parts.values())))
    assert (found.is_text_hidden, found.text) == ((True, None) if part == "text" else (False, "t"))
    assert (found.is_comment_hidden, found.comment) == ((True, None) if part == "comment" else (False, "c"))
    assert found.is_user_hidden is (part == "contributor")
    assert found.user == (None if part == "contributor" else DumpUser(None, "192.0.2.1"))


def test_an_empty_text_is_not_a_missing_one() -> None:
    (empty,) = read(revision('<id>1</id><text bytes="0" />'))
    (stub,) = read(revision('<id>1</id><text bytes="12" location="tt:5" id="5" />'))
    assert empty.text == ""
    assert stub.text is None
    assert not stub.is_text_hidden


def test_other_slots_do_not_take_the_place_of_the_main_one() -> None:
    slot = (
        "<content><role>mediainfo</role><origin>9</origin><model>wikibase-mediainfo</model>"
        "<format>application/json</format><text>{}</text></content>"
    )
    (found,) = read(revision(f"<id>1</id><model>wikitext</model><text>main</text>{slot}<sha1>s</sha1>"))
    assert (found.text, found.content_model, found.other_roles) == ("main", "wikitext", ("mediainfo",))


def test_before_0_6_the_prefix_of_the_title_tells_the_namespace() -> None:
    document = DOCUMENT.replace("<ns>1</ns>", "").replace('version="0.11"', 'version="0.3"')
    (found,) = read(document)
    assert found.page.namespace_id == 1
    (other,) = read(document.replace("Talk:Tea", "Dune: a story"))
    assert other.page.namespace_id == 0


def test_the_first_revision_has_no_parent_even_if_the_dump_says_0() -> None:
    (found,) = read(revision("<id>1</id><parentid>0</parentid><text>t</text>"))
    assert found.rev_parent_id is None


def test_uploads_and_log_entries_are_passed_over() -> None:
    upload = "<upload><timestamp>2020-01-01T00:00:00Z</timestamp><filename>F</filename></upload>"
    log = "<logitem><id>1</id><timestamp>2020-01-01T00:00:00Z</timestamp><type>delete</type></logitem>"
    found = read(f"{HEAD}{PAGE.replace('</page>', upload + '</page>')}{log}</mediawiki>")
    assert [one.rev_id for one in found] == [7]


@pytest.mark.parametrize(
    "pack",
    [
        bytes,
        bz2.compress,
        gzip.compress,
        lzma.compress,
        lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
        zstandard.ZstdCompressor().compress,
        # Two streams in a row, as multistream dumps have them.
        lambda data: bz2.compress(data[:100]) + bz2.compress(data[100:]),
        lambda data: gzip.compress(data[:100]) + gzip.compress(data[100:]),
        lambda data: b"".join(zstandard.ZstdCompressor().compress(part) for part in (data[:100], data[100:])),
    ],
    ids=["plain", "bz2", "gz", "xz", "lzma", "zst", "bz2-multi", "gz-multi", "zst-multi"],
)
def test_the_packing_is_told_by_the_bytes_whatever_the_name(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "dump.dat"
    path.write_bytes(pack(DOCUMENT.encode()))
    assert [one.text for one in read_dump(path)] == ["one\n<two>"]


def test_utf_16_is_read() -> None:
    document = '<?xml version="1.0" encoding="UTF-16"?>' + DOCUMENT.replace("one", "tëst")
    assert read(document.encode("utf-16"))[0].text == "tëst\n<two>"


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2024-02-29T12:00:01Z", 1),
        ("2024-02-29T12:00:01.5Z", 1.5),
        ("2024-02-29T13:30:01+01:30", 1),
        ("2024-02-29T12:00:01", 1),
        ("20240229120001", 1),
        ("\n 2024-02-29T12:00:01Z ", 1),
    ],
)
def test_times_are_read_as_programs_write_them(written: str, seconds: float) -> None:
    (found,) = read(revision(f"<id>1</id><timestamp>{written}</timestamp><text>t</text>"))
    assert found.rev_dt == datetime(2024, 2, 29, 12, tzinfo=UTC) + timedelta(seconds=seconds)
    assert found.rev_dt.tzinfo is UTC


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ("a&#x1F600;\U0001f600b", "a\U0001f600\U0001f600b"),
        ("a\r\nb\rc&#13;d", "a\nb\nc\rd"),
        ("a<!-- no -->b<?pi no?>c", "abc"),
        ("<![CDATA[<b>&amp;]]>&lt;", "<b>&amp;<"),
        ("&quot;&apos;&#9;", "\"'\t"),
        ("\u2028\ufeff\x85", "\u2028\ufeff\x85"),
    ],
)
def test_what_xml_admits_in_a_text_is_read(inside: str, text: str) -> None:
    assert read(revision(f'<id>1</id><text xml:space="preserve">{inside}</text>'))[0].text == text


@pytest.mark.parametrize("inside", ["\x01", "&#1;", "&#xD83D;&#xDE00;", "\ufffe", "&nbsp;", "<b", "]]>"])
def test_what_xml_does_not_admit_is_an_error_with_its_place(inside: str) -> None:
    with pytest.raises(SourceError, match=r"line 1, column \d+, byte \d+ of the XML"):
        read(revision(f"<id>1</id><text>{inside}</text>"))


@pytest.mark.parametrize("before", ["\ufeff", "\n\n ", '\r\n<?xml version="1.0"?>\n<!-- made by hand -->'])
def test_what_stands_before_the_document_does_no_harm(before: str) -> None:
    assert len(read(before + DOCUMENT)) == 1


def test_elements_that_extensions_add_are_passed_over() -> None:
    threading = (
        "<DiscussionThreading><ThreadSubject>S</ThreadSubject><ThreadID>9</ThreadID><id>8</id>"
        "</DiscussionThreading><restrictions>edit=sysop</restrictions><flow><board/></flow>"
    )
    (found,) = read(DOCUMENT.replace("<revision>", threading + "<revision>"))
    assert (found.page.page_id, found.rev_id, found.text) == (2, 7, "one\n<two>")


def test_a_page_without_ids_is_read() -> None:
    (found,) = read(DOCUMENT.replace("<id>2</id>", "").replace("<id>7</id>", ""))
    assert (found.page.page_id, found.rev_id, found.user) == (None, None, DumpUser(3, "Ann"))


def test_pages_without_a_document_around_them_are_read() -> None:
    assert [one.rev_id for one in read(PAGE + "\n" + PAGE)] == [7, 7]


def test_the_case_of_a_namespace_does_not_matter() -> None:
    document = DOCUMENT.replace("<ns>1</ns>", "").replace("Talk:Tea", "talk:Tea")
    assert read(document)[0].page.namespace_id == 1


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (f"{HEAD}<logitem><id>1</id></logitem></mediawiki>", "entries of the wiki's log"),
        ("<feed><doc><title>A</title></doc></feed>", "a document of <feed>"),
        ("<html></html>", "a document of <html>"),
    ],
)
def test_another_kind_of_document_says_what_it_is(document: str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        read(document)


def test_a_stream_of_the_caller_stays_open() -> None:
    stream = io.BytesIO(bz2.compress(DOCUMENT.encode()))
    assert len(list(read_dump(stream))) == 1
    assert not stream.closed


def test_several_documents_in_a_row_are_read_one_after_the_other() -> None:
    declared = f'<?xml version="1.0"?>\n{DOCUMENT}\n'
    other = declared.replace("testwiki", "otherwiki")
    assert [one.site.wiki_id for one in read(declared + other + declared)] == [
        "testwiki",
        "otherwiki",
        "testwiki",
    ]


def test_a_second_document_that_begins_at_a_chunk_border_is_read() -> None:
    # One read gives 262,144 bytes: put the border at each place of the second document's beginning.
    border = 1 << 18
    second = f'\n<?xml version="1.0"?>{DOCUMENT}'
    for shift in range(30):
        padding = " " * (border - len(DOCUMENT) - shift)
        first = DOCUMENT.replace("<page>", padding + "<page>", 1)
        assert len(read(first + second)) == 2, shift


def read_until_error(document: str) -> tuple[list[DumpRevision], SourceError]:
    """Return what came before the error, and the error."""
    found: list[DumpRevision] = []
    revisions = read_dump(io.BytesIO(document.encode()))
    with pytest.raises(SourceError) as caught:
        found.extend(revisions)
    return found, caught.value


def test_malformed_xml_gives_what_was_complete_and_then_the_place() -> None:
    found, error = read_until_error(f"{HEAD}\n{PAGE}\n{PAGE.replace('&amp;', '&nbsp;')}</mediawiki>")
    assert [one.rev_id for one in found] == [7]
    # The text of the first page takes two lines.
    assert error.fields["line"] == 4
    assert "undefined entity at line 4" in error.message


def test_a_dump_that_ends_early_is_an_error_after_its_last_whole_revision() -> None:
    found, error = read_until_error(DOCUMENT.removesuffix("</mediawiki>"))
    assert len(found) == 1
    assert "not a whole dump" in error.message
    found, error = read_until_error(DOCUMENT.removesuffix("</revision></page></mediawiki>"))
    assert found == []
    assert "not a whole dump" in error.message


def test_packed_bytes_that_are_cut_off_are_an_error() -> None:
    for packed in (bz2.compress(DOCUMENT.encode()), gzip.compress(DOCUMENT.encode())):
        with pytest.raises(SourceError, match="cut off"):
            read(packed[:-12])


def test_what_is_no_dump_is_an_error() -> None:
    for content in (b"", b"hello", b"\0" * 100, b"<html><body>"):
        with pytest.raises(SourceError):
            read(content)


def test_junk_after_the_document_is_an_error() -> None:
    with pytest.raises(SourceError, match="junk"):
        read(DOCUMENT + "junk")


def test_a_bad_number_names_its_place() -> None:
    with pytest.raises(SourceError, match=r"cannot be read.*line 1"):
        read(revision("<id>seven</id><text>t</text>"))


def test_a_revision_without_a_time_is_an_error() -> None:
    with pytest.raises(SourceError, match="timestamp"):
        read(f"{HEAD}<page><title>A</title><revision><id>1</id></revision></page></mediawiki>")


def test_entities_that_grow_are_refused() -> None:
    bomb = '<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    with pytest.raises(SourceError, match="document type"):
        read(bomb + DOCUMENT.replace("one", "&b;"))


def test_a_text_above_the_limit_is_dropped_and_marked() -> None:
    documents = [revision(f"<id>1</id><text>{'ä' * count}</text>") for count in (500, 501, 600_000)]
    found = [read(document, max_text_bytes=1000)[0] for document in documents]
    assert [one.is_text_too_large for one in found] == [False, True, True]
    assert found[0].text == "ä" * 500
    assert found[2].text is None


def test_a_small_limit_on_texts_is_none_on_what_stands_beside_them() -> None:
    # The border between two reads goes through the comment.
    padding = "".join(
        f"<revision><id>1</id><timestamp>2024-01-01T00:00:00Z</timestamp>"
        f"<comment>{'c' * 500}</comment><text>t</text></revision>"
        for _ in range(2000)
    )
    found = read(f"{HEAD}<page><title>A</title>{padding}</page></mediawiki>", max_text_bytes=0)
    assert {(one.comment, one.text, one.is_text_too_large) for one in found} == {("c" * 500, None, True)}
    assert len(found) == 2000


def test_nothing_but_a_text_may_be_larger_than_the_limit() -> None:
    document = revision(f"<id>1</id><comment>{'a' * 900_000}</comment><text>t</text>")
    assert len(read(document)) == 1
    with pytest.raises(SourceError, match="in the element <comment>"):
        read(document, max_text_bytes=1000)


@pytest.mark.parametrize("begin", ["<text bytes='", "<!-- ", "<?pi "])
def test_what_never_ends_is_given_up(begin: str) -> None:
    stream = io.BytesIO(bz2.compress((HEAD + begin).encode() + b"a" * (40 << 20)))
    with pytest.raises(SourceError, match="without an end"):
        list(read_dump(stream, max_text_bytes=1 << 20))


def test_a_huge_text_out_of_a_small_file_takes_little_memory() -> None:
    import tracemalloc

    packed = bz2.compress(revision("<id>1</id><text>" + "a" * 60_000_000 + "</text>").encode())
    tracemalloc.start()
    try:
        (found,) = read(packed, max_text_bytes=1 << 20)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.is_text_too_large
    assert peak_bytes < 12 << 20


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.xml", tmp_path):
        with pytest.raises(SourceError, match=str(path)):
            list(read_dump(path))


def test_the_checksum_is_written_with_31_digits() -> None:
    # Known from every dump: the checksum of the empty text.
    assert sha1_base36(b"") == "phoiac9h4m842xq45sp7s6u21eteeq1"
    for number in range(200):
        checksum = sha1_base36(str(number).encode())
        assert len(checksum) == 31
        assert int(checksum, 36) < 1 << 160
