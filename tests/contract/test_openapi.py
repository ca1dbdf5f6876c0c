"""The description of the API: valid by itself, and true of every route."""

import asyncio
import re
import sys
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.api.openapi import document
from tests.conftest import ROOT
from tests.rows import binary, catalogue, row, stored
from tests.scorers_on_demand import Scorer
from tests.served import served

WIKIS = catalogue({"enwiki": ("damaging", "goodfaith")})
ROWS = [
    row(stored("damaging", binary(0.25)), stored("goodfaith", binary(0.75)), page_id=number, rev_id=number)
    for number in range(5)
]
_MINUTES = 10


def test_the_description_is_valid_openapi() -> None:
    assert list(OpenAPIV31SpecValidator(document()).iter_errors()) == []


@pytest.mark.slow
async def test_every_route_answers_as_it_is_described_whatever_it_is_asked(tmp_path: Path) -> None:
    async with served(tmp_path, WIKIS, ROWS, on_demand=Scorer()) as running:
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("schemathesis")),
            f"--config-file={ROOT / 'tests/contract/schemathesis.toml'}",
            "run",
            f"{running.url}/openapi.json",
            "--phases=fuzzing",
            "--max-examples=4",
            "--seed=1",
            "--generation-database=none",
            "--no-color",
            "--warnings=off",
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(60 * _MINUTES):
            told, _ = await process.communicate()
    report = told.decode()
    assert process.returncode == 0, report
    tested = re.search(r"Tested: (\d+)", report)
    assert tested is not None
    assert int(tested[1]) == sum(map(len, document()["paths"].values()))
