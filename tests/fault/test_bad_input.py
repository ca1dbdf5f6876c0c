"""What a user meets who gives revstream something wrong: one line that names the cause and the cure."""

import fcntl
import gzip
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from rocksdict import Options, Rdict

from agents.embedded.log import Log
from batch.sample_wiki import BUNDLED
from models.artefact import save_artefact
from models.store import PACKAGED_MODELS, ModelStore
from schemas.keys import DEAD_LETTER_TOPIC
from tests.audit import backlog, records, taken
from tests.input_events import encoded
from tests.programs import LIGHT_MODELS, Program
from tests.small_wiki import creation, write_dump

APP_ID = "revstream"
_FAST = "--pace-events-per-second=0"
_SLOWEST_START_SECONDS = 30.0
# Root may write anywhere, unless it gives that right away.
_WITHOUT_PRIVILEGE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
needs_permissions = pytest.mark.skipif(
    bool(_WITHOUT_PRIVILEGE) and shutil.which("setpriv") is None, reason="root cannot give its rights away"
)


def command(
    folder: Path, *arguments: str, prefix: tuple[str, ...] = (), **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("REVSTREAM_")}
    return subprocess.run(
        [*prefix, sys.executable, "-m", "app", *arguments],
        cwd=folder,
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=_SLOWEST_START_SECONDS,
        check=False,
    )


def refused(
    folder: Path,
    *arguments: str,
    exit_code: int = 1,
    prefix: tuple[str, ...] = (),
    library_says: str | None = None,
    **environment: str,
) -> str:
    """Run a command that must fail, and return the one line in which it says why.

    Args:
        folder: Working directory.
        arguments: After ``revstream``.
        exit_code: Expected.
        prefix: A command before the command.
        library_says: Logger that may complain as well.
        environment: Of the command.
    """
    done = command(folder, *arguments, prefix=prefix, **environment)
    assert done.returncode == exit_code, done.stderr
    assert "Traceback" not in done.stderr
    *before, line = done.stderr.splitlines()
    logged = [json.loads(other) for other in before]
    assert all(entry["level"] == "info" or entry["logger"] == library_says for entry in logged), done.stderr
    assert line.startswith("revstream: ")
    return line.removeprefix("revstream: ")


def run(*arguments: str) -> tuple[str, ...]:
    """Return the arguments of a light worker whose data lie in the working directory."""
    return ("run", "--http-port=0", "--data-dir=data", _FAST, LIGHT_MODELS, *arguments)


# Settings, addresses, directories


def test_an_unknown_setting_is_told_with_the_one_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / "revstream.toml").write_text("http_prot = 8090\n")
    line = refused(tmp_path, "run", exit_code=2)
    assert re.match(r"settings_invalid: .*revstream\.toml.*http_prot.*http_port", line)


@pytest.mark.parametrize("verb", ["run", "worker", "serve"])
def test_a_port_in_use_is_told_with_its_number(verb: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = refused(
            tmp_path, verb, f"--http-port={port}", LIGHT_MODELS, REVSTREAM_CONTENT=str(BUNDLED.dump)
        )
    assert re.match(rf"port_in_use: Port {port} .*set http_port to another", line)


@needs_permissions
@pytest.mark.parametrize("verb", ["run", "serve"])
def test_a_data_directory_without_write_permission_is_told(verb: str, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    line = refused(
        tmp_path, verb, "--http-port=0", "--data-dir=locked/data", LIGHT_MODELS, prefix=_WITHOUT_PRIVILEGE
    )
    assert re.match(r"engine_failed: .*locked/data.*Permission denied.*rights", line)


def test_a_data_directory_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    assert re.match(r"engine_failed: The data directory .*data cannot be used", refused(tmp_path, *run()))


def test_a_broker_that_does_not_answer_is_told(tmp_path: Path) -> None:
    kafka = ("worker", "--broker=kafka://127.0.0.1:1", "--http-port=0", f"--content={BUNDLED.dump}")
    line = refused(tmp_path, *kafka, LIGHT_MODELS, library_says="aiokafka")
    assert re.match(r"broker_unavailable: The broker 127\.0\.0\.1:1 .*Start it, or correct", line)


# Locks


def test_the_data_directory_of_another_worker_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with (tmp_path / "data" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        line = refused(tmp_path, *run())
    assert re.match(r"store_locked: Another worker runs on the data directory .*Stop it, or choose", line)


def test_the_log_of_another_worker_is_refused(tmp_path: Path) -> None:
    log = Log(tmp_path / "other" / "log.db")
    log.acquire()
    line = refused(tmp_path, *run("--broker=embedded://other/log.db"))
    log.close()
    assert re.match(r"log_locked: Another worker runs on the log .*Stop that worker", line)


def test_a_table_that_another_process_has_open_is_refused_at_once(tmp_path: Path) -> None:
    # The word lock in the path is no lock: Faust would take it for one, and try for half a minute.
    path = tmp_path / "data" / "worker" / "v1" / "tables" / "revisions-0.db"
    path.parent.mkdir(parents=True)
    other = Rdict(str(path), Options(raw_mode=True))
    line = refused(tmp_path, *run())
    other.close()
    assert re.match(r"store_locked: The table .*revisions-0\.db is open in another process\. Stop", line)


# Damage


def test_a_damaged_log_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "log.db").write_bytes(b"no database at all " * 300)
    line = refused(tmp_path, *run())
    assert re.match(r"engine_failed: The log .*log\.db failed: file is not a database.*move the data", line)


def test_a_damaged_table_is_told_and_deleting_it_as_told_cures_it(tmp_path: Path) -> None:
    with Program(tmp_path, *run()) as worker:
        worker.until_answered("/scores/samplewiki/200")
        assert worker.stop() == 0
    # The database of the page, whichever its partition is.
    tables = list((tmp_path / "data" / "worker" / "v1" / "tables").glob("revisions-*.db"))
    for table in tables:
        (table / "CURRENT").write_text("rubbish")
    line = refused(tmp_path, *run())
    assert re.match(r"store_unusable: The table .*Corruption.*delete the directory", line)
    for table in tables:
        shutil.rmtree(table)
    with Program(tmp_path / "again", *run(f"--data-dir={tmp_path / 'data'}")) as worker:
        assert worker.until_answered("/scores/samplewiki/200").status == 200
        assert worker.stop() == 0


def _remove(path: Path) -> None:
    path.unlink()


def _flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _add_a_word(path: Path) -> None:
    with path.open("a") as file:
        file.write("moss\n")


_WORDS = "word_lists/english.stopwords.txt"


@pytest.mark.parametrize(
    ("damage", "name", "said"),
    [
        (_remove, "arrays.npz", r"model_file_missing: .*arrays\.npz is missing: .*restore it"),
        (_flip_a_byte, "arrays.npz", r"model_corrupt: .*arrays\.npz has sha512 .*restore the artefact"),
        (_add_a_word, _WORDS, r"model_corrupt: .*stopwords\.txt has sha512 .*restore the artefact"),
    ],
)
def test_a_damaged_model_is_refused_by_every_command_that_would_use_it(
    damage: Callable[[Path], None], name: str, said: str, tmp_path: Path
) -> None:
    shutil.copytree(PACKAGED_MODELS / "enwiki-reverted", tmp_path / "models" / "enwiki-reverted")
    (path,) = (tmp_path / "models").glob(f"enwiki-reverted/*/{name}")
    damage(path)
    ours = "--model-folders=models"
    assert re.match(said, refused(tmp_path, "run", "--http-port=0", ours))
    assert re.match(said, refused(tmp_path, "score", "samplewiki", "5", ours))
    verified = command(tmp_path, "models", "verify", ours)
    assert verified.returncode == 1
    assert re.search(r"broken +model enwiki-reverted@0\.1\.0 +" + said, verified.stdout)


# Sources


@needs_permissions
def test_a_source_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "hidden.jsonl").write_bytes(b"")
    (tmp_path / "hidden.jsonl").chmod(0)
    content = f"--content={BUNDLED.dump}"
    line = refused(tmp_path, *run("--source=hidden.jsonl", content), prefix=_WITHOUT_PRIVILEGE)
    assert re.match(r"source_invalid: .*hidden\.jsonl cannot be opened \(Permission denied\)", line)
    line = refused(tmp_path, *run("--source=absent.jsonl", content))
    assert re.match(r"source_invalid: .*absent\.jsonl cannot be opened \(No such file.*check the path", line)


def test_what_a_truncated_source_gave_is_scored_and_the_whole_file_goes_on_from_there(tmp_path: Path) -> None:
    source = tmp_path / "events.jsonl.gz"
    whole = BUNDLED.events.read_bytes()
    source.write_bytes(whole[: len(whole) // 2])
    arguments = run(f"--source={source}", f"--content={BUNDLED.dump}")
    with Program(tmp_path, *arguments) as worker:
        assert worker.process.wait(timeout=60) == 1
        *_, line = worker.stderr.splitlines()
        assert re.match(r"revstream: source_invalid: .*breaks off before its end.*Fetch the file again", line)
        assert "Traceback" not in worker.stderr
    log_path = tmp_path / "data" / "log.db"
    log = Log(log_path)
    assert taken(log) > 100
    assert backlog(log, APP_ID) == 0
    source.write_bytes(whole)
    events = len(gzip.decompress(whole).splitlines())
    with Program(tmp_path, *arguments) as worker:
        worker.until(lambda: taken(log) == events and backlog(log, APP_ID) == 0)
        assert worker.stop() == 0
    log.close()


def test_the_stream_goes_on_over_events_that_cannot_be_used(tmp_path: Path) -> None:
    revision = creation(1)["revision"]
    bad: list[tuple[bytes, str]] = [
        (b'{"wiki_id":', "event_undecodable"),
        (b"[1]", "event_undecodable"),
        (b"\xff\xfe", "event_undecodable"),
        (b"[" * 100_000, "event_undecodable"),
        (encoded(creation(1, **{"$schema": "/mediawiki/page/change/2.0.0"})), "event_schema_unsupported"),
        (encoded(creation(1, **{"$schema": "/something/else/1.0.0"})), "event_schema_unsupported"),
        (encoded(creation(1, revision=revision | {"rev_id": -5})), "event_undecodable"),
        (encoded(creation(1, page=creation(1)["page"] | {"page_id": -1})), "event_undecodable"),
        (encoded(creation(1, dt="yesterday")), "event_undecodable"),
        (encoded(creation(1, note="x" * (17 << 20))), "event_schema_unsupported"),
    ]
    lines = [line for line, _ in bad]
    lines.append(encoded(creation(8, wiki_id="nowiki")))
    lines.append(encoded(creation(9)))
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    arguments = run("--source=events.jsonl", f"--content={BUNDLED.dump}")
    with Program(tmp_path, *arguments) as worker:
        worker.until_answered("/scores/samplewiki/9")
        worker.until(lambda: _dead_letters(worker) == len(bad))
        assert worker.get("/scores/nowiki/8").status == 404
        assert worker.stop() == 0
        assert "Traceback" not in worker.stderr
        told = [entry for entry in worker.logged if entry.get("outcome") == "dead_letter"]
    assert sorted(entry["reason"] for entry in told) == sorted(code for _, code in bad)
    assert all(entry["message"] and entry["level"] == "warning" for entry in told)
    log = Log(tmp_path / "data" / "log.db")
    letters = [json.loads(record.value or b"") for _, record in records(log, DEAD_LETTER_TOPIC)]
    log.close()
    assert sorted(letter["code"] for letter in letters) == sorted(code for _, code in bad)


def _dead_letters(worker: Program) -> int:
    return sum(entry.get("outcome") == "dead_letter" for entry in worker.logged)


# Texts


def test_texts_that_are_too_long_or_too_costly_are_recorded_and_other_pages_go_on(tmp_path: Path) -> None:
    texts = {
        1: "A stone lies in the garden.",
        2: "{{a|" * 8192,
        3: "moss " * (2 << 20),
        4: "Another stone lies in the garden.",
    }
    write_dump(tmp_path / "dump.xml", texts)
    events = [encoded(creation(rev_id)) for rev_id in texts]
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(events) + b"\n")
    write_parsing_model(tmp_path / "models")
    arguments = (
        "run", "--http-port=0", "--data-dir=data", _FAST, "--source=events.jsonl", "--content=dump.xml",
        "--model-folders=models", "--score-cpu-limit-seconds=1",
        '--wikis={"samplewiki":{"models":{"parsing":"parsing"}}}',
    )  # fmt: skip
    with Program(tmp_path, *arguments) as worker:
        stored = {
            rev_id: worker.until_answered(f"/scores/samplewiki/{rev_id}").document["scores"]["parsing"]
            for rev_id in texts
        }
        assert worker.stop() == 0
        assert "Traceback" not in worker.stderr
    assert stored[2]["error"]["code"] == "cpu_limit_exceeded"
    assert stored[3]["error"]["code"] == "content_too_large"
    assert stored[1]["probability"]
    assert stored[4]["probability"]


def write_parsing_model(folder: Path) -> None:
    """Write the packaged model with one feature exchanged for one that parses the text."""
    packaged = ModelStore((PACKAGED_MODELS,)).open("enwiki-reverted")
    first, *others = packaged.manifest.features
    parsing = msgspec.structs.replace(first, name="feature.wikitext.revision.templates", returns="float")
    manifest = msgspec.structs.replace(packaged.manifest, name="parsing", features=(parsing, *others))
    save_artefact(
        folder / "parsing" / manifest.model_version,
        manifest,
        packaged.arrays(),
        {_WORDS: packaged.words("english.stopwords")},
    )


# The end, and the doctor


def test_a_worker_told_to_stop_while_its_models_load_ends_well_and_soon(tmp_path: Path) -> None:
    # The models may be there before anybody can ask.
    assert any(_is_stopped_while_loading(tmp_path / str(number)) for number in range(20))


def _is_stopped_while_loading(folder: Path) -> bool:
    with Program(folder, "run", "--http-port=0", "--data-dir=data") as worker:
        worker.until(lambda: any(entry["event"] == "listening" for entry in worker.logged))
        is_loading = "models_loading" in worker.get("/readyz").body.decode()
        began = time.monotonic()
        assert worker.stop(signal.SIGTERM) == 0
        assert time.monotonic() - began < 10
        assert [entry for entry in worker.logged if entry["level"] != "info"] == []
    return is_loading


def test_the_doctor_names_each_trouble_and_its_cure(tmp_path: Path) -> None:
    data = tmp_path / "data"
    table = data / "worker" / "v1" / "tables" / "pages-1.db"
    table.mkdir(parents=True)
    (table / "CURRENT").write_text("rubbish")
    (data / "log.db").write_bytes(b"no database at all " * 300)
    shutil.copytree(PACKAGED_MODELS / "enwiki-reverted", tmp_path / "models" / "enwiki-reverted")
    (arrays,) = (tmp_path / "models").glob("*/*/arrays.npz")
    _flip_a_byte(arrays)
    with socket.create_server(("127.0.0.1", 0)) as other:
        flags = (
            f"--http-port={other.getsockname()[1]}",
            "--data-dir=data",
            "--model-folders=models",
            "--json",
        )
        done = command(tmp_path, "doctor", *flags, "--json")
    assert done.returncode == 1
    assert done.stderr == ""
    broken = {
        finding["check"]: finding for finding in json.loads(done.stdout) if finding["status"] == "broken"
    }
    expected = {"port", "stores", "embedded log", "model enwiki-reverted"}
    assert expected <= set(broken)
    assert all(finding["cure"] for finding in broken.values())
    assert "rm -r" in broken["stores"]["cure"]
