"""KServe's servers beside their models: health, lists, Open Inference, hosts, and many requests at once."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from app.api.on_demand import ScoreRequest
from models.statistics import describe
from schemas.catalogue import Catalogue
from schemas.prediction import FeatureValue, ScoredModel
from tests.replica_log import MemoryLog
from tests.rows import binary, catalogue, model_id, model_info, row, stored
from tests.served import Served, served

FORMULA = "maximum recall @ precision >= 0.9"
PREDICT = "/v1/models/enwiki-damaging:predict"


def wikis() -> Catalogue:
    random = np.random.default_rng(5)
    true = random.random(2_000)
    actual = (random.random(2_000) < true**2).astype(np.intp)
    statistics = describe(
        actual, np.column_stack([1 - true, true]), (true >= 0.5).astype(np.intp), (False, True)
    )
    plain = model_info("damaging")
    damaging = replace(plain, document=replace(plain.document, statistics=statistics))
    older = model_info("damaging", model_version="0.9.0")
    return Catalogue(
        {"enwiki": {"damaging": damaging, "articlequality": model_info("articlequality")}},
        aliases={"wp10": "articlequality"},
        versions={"enwiki": {"damaging@0.9.0": older}},
    )


ROWS = [
    row(
        stored("articlequality", binary(0.75)),
        stored("damaging", binary(0.5), model_version="0.9.0"),
        stored("damaging", binary(0.25)),
        rev_id=12345,
    )
]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, wikis(), ROWS) as running:
        yield running


def scores(body: dict[str, Any]) -> Any:
    return body["enwiki"]["scores"]["12345"]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models", {"models": ["enwiki-articlequality", "enwiki-damaging"]}),
        ("/v2/models/enwiki-damaging/ready", {"name": "enwiki-damaging", "ready": True}),
        ("/v2/models/enwiki-damaging/versions/0.9.0/ready", {"name": "enwiki-damaging@0.9.0", "ready": True}),
        (
            "/v2/models/enwiki-damaging",
            {
                "name": "enwiki-damaging",
                "versions": ["1.0.0"],
                "platform": "revstream",
                "inputs": [{"name": "input", "datatype": "BYTES", "shape": [1]}],
                "outputs": [{"name": "output", "datatype": "BYTES", "shape": [1]}],
            },
        ),
    ],
)
async def test_health_and_models_are_told_as_kserve_tells_them(
    server: Served, path: str, wanted: dict[str, Any]
) -> None:
    assert (await server.ask(path))[:2] == (200, wanted)


async def test_the_root_says_alive_as_probes_expect(server: Served) -> None:
    status, body, _ = await server.ask("/")
    assert (status, body["status"]) == (200, "alive")


async def test_the_server_names_itself(server: Served) -> None:
    status, body, _ = await server.ask("/v2")
    assert status == 200
    assert (body["name"], body["extensions"]) == ("revstream", [])
    assert isinstance(body["version"], str)


async def test_a_server_that_recovers_is_live_and_not_ready(tmp_path: Path) -> None:
    log = MemoryLog()
    log.is_reachable = False
    async with served(tmp_path, wikis(), log=log) as running:
        assert (await running.ask("/v2/health/live"))[0] == 200
        status, body, response = await running.ask("/v2/health/ready")
    assert status == 503
    assert body["error"].startswith("Server is not ready")
    assert int(response.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models/{}"),
        ("GET", "/v2/models/{}"),
        ("GET", "/v2/models/{}/ready"),
        ("POST", "/v1/models/{}:predict"),
        ("POST", "/v1/models/{}:explain"),
        ("POST", "/v2/models/{}/infer"),
    ],
)
@pytest.mark.parametrize("name", ["enwiki-nosuch", "nowiki", "enwiki-damaging@7", "revertrisk-multilingual"])
async def test_an_unknown_model_is_named_on_every_route(
    server: Served, method: str, path: str, name: str
) -> None:
    status, body, _ = await server.ask(path.format(name), method=method, json={})
    assert (status, body) == (404, {"error": f"Model with name {name} does not exist."})


async def test_a_model_explains_nothing(server: Served) -> None:
    status, body, _ = await server.ask(
        "/v1/models/enwiki-damaging:explain", method="POST", json={"rev_id": 1}
    )
    assert status == 501
    assert isinstance(body["error"], str)


async def test_versions_and_thresholds_are_told_that_lift_wing_does_not_tell(server: Served) -> None:
    status, body, _ = await server.ask(
        "/v1/models/enwiki-damaging",
        params={"model_info": f'statistics.thresholds.true."{FORMULA}"'},
    )
    assert status == 200
    assert (body["name"], body["ready"], body["version"]) == ("enwiki-damaging", True, "1.0.0")
    (best,) = body["model_info"]["statistics"]["thresholds"]["true"]
    assert best["precision"] >= 0.9


async def test_a_formula_that_cannot_be_read_is_the_mistake_of_the_client(server: Served) -> None:
    for paths in ('statistics.thresholds.true."maximum nothing"', "nosuch"):
        status, body, _ = await server.ask("/v1/models/enwiki-damaging", params={"model_info": paths})
        assert status == 400
        assert isinstance(body["error"], str)


async def test_other_names_and_versions_answer_under_the_name_that_was_asked_for(server: Served) -> None:
    body = {"rev_id": 12345}
    for name, model, probability in (
        ("enwiki-wp10", "wp10", 0.75),
        ("enwiki-damaging@0.9.0", "damaging@0.9.0", 0.5),
        ("enwiki-damaging@1.0.0", "damaging@1.0.0", 0.25),
    ):
        status, answer, _ = await server.ask(f"/v1/models/{name}:predict", method="POST", json=body)
        assert status == 200
        assert scores(answer)[model]["score"]["probability"]["true"] == probability


def tensor(document: Any, **more: Any) -> dict[str, Any]:
    data = [document if isinstance(document, str) else json.dumps(document)]
    return {"inputs": [{"name": "input", "shape": [1], "datatype": "BYTES", "data": data}], **more}


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/v2/models/enwiki-damaging/infer", "1.0.0"),
        ("/v2/models/enwiki-damaging/versions/1.0.0/infer", "1.0.0"),
        ("/v2/models/enwiki-damaging/versions/0.9.0/infer", "0.9.0"),
    ],
)
async def test_open_inference_carries_the_same_json_in_a_tensor(
    server: Served, path: str, version: str
) -> None:
    asked = tensor({"rev_id": 12345}, id="42")
    status, body, _ = await server.ask(path, method="POST", json=asked)
    assert status == 200
    (output,) = body.pop("outputs")
    assert body == {"model_name": "enwiki-damaging", "model_version": version, "id": "42"}
    (text,) = output.pop("data")
    assert output == {"name": "output", "datatype": "BYTES", "shape": [1]}
    name = "damaging" if version == "1.0.0" else "damaging@0.9.0"
    expected = {"1.0.0": 0.25, "0.9.0": 0.5}[version]
    assert scores(json.loads(text))[name]["score"]["probability"]["true"] == expected


async def test_a_request_without_an_id_is_given_one(server: Served) -> None:
    answers = [
        (await server.ask("/v2/models/enwiki-damaging/infer", method="POST", json=tensor({"rev_id": 12345})))[
            1
        ]
        for _ in range(2)
    ]
    assert answers[0]["id"] != answers[1]["id"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "No inputs in v2 request"),
        ({"inputs": []}, "No inputs in v2 request"),
        ({"inputs": [{}]}, "No data in v2 request input tensor"),
        ({"inputs": [{"data": []}]}, "No data in v2 request input tensor"),
        ({"inputs": [{"data": [[]]}]}, "No data in v2 request input tensor"),
        ({"inputs": [{"data": [5]}]}, "Expected string for REST request"),
        ({"inputs": [{"data": ["a", "b"]}]}, "This model takes one tensor with one element"),
        (tensor("no json"), "Please verify that request input is a json dict"),
        (tensor("[1]"), "Please verify that request input is a json dict"),
        (tensor("[" * 5_000), "Please verify that request input is a json dict"),
        (tensor({}), 'Expected "rev_id" in input data.'),
    ],
)
async def test_a_tensor_of_another_shape_is_refused(server: Served, body: Any, text: str) -> None:
    status, answer, _ = await server.ask("/v2/models/enwiki-damaging/infer", method="POST", json=body)
    assert status == 400
    assert answer["error"].startswith(text)


async def test_a_list_around_the_element_is_looked_into(server: Served) -> None:
    body = {"inputs": [{"data": [[json.dumps({"rev_id": 12345})]]}]}
    assert (await server.ask("/v2/models/enwiki-damaging/infer", method="POST", json=body))[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "enwiki-damaging.revscoring-editquality-damaging.wikimedia.org",
        "dewiki-goodfaith.revscoring-editquality-goodfaith.wikimedia.org",
        "enwiki-articlequality.revscoring-articlequality.wikimedia.org:30443",
        "localhost",
        "inference.svc.eqiad.wmnet:30443",
    ],
)
async def test_the_path_names_the_model_whatever_the_host(server: Served, host: str) -> None:
    headers = {"host": host}
    status, body, _ = await server.ask(PREDICT, method="POST", json={"rev_id": 12345}, headers=headers)
    assert (status, list(scores(body))) == (200, ["damaging"])
    listed = await server.ask("/v1/models", headers=headers)
    assert listed[:2] == (200, {"models": ["enwiki-articlequality", "enwiki-damaging"]})


class Backwards:
    """Scores that wait for all others, and come in the opposite order of the requests."""

    def __init__(self, count: int) -> None:
        self._all = asyncio.Barrier(count)
        self._turns: list[asyncio.Event] = [asyncio.Event() for _ in range(count + 1)]
        self._turns[count].set()
        self._arrived = 0

    async def score(self, request: ScoreRequest, /) -> list[ScoredModel]:
        place, self._arrived = self._arrived, self._arrived + 1
        await self._all.wait()
        await self._turns[place + 1].wait()
        self._turns[place].set()
        features: dict[str, FeatureValue] | None = (
            {"feature.rev_id": request.rev_id} if request.with_features else None
        )
        return [
            ScoredModel(model_id(name), binary(request.rev_id / 1000), features)
            for name in request.model_names
        ]


async def test_no_request_is_answered_with_what_another_asked(tmp_path: Path) -> None:
    """Lift Wing's servers kept the request that runs on the model, and gave it to whoever came next."""
    count = 40
    event = {"$schema": "/mediawiki/page/change/1.2.0", "wiki_id": "enwiki"}
    async with served(tmp_path, catalogue({"enwiki": ("damaging",)}), on_demand=Backwards(count)) as running:

        async def one(rev_id: int) -> tuple[int, int, Any]:
            asked: dict[str, Any] = {"extended_output": True}
            if rev_id % 2:
                asked |= {"event": {**event, "revision": {"rev_id": rev_id}}}
            else:
                asked |= {"rev_id": rev_id}
            if rev_id % 4 < 2:
                status, body, _ = await running.ask(PREDICT, method="POST", json=asked)
                return rev_id, status, body
            path = "/v2/models/enwiki-damaging/infer"
            status, body, _ = await running.ask(path, method="POST", json=tensor(asked, id=str(rev_id)))
            assert body["id"] == str(rev_id)
            return rev_id, status, json.loads(body["outputs"][0]["data"][0])

        async with asyncio.timeout(30):
            answers = await asyncio.gather(*map(one, range(1, count + 1)))
    for rev_id, status, body in answers:
        assert status == 200
        found = body["enwiki"]["scores"]
        assert list(found) == [str(rev_id)]
        assert found[str(rev_id)]["damaging"]["features"] == {"feature.rev_id": rev_id}
        assert found[str(rev_id)]["damaging"]["score"]["probability"]["true"] == rev_id / 1000
