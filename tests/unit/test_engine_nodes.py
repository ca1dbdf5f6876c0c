"""The nodes of a text are those of mwparserfromhell's tree, and revscoring's features over them are equal."""

import importlib
import re
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from batch.dump import read_dump
from models import resources
from models.engine.fallbacks import FALLBACKS
from models.engine.node_codes import are_sound, tokenized
from models.engine.node_tree import TreeNodes
from models.engine.nodes import KINDS, WikitextNodes, nodes_rule, wikitext_nodes

DUMPS = ("wikitrust_wiki_00023.xml", "enwiki-pages-articles1-shortened.xml.bz2")
PROPERTIES = (
    "heading_levels",
    "heading_titles",
    "wikilink_titles",
    "external_link_urls",
    "template_names",
    "tag_names",
    "templates",
    "tags",
    "content",
)
NESTED = [
    "[[File:a.png|thumb|{{b|[[c]]}} ''d'']] [[{{e}}f|g]] [[h<!-- i -->]]",
    "{{Infobox\n<!-- note -->\n|a=[http://b c]|d={{e|{{f}}}}}}{{ {{g}} h|i}}",
    "{{a|1=b=c|d|e={{{f|g}}}}} {{{h|{{i}}|j}}}",
    "== {{a}} [[b]] ==\n=== c <ref>d</ref> ===\n{{e|\n==f==\n}}\n= g ==\n====== h =======",
    "{| class=\"a\" style='b c'\n|+ d\n|-\n! e=f | g || h !! i\n|-\n| j\n* k\n|}",
    "<ref name=a/><ref name = \"b c\" >d</ref ><ref name='{{e}}' f g=>h</ref>",
    '<div {{a}}=b c={{d e}} f="{{g}} h">i</div><br></br><br /><li>j',
    "<div a =>b</div><div =c>d</div><div e= f>g</div>",
    "''a'''b'''''c''d'''e''f\n* g\n#: h\n; i : j\n----\nk",
    "&nbsp;&#65;&#x41;&#X41; &bogus; &amp",
    "[http://a b][http://c]http://d,[//e f][mailto:g@h {{i}} j]http://k{{l}}m",
    "a\n\n\n\n<gallery>b</gallery><nowiki>[[c]]</nowiki><math>d</math>\n\n\n\n[[e|\n\n\nf\n\n\n\ng]]\n",
    "<!-- [[a]] --><!---->b<!-- unclosed",
    "{{{{{a}}}}} {{{{b}}}} [[[[c]]]] [[d|e|f]]",
    "{{a|" * 30 + "b" + "}}" * 30,
    "<b><i>" * 15 + "a" + "</i></b>" * 15,
    "مرحبا [[ويكي|{{قالب}}]] 中文[[標題]]é 🎉''İς''\r\n==\u3000a\u2003==\r\n",
    "a\0b [[c]]",
    "\ud800[[\udfff]]",
    "",
]


def assert_equal(text: str) -> WikitextNodes:
    """Compare the nodes of a text with those of the tree, and return them."""
    nodes, tree = wikitext_nodes(text), TreeNodes(text)
    for kind in KINDS:
        assert nodes.count(kind) == tree.count(kind), kind
    for name in PROPERTIES:
        assert getattr(nodes, name) == getattr(tree, name), name
    return nodes


@pytest.mark.parametrize("text", NESTED)
def test_nested_markup_has_the_nodes_of_the_tree(text: str) -> None:
    before = FALLBACKS.counts["nodes"]
    assert_equal(text)
    assert FALLBACKS.counts["nodes"] == before


@pytest.mark.parametrize("dump", DUMPS)
def test_real_texts_have_the_nodes_of_the_tree(shared: Path, dump: str) -> None:
    before = FALLBACKS.counts["nodes"]
    found = 0
    for text in real_texts(shared, dump):
        found += assert_equal(text).count("Wikilink")
    assert found
    assert FALLBACKS.counts["nodes"] == before


def test_names_are_given_as_they_are_written() -> None:
    nodes = wikitext_nodes(
        "{{ Infobox <!-- x -->\n|a}} ==  not a heading\n== A '''b''' ==\n[[ C |d]] <REF>e</REF>"
    )
    assert nodes.template_names == [" Infobox <!-- x -->\n"]
    assert nodes.heading_titles == ["A '''b'''"]
    assert nodes.heading_levels == [2]
    assert nodes.wikilink_titles == [" C "]
    assert nodes.tag_names == ["b", "REF"]


def test_no_text_has_no_nodes() -> None:
    nodes = wikitext_nodes(None)
    assert not any(map(nodes.count, KINDS))
    assert nodes.content == ""
    assert nodes.templates == []


def test_what_is_no_text_is_left_to_mwparserfromhell() -> None:
    before = FALLBACKS.counts["nodes"]
    assert wikitext_nodes(b"[[a]]").wikilink_titles == ["a"]
    assert FALLBACKS.counts["nodes"] == before + 1


def test_an_unknown_kind_is_refused() -> None:
    for nodes in (wikitext_nodes("a"), TreeNodes("a")):
        with pytest.raises(KeyError):
            nodes.count("Text")


def test_an_attribute_without_a_name_is_written_as_the_tree_writes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The tokenizer gives none, so one is made: its value takes the place of the name."""
    made = tokens("TagOpenOpen", "b", "TagAttrStart", "TagAttrEquals", "c", "TagCloseSelfclose")
    tokenizer = importlib.import_module("mwparserfromhell.parser")
    nodes = importlib.import_module("models.engine.nodes")
    before = FALLBACKS.counts["nodes"]
    codes = b"TtAEtS"
    assert are_sound(made, codes)
    monkeypatch.setattr(nodes, "tokenized", lambda _: (made, codes))
    monkeypatch.setattr(tokenizer, "CTokenizer", lambda: Given(made))
    found = wikitext_nodes("<b =c/>")
    assert found.tag_names == ["b"]
    assert found.tags == ["<bc/>"]
    assert FALLBACKS.counts["nodes"] == before + 1


@pytest.mark.parametrize(
    ("names", "codes"),
    [
        (["TemplateOpen", "a"], b"{t"),
        (["TemplateOpen", "TemplateParamSeparator", "TemplateParamEquals", "TemplateParamEquals"], b"{see"),
        (["WikilinkOpen", "WikilinkSeparator", "WikilinkSeparator", "WikilinkClose"], b"[ww]"),
        (["CommentStart", "WikilinkOpen", "WikilinkClose", "CommentEnd"], b"K[]k"),
        (["TagOpenOpen", "WikilinkOpen", "WikilinkClose", "TagCloseSelfclose"], b"T[]S"),
        (["TagOpenOpen", "b", "TagOpenClose", "b", "TagCloseClose"], b"Ttctz"),
        (["TemplateOpen", "WikilinkOpen", "TemplateClose", "WikilinkClose"], b"{[}]"),
        (["HTMLEntityStart", "HTMLEntityEnd"], b"&;"),
    ],
)
def test_tokens_that_the_builder_may_refuse_are_not_sound(names: list[str], codes: bytes) -> None:
    assert not are_sound(tokens(*names), codes)


def test_values_that_the_nodes_refuse_are_not_sound() -> None:
    found, codes = tokenized("<b a=c d='e'>f</b>")
    assert are_sound(found, codes)
    value = found[codes.index(b"E") + 1]
    value["text"] = "c c"
    assert not are_sound(found, codes)
    value["text"] = "c"
    found[codes.index(b"A")]["pad_first"] = "no space"
    assert not are_sound(found, codes)


def test_every_feature_over_the_tree_is_given_by_the_rule(shared: Path) -> None:
    wikitext = resources.module("features.wikitext.revision_oriented")
    features = features_over_nodes(wikitext.revision)
    ruled = [(feature, rewritten(feature)) for feature in features]
    for text in [*NESTED, None, *islice(real_texts(shared, DUMPS[0]), 20)]:
        for feature, quick in ruled:
            value, expected = solved(quick, text), solved(feature, text)
            assert value == expected, str(feature)
            assert type(value) is type(expected)
    assert not [str(feature) for feature, quick in ruled if "wikicode" in " ".join(names_below(quick))]


def test_the_rule_leaves_alone_what_only_looks_like_its_own() -> None:
    wikitext = resources.module("features.wikitext.revision_oriented")
    source = wikitext.revision.datasources
    parsed = resources.module("features.wikitext.datasources.parsed")
    aggregators = resources.module("features.meta.aggregators")
    filters = resources.module("datasources.meta.filters")
    mappers = resources.module("datasources.meta.mappers")
    others = [
        source.wikicode,
        source.node_class_map,
        source.headings,
        source.sections,
        parsed.get_key(KINDS[0], source.node_class_map, default=[]),
        parsed.execute_method("strip_code", source.wikicode, kwargs={"collapse": False}),
        parsed.execute_method("get_tree", source.wikicode),
        mappers.map(len, source.headings),
        mappers.map(str, source.headings),
        filters.filter(bool, source.headings),
        filters.filter(re.compile("a").match, source.tag_names),
        aggregators.len(source.sections),
        aggregators.sum(mappers.map(len, source.tag_names)),
        aggregators.len(source.tags, returns=str),
        aggregators.len(source.tags, vector=True),
    ]
    renamed = parsed.execute_method("strip_code", source.wikicode)
    renamed.process = lambda _: "another"
    assert [str(other) for other in [*others, renamed] if nodes_rule(other) is not None] == []


def test_a_text_is_parsed_once_and_only_where_something_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("models.engine.nodes")
    parts = importlib.import_module("models.engine.node_parts")
    parsed: list[str] = []

    def noted(text: str) -> Any:
        parsed.append(text)
        return tokenized(text)

    for reader in (module, parts):
        monkeypatch.setattr(reader, "tokenized", noted)
    nodes = module.Parse()(module.KnowParts()("[[a]] <b>c</b> ''''"))
    assert parsed == []
    assert module.NumberOf("Wikilink", int)(nodes) == 1
    assert module.StringsOf("tag_names")(nodes) == ["b"]
    assert parsed == ["[[a]] <b>c</b> ''''"]


def test_two_patterns_that_differ_in_flags_have_two_names() -> None:
    source = resources.module("features.wikitext.revision_oriented").revision.datasources
    filters = resources.module("datasources.meta.filters")
    strict, loose = (
        nodes_rule(filters.regex_matching(re.compile("ref", flags), source.tag_names))
        for flags in (0, re.IGNORECASE)
    )
    assert strict is not None
    assert loose is not None
    assert str(strict) != str(loose)
    assert strict.process != loose.process


class Given:
    """A tokenizer that gives what it was given."""

    def __init__(self, given: list[Any]) -> None:
        self._given = given

    def tokenize(self, *_: object) -> list[Any]:
        """Return a copy; the builder empties it."""
        return list(self._given)


def tokens(*names: str) -> list[Any]:
    """Make tokens of mwparserfromhell; what names no class is text."""
    module = importlib.import_module("mwparserfromhell.parser.tokens")
    return [getattr(module, name)() if hasattr(module, name) else module.Text(text=name) for name in names]


def features_over_nodes(revision: Any) -> list[Any]:
    """Return revscoring's features and datasources over the tree."""
    source = revision.datasources
    return [
        *(
            getattr(revision, name)
            for name in ("headings", "external_links", "wikilinks", "tags", "templates")
        ),
        *(revision.ref_tags, revision.list_items, revision.content_chars, source.content),
        *(revision.headings_by_level(level) for level in (1, 2, 3)),
        revision.heading_titles_matching(r"a|see"),
        revision.external_link_urls_matching(r"https?:"),
        revision.wikilink_titles_matching(r"file|category"),
        revision.template_names_matching(r".*(cite|infobox)"),
        *(source.heading_titles, source.wikilink_titles, source.external_link_urls),
        *(source.template_names, source.tag_names, source.tags_str, source.templates_str),
        source.tags_str_matching(r"<(gallery|ref)"),
        source.templates_str_matching(r"{{Infobox"),
    ]


def rewritten(dependent: Any) -> Any:
    """Return what the rule makes of a dependent, or it over what the rule makes of those below it."""
    ruled = nodes_rule(dependent)
    if ruled is None:
        below = [rewritten(each) for each in dependent.dependencies]
        if below != dependent.dependencies:
            kind = resources.module("features.feature").Feature
            return kind(dependent.name, dependent.process, returns=dependent.returns, depends_on=below)
    return ruled or dependent


def names_below(dependent: Any) -> list[str]:
    """Return the printed names of a dependent and of all below it."""
    return [str(dependent), *(name for each in dependent.dependencies for name in names_below(each))]


def solved(dependent: Any, text: str | None) -> Any:
    """Compute a dependent for a text."""
    if str(dependent) == "datasource.revision.text":
        return text
    return dependent(*(solved(each, text) for each in dependent.dependencies))


def real_texts(shared: Path, dump: str) -> list[str]:
    """Return some texts of a dump that are not too long for the tree."""
    revisions = read_dump(shared / "data" / "dumps" / dump)
    texts = (each.text for each in revisions if each.text and len(each.text) < 60_000)
    return list(islice(texts, 60))
