"""What is told of what became of a change, over a real embedded log with real tables."""

from pathlib import Path
from typing import Any

from schemas.errors import RevisionNotFound
from schemas.keys import PAGE_CHANGE_TOPIC
from tests.audit import records
from tests.input_events import encoded, old_change
from tests.pipelines import RunningPipeline, edit, pipeline

SCORES = "mediawiki.revision_score_moss"
PAGES = "mediawiki.page_moss_prediction_change.v1"
TAGS = "mediawiki.cirrussearch.page_weighted_tags_change.v1"
PREFIX = "classification.prediction.moss"
RULES = f"""
rules:
  topics:
    topic: {PAGE_CHANGE_TOPIC}
    match: {{page_change_kind: /^(create|edit|move)$/, page: {{namespace_id: 1}}}}
    output: [revision_score, prediction_classification_change, weighted_tags]
"""


def saved(rev_id: int, *, minute: int = 0, kind: str = "edit", **told: Any) -> bytes:
    """Return a change of a page at a minute, with an id of its own."""
    time = f"2026-11-01T10:{minute:02}"
    meta = {
        "stream": PAGE_CHANGE_TOPIC,
        "dt": f"{time}:01Z",
        "uri": "https://moss.example.org/wiki/Talk:Moss",
    }
    revision = {
        "rev_dt": f"{time}:00Z",
        "is_content_visible": told.pop("is_visible", True),
        "is_editor_visible": True,
        "is_comment_visible": True,
    }
    return edit(
        rev_id,
        **{
            "wiki_id": "topicwiki",
            "page_change_kind": kind,
            "dt": f"{time}:00Z",
            "meta": meta,
            "revision": revision,
            **told,
        },
    )


def suppressed(rev_id: int, kind: str, *, minute: int) -> bytes:
    return saved(rev_id, kind=kind, minute=minute, is_visible=False, performer=None, comment="a secret")


def kinds(given: RunningPipeline, topic: str = PAGES) -> list[tuple[int, str, str]]:
    return [
        (told["revision"]["rev_id"], told["page_change_kind"], told["changelog_kind"])
        for told in given.sent(topic)
    ]


def tags(given: RunningPipeline) -> list[list[str]]:
    return [list(told["weighted_tags"]) for told in given.sent(TAGS)]


async def test_one_event_goes_to_each_stream_that_a_rule_asks_for(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=RULES) as given:
        given.give(saved(7))
        await given.until_done()
        (score,), (page,), (tagged,) = given.sent(SCORES), given.sent(PAGES), given.sent(TAGS)
        said = score["scores"]["moss"]
        assert page["predicted_classification"]["probabilities"] == said["probability"]
        assert page["predicted_classification"]["predictions"] == said["prediction"]
        ((tag,),) = tagged["weighted_tags"]["set"].values()
        assert tag["tag"] == said["prediction"][0]
        assert len({each["meta"]["id"] for each in (score, page, tagged)}) == 3
        for each, stream in ((score, SCORES), (page, PAGES), (tagged, TAGS)):
            assert each["meta"]["stream"] == stream
            assert each["meta"]["uri"] == "https://moss.example.org/wiki/Talk:Moss"


async def test_without_rules_there_are_scores_alone(tmp_path: Path) -> None:
    async with pipeline(tmp_path) as given:
        given.give(saved(7), saved(7, kind="delete", minute=1))
        await given.until_done()
        assert len(given.sent(SCORES)) == 1
        assert given.sent(PAGES) == given.sent(TAGS) == []


async def test_an_edit_tells_what_the_model_said_before(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=RULES) as given:
        given.content.texts[8] = "Quite another text about ferns. " * 9
        given.give(saved(7, kind="create"), saved(8, minute=1))
        await given.until_done()
        first, second = given.sent(PAGES)
        assert first["changelog_kind"] == "insert"
        assert "predicted_classification" not in first.get("prior_state", {})
        assert second["prior_state"]["predicted_classification"] == first["predicted_classification"]


async def test_a_deletion_again_is_told_the_same_again(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=RULES) as given:
        events = (saved(7), saved(8, minute=1), saved(8, kind="delete", minute=2))
        given.give(*events, *events[1:])
        await given.until_done()
        for topic in (PAGES, TAGS):
            # The edit is from before the deletion by now, and nobody hears of it again.
            _, _, deleted, again = records(given.log, topic)
            assert deleted[1].value == again[1].value


async def test_an_edit_again_while_its_page_is_there_is_told_the_same_again(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=RULES) as given:
        given.give(saved(7), saved(8, minute=1), saved(8, minute=1))
        await given.until_done()
        for topic in (PAGES, TAGS, SCORES):
            _, edited, again = records(given.log, topic)
            assert edited[1].value == again[1].value


async def test_of_an_older_revision_its_scores_are_told_and_nothing_of_the_page(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=RULES) as given:
        given.give(saved(8, minute=5), saved(7, minute=1))
        await given.until_done()
        assert [told["rev_id"] for told in given.sent(SCORES)] == [8, 7]
        assert [rev_id for rev_id, *_ in kinds(given)] == [8]
        assert len(tags(given)) == 1


async def test_a_failure_says_nothing_of_the_page(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=RULES) as given:
        given.content.failures[7] = [RevisionNotFound("It is gone.")]
        given.give(saved(7))
        await given.until_done()
        assert given.sent(SCORES)[0]["errors"]["moss"]["type"] == "revision_not_found"
        assert given.sent(PAGES) == given.sent(TAGS) == []


async def test_a_deletion_takes_back_and_an_undeletion_tells_again(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=RULES) as given:
        given.give(
            saved(7),
            saved(7, kind="delete", minute=1),
            saved(7, kind="undelete", minute=2),
            saved(8, minute=3),
        )
        await given.until_done()
        assert kinds(given) == [
            (7, "edit", "update"),
            (7, "delete", "delete"),
            (7, "undelete", "insert"),
            (8, "edit", "update"),
        ]
        assert tags(given) == [["set"], ["clear"], ["set"], ["set"]]
        before, _, after, _ = given.sent(PAGES)
        assert after["predicted_classification"] == before["predicted_classification"]
        # Nothing was scored for it.
        assert [told["rev_id"] for told in given.sent(SCORES)] == [7, 8]


async def test_a_late_deletion_takes_nothing_back(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=RULES) as given:
        given.give(saved(7), saved(7, kind="undelete", minute=4), saved(7, kind="delete", minute=2))
        await given.until_done()
        assert [kind for _, kind, _ in kinds(given)] == ["edit", "undelete"]


async def test_a_deletion_of_a_page_that_nobody_heard_of_is_told_nobody(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=RULES) as given:
        given.give(saved(7, kind="delete"), saved(7, kind="delete"))
        await given.until_done()
        assert given.sent(PAGES) == given.sent(TAGS) == []


async def test_an_undeletion_of_what_no_rule_takes_is_told_nobody(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=RULES) as given:
        page = {"page_title": "Moss", "namespace_id": 0}
        given.give(
            saved(7), saved(7, kind="delete", minute=1), saved(7, kind="undelete", minute=2, page=page)
        )
        await given.until_done()
        assert [kind for _, kind, _ in kinds(given)] == ["edit", "delete"]


async def test_hiding_the_latest_revision_takes_back_and_showing_it_tells_again(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=RULES) as given:
        given.give(
            saved(7),
            saved(8, minute=1),
            saved(7, kind="visibility_change", minute=2, is_visible=False),
            saved(8, kind="visibility_change", minute=3, is_visible=False),
            saved(8, kind="visibility_change", minute=4),
        )
        await given.until_done()
        assert kinds(given)[2:] == [
            (8, "visibility_change", "delete"),
            (8, "visibility_change", "insert"),
        ]
        assert tags(given)[2:] == [["clear"], ["set"]]


async def test_a_suppression_is_told_without_a_name_or_a_word(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=RULES) as given:
        given.give(saved(7), suppressed(7, "delete", minute=1), saved(9, minute=5))
        await given.until_done()
        for topic in (PAGES, TAGS):
            first, notice, last = given.sent(topic)
            assert first["page"]["page_title"] == last["page"]["page_title"] == "Talk:Moss"
            text = encoded(notice)
            assert notice["page"]["page_title"] == "<suppressed>"
            for hidden in (b"Moss", b"a secret", b"a word"):
                assert hidden not in text
        assert kinds(given)[-1] == (9, "edit", "insert")
        # What was erased is not told as what was before.
        assert "predicted_classification" not in given.sent(PAGES)[-1].get("prior_state", {})


async def test_a_suppression_is_told_even_of_a_page_that_the_tables_do_not_know(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=RULES) as given:
        given.give(suppressed(7, "delete", minute=1))
        await given.until_done()
        assert kinds(given) == [(7, "delete", "delete")]


async def test_a_suppressed_revision_that_is_not_the_latest_says_nothing_of_the_page(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=RULES) as given:
        given.give(saved(7), saved(8, minute=1), suppressed(7, "visibility_change", minute=2))
        await given.until_done()
        assert [kind for _, kind, _ in kinds(given)] == ["edit", "edit"]
        given.give(suppressed(8, "visibility_change", minute=3))
        await given.until_done()
        assert kinds(given)[-1] == (8, "visibility_change", "delete")


async def test_the_older_stream_of_deletions_takes_back_as_well(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=RULES) as given:
        given.give(saved(7), old_change("page/delete", database="topicwiki", rev_id=7))
        await given.until_done()
        assert kinds(given)[-1] == (7, "delete", "delete")
        # When the revision was saved that stream does not say, but the tables do.
        assert given.sent(PAGES)[-1]["revision"]["rev_dt"] == "2026-11-01T10:00:00Z"
        assert tags(given)[-1] == ["clear"]


async def test_an_output_that_is_fed_back_is_no_change(tmp_path: Path) -> None:
    async with pipeline(tmp_path, rules=RULES) as given:
        given.give(saved(7))
        await given.until_done()
        given.give(*(encoded(told) for topic in (SCORES, PAGES, TAGS) for told in given.sent(topic)))
        await given.until_done()
        assert given.outcomes == ["scored", *["dead_letter"] * 3]
