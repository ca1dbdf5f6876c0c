"""The command line: exit codes, where text goes, and what an error looks like."""

import asyncio
import bz2
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli import main
from app.lookup import look_up
from schemas.errors import NotReady, PredictionNotFound, RevstreamError, WikiUnknown
from tests.artefacts import write_artefact
from tests.clean_logging import logging_restored
from tests.rows import binary, catalogue, row, stored
from tests.served import Served, served


def run(tmp_path: Path, *arguments: str, **environ: str) -> Result:
    runner = CliRunner()
    with runner.isolated_filesystem(tmp_path), logging_restored():
        return runner.invoke(main, arguments, prog_name="revstream", env=environ)


def assert_one_line(result: Result, exit_code: int, code: str, message: str) -> None:
    assert result.exit_code == exit_code, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"revstream: {code}: ")
    assert re.search(message, line)


def test_version_is_told_on_stdout(tmp_path: Path) -> None:
    assert re.fullmatch(r"revstream, version \d+\.\d+\.\d+\n", run(tmp_path, "--version").stdout)


@pytest.mark.parametrize("verb", sorted(main.commands))
def test_help_of_each_verb_does_not_load_what_the_verb_runs_on(verb: str) -> None:
    program = (
        "import sys\n"
        "from app.cli import main\n"
        f"try: main([{verb!r}, '--help'])\n"
        "except SystemExit as done: code = done.code\n"
        "heavy = {'faust', 'numpy', 'sklearn', 'revscoring', 'aiohttp', 'uvicorn', 'rocksdict', 'nltk'}\n"
        "print(code, sorted(heavy & sys.modules.keys()), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "0 []\n"
    assert done.stdout.startswith("Usage:")


def test_python_m_app_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "-m", "app", "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: revstream ")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("fly",),
        ("run", "--window-event", "1"),
        ("score", "enwiki"),
        ("score", "enwiki", "0"),
        ("score", "enwiki", "-5"),
        ("score", "enwiki", "abc"),
        ("lookup", "enwiki"),
        ("lookup", "enwiki", "5", "--page", "5"),
        ("lookup", "enwiki", "--page", "-1"),
        ("lookup", "enwiki", "5", "--source", "sample"),
        ("run", "--log-level", "loud"),
    ],
)
def test_wrong_usage_is_told_on_stderr_with_exit_code_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = run(tmp_path, *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage: revstream" in result.stderr


def test_a_wrong_flag_is_one_line_that_names_it(tmp_path: Path) -> None:
    result = run(tmp_path, "doctor", "--http-port", "70000")
    assert_one_line(result, 2, "settings_invalid", "^revstream: settings_invalid: --http-port: .*65535")


def test_a_wrong_variable_is_one_line_that_names_it(tmp_path: Path) -> None:
    result = run(tmp_path, "doctor", REVSTREAM_HTTP_PORT="x")
    assert_one_line(result, 2, "settings_invalid", "REVSTREAM_HTTP_PORT")


def test_a_wrong_file_is_one_line_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("sorce = 'sample'")
    result = run(tmp_path, "doctor", "--config", str(file))
    assert_one_line(result, 2, "settings_invalid", r"bad\.toml: unknown setting sorce. Did you mean source")


def test_run_refuses_kafka_and_names_the_verb_for_it(tmp_path: Path) -> None:
    result = run(tmp_path, "run", "--broker", "kafka://127.0.0.1:1")
    assert_one_line(result, 2, "settings_invalid", "Use `revstream worker`")


def test_lookup_without_a_server_says_how_to_start_one(tmp_path: Path) -> None:
    result = run(tmp_path, "lookup", "enwiki", "5", "--http-port", "1")
    assert_one_line(result, 1, "not_ready", r"127\.0\.0\.1:1 .*revstream run")


def test_lookup_with_any_port_asks_for_the_one_that_was_printed(tmp_path: Path) -> None:
    assert_one_line(
        run(tmp_path, "lookup", "enwiki", "5", "--http-port", "0"), 1, "not_ready", "--http-port PORT"
    )


async def ask(server: Served, wiki_id: str, *, rev_id: int | None = None, page_id: int | None = None) -> str:
    port = int(server.url.rpartition(":")[2])
    return await asyncio.to_thread(look_up, "127.0.0.1", port, wiki_id, rev_id=rev_id, page_id=page_id)


async def test_lookup_gives_the_document_of_a_revision_and_of_a_page(tmp_path: Path) -> None:
    known = row(stored("damaging", binary(0.25)), page_id=7, rev_id=12345)
    async with served(tmp_path, catalogue({"enwiki": ("damaging",)}), [known]) as server:
        by_revision = json.loads(await ask(server, "enwiki", rev_id=12345))
        assert by_revision["scores"]["damaging"]["probability"] == {"false": 0.75, "true": 0.25}
        assert json.loads(await ask(server, "enwiki", page_id=7)) == by_revision


async def test_lookup_tells_what_the_server_refused(tmp_path: Path) -> None:
    async with served(tmp_path, catalogue({"enwiki": ("damaging",)})) as server:
        with pytest.raises(PredictionNotFound, match="revision 5 of enwiki"):
            await ask(server, "enwiki", rev_id=5)
        with pytest.raises(WikiUnknown, match="frwiki"):
            await ask(server, "frwiki", page_id=5)
        with pytest.raises(RevstreamError):
            await ask(server, "../healthz", page_id=5)


async def test_lookup_tells_a_server_that_is_not_ours() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nConnection: close\r\n\r\nnope!")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(RevstreamError, match="answered 404, and not as revstream does"):
            await asyncio.to_thread(look_up, "127.0.0.1", port, "enwiki", rev_id=5, page_id=None)


async def test_lookup_tells_a_server_that_talks_something_else() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.org\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NotReady, match="No revstream answers"):
            await asyncio.to_thread(look_up, "127.0.0.1", port, "enwiki", rev_id=5, page_id=None)


def with_model(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which one model that needs no content answers on one wiki."""
    write_artefact(tmp_path / "artefacts")
    wikis = {"aawiki": {"models": {"revid": "tiny-revid"}}}
    return {"REVSTREAM_MODEL_FOLDERS": str(tmp_path / "artefacts"), "REVSTREAM_WIKIS": json.dumps(wikis)}


def test_models_list_names_versions_and_where_each_answers(tmp_path: Path) -> None:
    result = run(tmp_path, "models", "list", **with_model(tmp_path))
    assert result.exit_code == 0, result.output
    assert "tiny-revid\t1.0.0\taawiki/revid" in result.stdout.splitlines()


def test_models_show_prints_the_manifest(tmp_path: Path) -> None:
    result = run(tmp_path, "models", "show", "tiny-revid", **with_model(tmp_path))
    manifest = json.loads(result.stdout)
    assert (manifest["licence"], manifest["card"]["what"]) == ("Apache-2.0", "A model for tests.")


def test_models_verify_fails_on_a_changed_file_and_names_it(tmp_path: Path) -> None:
    environ = with_model(tmp_path)
    good = run(tmp_path, "models", "verify", "tiny-revid", **environ)
    assert (good.exit_code, good.stdout) == (0, "ok      model tiny-revid  verified and loaded\n")
    (tmp_path / "artefacts" / "tiny-revid" / "1.0.0" / "arrays.npz").write_bytes(b"x")
    bad = run(tmp_path, "models", "verify", "tiny-revid", **environ)
    assert bad.exit_code == 1
    assert bad.stdout.startswith("broken  model tiny-revid  model_corrupt: ")


def test_an_unknown_model_is_one_line(tmp_path: Path) -> None:
    assert_one_line(run(tmp_path, "models", "show", "gone"), 1, "model_not_found", "'gone'")


def test_score_prints_the_scores_of_every_model_of_the_wiki(tmp_path: Path) -> None:
    result = run(tmp_path, "score", "aawiki", "2342342", **with_model(tmp_path))
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert (document["wiki_id"], document["rev_id"]) == ("aawiki", 2342342)
    assert document["scores"]["revid"] == {
        "model_version": "1.0.0",
        "prediction": False,
        "probability": {"false": 0.76, "true": 0.24},
    }


def test_score_shows_features_where_asked(tmp_path: Path) -> None:
    result = run(tmp_path, "score", "aawiki", "2342342", "--features", **with_model(tmp_path))
    assert json.loads(result.stdout)["scores"]["revid"]["features"]


def test_score_of_an_unknown_wiki_is_one_line_with_those_that_are_known(tmp_path: Path) -> None:
    result = run(tmp_path, "score", "frwiki", "5", **with_model(tmp_path))
    assert_one_line(result, 1, "wiki_unknown", "'frwiki'.*aawiki")


def test_doctor_fails_where_something_is_broken_and_prints_json_where_asked(tmp_path: Path) -> None:
    environ = with_model(tmp_path)
    arguments = ("doctor", "--json", "--http-port", "0")
    findings = {row["check"]: row for row in json.loads(run(tmp_path, *arguments, **environ).stdout)}
    assert findings["model tiny-revid"]["status"] == "ok"
    (tmp_path / "artefacts" / "tiny-revid" / "1.0.0" / "arrays.npz").unlink()
    result = run(tmp_path, *arguments, **environ)
    assert result.exit_code == 1
    findings = {row["check"]: row for row in json.loads(result.stdout)}
    assert findings["model tiny-revid"]["status"] == "broken"
    assert findings["model tiny-revid"]["cure"]


def test_train_and_evaluate_go_from_a_table_to_an_artefact_and_its_statistics(
    tmp_path: Path, shared: Path
) -> None:
    table = shared / "data/labelled/editquality/enwiki.features_reverted.train.tsv.bz2"
    head, *lines = bz2.decompress(table.read_bytes()).decode().splitlines()
    few = tmp_path / "few.tsv"
    few.write_text("\n".join([head, *lines[:400]]) + "\n")
    stopwords = shared / "data/nltk/stopwords.zip"
    out = tmp_path / "artefacts"
    arguments = ("--data", str(few), "--stopwords", str(stopwords), "--out", str(out), "--repeats", "1")
    trained = run(tmp_path, "models", "train", "enwiki-reverted", *arguments)
    assert trained.exit_code == 0, trained.output
    assert Path(json.loads(trained.stdout)["folder"], "manifest.json").is_file()
    assert "400 rows" in trained.stderr
    evaluated = run(
        tmp_path,
        "models",
        "evaluate",
        "enwiki-reverted",
        "--data",
        str(few),
        REVSTREAM_MODEL_FOLDERS=str(out),
    )
    assert evaluated.exit_code == 0, evaluated.output
    evaluation = json.loads(evaluated.stdout)
    assert evaluation["model"]["model_sha512"] == json.loads(trained.stdout)["sha512"]
    # On the very rows that it was trained on, unless columns got mixed up.
    assert evaluation["statistics"]["roc_auc"]["labels"]["true"] > 0.9


def test_train_refuses_a_name_without_a_recipe_and_names_those_that_have_one(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    files = ("--data", str(tmp_path / "empty"), "--stopwords", str(tmp_path / "empty"))
    result = run(tmp_path, "models", "train", "damaging", *files, "--out", str(tmp_path))
    assert result.exit_code == 2
    assert "enwiki-reverted" in result.stderr


def test_train_on_a_table_that_is_none_is_one_line(tmp_path: Path, shared: Path) -> None:
    (tmp_path / "empty.tsv").touch()
    stopwords = shared / "data/nltk/stopwords.zip"
    files = ("--data", str(tmp_path / "empty.tsv"), "--stopwords", str(stopwords), "--out", str(tmp_path))
    assert_one_line(
        run(tmp_path, "models", "train", "enwiki-reverted", *files), 1, "source_invalid", "no rows"
    )


def test_score_of_the_sample_fetches_from_its_dump_and_runs_in_the_pool(tmp_path: Path) -> None:
    known = run(tmp_path, "score", "samplewiki", "1")
    assert known.exit_code == 0, known.output
    probability = json.loads(known.stdout)["scores"]["reverted"]["probability"]
    assert probability.keys() == {"false", "true"}
    unknown = run(tmp_path, "score", "samplewiki", "999999999")
    assert unknown.exit_code == 1
    assert json.loads(unknown.stdout)["scores"]["reverted"]["error"]["code"] == "revision_not_found"


def test_score_of_a_live_wiki_asks_for_a_contact_first(tmp_path: Path) -> None:
    assert_one_line(run(tmp_path, "score", "enwiki", "1"), 2, "settings_invalid", "--mediawiki-contact")
