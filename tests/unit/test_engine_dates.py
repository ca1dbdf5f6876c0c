"""The dates that the engine reads are those of revscoring, for any text."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models import resources
from models.engine.dates import dates_rule

TEXTS = [
    "2009-02-13T23:31:30Z",
    "1969-12-31T23:59:59Z",
    "2016-12-31T23:59:60Z",
    "2015-02-29T00:00:00Z",
    "2020-02-29T24:00:00Z",
    "2020-13-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "0999-01-01T00:00:00Z",
    "20090213233130",
    "2009-02-13T23:31:30z",
    "2009-02-13 23:31:30Z",
    "2009-02-13T23:31:30Z\n",
    "٢٠٠٩-02-13T23:31:30Z",
    "",
]


@pytest.fixture(scope="module", name="node")
def node_fixture() -> Any:
    return resources.module("datasources.revision_oriented").revision.timestamp


def told(process: Any, text: Any) -> Any:
    try:
        found = process(text)
    except ValueError as error:
        return str(error)
    return None if found is None else (str(found), found.unix(), found == process(text))


@given(st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ?", fullmatch=True) | st.text(max_size=20))
@example("2016-02-29T12:00:00Z")
def test_any_text_gives_the_date_or_the_error_of_revscoring(node: Any, text: str) -> None:
    quicker = dates_rule(node).process
    assert told(quicker, text) == told(node.process, text)


@pytest.mark.parametrize("text", [*TEXTS, None, b"2009-02-13T23:31:30Z", 12])
def test_a_text_gives_the_date_or_the_error_of_revscoring(node: Any, text: Any) -> None:
    quicker = dates_rule(node).process
    assert told(quicker, text) == told(node.process, text)


def test_dates_of_either_way_are_compared_alike(node: Any) -> None:
    quicker = dates_rule(node).process
    assert quicker(TEXTS[0]) == node.process(TEXTS[0])
    assert quicker(TEXTS[0]) < node.process(TEXTS[2])


def test_what_is_no_date_keeps_its_process(node: Any) -> None:
    assert dates_rule(node.dependencies[0]) is None
