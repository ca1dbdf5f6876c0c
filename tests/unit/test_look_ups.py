"""What the comparison of answers with changelogs counts."""

from typing import Any

from tests.look_ups import LookUps


def answer(*, event_id: str = "1", scored_dt: str = "12:00") -> Any:
    return {"scores": {"damaging": {"provenance": {"event_id": event_id, "scored_dt": scored_dt}}}}


def test_another_outcome_is_wrong_and_so_is_another_moment_of_the_same() -> None:
    found = LookUps()
    found.compare("/", answer(), [answer(), answer()])
    assert found.wrong == 0
    found.compare("/", answer(), [answer(scored_dt="13:00"), answer(), answer()])
    assert (found.other_than_changelog, found.other_on_replica) == (1, 0)
    found.compare(
        "/", answer(), [answer(event_id="2"), "wiki_unknown", answer(event_id="2", scored_dt="13:00")]
    )
    assert (found.other_than_changelog, found.other_on_replica) == (3, 1)
    assert len(found.examples) == 2
