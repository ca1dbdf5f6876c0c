"""``revstream rules``: what it prints, where, and with which exit code."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli import main
from tests.clean_logging import logging_restored
from tests.input_events import page_change

CONFIG = '[wikis.mosswiki.models]\nreverted = "enwiki-reverted"\n'
RULES = """
rules:
  articles:
    topics: mediawiki.page_change.v1
    match: {page: {namespace_id: 0}}
  talk:
    topics: mediawiki.page_change.v1
    match: {page: {namespace_id: 1}, page_change_kind: edit}
    models: [reverted]
    stage: staging
"""


def run(folder: Path, *arguments: str) -> Result:
    (folder / "revstream.toml").write_text(CONFIG)
    runner = CliRunner()
    with runner.isolated_filesystem(folder), logging_restored():
        return runner.invoke(
            main,
            ["rules", *arguments],
            prog_name="revstream",
            env={"REVSTREAM_CONFIG": str(folder / "revstream.toml")},
        )


def written(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def events(folder: Path) -> str:
    many = (
        page_change(),
        page_change(page={"page_id": 32, "page_title": "Moss", "namespace_id": 0, "is_redirect": False}),
        page_change(page_change_kind="move"),
        page_change(wiki_id="fernwiki"),
        page_change(meta={"stream": "mediawiki.page_change.v1", "domain": "canary"}),
        {"a": 1},
    )
    return written(folder, "events.jsonl", "\n\n".join(map(json.dumps, many)))


def test_check_prints_a_line_for_each_rule(tmp_path: Path) -> None:
    result = run(tmp_path, "check", written(tmp_path, "rules.yaml", RULES))
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "articles\tproduction\tmediawiki.page_change.v1\tall models\tmediawiki.revision_score_reverted",
        "talk\tstaging\tmediawiki.page_change.v1\treverted\tstaging.mediawiki.revision_score_reverted",
    ]
    assert result.stderr == ""


def test_check_takes_the_file_of_the_settings(tmp_path: Path) -> None:
    result = run(tmp_path, "check", "--rules", written(tmp_path, "rules.yaml", RULES))
    assert result.exit_code == 0, result.output
    assert "articles" in result.stdout


def test_check_fails_where_no_wiki_has_a_model_that_a_rule_names(tmp_path: Path) -> None:
    result = run(tmp_path, "check", written(tmp_path, "rules.yaml", RULES.replace("[reverted]", "[lichen]")))
    assert result.exit_code == 1
    assert result.stderr == "talk: no wiki has lichen. Add them to wikis, or correct them.\n"


def test_check_tells_of_tags_that_no_model_gives(tmp_path: Path) -> None:
    rules = "rules: {tags: {topic: t, output: weighted_tags}, scores: {topic: t}}"
    result = run(tmp_path, "check", written(tmp_path, "rules.yaml", rules))
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "tags\tproduction\tt\tall models\t"
    assert result.stderr == "tags: no weighted tags, for its models say yes or no. Name one of topics.\n"


def test_a_mistake_in_the_file_is_told_in_one_line(tmp_path: Path) -> None:
    result = run(tmp_path, "check", written(tmp_path, "rules.yaml", "rules:\n  moss: {topik: t}\n"))
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("revstream: settings_invalid: ")
    assert line.endswith("rules.yaml line 2, rule moss: topik: this key is unknown. Did you mean topic?")


@pytest.mark.parametrize("arguments", [("check",), ("explain", "x.json"), ("dry-run", "x.json")])
def test_without_a_file_of_rules_there_is_nothing_to_look_at(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    result = run(tmp_path, *arguments)
    assert result.exit_code == 2
    assert "No file of rules is named" in result.stderr


def test_a_file_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    rules = written(tmp_path, "rules.yaml", RULES)
    absent = run(tmp_path, "check", "absent.yaml")
    assert absent.exit_code == 2
    assert "absent.yaml" in absent.stderr
    result = run(tmp_path, "explain", "--rules", rules, "absent.json")
    assert result.exit_code == 1
    assert "absent.json" in result.stderr


@pytest.mark.parametrize("indent", [None, 2])
def test_explain_says_of_an_event_who_takes_it_and_what_keeps_the_others(
    indent: int | None, tmp_path: Path
) -> None:
    event = written(tmp_path, "event.json", json.dumps(page_change(), indent=indent))
    result = run(tmp_path, "explain", "--rules", written(tmp_path, "rules.yaml", RULES), event)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "articles leaves it: match: page.namespace_id is 1, and 0 is wanted",
        "talk takes it: reverted",
        "Scored with reverted.",
        "Sent to staging.mediawiki.revision_score_reverted: reverted.",
    ]


def test_explain_says_what_is_decided_before_the_rules(tmp_path: Path) -> None:
    rules = written(tmp_path, "rules.yaml", RULES)
    result = run(tmp_path, "explain", "--rules", rules, events(tmp_path))
    told = result.stdout.split("\n\n")
    assert len(told) == 6
    assert told[3].splitlines()[-1] == "Not scored, whatever the rules say: wiki_unknown."
    assert told[4].splitlines()[-1] == "Not scored, whatever the rules say: canary."
    assert told[5].startswith("Not scored: event_schema_unsupported, ")


def test_explain_knows_events_of_another_topic(tmp_path: Path) -> None:
    rules = written(tmp_path, "rules.yaml", RULES.replace("mediawiki.page_change.v1", "moss.events"))
    event = written(tmp_path, "event.json", json.dumps(page_change()))
    assert "talk leaves it: topics" in run(tmp_path, "explain", "--rules", rules, event).stdout
    result = run(tmp_path, "explain", "--rules", rules, "--topic", "eqiad.moss.events", event)
    assert "talk takes it" in result.stdout


def test_dry_run_counts_what_each_rule_takes_and_where_it_stops(tmp_path: Path) -> None:
    rules = written(tmp_path, "rules.yaml", RULES)
    result = run(tmp_path, "dry-run", "--rules", rules, events(tmp_path))
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "6 events: 2 would be scored, not scored: wiki_unknown 1, canary 1, event_schema_unsupported 1",
        "articles\ttakes 1\tleaves 2: match page.namespace_id 2",
        "talk\ttakes 1\tleaves 2: match page.namespace_id 1, match page_change_kind 1",
        "mediawiki.revision_score_reverted\t1 events",
        "staging.mediawiki.revision_score_reverted\t1 events",
    ]


def test_a_deletion_is_told_with_the_streams_that_take_back(tmp_path: Path) -> None:
    rules = written(
        tmp_path,
        "rules.yaml",
        "rules: {pages: {topic: t, output: [revision_score, prediction_classification_change]}}",
    )
    event = written(tmp_path, "event.json", json.dumps(page_change(page_change_kind="delete")))
    stream = "mediawiki.page_reverted_prediction_change.v1"
    told = run(tmp_path, "explain", "--rules", rules, event).stdout.splitlines()
    assert told[-2:] == [
        "Not scored, whatever the rules say: delete.",
        f"Taken back on {stream}: reverted.",
    ]
    counted = run(tmp_path, "dry-run", "--rules", rules, event).stdout.splitlines()
    assert counted[-1] == f"{stream}\t1 events"


def test_dry_run_stops_at_the_limit(tmp_path: Path) -> None:
    rules = written(tmp_path, "rules.yaml", RULES)
    result = run(tmp_path, "dry-run", "--rules", rules, "--limit", "2", events(tmp_path))
    assert result.stdout.startswith("2 events: 2 would be scored\n")


def test_convert_prints_our_rules_and_tells_the_rest_on_stderr(tmp_path: Path) -> None:
    values = """
main_app:
  changeprop:
    liftwing:
      uri: x
      models:
        moss: {kafka_topic: t, concurrency: 2, match_config: {match: {wiki_id: /^moss/}}}
"""
    result = run(tmp_path, "convert", written(tmp_path, "values.yaml", values))
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("line 5: uri has no meaning here")
    again = run(
        tmp_path, "check", written(tmp_path, "rules.yaml", result.stdout.replace("- moss", "- reverted"))
    )
    assert again.stdout == "moss\tproduction\tt\treverted\tmediawiki.revision_score_reverted\n"
    assert again.exit_code == 0


def test_convert_fails_where_nothing_asks_for_scores(tmp_path: Path) -> None:
    text = "o: {templates: {purge: {topic: t, exec: {uri: /sys/purge/}}}}"
    result = run(tmp_path, "convert", written(tmp_path, "config.yaml", text))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "asks no model for scores" in result.stderr
