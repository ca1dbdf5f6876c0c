"""Health, readiness, metrics and the description of the API."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import jsonschema_rs
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.routing import Route

from app.api.answers import Resources
from app.api.asgi import Api
from app.api.openapi import document
from app.metrics import Metrics
from schemas.catalogue import Catalogue
from tables.reader import Freshness, PredictionReader
from tests.replica_log import MemoryLog
from tests.rows import binary, catalogue, row, stored
from tests.served import Served, served

WIKIS = catalogue({"enwiki": ("damaging",)})
ROW = row(stored("damaging", binary(0.25)))


class NoRows:
    """Rows that are not there."""

    def get(self, table: str, key: bytes) -> bytes | None:
        return None

    def freshness(self) -> Freshness:
        return Freshness(True, (), None)


@pytest.fixture
async def replica(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, WIKIS, [ROW]) as running:
        yield running


async def test_the_process_is_healthy_as_long_as_it_answers(tmp_path: Path) -> None:
    log = MemoryLog()
    log.is_reachable = False
    async with served(tmp_path, WIKIS, log=log) as running:
        assert (await running.ask("/healthz"))[0] == 200


async def test_a_replica_is_ready_once_it_is_whole_and_says_how_old_it_is(replica: Served) -> None:
    status, body, _ = await replica.ask("/readyz")
    assert status == 200
    assert body["status"] == "ready"
    assert body["age_seconds"] >= 0


async def test_what_the_process_waits_for_is_named(tmp_path: Path) -> None:
    reasons = ["stopping"]
    async with served(tmp_path, WIKIS, readiness=lambda: reasons) as running:
        status, body, _ = await running.ask("/readyz")
        assert (status, body) == (
            503,
            {"status": "not ready", "reasons": ["stopping"], "recovering": []},
        )
        reasons.clear()
        assert (await running.ask("/readyz"))[0] == 200


async def test_a_replica_that_recovers_is_not_ready(tmp_path: Path) -> None:
    log = MemoryLog()
    log.is_reachable = False
    async with served(tmp_path, WIKIS, log=log) as running:
        status, body, _ = await running.ask("/readyz")
        assert status == 503
        assert "recovering" in body["reasons"]


async def metrics_of(replica: Served) -> dict[tuple[str, tuple[str, ...]], float]:
    _, body, response = await replica.ask("/metrics")
    assert response.content_type == "text/plain"
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


async def test_requests_and_answers_are_counted_by_face(replica: Served) -> None:
    for path in ("/scores/enwiki/12345", "/scores/enwiki/12345", "/scores/enwiki/1", "/nothing"):
        await replica.ask(path)
    await replica.ask("/v3/scores/enwiki/?revids=12345|99")
    found = await metrics_of(replica)
    assert found["revstream_http_requests_total", ("scores", "200")] == 2
    assert found["revstream_http_requests_total", ("scores", "404")] == 1
    assert found["revstream_http_requests_total", ("unknown", "404")] == 1
    assert found["revstream_http_requests_total", ("ores", "200")] == 1
    assert found["revstream_http_answers_total", ("scores", "stored")] == 2
    assert found["revstream_http_answers_total", ("scores", "absent")] == 1
    assert found["revstream_http_answers_total", ("ores", "stored")] == 1
    assert found["revstream_http_answers_total", ("ores", "absent")] == 1
    assert found["revstream_http_request_seconds_count", ("scores",)] == 3
    assert found["revstream_http_request_seconds_bucket", ("scores", "+Inf")] == 3
    assert found["revstream_reader_ready", ()] == 1
    assert found["revstream_reader_age_seconds", ()] >= 0


async def test_no_label_tells_a_revision_page_or_wiki(replica: Served) -> None:
    for path in ("/scores/enwiki/12345", "/pages/enwiki/778899", "/v3/scores/enwiki/12345", "/a/b/12345"):
        await replica.ask(path)
    _, body, _ = await replica.ask("/metrics")
    labels = set(re.findall(r'="([^"]*)"', body.decode()))
    assert not labels & {"12345", "enwiki", "778899", "/a/b/12345"}


def described() -> set[tuple[str, str]]:
    return {
        (path, method.upper()) for path, operations in document()["paths"].items() for method in operations
    }


def routed() -> set[tuple[str, str]]:
    resources = Resources(PredictionReader(NoRows()), Catalogue({}), None, tuple, Metrics())
    routes: tuple[Route, ...] = Api(resources, lambda: 0.0).routes
    return {(route.path, method) for route in routes for method in (route.methods or set()) - {"HEAD"}}


def test_every_route_is_described_and_every_description_has_a_route() -> None:
    assert described() == routed()


def test_every_path_parameter_is_described() -> None:
    for path, operations in document()["paths"].items():
        for operation in operations.values():
            named = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path)), path


def test_every_reference_of_the_description_has_an_end() -> None:
    whole = document()
    found = set(re.findall(r"'#/components/schemas/(\w+)'", str(whole)))
    assert found == set(whole["components"]["schemas"])


def test_operation_ids_are_unique() -> None:
    ids = [each["operationId"] for operations in document()["paths"].values() for each in operations.values()]
    assert len(ids) == len(set(ids))


async def test_the_description_and_the_index_are_served(replica: Served) -> None:
    _, body, _ = await replica.ask("/openapi.json")
    assert body == document()
    _, index, _ = await replica.ask("/")
    assert set(index["routes"]) == set(document()["paths"])


async def test_answers_match_their_description(replica: Served) -> None:
    whole = document()
    cases = [
        ("/scores/enwiki/12345?provenance=1", "Row"),
        ("/pages/enwiki/7", "Row"),
        ("/scores/enwiki/1", "Error"),
        ("/v3/scores", "OresScores"),
        ("/v3/scores/enwiki/?revids=12345|99", "OresScores"),
        ("/v3/scores/nowiki", "OresError"),
        ("/v1/models", "LiftWingModels"),
        ("/v1/models/enwiki-damaging", "LiftWingModel"),
        ("/v1/models/nosuch", "LiftWingError"),
        ("/readyz", "Readiness"),
    ]
    for path, schema in cases:
        rules = {"$ref": f"#/components/schemas/{schema}", "components": whole["components"]}
        _, body, _ = await replica.ask(path)
        jsonschema_rs.Draft202012Validator(rules).validate(body)
