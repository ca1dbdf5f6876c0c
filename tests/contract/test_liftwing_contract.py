"""Lift Wing: routes, shapes and the error texts that its clients match."""

import json
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from schemas.prediction import ScoreFailure
from tests.rows import binary, catalogue, row, stored
from tests.scorers import ReversedDigits
from tests.served import Served, served

WIKIS = catalogue({"enwiki": ("damaging", "reverted"), "testwiki": ("revid",)})
PREDICT = "/v1/models/enwiki-damaging:predict"
DAMAGING = {
    "enwiki": {
        "models": {"damaging": {"version": "1.0.0"}},
        "scores": {
            "12345": {
                "damaging": {"score": {"prediction": False, "probability": {"false": 0.75, "true": 0.25}}}
            }
        },
    }
}
NO_REVISION = (
    "The MW API does not have any info related to the rev-id provided as input ({}), therefore it is not "
    "possible to extract features properly. One possible cause is the deletion of the page related to the "
    "revision id. Please contact the ML-Team if you need more info."
)


def failed(rev_id: int, code: str) -> Any:
    return row(stored("damaging", ScoreFailure(code, "the reason")), rev_id=rev_id)


ROWS = [
    row(stored("damaging", binary(0.25)), rev_id=12345),
    failed(1, "revision_not_found"),
    failed(2, "revision_suppressed"),
    failed(3, "parent_not_found"),
    failed(4, "content_model_unsupported"),
    failed(5, "cpu_limit_exceeded"),
    failed(6, "resource_missing"),
    failed(7, "content_unavailable"),
]


@pytest.fixture
async def replica(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, WIKIS, ROWS) as running:
        yield running


async def predict(running: Served, body: Any, path: str = PREDICT) -> tuple[int, Any]:
    status, answer, _ = await running.ask(path, method="POST", json=body)
    return status, answer


@pytest.mark.parametrize("extra", [{}, {"extended_output": False}, {"extended_output": "false"}])
async def test_a_revision_is_answered_in_the_shape_of_ores(replica: Served, extra: dict[str, Any]) -> None:
    assert await predict(replica, {"rev_id": 12345, **extra}) == (200, DAMAGING)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, 'Expected "rev_id" in input data.'),
        ({"rev_id": 0}, 'Expected "rev_id" in input data.'),
        ({"rev_id": None}, 'Expected "rev_id" in input data.'),
        ({"rev_id": ""}, 'Expected "rev_id" in input data.'),
        ({"rev_id": "12345"}, 'Expected "rev_id" to be an integer.'),
        ({"rev_id": 12345.0}, 'Expected "rev_id" to be an integer.'),
        ({"rev_id": True}, 'Expected "rev_id" to be an integer.'),
        ({"rev_id": [12345]}, 'Expected "rev_id" to be an integer.'),
        ({"rev_id": -4}, NO_REVISION.format(-4)),
        ({"rev_id": 2**63}, NO_REVISION.format(2**63)),
        ({"rev_id": 1}, NO_REVISION.format(1)),
        ({"rev_id": 2}, NO_REVISION.format(2)),
        ({"rev_id": 3}, "Missing resource for rev-id 3: the reason"),
        ({"rev_id": 4}, "Unexpected content type for rev-id 4: the reason"),
        ({"rev_id": 5}, "Generic error while extracting features for rev-id 5: the reason"),
        ({"rev_id": 6}, "Missing resource for rev-id 6: the reason"),
        ([12345], "Please verify that request input is a json dict"),
        ("12345", "Please verify that request input is a json dict"),
    ],
)
async def test_wrong_input_is_refused_with_the_texts_of_lift_wing(
    replica: Served, body: Any, text: str
) -> None:
    assert await predict(replica, body) == (400, {"error": text})


async def test_a_wiki_that_does_not_answer_is_an_error_of_the_server(replica: Served) -> None:
    status, body = await predict(replica, {"rev_id": 7})
    assert status == 500
    assert body["error"].startswith(
        "An error happened while fetching feature values from the MediaWiki API, "
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/models/enwiki-nosuch:predict"),
        ("GET", "/v1/models/enwiki-nosuch"),
    ],
)
async def test_an_unknown_model_is_named(replica: Served, method: str, path: str) -> None:
    status, body, _ = await replica.ask(path, method=method, data=b"{}" if method == "POST" else None)
    assert (status, body) == (404, {"error": "Model with name enwiki-nosuch does not exist."})


@pytest.mark.parametrize("data", [b"", b"{", b'{"rev_id": NaN}', b"\xff\xfe", b"[" * 100_000])
async def test_broken_json_is_refused(replica: Served, data: bytes) -> None:
    headers = {"content-type": "application/json"}
    status, body, _ = await replica.ask(PREDICT, method="POST", data=data, headers=headers)
    assert status == 400
    assert body["error"].startswith("Unrecognized request format: ")


async def test_other_content_types_are_read_as_json_all_the_same(replica: Served) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await replica.ask(PREDICT, method="POST", data=b'{"rev_id": 12345}', headers=headers)
    assert answer[:2] == (200, DAMAGING)
    broken = await replica.ask(PREDICT, method="POST", data=b"rev_id=12345", headers=headers)
    assert broken[:2] == (400, {"error": "Please verify that request input is a json dict"})


async def test_a_body_beyond_the_limit_is_refused(replica: Served) -> None:
    status, body, _ = await replica.ask(PREDICT, method="POST", data=BytesIO(b" " * (1 << 20) + b"{}"))
    assert status == 413
    assert "larger than" in body["error"]


async def test_all_models_are_listed_by_wiki_and_name(replica: Served) -> None:
    status, body, _ = await replica.ask("/v1/models")
    assert status == 200
    assert body == {"models": ["enwiki-damaging", "enwiki-reverted", "testwiki-revid"]}


async def test_a_loaded_model_is_ready(replica: Served) -> None:
    status, body, _ = await replica.ask("/v1/models/enwiki-damaging")
    assert (status, body) == (200, {"name": "enwiki-damaging", "ready": True, "version": "1.0.0"})


async def test_a_replica_says_that_nothing_is_stored_and_that_this_may_change(replica: Served) -> None:
    status, body, response = await replica.ask(PREDICT, method="POST", json={"rev_id": 99})
    assert status == 503
    assert "99" in body["error"]
    assert int(response.headers["retry-after"]) > 0


async def test_features_that_a_replica_cannot_compute_are_refused_and_not_ignored(replica: Served) -> None:
    status, answer = await predict(replica, {"rev_id": 12345, "extended_output": True})
    assert status == 400
    assert isinstance(answer["error"], str)


async def test_a_batch_is_answered_in_its_order_and_fails_by_revision(replica: Served) -> None:
    instances = [{"rev_id": 1}, {"rev_id": 12345}, {"rev_id": "x"}, {"rev_id": 99}]
    status, body = await predict(replica, {"instances": instances})
    assert status == 200
    first, second, third, fourth = body["predictions"]
    assert first == {"error": NO_REVISION.format(1), "status_code": 400}
    assert second == DAMAGING
    assert third == {"error": 'Expected "rev_id" to be an integer.', "status_code": 400}
    assert fourth["status_code"] == 503


async def test_a_batch_of_which_nothing_can_be_scored_fails_as_its_first(replica: Served) -> None:
    status, body, response = await replica.ask(
        PREDICT, method="POST", json={"instances": [{"rev_id": 99}] * 2}
    )
    assert (status, len(body["predictions"])) == (503, 2)
    assert int(response.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("instances", "text"),
    [
        ([], 'Expected "instances" to be a list of revisions.'),
        ({"rev_id": 1}, 'Expected "instances" to be a list of revisions.'),
        ([5], 'Expected each of "instances" to be an object.'),
        ([{"rev_id": 1}] * 51, "Only accept a maximum of 50 rev_ids in the request."),
    ],
)
async def test_what_is_no_batch_is_refused(replica: Served, instances: Any, text: str) -> None:
    assert await predict(replica, {"instances": instances}) == (400, {"error": text})


@pytest.mark.parametrize("value", [False, "false", "False", None, 0])
async def test_features_are_left_out_however_a_client_says_so(replica: Served, value: Any) -> None:
    assert await predict(replica, {"rev_id": 12345, "extended_output": value}) == (200, DAMAGING)


async def test_an_extended_output_that_is_no_answer_is_refused(replica: Served) -> None:
    status, body = await predict(replica, {"rev_id": 12345, "extended_output": "perhaps"})
    assert (status, body) == (400, {"error": 'Expected "extended_output" to be a boolean.'})


async def test_what_is_not_stored_is_scored_with_its_features(tmp_path: Path) -> None:
    async with served(tmp_path, WIKIS, on_demand=ReversedDigits()) as running:
        for extended in (True, "true", "True", 1):
            status, body = await predict(running, {"rev_id": 2309, "extended_output": extended})
            assert status == 200
            assert body["enwiki"]["scores"]["2309"]["damaging"] == {
                "score": {"prediction": True, "probability": {"false": 0.09999999999999998, "true": 0.9}},
                "features": {"feature.revision.reversed_last_two_in_rev_id": 90},
            }
        assert await predict(running, {"rev_id": 404}) == (400, {"error": NO_REVISION.format(404)})
        status, body = await predict(running, {"rev_id": 503})
        assert status == 503


def page_change(rev_id: int, wiki_id: str = "enwiki") -> dict[str, Any]:
    return {
        "$schema": "/mediawiki/page/change/1.2.0",
        "meta": {"stream": "mediawiki.page_change.v1", "id": "11111111-1111-4111-8111-111111111111"},
        "page_change_kind": "edit",
        "dt": "2026-11-01T12:00:00Z",
        "wiki_id": wiki_id,
        "page": {"page_id": 7, "page_title": "Example", "namespace_id": 0, "is_redirect": False},
        "revision": {"rev_id": rev_id, "rev_dt": "2026-11-01T12:00:00Z"},
    }


async def test_a_page_change_names_the_revision(replica: Served) -> None:
    assert await predict(replica, {"event": page_change(12345)}) == (200, DAMAGING)


async def test_an_event_of_another_schema_is_refused_by_its_name(replica: Served) -> None:
    event = page_change(12345) | {"$schema": "/mediawiki/page/delete/1.0.0"}
    assert await predict(replica, {"event": event}) == (
        400,
        {
            "error": "Unsupported event of schema /mediawiki/page/delete/1.0.0, the rev_id value cannot be "
            "determined."
        },
    )


async def test_an_event_of_another_wiki_is_refused_rather_than_scored_as_ours(replica: Served) -> None:
    status, body = await predict(replica, {"event": page_change(12345, "dewiki")})
    assert status == 400
    assert "dewiki" in body["error"]


async def test_an_event_that_is_none_is_refused(replica: Served) -> None:
    for event in ("text", 5, [1]):
        assert await predict(replica, {"event": event}) == (
            400,
            {"error": 'Expected "event" to be an object.'},
        )
    for empty in ({"$schema": "/mediawiki/page/change/1.2.0"}, {"wiki_id": "enwiki"}):
        assert await predict(replica, {"event": empty}) == (
            400,
            {"error": 'Expected "rev_id" in input data.'},
        )
    wrong = page_change(12345) | {"revision": {"rev_id": "5"}}
    assert await predict(replica, {"event": wrong}) == (
        400,
        {"error": 'Expected "rev_id" to be an integer.'},
    )


async def test_a_later_schema_is_refused_as_lift_wing_refuses_it(replica: Served) -> None:
    event = page_change(12345) | {"$schema": "/mediawiki/page/change/2.0.0"}
    status, body = await predict(replica, {"event": event})
    assert status == 400
    assert body["error"].endswith("/mediawiki/page/change/2.0.0, the rev_id value cannot be determined.")


@pytest.mark.parametrize("name", ["revision_create_1.json", "revision_create_2.json"])
async def test_real_revision_create_events_are_understood(tmp_path: Path, shared: Path, name: str) -> None:
    event = json.loads((shared / "data/events/ores" / name).read_text(encoding="utf-8"))
    wiki_id, rev_id = event["database"], event["rev_id"]
    rows = [row(stored("damaging", binary(0.25)), wiki_id=wiki_id, rev_id=rev_id)]
    async with served(tmp_path, catalogue({wiki_id: ("damaging",)}), rows) as running:
        status, body = await predict(running, {"event": event}, f"/v1/models/{wiki_id}-damaging:predict")
        assert status == 200
        assert list(body[wiki_id]["scores"]) == [str(rev_id)]
