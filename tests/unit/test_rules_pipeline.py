"""What the pipeline does by rules, over a real embedded log with real tables."""

import re
from pathlib import Path
from typing import Any

from agents.rules.file import parse_rules
from agents.rules.rule import RuleStage
from schemas.errors import RevisionNotFound
from schemas.prediction import ScoreFailure
from tests.conftest import ROOT
from tests.input_events import encoded, revision_create
from tests.pipelines import RunningPipeline, edit, pipeline

TOPIC = "mediawiki.page_change.v1"
MOSS = "mediawiki.revision_score_moss"
REVID = "mediawiki.revision_score_revid"


def rule(text: str) -> str:
    return f"rules: {{moss: {{topic: {TOPIC}, {text}}}}}"


def reasons(given: RunningPipeline) -> list[str | None]:
    return [report.reason for report in given.observed.reports]


async def test_an_event_that_no_rule_takes_is_not_scored_and_the_log_says_so(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=rule("match: {page: {namespace_id: 0}}")) as given:
        given.give(edit(7))
        await given.until_done()
        assert given.outcomes == ["skipped"]
        assert reasons(given) == ["no_rule"]
        assert given.content.asked == []
        assert given.row(7) is None


async def test_only_the_models_that_a_rule_names_are_asked(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=rule("models: [revid]")) as given:
        given.give(edit(9, wiki_id="plainwiki"))
        await given.until_done()
        assert len(given.sent(REVID)) == 1
        assert given.sent(MOSS) == []
        assert given.content.asked == []


async def test_all_scores_go_to_the_stream_that_a_rule_names_in_one_event(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=rule("output_stream: all.scores")) as given:
        given.give(edit(9, wiki_id="plainwiki"))
        await given.until_done()
        (output,) = given.sent("all.scores")
        assert set(output["scores"]) == {"moss", "revid"}
        assert output["meta"]["stream"] == "all.scores"
        assert given.sent(MOSS) == given.sent(REVID) == []


async def test_a_rule_in_staging_writes_to_no_stream_of_production(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=rule(f"stage: {RuleStage.STAGING}")) as given:
        given.give(edit(7))
        await given.until_done()
        assert len(given.sent(f"staging.{MOSS}")) == 1
        assert given.sent(MOSS) == []
        assert given.row(7) is not None


async def test_a_failure_that_a_rule_ignores_is_recorded_and_not_sent(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=rule("retry: {ignore: [revision_not_found]}")) as given:
        given.content.failures[7] = [RevisionNotFound("It is gone.")]
        given.give(edit(7), edit(8, page_id=32))
        await given.until_done()
        row = given.row(7)
        assert row is not None
        assert row.scores[0].outcome == ScoreFailure("revision_not_found", "It is gone.")
        assert [output["rev_id"] for output in given.sent(MOSS)] == [8]


async def test_rules_tell_streams_apart_that_flow_into_one_topic(tmp_path: Path) -> None:
    rules = "rules: {old: {topic: mediawiki.revision-create, on: nonbot_edit, output_stream: old.scores}}"
    older: dict[str, Any] = revision_create()
    async with pipeline(tmp_path, rules=rules) as given:
        given.give(
            edit(5001),
            encoded(older),
            encoded(revision_create(rev_id=5003, performer={"user_groups": ["bot"]})),
        )
        await given.until_done()
        assert [output["rev_id"] for output in given.sent("old.scores")] == [older["rev_id"]]
        assert sorted(given.outcomes) == ["scored", "skipped", "skipped"]


async def test_a_deletion_withdraws_whatever_the_rules_say(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=rule("match: {page_change_kind: edit}")) as given:
        given.give(edit(7), edit(7, page_change_kind="delete", dt="2026-11-01T11:00:00Z"))
        await given.until_done()
        assert given.outcomes == ["scored", "withdrawn"]


async def test_an_edit_that_no_rule_takes_still_brings_a_deleted_page_back(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=rule("match: {revision: {is_minor_edit: true}}")) as given:
        revision = {"rev_dt": "2026-11-01T12:00:00Z", "is_minor_edit": False}
        meta = {"stream": TOPIC, "dt": "2026-11-01T12:00:01Z"}
        given.give(
            edit(7),
            edit(7, page_change_kind="delete", dt="2026-11-01T11:00:00Z"),
            edit(8, revision=revision, meta=meta, dt="2026-11-01T12:00:00Z"),
        )
        await given.until_done()
        assert given.outcomes == ["scored", "withdrawn", "restored"]
        assert given.row(8) is None


async def test_rules_bound_how_many_events_are_scored_at_once_and_lose_none(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=rule("concurrency: 1")) as given:
        given.give(*(edit(number, page_id=number) for number in range(1, 21)))
        await given.until_done()
        assert given.outcomes == ["scored"] * 20
        assert len(given.sent(MOSS)) == 20


def test_the_example_in_the_readme_is_understood() -> None:
    (example,) = re.findall(
        r"^```yaml\n(rules:\n.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert [one.name for one in parse_rules(example, "README.md")] == ["articles", "trial"]
