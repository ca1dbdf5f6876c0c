"""The descriptions of ORES's versions: sound Swagger 2.0, and true to what is served."""

import json
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from app.api.ores_spec import VERSIONS, swagger
from tests.client_environments import client_folder
from tests.rows import binary, catalogue, row, stored
from tests.scorers import ReversedDigits
from tests.served import Served, served

WIKIS = catalogue({"enwiki": ("damaging", "goodfaith")})
ROW = row(stored("damaging", binary(0.25)), stored("goodfaith", binary(0.75)))
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, WIKIS, [ROW], on_demand=ReversedDigits()) as running:
        yield running


def operations() -> list[tuple[int, str, str]]:
    return [
        (version, path, method)
        for version in VERSIONS
        for path, methods in swagger(version)["paths"].items()
        for method in methods
    ]


def filled(path: str) -> str:
    return path.format(context="enwiki", model="damaging", revid=12345)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_description_is_sound_swagger(tmp_path: Path, version: int) -> None:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(swagger(version)))
    program = client_folder("openapi-spec-validator") / "openapi-spec-validator"
    done = subprocess.run([program, "--schema", "2.0", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_description_that_is_not_sound_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    broken = swagger(3)
    broken["paths"]["/v3/scores/{context}"]["get"]["parameters"][0]["in"] = "elsewhere"
    path.write_text(json.dumps(broken))
    program = client_folder("openapi-spec-validator") / "openapi-spec-validator"
    done = subprocess.run([program, "--schema", "2.0", path], capture_output=True, text=True, check=False)
    assert done.returncode != 0


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_description_is_served_indented_unless_compact_json_is_asked_for(
    server: Served, version: int
) -> None:
    for path, has_lines in ((f"/v{version}/spec/", True), (f"/v{version}/spec?format=json", False)):
        async with server.session.get(server.url + path) as response:
            text = await response.text()
            assert response.content_type == "application/json"
        assert ("\n" in text) is has_lines
        assert json.loads(text) == swagger(version)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_definition_is_used_and_every_reference_has_an_end(version: int) -> None:
    spec = swagger(version)
    found = set(re.findall(r"#/definitions/(\w+)", json.dumps(spec)))
    assert found == set(spec["definitions"])


@pytest.mark.parametrize(("version", "path", "method"), operations())
def test_every_place_in_a_path_is_described(version: int, path: str, method: str) -> None:
    parameters = swagger(version)["paths"][path][method]["parameters"]
    assert [each["name"] for each in parameters if each["in"] == "path"] == re.findall(r"{(\w+)}", path)


@pytest.mark.parametrize(
    ("version", "path", "method"), [each for each in operations() if "precache" not in each[1]]
)
async def test_answers_are_as_described(server: Served, version: int, path: str, method: str) -> None:
    spec = swagger(version)
    rules = {"$ref": "#/definitions/ResponseDocument", "definitions": spec["definitions"]}
    asked = {"revids": "12345|99", "features": "", "model_info": ""}
    for query in ({}, asked):
        options: dict[str, Any] = {"params": query} if method == "get" else {"data": query, "headers": FORM}
        status, body, _ = await server.ask(filled(path), method=method.upper(), **options)
        assert status == 200
        jsonschema_rs.Draft4Validator(rules).validate(body)


def test_what_ores_described_of_version_3_is_described_here(shared: Path) -> None:
    recorded = json.loads((shared / "data/api/v3_swagger.json").read_text(encoding="utf-8"))
    ours = swagger(3)
    for path, methods in recorded["paths"].items():
        for method, operation in methods.items():
            described = ours["paths"][path][method]
            names = {(each["name"], each["in"]) for each in described["parameters"]}
            assert {(each["name"], each["in"]) for each in operation["parameters"]} <= names
            assert operation["responses"].keys() <= described["responses"].keys()
    assert recorded["basePath"] == ours["basePath"]
    assert recorded["produces"] == ours["produces"]
