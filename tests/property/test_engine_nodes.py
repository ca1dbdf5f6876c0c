"""Whatever the markup, the nodes of a text are those of mwparserfromhell's tree."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from models.engine.node_tree import TreeNodes
from models.engine.nodes import KINDS, wikitext_nodes
from tests.unit.test_engine_nodes import PROPERTIES

MARKUP = [
    *(
        "{{",
        "}}",
        "{{{",
        "}}}",
        "[[",
        "]]",
        "[",
        "]",
        "|",
        "=",
        "==",
        "\n==",
        "==\n",
        "\n",
        "\n\n\n",
        " ",
        "\t",
    ),
    *(
        "''",
        "'''",
        "'''''",
        "<!--",
        "-->",
        "<",
        ">",
        "</",
        "/>",
        "<b>",
        "</b>",
        "<ref name=",
        "</ref>",
        "<br>",
    ),
    *(
        "</br>",
        "<li>",
        "<td",
        "<nowiki>",
        "</nowiki>",
        "<gallery>",
        "</gallery>",
        "<div ",
        "</div>",
        'a="b c"',
    ),
    *(
        "x=y",
        "a=",
        "='",
        '"',
        "'",
        "\n{|",
        "\n|-",
        "\n|",
        "||",
        "!!",
        "\n!",
        "\n|+",
        "\n|}",
        "\n*",
        "\n#:",
        "\n;",
    ),
    *(
        ":",
        "\n----",
        "&nbsp;",
        "&#12;",
        "&#x1F;",
        "&#xD800;",
        "&#99999999;",
        "&bogus;",
        "http://a.b",
        "[https://c ",
    ),
    *(
        " //d",
        "mailto:e@f",
        "a",
        "b c",
        "é",
        "İ",
        "\u3000",
        "\u0301",
        "🎉",
        "\ud800",
        "\r\n",
        "\0",
        "-{",
        "}-",
    ),
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(MARKUP) | st.text(max_size=3), max_size=40).map("".join))
def test_any_markup_has_the_nodes_of_the_tree(text: str) -> None:
    assert answers(wikitext_nodes, text) == answers(TreeNodes, text)


def answers(nodes_of: Any, text: str) -> list[Any]:
    """Return all that can be asked of a text's nodes; of a text that has none, the error."""
    try:
        nodes = nodes_of(text)
    except Exception as error:
        return [type(error), str(error)]
    return [*map(nodes.count, KINDS), *(answer(nodes, name) for name in PROPERTIES)]


def answer(nodes: Any, name: str) -> Any:
    """Return one of the properties, or the error that takes its place."""
    try:
        return getattr(nodes, name)
    except Exception as error:
        return type(error), str(error)
