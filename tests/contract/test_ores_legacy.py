"""ores-legacy in ORES's place: its routes, limits, refusals and bytes, and what was recorded of it."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from schemas.catalogue import Catalogue, ModelInfo
from schemas.prediction import PredictionRow, Score, ScoreFailure, ScoreKind
from tests.replica_log import MemoryLog
from tests.rows import binary, catalogue, model_info, row, stored
from tests.scorers import ReversedDigits
from tests.served import Served, served

WIKIS = catalogue({"enwiki": ("damaging", "goodfaith", "wp10"), "testwiki": ("revid",)})
ALIASED = Catalogue({"enwiki": {"articlequality": model_info("articlequality")}}, {"wp10": "articlequality"})
HIDDEN = ScoreFailure("revision_deleted", "The text is hidden.")
NOT_SCORABLE = ScoreFailure("feature_error", "A feature failed.")
ROWS = [row(stored("damaging", binary(0.25)), stored("goodfaith", binary(0.75)), stored("wp10", binary(0.5)))]
SCORE = {"score": {"prediction": False, "probability": {"false": 0.75, "true": 0.25}}}
VERSION = {"version": "1.0.0"}


def as_written(document: Any) -> str:
    """Return a document as ores-legacy writes it."""
    return json.dumps(document, ensure_ascii=False, indent=2, separators=(", ", ": "))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, WIKIS, ROWS, on_demand=ReversedDigits(), ores_legacy_scores=20) as running:
        yield running


async def text_of(server: Served, path: str) -> tuple[int, str]:
    async with server.session.get(server.url + path) as response:
        return response.status, await response.text()


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "/v3/scores",
            {
                "enwiki": {"models": {"damaging": VERSION, "goodfaith": VERSION, "wp10": VERSION}},
                "testwiki": {"models": {"revid": VERSION}},
            },
        ),
        ("/v3/scores/testwiki", {"testwiki": {"models": {"revid": VERSION}}}),
        (
            "/v3/scores/enwiki?models=goodfaith|damaging",
            {"enwiki": {"models": {"goodfaith": VERSION, "damaging": VERSION}}},
        ),
        (
            "/v3/scores/enwiki?models=damaging&revids=12345",
            {"enwiki": {"models": {"damaging": VERSION}, "scores": {"12345": {"damaging": SCORE}}}},
        ),
        (
            "/v3/scores/enwiki/12345/damaging",
            {"enwiki": {"models": {"damaging": VERSION}, "scores": {"12345": {"damaging": SCORE}}}},
        ),
        (
            "/v3/scores/enwiki/12345?models=damaging",
            {"enwiki": {"models": {"damaging": VERSION}, "scores": {"12345": {"damaging": SCORE}}}},
        ),
    ],
)
async def test_each_route_answers_byte_for_byte(server: Served, path: str, expected: Any, slash: str) -> None:
    place, _, query = path.partition("?")
    assert await text_of(server, f"{place}{slash}?{query}") == (200, as_written(expected))


async def test_empty_parameters_ask_for_nothing_in_particular(server: Served) -> None:
    bare = await text_of(server, "/v3/scores/enwiki")
    assert await text_of(server, "/v3/scores/enwiki?models=&revids=") == bare


def recorded_score(score: Mapping[str, Any]) -> Score:
    said = score["prediction"]
    if isinstance(said, list):
        return Score(ScoreKind.MULTILABEL, tuple(said), score["probability"])
    if isinstance(said, bool):
        return Score(ScoreKind.BINARY, (str(said).lower(),), score["probability"])
    return Score(ScoreKind.MULTICLASS, (said,), score["probability"])


def recorded_rows(wiki: Mapping[str, Any]) -> list[PredictionRow]:
    """Return rows that hold what was recorded of one wiki."""
    return [
        row(
            *(
                stored(name, recorded_score(answer["score"]), model_version=wiki["models"][name]["version"])
                for name, answer in sorted(answers.items())
            ),
            rev_id=int(rev_id),
            page_id=page_id,
        )
        for page_id, (rev_id, answers) in enumerate(wiki["scores"].items())
    ]


def recorded_catalogue(wikis: Mapping[str, Any]) -> Catalogue:
    """Return the recorded models, with the labels in the recorded order."""
    infos: dict[str, dict[str, ModelInfo]] = {}
    for wiki_id, wiki in wikis.items():
        infos[wiki_id] = {}
        for name, info in wiki["models"].items():
            answers = [answer[name] for answer in wiki.get("scores", {}).values()]
            labels = tuple(answers[0]["score"]["probability"]) if answers else ()
            plain = model_info(name, model_version=info["version"])
            infos[wiki_id][name] = replace(plain, labels=labels)
    return Catalogue(infos)


def recorded_samples(shared: Path) -> list[tuple[str, Any]]:
    """Return path and answer of each recorded exchange about scores."""
    folder = shared / "data" / "api"
    recorded = json.loads((folder / "enwiki_ores_responses.json").read_text(encoding="utf-8"))
    samples = [
        (sample["ores_url"].partition("wikimedia.org")[2], sample["response"]) for sample in recorded.values()
    ]
    for name in ("liftwing_responses.json", "ores_example_responses.json"):
        answers = json.loads((folder / name).read_text(encoding="utf-8"))["responses"]
        for document in answers.values():
            ((wiki_id, wiki), *others) = document.items()
            if others:
                continue
            models = "|".join(wiki["models"])
            samples.append(
                (f"/v3/scores/{wiki_id}?models={models}&revids={'|'.join(wiki['scores'])}", document)
            )
    return samples


async def test_recorded_answers_come_out_byte_for_byte_given_the_recorded_scores(
    tmp_path: Path, shared: Path
) -> None:
    samples = recorded_samples(shared)
    assert len(samples) == 3 + 8 + 3
    for number, (path, document) in enumerate(samples):
        ((_, wiki),) = document.items()
        async with served(
            tmp_path / str(number),
            recorded_catalogue(document),
            recorded_rows(wiki),
            ores_legacy_scores=20,
        ) as running:
            assert await text_of(running, path) == (200, as_written(document))


async def test_the_recorded_list_of_models_comes_out_byte_for_byte(tmp_path: Path, shared: Path) -> None:
    listed = yaml.safe_load((shared / "data/api/available_models.yaml").read_text(encoding="utf-8"))
    assert len(listed) > 40
    async with served(tmp_path, recorded_catalogue(listed), ores_legacy_scores=20) as running:
        assert await text_of(running, "/v3/scores") == (200, as_written(listed))
        assert await text_of(running, "/v3/scores/enwiki/") == (200, as_written({"enwiki": listed["enwiki"]}))


async def test_the_former_name_of_a_model_stays_in_its_answer(tmp_path: Path) -> None:
    quality = Score(ScoreKind.MULTICLASS, ("FA",), {"FA": 1.0})
    rows = [row(stored("articlequality", quality))]
    async with served(tmp_path, ALIASED, rows, ores_legacy_scores=20) as running:
        _, body, _ = await running.ask("/v3/scores/enwiki/12345/wp10")
        assert body["enwiki"]["models"].keys() == {"wp10"}
        assert body["enwiki"]["scores"]["12345"]["wp10"]["score"]["prediction"] == "FA"


async def test_classes_that_are_digits_stay_texts(tmp_path: Path) -> None:
    wikis = Catalogue({"ptwiki": {"articlequality": model_info("articlequality", ScoreKind.MULTICLASS)}})
    rows = [row(stored("articlequality", Score(ScoreKind.MULTICLASS, ("1",), {"1": 1.0})), wiki_id="ptwiki")]
    async with served(tmp_path, wikis, rows, ores_legacy_scores=20) as running:
        _, body, _ = await running.ask("/v3/scores/ptwiki/12345")
        assert body["ptwiki"]["scores"]["12345"]["articlequality"]["score"]["prediction"] == "1"


@pytest.mark.parametrize(("said", "shown"), [("true", True), ("False", False), ("truth", "truth")])
async def test_words_of_truth_become_booleans(tmp_path: Path, said: str, shown: bool | str) -> None:
    rows = [row(stored("damaging", Score(ScoreKind.MULTICLASS, (said,), {said: 1.0})))]
    async with served(tmp_path, WIKIS, rows, ores_legacy_scores=20) as running:
        _, body, _ = await running.ask("/v3/scores/enwiki/12345/damaging")
        assert body["enwiki"]["scores"]["12345"]["damaging"]["score"]["prediction"] == shown


async def test_a_number_is_written_as_python_writes_it(tmp_path: Path) -> None:
    rows = [row(stored("damaging", Score(ScoreKind.BINARY, ("false",), {"false": 1.0, "true": 3e-05})))]
    async with served(tmp_path, WIKIS, rows, ores_legacy_scores=20) as running:
        _, text = await text_of(running, "/v3/scores/enwiki/12345/damaging")
        assert '"false": 1.0, \n' in text
        assert '"true": 3e-05\n' in text


@pytest.mark.parametrize("word", ["", "1", "true", "True", "yes", "on", "t", "y"])
async def test_features_are_shown_for_a_word_of_truth(server: Served, word: str) -> None:
    _, body, _ = await server.ask(f"/v3/scores/testwiki/1205/revid?features={word}")
    entry = body["testwiki"]["scores"]["1205"]["revid"]
    assert entry["features"] == {"feature.revision.reversed_last_two_in_rev_id": 50}


@pytest.mark.parametrize("word", ["0", "false", "no", "off", "F", "n"])
async def test_features_are_left_out_for_a_word_of_untruth(server: Served, word: str) -> None:
    _, body, _ = await server.ask(f"/v3/scores/testwiki/1205/revid?features={word}")
    assert "features" not in body["testwiki"]["scores"]["1205"]["revid"]


def told(code: str, message: str) -> dict[str, Any]:
    return {"detail": {"error": {"code": code, "message": message}}}


V1_IS_GONE = told("not found", "ORES support for v1 has been deprecated. Please use v3.")
NO_INTEGER = {"msg": "value is not a valid integer", "type": "type_error.integer"}
NO_BOOLEAN = {"msg": "value could not be parsed to a boolean", "type": "type_error.bool"}


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        ("/v3/scores/nowiki", 404, told("not found", "No scorers available for nowiki")),
        ("/v3/scores/nowiki/1", 404, told("not found", "No scorers available for nowiki")),
        ("/v3/scores/nowiki/1/damaging", 404, told("not found", "No scorers available for nowiki")),
        (
            "/v3/scores/enwiki?models=damaging|a|b",
            400,
            told("not found", "Models ('a',) not available for enwiki"),
        ),
        ("/v3/scores/enwiki/1/a", 400, told("not found", "Models ('a',) not available for enwiki")),
        (
            "/v3/scores/enwiki?revids=1|x",
            400,
            told("bad request", "Each revision id must be a valid integer"),
        ),
        ("/v3/scores/enwiki/x", 422, {"detail": [{"loc": ["path", "revid"], **NO_INTEGER}]}),
        ("/v3/scores/enwiki/x/damaging", 422, {"detail": [{"loc": ["path", "revid"], **NO_INTEGER}]}),
        ("/v3/scores/enwiki?features=maybe", 422, {"detail": [{"loc": ["query", "features"], **NO_BOOLEAN}]}),
        ("/v1/scores", 400, V1_IS_GONE),
        ("/v1/scores/enwiki", 400, V1_IS_GONE),
        ("/v1/scores/enwiki/damaging", 400, V1_IS_GONE),
        ("/v1/scores/enwiki/damaging/12345", 400, V1_IS_GONE),
        ("/scores", 400, V1_IS_GONE),
        ("/scores/enwiki", 400, V1_IS_GONE),
        ("/scores/enwiki/damaging", 400, V1_IS_GONE),
        ("/scores/enwiki/damaging/12345", 400, V1_IS_GONE),
        ("/v2/scores", 404, {"detail": "Not Found"}),
        ("/v2/scores/enwiki/damaging/12345", 404, {"detail": "Not Found"}),
        ("/v2/precache?event={}", 404, {"detail": "Not Found"}),
        ("/v3/spec", 404, {"detail": "Not Found"}),
        ("/v3/nothing", 404, {"detail": "Not Found"}),
    ],
)
async def test_refusals_lie_in_detail(server: Served, path: str, status: int, expected: Any) -> None:
    got, body, response = await server.ask(path)
    assert (got, body) == (status, expected)
    assert response.content_type == "application/json"
    # ores-legacy says in one line what it refuses.
    assert await text_of(server, path) == (status, json.dumps(expected, separators=(",", ":")))


@pytest.mark.parametrize("path", ["/v3/scores", "/v3/scores/enwiki", "/v3/scores/enwiki/12345/damaging"])
async def test_nothing_takes_a_form(server: Served, path: str) -> None:
    status, body, _ = await server.ask(path, method="POST", data="models=damaging")
    assert (status, body) == (405, {"detail": "Method Not Allowed"})


@pytest.mark.parametrize(
    "path", ["/", "/ui", "/v1/scores/enwiki", "/v3/scores", "/v3/scores/enwiki", "/v3/scores/enwiki/12345"]
)
async def test_callbacks_are_refused_without_detail(server: Served, path: str) -> None:
    status, body, _ = await server.ask(f"{path}?callback=show")
    assert status == 400
    assert body == {
        "error": {
            "code": "not found",
            "message": "Callback parameters are not allowed. The API will return only JSONresponses.",
        }
    }


@pytest.mark.parametrize("name", ["model_info", "inject"])
@pytest.mark.parametrize("path", ["/v3/scores", "/v3/scores/enwiki", "/v3/scores/enwiki/12345/damaging"])
async def test_what_lift_wing_cannot_do_is_refused(server: Served, path: str, name: str) -> None:
    status, body, _ = await server.ask(f"{path}?{name}=x")
    assert status == 400
    assert body["detail"]["error"]["message"].startswith(
        f"{name} query parameter is not supported by this endpoint anymore. "
    )


async def test_revisions_times_models_are_limited_where_several_revisions_are_asked_for(
    server: Served,
) -> None:
    seven = "|".join(str(12345 + number) for number in range(7))
    status, body, _ = await server.ask(f"/v3/scores/enwiki?revids={seven}")
    assert status == 400
    assert body["detail"]["error"]["code"] == "too many requests"
    assert "more than 20 scores" in body["detail"]["error"]["message"]
    assert "asks for 21 of them" in body["detail"]["error"]["message"]
    assert (await server.ask(f"/v3/scores/enwiki?revids={seven}&models=damaging|goodfaith"))[0] == 200


async def test_one_revision_has_no_limit(tmp_path: Path) -> None:
    async with served(tmp_path, WIKIS, ROWS, ores_legacy_scores=1) as running:
        assert (await running.ask("/v3/scores/enwiki/12345"))[0] == 200
        assert (await running.ask("/v3/scores/enwiki?revids=12345"))[0] == 400


@pytest.mark.parametrize(
    ("failure", "kind", "message"),
    [
        (
            ScoreFailure("revision_not_found", "No such revision."),
            "RevisionNotFound",
            "RevisionNotFound: Could not find revision ({revision}:5)",
        ),
        (HIDDEN, "RevisionNotFound", "RevisionNotFound: Could not find revision ({revision}:5)"),
        (
            NOT_SCORABLE,
            "Bad Request",
            "Generic error while extracting features for rev-id 5: A feature failed.",
        ),
        (
            ScoreFailure("parent_not_found", "No parent."),
            "Bad Request",
            "Missing resource for rev-id 5: No parent.",
        ),
        (
            ScoreFailure("content_unavailable", "no answer"),
            "Internal Server Error",
            "An error happened while fetching feature values from the MediaWiki API, no answer",
        ),
    ],
)
async def test_what_lift_wing_refuses_is_told_by_model(
    tmp_path: Path, failure: ScoreFailure, kind: str, message: str
) -> None:
    rows = [row(stored("damaging", failure), rev_id=5)]
    async with served(tmp_path, WIKIS, rows, ores_legacy_scores=20) as running:
        status, body, _ = await running.ask("/v3/scores/enwiki/5/damaging")
        assert status == 200
        assert body["enwiki"]["scores"]["5"] == {"damaging": {"error": {"message": message, "type": kind}}}
        assert body["enwiki"]["models"] == {"damaging": VERSION}


async def test_a_full_queue_is_told_by_model(server: Served) -> None:
    status, body, _ = await server.ask("/v3/scores/testwiki?revids=503|1205")
    assert status == 200
    scores = body["testwiki"]["scores"]
    assert scores["503"]["revid"]["error"]["type"] == "Service Unavailable"
    assert "score" in scores["1205"]["revid"]


async def test_a_server_that_is_not_whole_says_so_by_model(tmp_path: Path) -> None:
    log = MemoryLog()
    log.is_reachable = False
    async with served(tmp_path, WIKIS, log=log, ores_legacy_scores=20) as running:
        status, body, _ = await running.ask("/v3/scores/enwiki/99/damaging")
        assert status == 200
        assert body["enwiki"]["scores"]["99"]["damaging"]["error"]["type"] == "Service Unavailable"


async def test_the_root_leads_to_the_documents(server: Served) -> None:
    status, _, response = await server.ask("/", allow_redirects=False)
    assert (status, response.headers["location"]) == (307, "/docs")


async def test_the_form_of_ores_is_gone(server: Served) -> None:
    status, body, response = await server.ask("/ui/")
    assert (status, response.content_type) == (200, "text/plain")
    assert len(body) < 200


async def test_our_own_face_answers_as_ever(server: Served) -> None:
    _, body, _ = await server.ask("/scores/enwiki/12345")
    assert body["rev_id"] == 12345
