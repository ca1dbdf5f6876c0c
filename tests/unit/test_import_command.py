"""The command `models import`: a line for each file, the others imported though one fails."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from app.cli_import import import_models
from app.cli_options import Program
from models.pickles import Global, Instance
from tests.pickled_models import feature, model, save


def run(*arguments: str | Path) -> Result:
    group = click.Group("models")
    group.add_command(import_models)
    program = Program("revstream", commands={"models": group})
    return CliRunner().invoke(program, ["models", "import", *map(str, arguments)])


def test_each_file_becomes_a_line(tmp_path: Path) -> None:
    one = save(tmp_path, model())
    two = save(tmp_path, model(version="2"), "nlwiki.wp10.gaussian_nb.model")
    result = run(one, two, "--into", tmp_path / "into")
    assert result.exit_code == 0, result.output
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert [line[:3] for line in lines] == [
        ["enwiki-damaging@1.2.3", "binary", "2 features"],
        ["nlwiki-articlequality@2", "binary", "2 features"],
    ]
    assert (tmp_path / "into" / "nlwiki-articlequality" / "2" / "manifest.json").is_file()


def test_a_file_that_fails_keeps_no_other_from_its_import(tmp_path: Path) -> None:
    hostile = save(
        tmp_path, model(params=Instance(Global("os", "system"), ("true",))), "frwiki.damaging.x.model"
    )
    good = save(tmp_path, model())
    result = run(hostile, tmp_path / "absent.model", good, "--into", tmp_path / "into")
    assert result.exit_code == 1
    assert result.stdout.startswith("enwiki-damaging@1.2.3\t")
    assert f"{hostile}: model_refused: " in result.stderr
    assert "os.system" in result.stderr
    assert "absent.model: model_file_missing: " in result.stderr
    assert [path.name for path in (tmp_path / "into").glob("[!.]*-*")] == ["enwiki-damaging"]


def test_json_tells_successes_and_failures_in_the_order_of_the_files(tmp_path: Path) -> None:
    bad = tmp_path / "dewiki.damaging.x.model"
    bad.write_bytes(b"no pickle")
    result = run(bad, save(tmp_path, model()), "--into", tmp_path / "into", "--json")
    assert result.exit_code == 1
    first, second = json.loads(result.stdout)
    assert first["file"] == str(bad)
    assert first["error"]["code"] == "model_corrupt"
    assert (second["name"], second["model_version"], second["kind"]) == ("enwiki-damaging", "1.2.3", "binary")
    assert second["labels"] == ["false", "true"]
    assert len(second["sha512"]) == 128
    assert (Path(second["folder"]) / "manifest.json").is_file()


def test_options_name_the_model_and_its_terms(tmp_path: Path) -> None:
    path = save(tmp_path, model(), "model.bin")
    options = ("--name", "mine", "--model-name", "x", "--model-version", "9", "--licence", "CC0-1.0")
    result = run(path, "--into", tmp_path / "into", *options, "--owner", "me", "--json")
    assert result.exit_code == 0, result.output
    manifest = json.loads((tmp_path / "into" / "mine" / "9" / "manifest.json").read_bytes())
    assert (manifest["model_name"], manifest["licence"], manifest["owner"]) == ("x", "CC0-1.0", "me")
    assert manifest["stage"] == "experimental"


@pytest.mark.parametrize("option", ["--name", "--model-name", "--model-version"])
def test_a_name_for_several_files_is_a_wrong_usage(option: str, tmp_path: Path) -> None:
    path = save(tmp_path, model())
    result = run(path, path, "--into", tmp_path / "into", option, "x")
    assert result.exit_code == 2
    assert "for one file alone" in result.stderr


def test_without_a_folder_to_write_to_nothing_is_read(tmp_path: Path) -> None:
    result = run(tmp_path / "absent.model")
    assert result.exit_code == 2
    assert "--into" in result.stderr


def test_stop_words_are_asked_for_by_their_option(tmp_path: Path) -> None:
    words = feature("english.stopwords.revision.stopwords")
    result = run(save(tmp_path, model([words, feature("b")])), "--into", tmp_path / "into")
    assert result.exit_code == 1
    assert "--stopwords" in result.stderr
