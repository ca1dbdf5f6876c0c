from typing import Any

import pytest

from models import resources
from models.engine.extractor import rules
from models.engine.pages import PageMemory
from models.engine.plan import PARENT_TEXT, TEXT, Plan


class Calls:
    """A process that remembers what it was asked, equal to none but itself."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, text: str) -> int:
        self.texts.append(text)
        return len(text)


def sources() -> tuple[Any, Any]:
    datasource = resources.module("datasources").Datasource
    return datasource("revision.text"), datasource("revision.parent.text")


def lengths(calls: Calls) -> list[Any]:
    feature = resources.module("features.feature").Feature
    text, parent = sources()
    own = feature("length", calls, returns=int, depends_on=[text])
    before = feature("length_before", calls, returns=int, depends_on=[parent])
    return [own, before, own - before]


def test_a_node_is_computed_once_for_all_features() -> None:
    calls = Calls()
    plan = Plan(lengths(calls), ())
    values, _ = plan.run({TEXT: "oak tree", PARENT_TEXT: "oak"})
    assert values == [8, 3, 5]
    assert sorted(calls.texts) == ["oak", "oak tree"]


def test_what_was_kept_of_the_parents_text_is_not_computed_again() -> None:
    calls = Calls()
    plan = Plan(lengths(calls), ())
    _, kept = plan.run({TEXT: "oak", PARENT_TEXT: ""})
    calls.texts.clear()
    values, _ = plan.run({TEXT: "oak tree", PARENT_TEXT: "oak"}, of_parent=kept)
    assert values == [8, 3, 5]
    assert calls.texts == ["oak tree"]


def test_what_takes_more_than_one_text_is_never_kept() -> None:
    plan = Plan(lengths(Calls()), ())
    _, kept = plan.run({TEXT: "oak", PARENT_TEXT: "o"})
    assert list(kept.values()) == [3]


def test_what_a_process_of_revscoring_makes_is_kept_only_where_it_cannot_change() -> None:
    datasource, feature = (
        resources.module("datasources").Datasource,
        resources.module("features.feature").Feature,
    )
    words = datasource("words", str.split, depends_on=[sources()[0]])
    _, kept = Plan([feature("count", len, returns=int, depends_on=[words])], ()).run({TEXT: "an oak"})
    assert list(kept.values()) == []


def test_a_feature_of_another_type_is_made_one_of_its_own() -> None:
    feature = resources.module("features.feature").Feature
    share = feature("share", len, returns=float, depends_on=[sources()[0]])
    [value], _ = Plan([share], ()).run({TEXT: "oak"})
    assert value == 3.0
    assert type(value) is float


def test_what_a_process_raises_reaches_the_caller() -> None:
    feature = resources.module("features.feature").Feature
    wrong = feature("wrong", lambda _: 1 / 0, returns=int, depends_on=[sources()[0]])
    with pytest.raises(ZeroDivisionError):
        Plan([wrong], ()).run({TEXT: "oak"})


def test_a_rule_takes_the_place_of_a_node() -> None:
    wikitext = resources.module("features.wikitext").revision
    plain, ruled = Plan([wikitext.words], ()), Plan([wikitext.words], rules([wikitext.words]))
    assert plain.run({TEXT: "an oak, a tree"})[0] == ruled.run({TEXT: "an oak, a tree"})[0] == [4]
    assert plain.roots == ruled.roots == (TEXT,)


def test_pages_that_were_not_seen_for_longest_are_forgotten() -> None:
    memory = PageMemory(10)
    for page, text in ((1, "aaaa"), (2, "bbbb"), (1, "aaaaa")):
        memory.keep(page, text, {})
    assert (len(memory), memory.chars) == (1, 9)
    assert [kept.text for kept in memory.recall(1)] == ["aaaaa", "aaaa"]
    assert memory.recall(2) == ()


def test_a_page_keeps_its_last_three_texts_and_an_equal_one_once() -> None:
    memory = PageMemory(100)
    for text in ("a", "b", "a", "c", "d"):
        memory.keep(1, text, {})
    assert [kept.text for kept in memory.recall(1)] == ["d", "c", "a"]
    assert memory.chars == 3
    memory.forget(1)
    assert (len(memory), memory.chars) == (0, 0)


def test_a_text_longer_than_the_limit_is_not_remembered() -> None:
    memory = PageMemory(3)
    memory.keep(1, "long", {})
    assert len(memory) == 0
