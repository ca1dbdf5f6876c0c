"""A text is cut where nothing that follows can reach back, and only what changed is read again."""

import importlib
import re
from pathlib import Path

import pytest

from batch.dump import read_dump
from models.engine.node_codes import tokenized
from models.engine.node_parts import KnownParts, KnowParts
from models.engine.node_parts_closed import are_closed
from models.engine.node_scan import scanned
from models.engine.nodes import LateNodes, wikitext_nodes
from tests.histories import edited
from tests.property.test_engine_nodes import answers

CLOSED = [
    "Plain text, 3 - 2 = 1; it's [sic] {so}.\n",
    "'''A''' is ''b'' with '''''c''''' and {{d|e=[[f|''g'']]}}.\n",
    '== h ==\n* i<ref name="j">[http://k l]</ref><br>\n; m : n\n',
    '{| class="o"\n|+ p\n|-\n! q !! r\n|-\n| s=t | u || v\n|}\n',
    "<nowiki>'' {{ [[</nowiki><!-- ''' <b> --> http://w\n",
]
# Each with what follows it and changes it.
OPEN = {
    "{{a|\n": "}}",
    "[[a|b\n": "]]",
    "''a\n": "''",
    "'''''a'' b\n": "'''",
    "<ref>a\n": "</ref>",
    "<li>a\n": "</li>",
    "<!-- a\n": "-->",
    "{|\n| a\n": "|}",
    "{|\n| a='' | b\n|}\n": "''",
    '<ref name="a/>\n': '">b</ref>',
    "<nowiki>a\n": "</nowiki>",
    "{{{a\n": "}}}",
    "[http://a {{b\n": "}}]",
    "{{a|b\n{|c|d}}\n": "|}]] ",
}


@pytest.mark.parametrize("text", CLOSED)
def test_lines_of_complete_nodes_are_closed(text: str) -> None:
    tokens, codes = tokenized(text)
    assert are_closed(text, tokens, codes)


@pytest.mark.parametrize(("text", "behind"), OPEN.items())
def test_lines_with_a_node_that_may_be_closed_later_are_not_closed(text: str, behind: str) -> None:
    tokens, codes = tokenized(text)
    assert not are_closed(text, tokens, codes)
    assert tokenized(text + behind)[1].replace(b"tt", b"t") != (codes + tokenized(behind)[1]).replace(
        b"tt", b"t"
    )


def test_neither_half_lines_nor_nul_are_closed() -> None:
    for text in ("a", "a\0\n"):
        tokens, codes = tokenized(text)
        assert not are_closed(text, tokens, codes)


def noted_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list that every text whose nodes are looked for from now on is added to."""
    read: list[str] = []

    def noted(text: str) -> object:
        read.append(text)
        return scanned(text)

    monkeypatch.setattr(importlib.import_module("models.engine.node_parts"), "scanned", noted)
    return read


def test_an_edit_reads_only_the_lines_that_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    page = [f"'''{number}''' is a [[number]].\n\n" for number in range(50)]
    known = KnownParts()
    first = known.cut("".join(page))
    assert first is not None
    read = noted_reads(monkeypatch)
    page[7] = "'''Seven''' is {{another}}.\n\n"
    second = known.cut("".join(page))
    assert second is not None
    assert [second.count(kind) for kind in ("Tag", "Wikilink", "Template")] == [50, 49, 1]
    assert page[7] in read
    assert sum(map(len, read)) < 200


def test_a_page_that_stays_open_is_not_tried_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    page = ["<ref>open\n\n", *(f"[[line]] {number}\n\n" for number in range(500))]
    known = KnownParts()
    assert known.cut("".join(page)) is not None
    read = noted_reads(monkeypatch)
    page[400] = "[[other]]\n\n"
    cut = known.cut("".join(page))
    assert cut is not None
    assert cut.count("Wikilink") == 500
    assert read == ["".join(page)]


def test_what_is_known_of_a_page_passes_from_text_to_text() -> None:
    first = KnowParts()("a\n\n[[b]]\n\n")
    second = KnowParts()("a\n\n[[c]]\n\n", first)
    assert second.known is first.known
    assert LateNodes(second).found.wikilink_titles == ["c"]
    assert LateNodes(first).found.wikilink_titles == ["b"]
    assert LateNodes(KnowParts()(None, second)).found.content == ""


def test_known_parts_are_bounded() -> None:
    known = KnownParts()
    for number in range(200):
        known.cut("".join(f"[[{number}]] {line}\n\n" for line in range(100)))
    assert sum(map(len, known._parts)) < 200_000


def test_edited_articles_have_the_nodes_of_the_whole(shared: Path) -> None:
    dump = shared / "data" / "dumps" / "wikitrust_wiki_00023.xml"
    articles = [read.text for read in read_dump(dump) if read.text and len(read.text) > 3_000][:100:25]
    pattern = re.compile("{{Infobox|{{cite", re.IGNORECASE)
    known = KnownParts()
    parts = 0
    for revision in edited(articles, edits=15):
        assert revision.text is not None
        cut, whole = known.cut(revision.text), wikitext_nodes(revision.text)
        assert cut is not None
        parts += len(cut._parts)
        assert answers(lambda _, cut=cut: cut, "") == answers(lambda _, whole=whole: whole, "")
        assert cut.matching("templates", pattern) == whole.matching("templates", pattern)
    assert parts > 100


LINES = "[[b]] and no more\n\n" * 4


def test_a_text_is_cut_once_its_page_is_edited_often() -> None:
    known = KnownParts()
    texts = [f"[[a]] {number}\n\n{LINES}" for number in range(12)]
    is_cut = [known.cut_if_worth(text) is not None for text in texts]
    assert not is_cut[0]
    assert is_cut[-1]


def test_a_page_that_is_read_again_each_time_is_left_alone_for_a_while() -> None:
    known = KnownParts()
    is_cut = [
        known.cut_if_worth("".join(f"[[{number} {line}]]\n\n" for line in range(1_000))) is not None
        for number in range(60)
    ]
    assert 2 < is_cut.count(True) < 20
