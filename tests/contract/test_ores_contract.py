"""ORES's version 3: routes, shapes, error texts and headers that its clients rely on."""

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from schemas.catalogue import Catalogue
from schemas.prediction import PredictionRow, Score, ScoreFailure, ScoreKind
from tests.replica_log import MemoryLog
from tests.rows import binary, catalogue, model_info, row, stored
from tests.scorers import ReversedDigits
from tests.served import Served, served

WIKIS = catalogue({"enwiki": ("damaging", "goodfaith"), "testwiki": ("revid",)})
ROWS = [
    row(stored("damaging", binary(0.25)), stored("goodfaith", binary(0.75)), rev_id=12345),
    row(
        stored("damaging", ScoreFailure("revision_deleted", "The text is hidden.")),
        stored("goodfaith", binary(0.75)),
        rev_id=12346,
    ),
]
DAMAGING = {"score": {"prediction": False, "probability": {"false": 0.75, "true": 0.25}}}
GOODFAITH = {"score": {"prediction": True, "probability": {"false": 0.25, "true": 0.75}}}
VERSIONS = {"damaging": {"version": "1.0.0"}, "goodfaith": {"version": "1.0.0"}}
NOT_AVAILABLE = "Models ('nosuch',) not available for enwiki"


@pytest.fixture
async def replica(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, WIKIS, ROWS) as running:
        yield running


@pytest.fixture
async def scoring(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, WIKIS, ROWS, on_demand=ReversedDigits()) as running:
        yield running


async def test_all_wikis_are_listed_with_models_and_versions(replica: Served) -> None:
    status, body, _ = await replica.ask("/v3/scores/")
    assert status == 200
    assert body == {
        "enwiki": {"models": VERSIONS},
        "testwiki": {"models": {"revid": {"version": "1.0.0"}}},
    }


async def test_a_wiki_without_revisions_lists_its_models(replica: Served) -> None:
    assert (await replica.ask("/v3/scores/enwiki/"))[1] == {"enwiki": {"models": VERSIONS}}
    only = (await replica.ask("/v3/scores/enwiki/?models=damaging"))[1]
    assert only == {"enwiki": {"models": {"damaging": {"version": "1.0.0"}}}}


@pytest.mark.parametrize("query", ["", "?format=json", "?models=goodfaith|damaging", "?precache=true"])
async def test_a_revision_is_scored_by_all_its_models(replica: Served, query: str) -> None:
    status, body, _ = await replica.ask(f"/v3/scores/enwiki/12345/{query}")
    assert status == 200
    assert body == {
        "enwiki": {
            "models": VERSIONS,
            "scores": {"12345": {"damaging": DAMAGING, "goodfaith": GOODFAITH}},
        }
    }


async def test_the_path_names_the_revision_before_the_model(replica: Served) -> None:
    status, body, _ = await replica.ask("/v3/scores/enwiki/12345/damaging/")
    assert status == 200
    assert body == {
        "enwiki": {
            "models": {"damaging": {"version": "1.0.0"}},
            "scores": {"12345": {"damaging": DAMAGING}},
        }
    }


@pytest.mark.parametrize(
    "path",
    [
        "/v3/scores",
        "/v3/scores/enwiki",
        "/v3/scores/enwiki/12345",
        "/v3/scores/enwiki/12345/damaging",
        "/v3/scores/enwiki/nonsense",
        "/v3/scores/enwiki/77",
    ],
)
async def test_a_slash_at_the_end_changes_nothing(replica: Served, path: str) -> None:
    bare, slashed = await replica.ask(path), await replica.ask(f"{path}/")
    assert bare[:2] == slashed[:2]


async def test_several_revisions_are_answered_together(replica: Served) -> None:
    status, body, _ = await replica.ask("/v3/scores/enwiki/?models=damaging&revids=12345|12346")
    assert status == 200
    assert body["enwiki"]["scores"] == {
        "12345": {"damaging": DAMAGING},
        "12346": {
            "damaging": {
                "error": {
                    "type": "TextDeleted",
                    "message": "TextDeleted: Text deleted (datasource.revision.text)",
                }
            }
        },
    }


@pytest.mark.parametrize(
    ("score", "document"),
    [
        (
            Score(ScoreKind.MULTICLASS, ("FA",), {"FA": 0.75, "Stub": 0.25}),
            {"prediction": "FA", "probability": {"FA": 0.75, "Stub": 0.25}},
        ),
        (
            Score(ScoreKind.MULTICLASS, ("1",), {"1": 0.75, "2": 0.25}),
            {"prediction": "1", "probability": {"1": 0.75, "2": 0.25}},
        ),
        (
            Score(ScoreKind.MULTILABEL, ("Arts", "STEM"), {"Arts": 0.75, "STEM": 0.75}),
            {"prediction": ["Arts", "STEM"], "probability": {"Arts": 0.75, "STEM": 0.75}},
        ),
        (
            Score(ScoreKind.MULTILABEL, (), {"Arts": 0.25}),
            {"prediction": [], "probability": {"Arts": 0.25}},
        ),
    ],
)
async def test_the_prediction_has_the_type_of_its_model(
    tmp_path: Path, score: Score, document: dict[str, Any]
) -> None:
    wikis = Catalogue({"enwiki": {"topic": model_info("topic", score.kind)}})
    async with served(tmp_path, wikis, [row(stored("topic", score), rev_id=5)]) as running:
        _, body, _ = await running.ask("/v3/scores/enwiki/5/topic")
        assert body["enwiki"]["scores"]["5"]["topic"] == {"score": document}


@pytest.mark.parametrize(
    ("path", "status", "code", "message"),
    [
        ("/v3/scores/nowiki", 404, "not found", "No scorers available for nowiki"),
        ("/v3/scores/nowiki/1", 404, "not found", "No scorers available for nowiki"),
        ("/v3/scores/enwiki/12345/nosuch", 404, "not found", NOT_AVAILABLE),
        ("/v3/scores/enwiki/?models=nosuch&revids=1", 404, "not found", NOT_AVAILABLE),
        (
            "/v3/scores/enwiki/?models=a|damaging|b",
            404,
            "not found",
            "Models ('a', 'b') not available for enwiki",
        ),
        (
            "/v3/scores/enwiki/?revids=" + "|".join(map(str, range(51))),
            400,
            "bad request",
            "Too many values for 'revids' parameter.  Max of 50.",
        ),
    ],
)
async def test_a_whole_request_is_refused_with_the_texts_of_ores(
    replica: Served, path: str, status: int, code: str, message: str
) -> None:
    assert (await replica.ask(path))[:2] == (status, {"error": {"code": code, "message": message}})


@pytest.mark.parametrize("revids", ["abc", "", "1||2", "-1", "1.5", "%D9%A3", "1_0", "9" * 30, str(2**63)])
async def test_what_is_no_revision_id_is_refused(replica: Served, revids: str) -> None:
    status, body, _ = await replica.ask(f"/v3/scores/enwiki/?revids={revids}")
    assert status == 400
    assert body["error"]["code"] == "bad request"
    assert body["error"]["message"].startswith("Could not interpret revids.")


@pytest.mark.parametrize("rev_id", ["abc", "-5", "1.5", "9" * 5000])
async def test_a_path_without_a_revision_id_is_not_found(replica: Served, rev_id: str) -> None:
    status, body, _ = await replica.ask(f"/v3/scores/enwiki/{rev_id}/")
    assert status == 404
    assert body["error"]["code"] == "not found"


async def test_a_revision_that_is_named_twice_counts_once(replica: Served) -> None:
    revids = "|".join(["12345"] * 51)
    status, body, _ = await replica.ask(f"/v3/scores/enwiki/?models=damaging&revids={revids}")
    assert status == 200
    assert body["enwiki"]["scores"] == {"12345": {"damaging": DAMAGING}}


async def test_too_many_revisions_are_told_before_an_unknown_wiki(replica: Served) -> None:
    revids = "|".join(map(str, range(51)))
    assert (await replica.ask(f"/v3/scores/nowiki/?revids={revids}"))[0] == 400


@pytest.mark.parametrize("path", ["/v3/scores/enwiki/12345", "/v3/scores/enwiki/12345/damaging/"])
async def test_a_post_answers_as_a_get(replica: Served, path: str) -> None:
    assert (await replica.ask(path, method="POST"))[:2] == (await replica.ask(path))[:2]


async def test_a_form_holds_the_parameters_too(replica: Served) -> None:
    form = {"revids": "12345|12346", "models": "damaging"}
    posted = await replica.ask("/v3/scores/enwiki/", method="POST", data=form)
    got = await replica.ask("/v3/scores/enwiki/", params=form)
    assert posted[:2] == got[:2]
    assert set(posted[1]["enwiki"]["scores"]) == {"12345", "12346"}


async def test_a_form_beyond_the_limit_is_refused(replica: Served) -> None:
    form = io.BytesIO(b"revids=" + b"1|" * (1 << 20))
    headers = {"content-type": "application/x-www-form-urlencoded"}
    status, body, _ = await replica.ask("/v3/scores/enwiki", method="POST", data=form, headers=headers)
    assert (status, body["error"]["code"]) == (413, "bad request")


async def test_the_list_of_wikis_answers_get_alone(replica: Served) -> None:
    assert (await replica.ask("/v3/scores", method="POST"))[0] == 405


async def test_fifty_revisions_are_answered(replica: Served) -> None:
    revids = "|".join(str(12345 + number) for number in range(50))
    status, body, _ = await replica.ask(f"/v3/scores/enwiki/?revids={revids}")
    assert status == 200
    assert len(body["enwiki"]["scores"]) == 50


@pytest.mark.parametrize(
    "query",
    [
        "inject=%7B%2212345%22:%7B%22feature.delay%22:1%7D%7D",
        "feature.delay=16",
        "datasource.revision.text=%22a%22",
        "features",
    ],
)
async def test_what_a_replica_cannot_do_is_refused_and_not_ignored(replica: Served, query: str) -> None:
    status, body, _ = await replica.ask(f"/v3/scores/enwiki/12345/?{query}")
    assert status == 400
    assert body["error"]["code"] == "bad request"


@pytest.mark.parametrize("path", ["/v3/scores/enwiki/12345", "/v3/scores/enwiki", "/v3/scores/nowiki"])
async def test_no_answer_may_be_cached_and_any_origin_may_read_it(replica: Served, path: str) -> None:
    _, _, response = await replica.ask(path)
    assert response.headers["cache-control"] == "no-store, no-cache, max-age=0"
    assert response.headers["pragma"] == "no-cache"
    assert response.headers["expires"] == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/v3/scores/enwiki/12345", "/v3/scores/enwiki"])
async def test_bodies_are_indented_unless_compact_ones_are_asked_for(replica: Served, path: str) -> None:
    async with replica.session.get(replica.url + path) as response:
        pretty = await response.text()
    async with replica.session.get(f"{replica.url}{path}?format=json") as response:
        compact = await response.text()
    assert pretty == json.dumps(json.loads(compact), sort_keys=True, indent=2)
    assert compact == json.dumps(json.loads(pretty), sort_keys=True)


@pytest.mark.parametrize("probability", [0.00001234, 1e-300, 5e-05, 0.0001])
async def test_small_probabilities_are_written_as_python_writes_them(
    tmp_path: Path, probability: float
) -> None:
    async with served(tmp_path, WIKIS, [row(stored("damaging", binary(probability)), rev_id=5)]) as running:
        for path in ("/v3/scores/enwiki/5/damaging", "/v3/scores/enwiki?revids=5&models=damaging"):
            async with running.session.get(running.url + path) as response:
                assert f'"true": {probability!r}\n' in await response.text()


@pytest.mark.parametrize("query", ["", "?format=json"])
async def test_a_refusal_is_written_as_an_answer_is(replica: Served, query: str) -> None:
    async with replica.session.get(f"{replica.url}/v3/scores/nowiki{query}") as response:
        text = await response.text()
    indent = None if query else 2
    assert text == json.dumps(json.loads(text), sort_keys=True, indent=indent)


async def test_a_replica_says_by_model_that_nothing_is_stored(replica: Served) -> None:
    status, body, _ = await replica.ask("/v3/scores/enwiki/99/damaging")
    assert status == 200
    error = body["enwiki"]["scores"]["99"]["damaging"]["error"]
    assert error["type"] == "ScoreNotCached"


async def test_a_replica_that_is_not_whole_does_not_say_that_nothing_is_stored(tmp_path: Path) -> None:
    log = MemoryLog()
    log.is_reachable = False
    async with served(tmp_path, WIKIS, log=log) as running:
        status, body, response = await running.ask("/v3/scores/enwiki/99/damaging")
        assert status == 503
        assert body["error"]["code"] == "server overloaded"
        assert int(response.headers["retry-after"]) > 0


async def test_a_score_of_another_version_is_not_shown(tmp_path: Path) -> None:
    old = row(stored("damaging", binary(0.25), model_version="0.9.0"), rev_id=5)
    async with served(tmp_path, WIKIS, [old]) as running:
        _, body, _ = await running.ask("/v3/scores/enwiki/5/damaging")
        assert body["enwiki"]["models"] == {"damaging": {"version": "1.0.0"}}
        assert body["enwiki"]["scores"]["5"]["damaging"]["error"]["type"] == "ScoreNotCached"


async def test_the_conformance_model_answers_as_ores_does(scoring: Served) -> None:
    status, body, _ = await scoring.ask("/v3/scores/testwiki/2342342/revid/")
    assert status == 200
    assert body == {
        "testwiki": {
            "models": {"revid": {"version": "1.0.0"}},
            "scores": {
                "2342342": {
                    "revid": {"score": {"prediction": False, "probability": {"false": 0.76, "true": 0.24}}}
                }
            },
        }
    }


async def test_features_are_shown_beside_the_score(scoring: Served) -> None:
    _, body, _ = await scoring.ask("/v3/scores/testwiki/?revids=1205|2309&features")
    name = "feature.revision.reversed_last_two_in_rev_id"
    assert body["testwiki"]["scores"] == {
        "1205": {
            "revid": {
                "score": {"prediction": False, "probability": {"false": 0.5, "true": 0.5}},
                "features": {name: 50},
            }
        },
        "2309": {
            "revid": {
                "score": {"prediction": True, "probability": {"false": 0.09999999999999998, "true": 0.9}},
                "features": {name: 90},
            }
        },
    }


@pytest.mark.parametrize(
    ("rev_id", "kind", "message"),
    [
        (404, "RevisionNotFound", "RevisionNotFound: Could not find revision ({revision}:404)"),
        (410, "TextDeleted", "TextDeleted: Text deleted (datasource.revision.text)"),
        (504, "TimeoutError", "Timed out after 15 seconds."),
    ],
)
async def test_a_failing_revision_is_charged_to_its_models_alone(
    scoring: Served, rev_id: int, kind: str, message: str
) -> None:
    status, body, _ = await scoring.ask(f"/v3/scores/enwiki/?revids=12345|{rev_id}")
    assert status == 200
    assert body["enwiki"]["scores"] == {
        "12345": {"damaging": DAMAGING, "goodfaith": GOODFAITH},
        str(rev_id): {
            name: {"error": {"type": kind, "message": message}} for name in ("damaging", "goodfaith")
        },
    }


async def test_a_full_queue_refuses_the_request(scoring: Served) -> None:
    status, body, response = await scoring.ask("/v3/scores/enwiki/503")
    assert status == 503
    assert body["error"]["code"] == "server overloaded"
    assert int(response.headers["retry-after"]) > 0


async def test_only_the_models_that_are_not_stored_are_scored(tmp_path: Path) -> None:
    scorer = ReversedDigits()
    half: list[PredictionRow] = [row(stored("goodfaith", binary(0.75)), rev_id=31)]
    async with served(tmp_path, WIKIS, half, on_demand=scorer) as running:
        _, body, _ = await running.ask("/v3/scores/enwiki/31")
        assert body["enwiki"]["scores"]["31"] == {
            "damaging": {"score": {"prediction": False, "probability": {"false": 0.87, "true": 0.13}}},
            "goodfaith": GOODFAITH,
        }
        assert scorer.asked == [("enwiki", 31, ("damaging",))]


async def test_recorded_scores_come_out_in_the_recorded_shape(tmp_path: Path, shared: Path) -> None:
    """Three models of a real ORES answer, put into rows by hand, come out equal to what ORES said."""
    recorded = json.loads((shared / "data/api/enwiki_ores_responses.json").read_text(encoding="utf-8"))
    response = recorded["context_rev_id"]["response"]["enwiki"]
    kinds = {
        "damaging": ScoreKind.BINARY,
        "goodfaith": ScoreKind.BINARY,
        "articlequality": ScoreKind.MULTICLASS,
        "articletopic": ScoreKind.MULTILABEL,
    }
    rev_id = int(next(iter(response["scores"])))
    scores, models = [], {}
    for name, kind in kinds.items():
        answer = response["scores"][str(rev_id)][name]["score"]
        version = response["models"][name]["version"]
        said = answer["prediction"]
        prediction = tuple(said) if isinstance(said, list) else (str(said).lower(),)
        if kind is ScoreKind.MULTICLASS:
            prediction = (said,)
        scores.append(stored(name, Score(kind, prediction, answer["probability"]), model_version=version))
        models[name] = model_info(name, kind, model_version=version)
    wikis = Catalogue({"enwiki": models})
    stored_row = row(*sorted(scores, key=lambda score: score.model), rev_id=rev_id)
    async with served(tmp_path, wikis, [stored_row]) as running:
        _, body, _ = await running.ask(f"/v3/scores/enwiki/{rev_id}")
        assert body == {
            "enwiki": {
                "models": {name: response["models"][name] for name in kinds},
                "scores": {str(rev_id): {name: response["scores"][str(rev_id)][name] for name in kinds}},
            }
        }
