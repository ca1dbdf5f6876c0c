"""Whatever the markup, and whatever follows it, a text cut into parts has the nodes of the whole."""

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from models.engine.node_codes import are_sound, tokenized
from models.engine.node_parts import KnownParts
from models.engine.node_parts_closed import are_closed
from models.engine.nodes import wikitext_nodes
from tests.property.test_engine_nodes import MARKUP, answers

PAIRED = [
    *(
        "''a''",
        "'''b'''",
        "'''''c'''''",
        "{{d|e=f}}",
        "[[g|h]]",
        "<ref>i</ref>",
        "<!-- j -->",
        "[http://k l]",
    ),
    *(
        "\n== m ==\n",
        "\n{|\n|-\n| n=o | p\n|}\n",
        "<nowiki>'' {{</nowiki>",
        '<ref name="q"/>',
        "<br>",
        "\n; r : s\n",
    ),
]
CLOSING = [
    "}}",
    "]]",
    "''",
    "'''",
    "'''''",
    "</ref>",
    "-->",
    "\n|}",
    "</li>",
    "</b>",
    "]",
    '">',
    "'>",
    "==",
    "/>",
]

soup = st.lists(st.sampled_from([*MARKUP, *PAIRED, *CLOSING]), max_size=12).map("".join)
lines = st.lists(st.sampled_from(PAIRED) | soup, max_size=6).map(lambda parts: "".join(parts) + "\n")


@settings(max_examples=400, deadline=None)
@given(lines, st.sampled_from(CLOSING), soup)
def test_what_follows_closed_lines_changes_none_of_their_tokens(
    before: str, closing: str, after: str
) -> None:
    tokens, codes = tokenized(before)
    assume(are_closed(before, tokens, codes))
    for behind in (after, closing + after):
        apart = merged([*tokens, *tokenized(behind)[0]])
        assert merged(tokenized(before + behind)[0]) == apart


@settings(max_examples=200, deadline=None)
@given(st.lists(lines, min_size=1, max_size=8), st.lists(st.tuples(st.integers(0), lines), max_size=4))
def test_a_page_that_is_edited_has_the_nodes_of_each_of_its_texts(
    page: list[str], edits: list[tuple[int, str]]
) -> None:
    known = KnownParts()
    for place, line in [(0, page[0]), *edits]:
        page[place % len(page)] = line
        text = "".join(page)
        tokens, codes = tokenized(text)
        cut = known.cut(text)
        if are_sound(tokens, codes):
            assert cut is not None
        if cut is not None:
            assert answers(lambda _, cut=cut: cut, text) == answers(wikitext_nodes, text)


def merged(tokens: list[Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return tokens as values, texts beside one another joined."""
    joined: list[tuple[str, dict[str, Any]]] = []
    for token in tokens:
        name = type(token).__name__
        if name == "Text" and joined and joined[-1][0] == "Text":
            joined[-1] = name, {"text": joined[-1][1]["text"] + token["text"]}
        else:
            joined.append((name, dict(token)))
    return joined
