"""The verbs that label edits, train models and test them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli import main
from batch.sample_wiki import BUNDLED
from models.drawing import can_draw
from tests.clean_logging import logging_restored
from tests.training_data import classes_table

RECIPE = """
name = "samplewiki-{name}"
model_version = "0.1.0"
label_column = "{label}"
data = "Made up."
licence = "CC0-1.0"
owner = "the tests"
"""
QUALITY = RECIPE.format(name="quality", label="quality") + (
    'labels = ["Stub", "C", "FA"]\n'
    'features = {chars = "feature.wikitext.revision.chars", headings = '
    '"feature.wikitext.revision.headings"}\n'
    "[estimator]\nparameters = {n_estimators = 5}\n"
    '[training]\nfolds = 2\nrepeats = 1\nclass_weights = "balanced"\n'
)
REVERTED = RECIPE.format(name="reverted", label="reverted") + (
    'features = ["feature.wikitext.revision.diff.chars_added", "feature.revision.user.is_anon"]\n'
    "[estimator]\nparameters = {n_estimators = 5}\n"
    "[training]\nfolds = 2\nrepeats = 1\n"
)


def run(tmp_path: Path, *arguments: str) -> Result:
    runner = CliRunner()
    with runner.isolated_filesystem(tmp_path), logging_restored():
        return runner.invoke(main, ("models", *arguments), prog_name="revstream")


@pytest.fixture
def quality(tmp_path: Path) -> tuple[str, str]:
    """A recipe and its table."""
    recipe, table = tmp_path / "quality.toml", tmp_path / "quality.tsv"
    recipe.write_text(QUALITY)
    table.write_text(classes_table())
    return str(recipe), str(table)


def test_labels_come_out_of_a_dump_and_out_of_events(tmp_path: Path) -> None:
    outputs = []
    for flag, path in (("--dump", BUNDLED.dump), ("--events", BUNDLED.events)):
        out = tmp_path / f"{flag.strip('-')}.tsv.gz"
        result = run(tmp_path, "label", flag, str(path), "--out", str(out), "--namespace", "0")
        assert result.exit_code == 0, result.output
        outputs.append(json.loads(result.stdout)["counts"])
        assert out.is_file()
    assert outputs[0]["reverted"] > 50
    assert outputs[0]["latest_dt"][:10] == outputs[1]["latest_dt"][:10]


def test_the_rules_of_reverts_can_be_set(tmp_path: Path) -> None:
    def reverted(*rules: str) -> int:
        out = str(tmp_path / "labels.tsv")
        result = run(tmp_path, "label", "--dump", str(BUNDLED.dump), "--out", out, *rules)
        return int(json.loads(result.stdout)["counts"]["reverted"])

    default = reverted()
    assert reverted("--window-hours", "0.5") < default
    assert reverted("--count-self-reverts", "--count-restored") > default


@pytest.mark.parametrize(
    "flags", [(), ("--dump", "DUMP", "--events", "EVENTS"), ("--events", "EVENTS", "--hash-text")]
)
def test_label_takes_one_source(tmp_path: Path, flags: tuple[str, ...]) -> None:
    paths = {"DUMP": str(BUNDLED.dump), "EVENTS": str(BUNDLED.events)}
    arguments = [paths.get(flag, flag) for flag in flags]
    result = run(tmp_path, "label", *arguments, "--out", str(tmp_path / "out.tsv"))
    assert result.exit_code == 2
    assert "either --dump or --events" in result.stderr


def test_a_recipe_becomes_an_artefact_with_a_report(tmp_path: Path, quality: tuple[str, str]) -> None:
    recipe, table = quality
    out = tmp_path / "models"
    trained = run(tmp_path, "train", recipe, "--data", table, "--out", str(out))
    assert trained.exit_code == 0, trained.output
    answer = json.loads(trained.stdout)
    assert Path(answer["folder"], "manifest.json").is_file()
    assert {Path(path).name for path in answer["report"]} >= {"report.json", "card.md"}
    assert all(Path(path).parent == out / "samplewiki-quality" / "0.1.0.report" for path in answer["report"])
    assert answer["rows"] == 240
    assert ("matplotlib" in trained.stderr) != can_draw()
    evaluated = run(tmp_path, "evaluate", "samplewiki-quality", "--data", table, "--model-folders", str(out))
    assert evaluated.exit_code == 0, evaluated.output
    assert json.loads(evaluated.stdout)["statistics"]["accuracy"]["macro"] > 0.7
    again = run(
        tmp_path, "report", "samplewiki-quality", "--out", str(tmp_path / "r"), "--model-folders", str(out)
    )
    assert again.exit_code == 0, again.output
    assert (tmp_path / "r" / "card.md").read_bytes() == (
        out / "samplewiki-quality" / "0.1.0.report" / "card.md"
    ).read_bytes()


def test_labels_and_a_dump_become_a_model_that_is_tested_on_them(tmp_path: Path) -> None:
    recipe, labels, few = tmp_path / "reverted.toml", tmp_path / "labels.tsv", tmp_path / "few.tsv"
    recipe.write_text(REVERTED)
    run(tmp_path, "label", "--dump", str(BUNDLED.dump), "--out", str(labels))
    head, *rows = labels.read_text().splitlines()
    undone = [row for row in rows if "\tTrue\t" in row][:10]
    few.write_text("\n".join([head, *undone, *rows[:20]]))
    out, data_dir = str(tmp_path / "models"), str(tmp_path / "data")
    given = ("--labels", str(few), "--content", str(BUNDLED.dump), "--data-dir", data_dir)
    features = tmp_path / "features.tsv"
    trained = run(tmp_path, "train", str(recipe), *given, "--out", out, "--save-features", str(features))
    assert trained.exit_code == 0, trained.output
    assert features.read_text().startswith("wiki_id\trev_id\tfeature.wikitext.revision.diff.chars_added\t")
    evaluated = run(tmp_path, "evaluate", "samplewiki-reverted", *given, "--model-folders", out)
    assert evaluated.exit_code == 0, evaluated.output
    assert json.loads(evaluated.stdout)["model"]["model_sha512"] == json.loads(trained.stdout)["sha512"]


def test_a_recipe_that_is_none_is_one_line(tmp_path: Path, quality: tuple[str, str]) -> None:
    recipe, table = quality
    Path(recipe).write_text(QUALITY.replace("folds = 2", "folds = 1"))
    result = run(tmp_path, "train", recipe, "--data", table, "--out", str(tmp_path / "models"))
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("revstream: settings_invalid: ")
    assert "training.folds" in line


@pytest.mark.parametrize(
    "verb", [("train", "enwiki-reverted", "--out", "out"), ("evaluate", "enwiki-reverted")]
)
def test_training_and_testing_take_one_labelled_set(
    tmp_path: Path, verb: tuple[str, ...], quality: tuple[str, str]
) -> None:
    for flags in ((), ("--data", quality[1], "--labels", quality[1])):
        result = run(tmp_path, *verb, *flags)
        assert result.exit_code == 2
        assert "--data" in result.stderr
        assert "--labels" in result.stderr


def test_texts_of_a_wiki_are_not_asked_for_without_a_contact(tmp_path: Path) -> None:
    recipe, labels = tmp_path / "reverted.toml", tmp_path / "labels.tsv"
    recipe.write_text(REVERTED)
    labels.write_text("rev_id\treverted\n" + "".join(f"{n}\t{n % 2 == 0}\n" for n in range(1, 11)))
    result = run(
        tmp_path,
        *("train", str(recipe), "--labels", str(labels), "--wiki", "ruwiki"),
        *("--content", "mediawiki", "--out", str(tmp_path / "models")),
    )
    assert result.exit_code == 2
    assert "contact" in result.stderr


def test_the_revert_risk_model_is_trained_by_its_name(tmp_path: Path, shared: Path) -> None:
    data = shared / "data" / "labelled" / "revertrisk" / "KI_multilingual_data_sample.csv.gz"
    given = ("--data", str(data), "--out", str(tmp_path), "--folds", "2", "--repeats", "1")
    result = run(tmp_path, "train", "revertrisk-small", *given)
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "revertrisk-small" / "0.1.0" / "manifest.json").is_file()
    without_data = run(tmp_path, "train", "revertrisk-small", "--labels", str(data), "--out", str(tmp_path))
    assert "name it with --data" in without_data.stderr
