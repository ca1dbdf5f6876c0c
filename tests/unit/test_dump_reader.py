"""What is read past expat equals what expat reads, errors and their places included."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch import dump_reader
from batch.compression import open_unpacked
from batch.dump import read_plain
from batch.dump_parser import DumpParser
from batch.dump_revision import DumpRevision
from schemas.errors import SourceError

# As MediaWiki writes them, and as few write them.
PIECES = (
    "    <revision>\n      <id>7</id>\n      <parentid>5</parentid>\n",
    "<revision><id>8</id>",
    "      <timestamp>2024-02-29T12:00:01Z</timestamp>\n",
    "      <contributor>\n  <username>Ann &amp; Bo</username>\n  <id>3</id>\n      </contributor>\n",
    "<contributor><ip>192.0.2.1</ip></contributor>",
    '      <contributor deleted="deleted" />\n',
    "      <minor />\n",
    "<comment>a &lt;b&gt; &quot;c&quot; &#039;d&#039; &amp;amp; \u00e4\u65e5\U0001f600</comment>",
    '<comment deleted="deleted" />',
    "      <origin>7</origin>\n      <model>wikitext</model>\n      <format>text/x-wiki</format>\n",
    '      <text bytes="9" sha1="x" xml:space="preserve">one\n\ttwo [[\u5c06]]</text>\n',
    "<text/>",
    '<text bytes="12" location="tt:5" id="5" />',
    "      <sha1>abc</sha1>\n",
    "    </revision>\n",
    "</revision>",
    "  </page>\n  <page>\n    <title>A</title>\n    <ns>0</ns>\n    <id>2</id>\n",
    "<upload>",
    "</upload>",
    "<content><role>other</role><text>{}</text></content>\n",
    "<!-- \n",
    " -->",
    "<![CDATA[\n",
    "]]>",
    "&nbsp;",
    "&#10;",
    ">",
    "\r\n",
    "\x01",
    "\ufffe",
    "\U0001fffe",
    "<id>seven</id>",
    "<timestamp>2024-13-01T00:00:00Z</timestamp>",
    '<text a="1" a="2">',
    '<id x="&lt;">4</id>',
    "<page>\n",
    "</mediawiki>\n<mediawiki>\n",
)
HEAD = '<mediawiki version="0.11">\n  <page>\n    <title>A</title>\n    <ns>0</ns>\n    <id>1</id>\n'
TAIL = "  </page>\n</mediawiki>\n"
REVISION = "".join(PIECES[place] for place in (0, 2, 3, 6, 7, 9, 10, 13, 14))


class Trickle(io.BytesIO):
    """Gives so many bytes at a time."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__(content)
        self._size = size

    def read(self, _size: int | None = -1) -> bytes:
        return super().read(self._size)


def read(content: bytes, size: int, limit: int | None = None) -> tuple[list[DumpRevision], str]:
    """Return the revisions, and the error behind them."""
    found: list[DumpRevision] = []
    try:
        found.extend(read_plain(Trickle(content, size), "a dump", max_text_bytes=limit))
    except SourceError as error:
        return found, error.message
    return found, ""


def read_both_ways(content: bytes, size: int, functions: Any, limit: int | None = None) -> Iterator[Any]:
    """Yield what is found with functions in C, and without."""
    with pytest.MonkeyPatch.context() as patch:
        for either in (functions, None):
            patch.setattr(dump_reader, "native", either)
            yield read(content, size, limit)


@settings(max_examples=600, deadline=None)
@given(
    pieces=st.lists(st.sampled_from((*PIECES, REVISION, REVISION, REVISION)), max_size=12),
    size=st.integers(1, 3000),
    declared=st.sampled_from(["", '<?xml version="1.0" encoding="utf-8"?>\n']),
    limit=st.sampled_from([None, 3, 1 << 20]),
)
def test_documents_of_any_pieces_are_read_alike(
    built: Any, pieces: list[str], size: int, declared: str, limit: int | None
) -> None:
    content = (declared + HEAD + "".join(pieces) + TAIL).encode()
    ours, twin = read_both_ways(content, size, built, limit)
    assert ours == twin


@settings(max_examples=600, deadline=None)
@given(
    place=st.integers(0, len(REVISION.encode())),
    gone=st.integers(0, 30),
    put=st.binary(max_size=3) | st.sampled_from(PIECES).map(str.encode),
    size=st.integers(100, 3000),
)
def test_what_is_changed_anywhere_is_read_alike(
    built: Any, place: int, gone: int, put: bytes, size: int
) -> None:
    revision = REVISION.encode()
    changed = revision[:place] + put + revision[place + gone :]
    ours, twin = read_both_ways(HEAD.encode() + revision + changed + revision + TAIL.encode(), size, built)
    assert ours == twin


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ("<!--", "-->"),
        ("<![CDATA[", "]]>"),
        ("<?any", "?>"),
        ("<upload>", "</upload>"),
        ("<comment>", "</comment>"),
        ("<any>", "</any>"),
        ("<text a='", "'/>"),
        ("</page><logitem>", "</logitem><page>"),
        ("</page>", "<page>"),
        ("</page></mediawiki>", "<mediawiki><page>"),
    ],
)
@pytest.mark.parametrize("size", [7, 1 << 18])
def test_a_revision_counts_where_it_stands_in_a_page_alone(
    built: Any, before: str, behind: str, size: int
) -> None:
    for inside in (REVISION, REVISION * 2, f"{REVISION}\ufffe", f"a{REVISION}"):
        for end in ("", behind):
            content = f"{HEAD}{REVISION}{before}\n{inside}{end}\n{REVISION}{TAIL}".encode()
            ours, twin = read_both_ways(content, size, built)
            assert ours == twin


@pytest.mark.parametrize(
    "odd",
    [
        b">",
        b"]]>",
        b"<",
        b'"',
        b"\x01",
        b"\r",
        b"\t\n",
        b"\x7f",
        b"&#10;",
        b"&nbsp;",
        b"&lt",
        b"&",
        "\ufffe".encode(),
        "\uffff".encode(),
        "\u1ffe\U0001fffe".encode(),
        b"\xed\xa0\x80",
        b"\xc0\x80",
        b"\xf4\x90\x80\x80",
        b"\xff",
    ],
)
def test_odd_characters_are_read_alike(built: Any, odd: bytes) -> None:
    for value in (b"wikitext", b"username", b"one", b"preserve", b"Ann", b"deleted", b"2024", b"3"):
        revision = (REVISION + REVISION.replace(PIECES[3], PIECES[5])).encode()
        for put in (odd, value + odd, odd + value):
            content = revision.replace(value, put)
            ours, twin = read_both_ways(HEAD.encode() + content + TAIL.encode(), 1 << 18, built)
            assert ours == twin


@pytest.mark.parametrize("encoding", ["iso-8859-1", "us-ascii", "utf-16"])
def test_other_encodings_are_left_to_expat(built: Any, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n{HEAD}{REVISION}{TAIL}'
    content = text.encode(encoding, "replace")
    ours, twin = read_both_ways(content, 500, built)
    assert ours == twin
    assert [one.rev_id for one in ours[0]] == [7]


@pytest.mark.parametrize("size", [1 << 10, 1 << 18])
def test_real_dumps_are_read_alike(built: Any, shared: Path, size: int) -> None:
    dumps = (shared / "data/dumps").rglob("*.xml*")
    for path in sorted(one for one in dumps if "invalid" not in one.name):
        with open_unpacked(path) as stream:
            content = stream.read()
        ours, twin = read_both_ways(content, size, built)
        assert ours == twin, path.name
        assert ours[0], path.name


@pytest.mark.parametrize("size", [300, 1 << 18])
def test_what_mediawiki_writes_goes_past_expat(
    built: Any, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    parsed: list[str] = []
    start = DumpParser._start

    def noted(parser: DumpParser, name: str, attributes: dict[str, str]) -> None:
        parsed.append(name)
        start(parser, name, attributes)

    monkeypatch.setattr(DumpParser, "_start", noted)
    monkeypatch.setattr(dump_reader, "native", built)
    found, error = read((HEAD + REVISION * 9 + TAIL).encode(), size)
    assert (len(found), error) == (9, "")
    # One that begins in a piece of the stream and in the midst of a line may be parsed.
    assert parsed.count("revision") <= (3 if size == 300 else 0)


def test_a_place_that_is_none_is_refused(built: Any) -> None:
    assert built.dump_revision(REVISION.encode(), 0)[1:] == (len(REVISION.encode()), REVISION.count("\n"))
    assert built.dump_revision(b"", 0) is None
    for start in (-1, 1):
        with pytest.raises(ValueError, match="no place"):
            built.dump_revision(b"", start)
    with pytest.raises(OverflowError):
        built.dump_revision(b"", 1 << 80)
    for arguments in (("", 0), (b"", ""), (b"",)):
        with pytest.raises(TypeError):
            built.dump_revision(*arguments)
