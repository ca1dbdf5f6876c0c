"""Artefacts between folders, and what two of them differ in."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result

from app.cli import main
from models.artefact import ARRAYS, MANIFEST, open_artefact, save_artefact
from models.comparison import as_lines, compare
from models.manifest import FeatureSpec
from models.remote import Remote, open_remote
from models.stages import Stage
from models.stages_file import STAGES_FILE, read_stages
from models.store import ModelStore
from models.transfer import pull, push
from schemas.errors import ModelCorrupt, ModelNotFound, ModelRefused, ModelUnavailable, SettingsError
from tests.artefacts import write_artefact
from tests.clean_logging import logging_restored

NAME = "tiny-revid"


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_what_is_pulled_is_the_same_to_the_byte_and_pulling_again_changes_nothing(tmp_path: Path) -> None:
    write_artefact(tmp_path / "there")
    remote = open_remote(str(tmp_path / "there"))
    assert remote.versions() == {NAME: ["1.0.0"]}
    copied = pull(remote, NAME, "1.0.0", tmp_path / "here")
    assert copied.is_new
    assert tree(tmp_path / "here") == tree(tmp_path / "there")
    assert ModelStore([tmp_path / "here"]).load(NAME).info.id.model_sha512 == copied.sha512
    assert not pull(remote, NAME, "1.0.0", tmp_path / "here").is_new


def test_what_is_pushed_to_a_folder_can_be_loaded_from_it(tmp_path: Path) -> None:
    folder = write_artefact(tmp_path / "here")
    (tmp_path / "there").mkdir()
    assert push(folder, open_remote(str(tmp_path / "there"))).is_new
    assert tree(tmp_path / "there") == tree(tmp_path / "here")


@pytest.mark.parametrize(
    ("file", "old", "new"), [(ARRAYS, b"NUMPY", b"DUMPY"), (MANIFEST, b"the tests", b"the pests")]
)
def test_what_was_changed_is_not_taken_and_nothing_of_it_stays(
    tmp_path: Path, file: str, old: bytes, new: bytes
) -> None:
    path = write_artefact(tmp_path / "there") / file
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(ModelCorrupt, match="sha512"):
        pull(open_remote(str(tmp_path / "there")), NAME, "1.0.0", tmp_path / "here")
    assert tree(tmp_path / "here") == {}
    assert list((tmp_path / "here").iterdir()) == []


def test_a_version_with_other_contents_is_never_replaced(tmp_path: Path) -> None:
    write_artefact(tmp_path / "there")
    write_artefact(tmp_path / "here", model_name="another")
    before = tree(tmp_path / "here")
    with pytest.raises(ModelCorrupt, match="a version never changes"):
        pull(open_remote(str(tmp_path / "there")), NAME, "1.0.0", tmp_path / "here")
    assert tree(tmp_path / "here") == before


def test_an_artefact_under_a_name_that_is_not_its_own_is_refused(tmp_path: Path) -> None:
    write_artefact(tmp_path / "there").rename(tmp_path / "there" / NAME / "2.0.0")
    with pytest.raises(ModelCorrupt, match="under the name of"):
        pull(open_remote(str(tmp_path / "there")), NAME, "2.0.0", tmp_path / "here")


def test_a_manifest_that_names_files_elsewhere_writes_none(tmp_path: Path) -> None:
    folder = write_artefact(tmp_path / "there")
    manifest = open_artefact(folder).manifest
    for path in ("../../escaped.npz", "/escaped.npz", MANIFEST):
        document = msgspec.to_builtins(msgspec.structs.replace(manifest, files={path: "0" * 128}, sha512=""))
        # A stranger can state the right hash of the whole.
        import hashlib

        document["sha512"] = hashlib.sha512(msgspec.json.encode(document, order="sorted")).hexdigest()
        (folder / MANIFEST).write_bytes(msgspec.json.encode(document))
        with pytest.raises(ModelRefused, match="outside the artefact"):
            pull(open_remote(str(tmp_path / "there")), NAME, "1.0.0", tmp_path / "here")
    assert tree(tmp_path / "here") == {}


def test_an_artefact_over_the_limit_is_refused(tmp_path: Path) -> None:
    write_artefact(tmp_path / "there")
    with pytest.raises(ModelRefused, match="larger than"):
        pull(open_remote(str(tmp_path / "there")), NAME, "1.0.0", tmp_path / "here", limit_bytes=900)
    assert tree(tmp_path / "here") == {}


@pytest.mark.parametrize("name", ["..", "a/b", ""])
def test_a_name_that_is_a_path_is_not_looked_for(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelNotFound):
        pull(open_remote(str(tmp_path)), name, "1", tmp_path / "here")


def test_two_that_pull_the_same_at_once_both_succeed(tmp_path: Path) -> None:
    write_artefact(tmp_path / "there")
    barrier = threading.Barrier(2)
    found = []

    class Slow(Remote):
        def pieces(self, path: str, limit_bytes: int) -> Iterator[bytes]:
            if path.endswith(ARRAYS):
                barrier.wait(10)
            return super().pieces(path, limit_bytes)

    def one() -> None:
        there = open_remote(str(tmp_path / "there"))
        slow = Slow(there._filesystem, there._base, there.where, there.folder)
        found.append(pull(slow, NAME, "1.0.0", tmp_path / "here"))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {copied.sha512 for copied in found} == {ModelStore([tmp_path / "here"]).info(NAME).id.model_sha512}
    assert len(found) == 2
    assert [path.name for path in (tmp_path / "here").iterdir()] == [NAME]


def test_a_place_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="absent"):
        open_remote(str(tmp_path / "absent")).versions()
    with pytest.raises(SettingsError, match="names no bucket"):
        open_remote("s3://")


def test_an_address_where_nobody_answers_is_retryable() -> None:
    from models.remote import S3Options

    options = S3Options(endpoint="http://127.0.0.1:1", is_anonymous=True, timeout_seconds=1)
    with pytest.raises(ModelUnavailable, match=r"s3://bucket/models does not answer") as told:
        open_remote("s3://bucket/models", options).versions()
    assert told.value.retryable


def test_a_difference_names_features_parameters_statistics_labels_and_hashes(tmp_path: Path) -> None:
    first = open_artefact(write_artefact(tmp_path / "a")).manifest
    folder = tmp_path / "b" / NAME / "2.0.0"
    second = save_artefact(
        folder,
        msgspec.structs.replace(
            first,
            model_version="2.0.0",
            labels=("no", "yes"),
            estimator={"kind": "gradient_boosting", "parameters": {"trees": 700}},
            features=(FeatureSpec("feature.b", "int"), FeatureSpec("feature.a", "float")),
            statistics={"counts": {"n": 5}},
        ),
        {"unused": np.ones(3)},
        {},
    )
    first = msgspec.structs.replace(
        first, features=(FeatureSpec("feature.c", "bool"), FeatureSpec("feature.a", "float"))
    )
    difference = compare(first, second)
    assert (difference.features_removed, difference.features_added) == (("feature.c",), ("feature.b",))
    assert (difference.features_kept, difference.is_order_changed) == (1, False)
    changes = {part: {change.path for change in found} for part, found in difference.changes.items()}
    assert changes == {
        "labels": {""},
        "estimator": {"kind", "parameters"},
        "statistics": {"counts"},
        "files": {ARRAYS},
        "sha512": {""},
    }
    lines = list(as_lines(difference))
    assert lines[:5] == [
        f"--- {NAME}@1.0.0",
        f"+++ {NAME}@2.0.0",
        "features: 1 removed, 1 added, 1 kept",
        "  - feature.c",
        "  + feature.b",
    ]
    assert '  ["false","true"] → ["no","yes"]' in lines
    assert all(len(line) < 160 for line in lines)


def test_the_same_model_differs_in_nothing(tmp_path: Path) -> None:
    manifest = open_artefact(write_artefact(tmp_path)).manifest
    assert compare(manifest, manifest).changes == {}


def run(folder: Path, *arguments: str) -> Result:
    environ = {"REVSTREAM_MODEL_FOLDERS": str(folder)}
    with logging_restored():
        return CliRunner().invoke(main, ("models", *arguments), prog_name="revstream", env=environ)


def test_the_commands_push_list_pull_and_compare(tmp_path: Path) -> None:
    here, there, third = (tmp_path / name for name in ("here", "there", "third"))
    for folder in (there, third):
        folder.mkdir()
    for version in ("1.0.0", "2.0.0"):
        write_artefact(here, version=version)
    assert run(here, "promote", f"{NAME}@1.0.0", "--to", "staging").exit_code == 0
    pushed = run(here, "push", f"{NAME}@1.0.0", f"{NAME}@2.0.0", "--to", str(there), "--with-stages")
    assert [line.split("  ")[:2] for line in pushed.stdout.splitlines()] == [
        [f"{NAME}@1.0.0", "pushed"],
        [f"{NAME}@2.0.0", "pushed"],
    ]
    assert run(third, "pull", "--from", str(there)).stdout == f"{NAME}\t1.0.0 2.0.0\n"
    assert run(third, "pull", NAME, "--from", str(there)).exit_code == 0
    stages = read_stages(third)
    assert stages is not None
    assert stages.entry(NAME).stage("2.0.0") is Stage.EXPERIMENTAL
    assert ModelStore([third]).versions(NAME) == ["2.0.0"]
    taken = run(third, "pull", NAME, "--from", str(there), "--with-stages")
    assert [line.split("  ")[1] for line in taken.stdout.splitlines()] == ["pulled", "was here already"]
    theirs = read_stages(there)
    assert theirs is not None
    stages = read_stages(third)
    assert stages is not None
    assert stages.entry(NAME) == theirs.entry(NAME)
    assert stages.entry(NAME).reaching(Stage.STAGING) == ["1.0.0", "2.0.0"]
    difference = run(third, "diff", f"{NAME}@1.0.0", f"{NAME}@2.0.0")
    assert difference.stdout.splitlines()[:3] == [
        f"--- {NAME}@1.0.0",
        f"+++ {NAME}@2.0.0",
        "features: 0 removed, 0 added, 0 kept",
    ]
    document = json.loads(run(third, "diff", f"{NAME}@1.0.0", f"{NAME}@2.0.0", "--json").stdout)
    assert document["changes"].keys() == {"sha512"}


def test_what_is_not_there_is_one_line_with_what_is(tmp_path: Path) -> None:
    write_artefact(tmp_path / "there")
    (tmp_path / "here").mkdir()
    for asked in ("gone", f"{NAME}@9"):
        result = run(tmp_path / "here", "pull", asked, "--from", str(tmp_path / "there"))
        assert result.exit_code == 1
        (line,) = result.stderr.splitlines()
        assert line.startswith("revstream: model_not_found: ")
        assert line.endswith(": tiny-revid." if asked == "gone" else ": 1.0.0.")
    assert not (tmp_path / "here" / STAGES_FILE).exists()
