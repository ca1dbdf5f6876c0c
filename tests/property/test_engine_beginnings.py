"""Whatever the markup, the nodes that match an expression are those of mwparserfromhell's tree."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.engine.node_beginnings import Beginning
from models.engine.node_tree import TreeNodes
from models.engine.nodes import wikitext_nodes

PATTERNS = [
    re.compile(expression, re.IGNORECASE)
    for expression in (
        "{{(multiple image|image array|gallery|photomontage)",
        "{{Infobox",
        "{{(imagem[ _]multipla|fotográfica|k[^a]b)",
        "{{a*b|{{c",
        "^{{gallery",
        r"{{\s*infobox\b",
        "{{x(?=y)",
        "(?s:{{)a",
        "<(gallery|imagemap)",
        "<(ref|i)>",
        "</b",
        "''",
        "",
    )
]
MARKUP = [
    *(
        "{{",
        "}}",
        "|",
        "=",
        "[[",
        "]]",
        "''",
        "'''",
        "\n",
        "\n*",
        "\n{|",
        "\n|}",
        "\n|-\n",
        "<!--a-->",
        "&amp;",
    ),
    *("<gallery>", "</gallery>", "<ref", " name=a", ">", "/>", "</b>", "<i>", "</i>", "<b a='{{gallery}}'>"),
    *(
        "Gallery",
        "gallery ",
        "multiple image",
        "Infobox",
        "\u0130nfobox",
        "imagem_multipla",
        "\u212a",
        "a",
        "xy",
    ),
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(MARKUP), max_size=30).map("".join))
def test_the_nodes_that_match_are_those_of_the_tree(text: str) -> None:
    for name in ("templates", "tags"):
        for pattern in PATTERNS:
            assert wikitext_nodes(text).matching(name, pattern) == TreeNodes(text).matching(name, pattern)


@given(st.lists(st.sampled_from([*MARKUP, "galler", "image", " arr"]), max_size=4).map("".join), st.data())
def test_what_can_match_is_never_said_not_to(string: str, data: st.DataObject) -> None:
    begun = string[: data.draw(st.integers(0, len(string)))]
    for pattern in PATTERNS:
        assert Beginning(pattern).is_possible(begun) or not pattern.match(string)


@pytest.mark.parametrize(
    ("expression", "begun", "is_possible"),
    [
        ("{{(gallery|photo)", "{{Gall", True),
        ("{{(gallery|photo)", "{{galley", False),
        ("{{a[ _]b", "{{a_", True),
        ("{{a[ _]b", "{{a-", False),
        ("{{a*b", "{{c", True),
        ("<(ref|i)", "{|", False),
    ],
)
def test_a_beginning_says_whether_an_expression_can_match(
    expression: str, begun: str, is_possible: bool
) -> None:
    assert Beginning(re.compile(expression, re.IGNORECASE)).is_possible(begun) is is_possible
