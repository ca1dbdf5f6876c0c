"""Which topics of a cluster are read, and where the events of a page come together."""

import pytest
from aiokafka.partitioner import DefaultPartitioner

from agents.homes import home_partition
from agents.rules.file import parse_rules
from agents.source_topics import source_topics, stream_of
from schemas.keys import PAGE_CHANGE_TOPIC, page_topic_key

EXISTING = (
    "__consumer_offsets",
    "codfw.mediawiki.page_change.v1",
    "eqiad.mediawiki.page_change.v1",
    "eqiad.mediawiki.revision-create",
    "mediawiki.page-move",
    "mediawiki.revision_score_damaging",
    "revstream.retry.mediawiki.page-move",
)


def read(topics: str, *existing: str, exclude: str = "[none]") -> tuple[str, ...]:
    rules = parse_rules(f"rules: {{moss: {{topics: {topics}, exclude_topics: {exclude}}}}}", "moss.yaml")
    return source_topics(rules, existing, lambda topic: "revision_score" in topic or "retry" in topic)


def test_without_rules_page_changes_are_read_of_every_data_centre_that_has_them() -> None:
    assert source_topics(None, EXISTING, lambda _: False) == EXISTING[1:3]
    assert source_topics(None, (), lambda _: False) == (PAGE_CHANGE_TOPIC,)
    assert source_topics(None, (PAGE_CHANGE_TOPIC, "x"), lambda _: False) == (PAGE_CHANGE_TOPIC,)


@pytest.mark.parametrize(
    ("topics", "exclude", "found"),
    [
        ("mediawiki.page-move", "[none]", ("mediawiki.page-move",)),
        ("mediawiki.revision-create", "[none]", ("eqiad.mediawiki.revision-create",)),
        ("[mediawiki.page-move, not.there]", "[none]", ("mediawiki.page-move", "not.there")),
        ("/^mediawiki\\./", "[none]", EXISTING[1:5]),
        ("/^mediawiki\\./", "[mediawiki.page_change.v1]", EXISTING[3:5]),
        ("['/revision/', mediawiki.page-move]", "[none]", EXISTING[3:5]),
    ],
)
def test_names_and_expressions_are_looked_up_and_what_we_write_is_left_out(
    topics: str, exclude: str, found: tuple[str, ...]
) -> None:
    assert read(topics, *EXISTING, exclude=exclude) == tuple(sorted(found))


def test_the_prefix_of_a_data_centre_is_no_part_of_a_stream() -> None:
    assert stream_of("eqiad.moss") == stream_of("codfw.moss") == stream_of("moss") == "moss"
    assert stream_of("other.moss") == "other.moss"


@pytest.mark.parametrize("partitions", [1, 3, 12])
def test_a_page_is_at_home_where_kafkas_clients_put_it(partitions: int) -> None:
    everywhere = list(range(partitions))
    for page_id in range(1, 200):
        key = page_topic_key("mosswiki", page_id)
        assert home_partition(key, partitions) == DefaultPartitioner()(key, everywhere, everywhere)
