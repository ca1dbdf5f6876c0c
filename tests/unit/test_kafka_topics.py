"""What a worker on Kafka reads follows from its settings, its rules and the cluster."""

from agents.rules.file import parse_rules
from app.kafka_topics import choose_topics
from app.settings import Settings
from schemas.keys import PAGE_CHANGE_TOPIC

MOVES = parse_rules("rules: {moves: {topics: mediawiki.page-move}}", "rules.yaml")
EXISTING = {
    "mediawiki.page-move": 4,
    "eqiad.mediawiki.page_change.v1": 2,
    "scores": 4,
    "revstream.by-page": 4,
}


def test_without_rules_one_stream_is_read_whatever_the_cut_of_its_topics() -> None:
    read = choose_topics(Settings(partitions=4), EXISTING, rules=None, outputs=())
    assert read.sources == ("eqiad.mediawiki.page_change.v1",)
    assert read.cut_alike == ()
    assert read.is_one_stream


def test_what_is_posted_is_read_though_no_rule_names_its_topic() -> None:
    silent = choose_topics(Settings(), EXISTING, rules=MOVES, outputs=())
    posting = choose_topics(Settings(intake="open"), EXISTING, rules=MOVES, outputs=())
    assert silent.sources == ("mediawiki.page-move",)
    assert posting.sources == ("mediawiki.page-move", PAGE_CHANGE_TOPIC)
    assert not posting.is_one_stream
    assert posting.cut_alike == posting.sources


def test_no_expression_takes_what_the_worker_writes_itself() -> None:
    rules = parse_rules("rules: {all: {topics: /./}}", "rules.yaml")
    read = choose_topics(Settings(), EXISTING, rules=rules, outputs={"scores"})
    assert read.sources == ("eqiad.mediawiki.page_change.v1", "mediawiki.page-move")
