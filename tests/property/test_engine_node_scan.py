"""Texts that are read in one pass have the nodes that mwparserfromhell's tokens have, in C and in Python."""

import importlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from models.engine import node_scan
from models.engine.characters import known_classes
from models.engine.node_answer import KINDS
from models.engine.node_codes import are_sound, tokenized
from models.engine.node_scan import ScannedNodes, scanned
from models.engine.node_scan_of import Scanned, scan_nodes_of
from models.engine.node_tokens import TokenNodes
from models.native import native
from tests.property.test_engine_nodes import MARKUP
from tests.unit.test_engine_nodes import DUMPS, NESTED, real_texts

PLAIN = [
    *("{{a|b=c}}", "{{a}}", "{{{1}}}", "{{{1|", "{{#if:a|b}}", "{{ x\n|", "{{\n* x|"),
    *("[[a]]", "[[a|b]]", "[[File:x|thumb|", "[http://a.b c]", "[//x.y z]", "[mailto:a b]", "[[news:"),
    *(
        "\n== h ==\n",
        "\n=h=\n",
        "== h == <!-- = -->\n",
        "\n== h == <ref>",
        "\n== h == {{a|b=c}}",
        " ==",
        "=== x",
        "'''b'''",
        "''i''",
        "'''''bi'''''",
        "''a'''b",
    ),
    *("http://a.b", "x_http://", "éhttp://", "😀ftp://", "tel:1", "http:", "&amp;", "&#39;", "&#x2F;", "&lt"),
    *("&thetasym;", "&#0;", "<REF>", "</ref>", "<ref name = x />", "<b\n>", '<"/>', "<a-b>", "<0>", "</br>"),
    *("<br/>", "<br clear=all>", "<li>", "<nowiki>[[", "</nowiki>", "</nowi\u212ai>", "<pre>&lt;</pre >"),
    *("\n;a:b", "\n:;", "\n-----", "\u3000", "\r", "\x1c", "\0", "{", "}", "!", "é", "中"),
]
TABLES = [
    *("{|\n", "\n{|", '{| class="x"\n', "{|a=b c\n", "\n|}", "\n|}\n", "\n|-\n", "\n|- a=b\n", "\n|----\n"),
    *(
        "\n|",
        "|",
        "||",
        "\n!",
        "!!",
        "!",
        "\n|+ x",
        'style="a:b"',
        "colspan=2 |",
        "\n |",
        "[[a|b]]",
        "a",
        "a=b",
    ),
    *("http://a|", "<nowiki>|</nowiki>", "\n* x", "\n;a", "\n== h ==\n", "''", "{{a|b}}", "{{", "}}", "<b>"),
]
QUOTES = [
    *(
        '<b a="x>',
        '<b a="',
        "<div x='y”>",
        "<i c='d",
        '<ref name="a">',
        "</ref>",
        "</b>",
        "</div>",
        "</i>",
        ">",
    ),
    *(
        "''",
        "'''",
        "'''''",
        "''a'''b",
        "[[",
        "]]",
        "[[a|b]]",
        "{{",
        "}}",
        "{{a|b}}",
        "{{a|",
        "=",
        "\n== h ==\n",
    ),
    *(
        "\n==",
        "== ",
        "\n",
        "a",
        "b c",
        "[http://a ",
        "[http://a?{{b}} c]",
        "[http://a?{{b",
        "]",
        "{{{{a}}b}}",
    ),
    *(
        "{{{{a}}b|c}}",
        "{{{{a|b}}c}}",
        "{{{{",
        "}}}}",
        "<nowiki>",
        '<!-- " -->',
        "{|\n",
        "\n|}",
        "\n|",
        "|",
        '"',
    ),
]
texts = st.lists(st.sampled_from([*MARKUP, *PLAIN]), max_size=30).map("".join)


def of_tokens(text: str) -> tuple[tuple[int, ...], list[int], list[str]]:
    tokens, codes = tokenized(text)
    assert are_sound(tokens, codes)
    nodes = TokenNodes(text, tokens, codes)
    return tuple(map(nodes.count, KINDS)), list(nodes.heading_levels), list(nodes.tag_names)


def both(text: str) -> Scanned | None:
    """Scan in Python and, where it was built, in C."""
    found = scan_nodes_of(text)
    if native is not None:
        assert native.scan_nodes(text, known_classes()) == found
    if found is not None:
        assert found[:3] == of_tokens(text)
    return found


@settings(max_examples=1_000, deadline=None)
@given(text=texts)
@example("")
@example("{{a|{{b}}{{c}}=d}}")
@example("== h == <ref>{{a|b=c}}</ref>\n* d")
@example("== h == [[a]] ==\n")
@example("''pywikipedia'''s [[x]]")
@example("[http://a b\n[[c <ref>[http://d e]</ref>")
def test_what_is_scanned_has_the_nodes_of_the_tokens(text: str) -> None:
    both(text)


@settings(max_examples=1_000, deadline=None)
@given(pieces=st.lists(st.sampled_from(TABLES), max_size=20))
@example(["{|\n", "\n|", "a=b", "|", "||", "a", "\n!", "a", "!!", "b", "\n|}"])
def test_tables_that_are_scanned_have_the_nodes_of_the_tokens(pieces: list[str]) -> None:
    both("{|\n" + "".join(pieces))
    both("".join(pieces))


@settings(max_examples=1_000, deadline=None)
@given(pieces=st.lists(st.sampled_from(QUOTES), max_size=20))
@example(['<b a="x>', "''a'''b", "</b>", "''"])
@example(["\n== ", '<b a="', "{{a|", "\n==", "}}"])
def test_quotes_that_stay_open_leave_the_nodes_of_the_tokens(pieces: list[str]) -> None:
    both("".join(pieces))


@settings(max_examples=500, deadline=None)
@given(before=texts, after=texts)
@example("<b>a\n", "</b>")
@example("* a\n", "== b ==")
def test_what_follows_a_closed_text_does_not_change_its_nodes(before: str, after: str) -> None:
    found = both(before + "\n")
    assume(found is not None and found[3] and "\0" not in after)
    assert found is not None
    counts, levels, names = of_tokens(before + "\n" + after)
    more_counts, more_levels, more_names = of_tokens(after)
    assert counts == tuple(map(int.__add__, found[0], more_counts))
    assert (levels, names) == (found[1] + more_levels, found[2] + more_names)


@pytest.mark.parametrize("dump", DUMPS)
def test_most_real_texts_are_scanned(shared: Path, dump: str) -> None:
    found = [both(text) for text in real_texts(shared, dump)]
    assert sum(each is not None for each in found) > len(found) / 2


@pytest.mark.parametrize("text", [*NESTED, "[[a" * 2_000, "''" * 3 + "'", "{{a|" * 5_000, "<b>" * 5_000])
def test_nested_markup_is_scanned_as_it_is_read_or_not_at_all(text: str) -> None:
    both(text)


def test_what_is_no_count_is_read_from_the_tokens() -> None:
    text = "== [[a|b]] ==\n{{c}} <ref>[http://d e]</ref>"
    found = scanned(text)
    assert found is not None
    nodes, read = ScannedNodes(text, found), TokenNodes(text, *tokenized(text))
    for name in (
        "heading_titles",
        "wikilink_titles",
        "external_link_urls",
        "template_names",
        "templates",
        "tags",
    ):
        assert getattr(nodes, name) == getattr(read, name)
    assert nodes.content == read.content


def test_nothing_is_scanned_for_a_parser_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    definitions = importlib.import_module("mwparserfromhell.definitions")
    known: Any = node_scan._is_parser_known
    known.cache_clear()
    monkeypatch.setattr(definitions, "PARSER_BLACKLIST", [*definitions.PARSER_BLACKLIST, "poem"])
    assert scanned("a") is None
    known.cache_clear()
    monkeypatch.undo()
    assert scanned("a") is not None
    known.cache_clear()


def test_arguments_of_another_type_are_refused() -> None:
    if native is None:
        pytest.skip("nothing was built")
    asked: Any = native.scan_nodes
    for arguments in ((b"a", known_classes()), ("a", "b"), ("a",)):
        with pytest.raises(TypeError):
            asked(*arguments)
