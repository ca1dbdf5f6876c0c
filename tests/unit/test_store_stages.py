"""Stages: what is promoted, what is taken back, and the file that keeps it."""

import multiprocessing
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.stages import (
    Change,
    ModelEntry,
    Stage,
    Stages,
    VersionState,
    admit,
    adopt,
    newest_last,
    promote,
    rollback,
)
from models.stages_file import STAGES_FILE, change_stages, decode_stages, encode_stages, read_stages
from schemas.errors import SettingsError, StoreLocked

NAME = "enwiki-damaging"
SHA512 = "ab" * 64
AT = datetime(2026, 11, 21, 10, tzinfo=UTC)


def promoted(stages: Stages, version: str, to: Stage = Stage.PRODUCTION, sha512: str = SHA512) -> Stages:
    return promote(stages, NAME, version, to, sha512=sha512, by="tests", at=AT)


def rolled_back(stages: Stages) -> Stages:
    return rollback(stages, NAME, by="tests", at=AT)[0]


def test_versions_come_in_natural_order() -> None:
    assert newest_last(["0.10.0", "0.9.0", "0.9.0rc1", "1"]) == ["0.9.0", "0.9.0rc1", "0.10.0", "1"]


def test_a_version_that_is_not_listed_is_experimental() -> None:
    assert Stages().entry(NAME).stage("1") is Stage.EXPERIMENTAL


def test_an_artefact_that_comes_in_is_experimental_and_never_changes_what_is_in_production() -> None:
    stages = promoted(admit(Stages(), NAME, "1", wikis=["enwiki"]), "1")
    again = admit(stages, NAME, "1", wikis=["enwiki", "simplewiki"])
    assert again.entry(NAME).stage("1") is Stage.PRODUCTION
    assert again.entry(NAME).wikis == ("enwiki", "simplewiki")
    assert admit(again, NAME, "2").entry(NAME).reaching(Stage.PRODUCTION) == ["1"]


def test_several_versions_are_in_production_at_once_until_one_is_taken_out() -> None:
    stages = promoted(promoted(Stages(), "0.10.0"), "0.9.0")
    assert stages.entry(NAME).reaching(Stage.PRODUCTION) == ["0.9.0", "0.10.0"]
    stages = promoted(stages, "0.9.0", Stage.EXPERIMENTAL)
    assert stages.entry(NAME).reaching(Stage.PRODUCTION) == ["0.10.0"]
    assert stages.entry(NAME).versions["0.9.0"].sha512 == ""


def test_a_promotion_to_where_it_is_is_refused() -> None:
    with pytest.raises(SettingsError, match="at production already"):
        promoted(promoted(Stages(), "1"), "1")


def test_rollbacks_walk_back_through_the_history_and_stop_at_its_beginning() -> None:
    first = promoted(Stages(), "1", Stage.STAGING)
    second = promoted(first, "1")
    third = promoted(second, "2")
    states = [third.models[NAME].versions]
    stages = third
    for _ in range(3):
        stages = rolled_back(stages)
        states.append(stages.models[NAME].versions)
    pinned = VersionState(Stage.PRODUCTION, SHA512)
    gone = VersionState(Stage.EXPERIMENTAL)
    assert states == [
        {"1": pinned, "2": pinned},
        {"1": pinned, "2": gone},
        {"1": VersionState(Stage.STAGING, SHA512), "2": gone},
        {"1": gone, "2": gone},
    ]
    assert [change.is_rollback for change in stages.entry(NAME).history] == [False] * 3 + [True] * 3
    with pytest.raises(SettingsError, match="No promotion"):
        rolled_back(stages)


def test_a_promotion_after_a_rollback_is_what_the_next_rollback_takes_back() -> None:
    stages = rolled_back(promoted(promoted(Stages(), "1"), "2"))
    stages = rolled_back(promoted(stages, "3"))
    assert stages.entry(NAME).reaching(Stage.PRODUCTION) == ["1"]
    assert rolled_back(stages).entry(NAME).reaching(Stage.PRODUCTION) == []


def test_a_rollback_of_a_version_that_was_moved_by_hand_is_refused() -> None:
    entry = promoted(Stages(), "1").entry(NAME)
    by_hand = ModelEntry(versions={"1": VersionState(Stage.STAGING)}, history=entry.history)
    with pytest.raises(SettingsError, match="edited by hand"):
        rolled_back(Stages(models={NAME: by_hand}))


_names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,8}", fullmatch=True)
_stages = st.sampled_from(list(Stage))
_times = st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis's
_entries = st.builds(
    ModelEntry,
    wikis=st.lists(st.from_regex(r"[a-z0-9_-]{1,9}", fullmatch=True), max_size=3).map(tuple),
    versions=st.dictionaries(
        _names, st.builds(VersionState, _stages, st.sampled_from(["", SHA512])), max_size=4
    ),
    history=st.lists(
        st.builds(Change, _times, st.text(), _names, _stages, _stages, st.booleans()), max_size=3
    ).map(tuple),
)


@given(
    models=st.dictionaries(_names, _entries, max_size=3),
    aliases=st.dictionaries(_names.map("a".__add__), _names.map("b".__add__), max_size=3),
)
@settings(deadline=None, max_examples=60)
def test_the_file_gives_back_what_was_written_and_the_same_text(
    models: dict[str, ModelEntry], aliases: dict[str, str]
) -> None:
    stages = Stages(aliases=aliases, models=models)
    text = encode_stages(stages)
    assert decode_stages(text, "here") == stages
    assert encode_stages(decode_stages(text, "here")) == text
    assert list(decode_stages(text, "here").models) == list(models)


def test_versions_written_by_hand_stay_text() -> None:
    text = (
        b"models: {a: {versions: {1.10: {stage: production}, 0x10: {stage: staging}, 1e3: {stage: staging}}}}"
    )
    assert list(decode_stages(text, "here").models["a"].versions) == ["1.10", "0x10", "1e3"]


def test_ores_other_names_hold_until_the_file_says_otherwise() -> None:
    assert decode_stages(b"", "here").aliases == {"wp10": "articlequality", "item_quality": "itemquality"}
    assert decode_stages(b"aliases: {}", "here").aliases == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"model: {}", "unknown field `model`"),
        (b"models: {a: {version: {}}}", "unknown field `version`"),
        (b"models: {a: {versions: {'1': {stage: live}}}}", "enum value 'live'"),
        (b"models: {a: {versions: {'1': {stage: staging, sha512: beef}}}}", "matching regex"),
        (b"models: {../a: {}}", "matching regex"),
        (b"models: {a: {wikis: [enwiki/..]}}", "matching regex"),
        (b"models: {a: {wikis: enwiki}}", "array"),
        (b"aliases: {a: b, a: c}", "twice"),
        (b"aliases: {a: b, b: c}", "alias itself"),
        (b"format_version: 2", "format '2'"),
        (b"aliases: &x {a: b}\nmodels: *x", "references are not taken"),
        (b"!!python/object/apply:os.system [true]", "array"),
        (b"models: [", "no YAML"),
        (b"- models", "array"),
        (b"\xff\xfe\xff", "no YAML"),
        (b"[" * 100_000, "no YAML"),
        (b"#" * (4 << 20) + b"x", "longer than 4 MiB"),
    ],
)
def test_a_file_that_is_not_understood_is_refused_with_the_reason(text: bytes, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason) as refused:
        decode_stages(text, "/somewhere/models.yaml")
    assert "/somewhere/models.yaml" in refused.value.message


def test_a_folder_without_a_file_has_no_stages(tmp_path: Path) -> None:
    assert read_stages(tmp_path) is None
    assert read_stages(tmp_path / "absent") is None


def test_a_change_that_is_refused_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    change_stages(tmp_path, lambda _: adopt({NAME: {"1": SHA512}}))
    before = (tmp_path / STAGES_FILE).read_bytes()
    with pytest.raises(SettingsError):
        change_stages(tmp_path, lambda stages: promoted(stages or Stages(), "1"))
    assert (tmp_path / STAGES_FILE).read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {STAGES_FILE, ".models.yaml.lock"}


def _promote_many(folder: Path, prefix: str, count: int) -> None:
    for number in range(count):
        change_stages(folder, lambda stages: admit(stages or Stages(), NAME, f"{prefix}{number}"))  # noqa: B023 - called at once


def test_no_change_is_lost_between_writers_and_readers_see_whole_files(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_promote_many, args=(tmp_path, prefix, 10)) for prefix in "abc"]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        read_stages(tmp_path)
        time.sleep(0.001)
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    stages = read_stages(tmp_path)
    assert stages is not None
    assert len(stages.entry(NAME).versions) == 30


def test_a_writer_that_never_ends_is_told_and_not_waited_for_without_end(tmp_path: Path) -> None:
    is_in, may_end = threading.Event(), threading.Event()

    def hold(_: Stages | None) -> Stages:
        is_in.set()
        may_end.wait(10)
        return Stages()

    holder = threading.Thread(target=change_stages, args=(tmp_path, hold))
    holder.start()
    try:
        assert is_in.wait(10)
        with pytest.raises(StoreLocked, match="Another process"):
            change_stages(tmp_path, lambda _: Stages(), wait_seconds=0.1)
    finally:
        may_end.set()
        holder.join()
    change_stages(tmp_path, lambda _: Stages(), wait_seconds=0)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / STAGES_FILE).mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        read_stages(tmp_path)
