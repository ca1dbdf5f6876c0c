"""The doctor names each kind of fault, and its cure."""

import contextlib
import fcntl
import json
import os
import re
import socket
import sqlite3
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from rocksdict import Options, Rdict

from agents.embedded.log import Log
from agents.kafka_access import KafkaAccess
from app.doctor import check_contact, check_intake, check_models, check_rules, check_traces, diagnose
from app.doctor_machine import (
    available_memory_bytes,
    check_dictionaries,
    check_interpreter,
    check_memory,
    check_nltk_data,
    check_open_files,
    check_packages,
)
from app.doctor_state import (
    check_data_dir,
    check_kafka,
    check_kafka_login,
    check_lock,
    check_log,
    check_port,
    check_stores,
)
from app.findings import Finding, Status, as_table, broken, is_broken, ok, to_json, warning
from app.settings import Settings, WikiSettings, load_settings
from models.store import ModelStore
from schemas.secret import Secret
from tests.artefacts import write_artefact


def assert_cured(finding: Finding, status: Status, message: str, cure: str) -> None:
    assert finding.status is status
    assert re.search(message, finding.message)
    assert cure in finding.cure


@contextlib.contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_rules_that_are_not_understood_are_broken_and_none_are_well(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    settings = Settings(rules=str(rules))
    assert check_rules(Settings()).status is Status.OK
    assert_cured(check_rules(settings), Status.BROKEN, "cannot be read", "rules check")
    rules.write_text("rules:\n  all:\n    topics: [mediawiki.page_change.v1]\n")
    assert check_rules(settings) == ok("rules", f"1 in {rules}")
    rules.write_text("rules:\n  all:\n    topicz: [mediawiki.page_change.v1]\n")
    assert_cured(check_rules(settings), Status.BROKEN, "topicz", "rules check")


def test_traces_that_cannot_be_sent_are_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_traces(Settings()).status is Status.OK
    sending = Settings(traces="otlp")
    assert check_traces(sending).status is Status.OK
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    assert_cured(check_traces(sending), Status.BROKEN, "cannot be", "http/protobuf")


def test_python_3_11_is_well_and_others_are_broken() -> None:
    assert check_interpreter((3, 11, 7), "cpython").status is Status.OK
    assert_cured(check_interpreter((3, 12, 1), "cpython"), Status.BROKEN, "3.12.1", "make PYTHON=")
    assert_cured(check_interpreter((3, 11, 7), "pypy"), Status.BROKEN, "pypy", "make PYTHON=")


def test_the_packages_of_this_environment_are_as_required() -> None:
    (finding,) = check_packages(metadata.requires("revstream") or ())
    assert finding.status is Status.OK
    assert int(finding.message.split()[0]) > 10


def test_a_missing_and_a_wrong_package_are_told_apart() -> None:
    found = {"numpy": "2.1.0", "click": "8.3.3"}

    def installed(name: str) -> str:
        if name not in found:
            raise metadata.PackageNotFoundError(name)
        return found[name]

    missing, wrong = check_packages(
        ["aiohttp>=3", "numpy<1.25,>=1.24", "click>=8.3", 'pytest>=9; extra == "dev"'], installed
    )
    assert_cured(missing, Status.BROKEN, "aiohttp is not installed", "make run")
    assert_cured(wrong, Status.BROKEN, r"numpy 2\.1\.0 .* <1\.25", "make run")


def test_no_enchant_library_is_a_warning_with_its_cure() -> None:
    def without_library() -> list[str]:
        raise ImportError("The 'enchant' C library was not found")

    assert_cured(
        check_dictionaries(available=without_library), Status.WARNING, "enchant", "make dictionaries"
    )


def test_a_missing_dictionary_is_named() -> None:
    finding = check_dictionaries(("en_US", "nl"), lambda: ["en_US"])
    assert_cured(finding, Status.WARNING, "No dictionary for nl", "make dictionaries")
    assert check_dictionaries(("en_US",), lambda: ["en_US", "nl"]).status is Status.OK


def test_word_lists_that_nltk_refuses_are_found(tmp_path: Path) -> None:
    stopwords = tmp_path / "corpora" / "stopwords"
    stopwords.mkdir(parents=True)
    tmp_path.chmod(0o755)
    stopwords.chmod(0o755)
    assert check_nltk_data([tmp_path, tmp_path / "absent"]).status is Status.OK
    stopwords.chmod(0o775)
    assert_cured(check_nltk_data([tmp_path]), Status.WARNING, f"NLTK refuses {stopwords}", "chmod -R go-w")


def test_word_lists_of_another_owner_are_found(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    owner = tmp_path.stat().st_uid
    if owner == 0:
        os.chown(tmp_path, 12345, -1)
    assert check_nltk_data([tmp_path], user_id=54321).status is Status.WARNING


@pytest.mark.parametrize(("limit", "status"), [(256, Status.WARNING), (1024, Status.OK), (-1, Status.OK)])
def test_few_open_files_are_a_warning(limit: int, status: Status) -> None:
    assert check_open_files(limit).status is status


def test_little_memory_is_a_warning() -> None:
    assert_cured(check_memory(1 << 28), Status.WARNING, "0.2 GiB", "pool_processes")
    assert check_memory(2 << 30).status is Status.OK
    assert check_memory(None).status is Status.OK


def test_available_memory_is_read_where_linux_tells_it(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 10 kB\nMemAvailable:    2048 kB\n")
    assert available_memory_bytes(meminfo) == 2 << 20
    assert available_memory_bytes(tmp_path / "absent") is None


def test_a_data_directory_that_is_yet_to_be_made_is_well(tmp_path: Path) -> None:
    finding = check_data_dir(tmp_path / "a" / "b", min_free_bytes=0)
    assert finding.status is Status.OK
    assert list(tmp_path.iterdir()) == []


def test_a_data_directory_that_is_a_file_is_broken(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    finding = check_data_dir(tmp_path / "data", min_free_bytes=0)
    assert_cured(finding, Status.BROKEN, "takes no file", "--data-dir")


def test_a_disk_without_the_space_wanted_is_full(tmp_path: Path) -> None:
    assert_cured(
        check_data_dir(tmp_path, min_free_bytes=1 << 60), Status.BROKEN, "is full", "Free some space"
    )


def test_a_data_directory_that_another_worker_holds_is_broken(tmp_path: Path) -> None:
    lock_path = tmp_path / "lock"
    assert check_lock(lock_path).status is Status.OK
    assert not lock_path.exists()
    with lock_path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert_cured(check_lock(lock_path), Status.BROKEN, f"holds {tmp_path}", "another --data-dir")
    assert check_lock(lock_path).status is Status.OK


def test_a_log_of_ours_is_well_and_an_absent_one_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    assert check_log(path).status is Status.OK
    assert not path.exists()
    Log(path).close()
    assert check_log(path).status is Status.OK


def test_a_log_of_another_format_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    Log(path).close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE meta SET value='99' WHERE name='format'")
        database.commit()
    assert_cured(check_log(path), Status.BROKEN, "format 99", "version that wrote it")


def test_a_log_that_is_no_database_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    path.write_bytes(b"no database" * 100)
    assert_cured(check_log(path), Status.BROKEN, "not a database", "Move the data directory")


def test_a_store_that_does_not_open_is_named_and_the_others_are_not(tmp_path: Path) -> None:
    assert check_stores(tmp_path)[0].message == "none yet"
    for name in ("good", "bad"):
        with contextlib.closing(Rdict(str(tmp_path / name), Options(raw_mode=True))) as store:
            store[b"k"] = b"v"
    (finding,) = check_stores(tmp_path)
    assert (finding.status, finding.message) == (Status.OK, "2 open")
    (tmp_path / "bad" / "CURRENT").write_text("MANIFEST-999999\n")
    (finding,) = check_stores(tmp_path)
    assert_cured(finding, Status.BROKEN, f"{tmp_path}/bad does not open", f"rm -r {tmp_path}/bad")


def test_a_port_in_use_is_broken_and_a_free_one_is_well() -> None:
    with listening() as port:
        assert_cured(check_port("127.0.0.1", port), Status.BROKEN, "taken by another", "--http-port")
    assert check_port("127.0.0.1", port).status is Status.OK
    assert check_port("127.0.0.1", 0).status is Status.OK


def test_an_address_that_is_not_of_this_machine_is_broken() -> None:
    assert check_port("192.0.2.1", 8090).status is Status.BROKEN


def test_one_dead_broker_of_two_is_a_warning_and_all_dead_are_broken() -> None:
    with listening() as dead:
        pass
    with listening() as alive:
        reached, failed = check_kafka([f"127.0.0.1:{dead}", f"127.0.0.1:{alive}"])
        assert reached.status is Status.OK
        assert_cured(failed, Status.WARNING, f"127.0.0.1:{dead} cannot be reached", "make kafka")
    (failed,) = check_kafka([f"127.0.0.1:{dead}"])
    assert failed.status is Status.BROKEN


def test_findings_are_plain_text_without_a_terminal_and_the_cure_follows() -> None:
    findings = (
        ok("port", "free"),
        broken("lock", "held", "stop it"),
        warning("memory", "little", "get some"),
    )
    assert as_table(findings, fancy=False).splitlines() == [
        "ok      port    free",
        "broken  lock    held",
        "                → stop it",
        "warning memory  little",
        "                → get some",
    ]
    assert is_broken(findings)
    assert not is_broken(findings[::2])


def test_marks_are_coloured_unless_no_color_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert as_table((ok("port", "free"),), fancy=True) == "\x1b[32m✓\x1b[0m port  free"
    monkeypatch.setenv("NO_COLOR", "1")
    assert as_table((ok("port", "free"),), fancy=True) == "✓ port  free"


def test_findings_as_json_carry_every_field() -> None:
    (document,) = json.loads(to_json((broken("lock", "held", "stop it"),)))
    assert document == {"check": "lock", "status": "broken", "message": "held", "cure": "stop it"}


def check(folder: Path, artefact: str = "tiny-revid") -> Finding:
    wikis = {"aawiki": WikiSettings({"revid": artefact}), "bbwiki": WikiSettings({"revid": artefact})}
    (finding,) = check_models(wikis, ModelStore([folder]))
    assert finding.check == f"model {artefact}"
    return finding


def test_a_model_that_loads_is_well_and_named_once(tmp_path: Path) -> None:
    write_artefact(tmp_path)
    assert check(tmp_path).status is Status.OK


def test_a_model_that_is_nowhere_is_broken(tmp_path: Path) -> None:
    assert_cured(check(tmp_path, "gone"), Status.BROKEN, "^model_not_found: ", "model_folders")


def test_a_missing_model_file_is_broken(tmp_path: Path) -> None:
    (write_artefact(tmp_path) / "arrays.npz").unlink()
    assert_cured(check(tmp_path), Status.BROKEN, r"^model_file_missing: .*arrays\.npz", "copy the artefact")


def test_a_wrong_sha512_is_broken(tmp_path: Path) -> None:
    arrays = write_artefact(tmp_path) / "arrays.npz"
    arrays.write_bytes(b"x" * arrays.stat().st_size)
    assert_cured(check(tmp_path), Status.BROKEN, r"^model_corrupt: .*arrays\.npz", "Copy the artefact anew")


def test_a_model_made_with_another_dictionary_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_artefact(tmp_path)
    monkeypatch.setattr("app.doctor.other_dictionaries", lambda name, _: [f"{name} had another dictionary"])
    assert_cured(check(tmp_path), Status.WARNING, "had another dictionary", "Install the dictionaries")


def test_no_contact_is_broken_only_where_wikimedia_is_asked() -> None:
    assert check_contact(Settings()).status is Status.OK
    finding = check_contact(Settings(source="eventstreams"))
    assert_cured(finding, Status.BROKEN, "no contact", "--mediawiki-contact")
    assert check_contact(Settings(source="eventstreams", mediawiki_contact="a@b.org")).status is Status.OK


def test_all_checks_together_tell_a_held_data_directory_and_leave_its_stores_alone(tmp_path: Path) -> None:
    write_artefact(tmp_path)
    settings = Settings(
        data_dir=tmp_path,
        http_port=0,
        model_folders=(tmp_path,),
        wikis={"aawiki": WikiSettings({"revid": "tiny-revid"})},
    )
    with settings.lock_path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = {finding.check: finding for finding in diagnose(settings)}
    assert found["lock"].status is Status.BROKEN
    assert found["stores"].status is Status.WARNING
    assert found["model tiny-revid"].status is Status.OK
    checks = ["interpreter", "packages", "nltk data", "open files", "memory", "port", "embedded log"]
    assert all(check in found for check in checks)


@pytest.mark.parametrize(
    ("intake", "host", "status"),
    [
        ("off", "0.0.0.0", Status.OK),
        ("token", "0.0.0.0", Status.OK),
        ("open", "127.0.0.1", Status.OK),
        ("open", "0.0.0.0", Status.WARNING),
    ],
)
def test_an_intake_that_anyone_reaches_is_worth_a_word(
    tmp_path: Path, intake: str, host: str, status: Status
) -> None:
    settings = load_settings(environ={"REVSTREAM_INTAKE": intake, "REVSTREAM_HTTP_HOST": host}, cwd=tmp_path)
    assert check_intake(settings).status is status


def test_a_cluster_that_lets_nobody_in_is_broken_and_no_password_is_told() -> None:
    access = KafkaAccess(sasl_mechanism="PLAIN", username="moss", password=Secret("stone"))
    with listening() as dead:
        pass
    finding = check_kafka_login(access, [f"127.0.0.1:{dead}"], timeout_seconds=5)
    assert_cured(finding, Status.BROKEN, "SASL_PLAINTEXT as moss is not let in", "kafka_sasl_mechanism")
    assert "stone" not in finding.message
