"""The setting that says who answers at ORES's paths, in the programs that serve them."""

from pathlib import Path

import pytest

from tests.programs import LIGHT_MODELS, Program


@pytest.mark.parametrize("command", ["run", "serve"])
def test_a_program_answers_as_ores_legacy_where_it_is_told_to(tmp_path: Path, command: str) -> None:
    settings = {
        "REVSTREAM_ORES_PATHS": "ores-legacy",
        "REVSTREAM_ORES_LEGACY_SCORES_MOST": "2",
        "REVSTREAM_LOG_FORMAT": "json",
    }
    with Program(tmp_path, command, "--http-port", "0", LIGHT_MODELS, environment=settings) as program:
        listed = program.until_answered("/v3/scores/samplewiki")
        assert b'"models": {\n      "revid": {' in listed.body
        assert program.get("/v1/scores/samplewiki").status == 400
        refused = program.get("/v3/scores/samplewiki?revids=1|2|3").document
        assert refused["detail"]["error"]["code"] == "too many requests"


def test_a_program_answers_as_ores_unless_it_is_told_otherwise(tmp_path: Path) -> None:
    with Program(tmp_path, "serve", "--http-port", "0", LIGHT_MODELS) as program:
        assert program.until_answered("/v1/scores/").document == {"contexts": ["samplewiki"]}
