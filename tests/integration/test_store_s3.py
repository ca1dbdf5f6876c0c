"""Artefacts in S3, behind an endpoint of one's own: a server process that speaks S3."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pyarrow.fs import S3FileSystem

from app.catalogue import build_catalogue, open_store
from app.cli import main
from app.settings import Settings
from models.artefact import ARRAYS, MANIFEST
from models.remote import Remote, S3Options, open_remote
from models.stages_file import STAGES_FILE
from models.store import ModelStore
from models.transfer import pull, push
from schemas.errors import ModelCorrupt, ModelNotFound, ModelRefused, ModelUnavailable
from tests.artefacts import write_artefact
from tests.clean_logging import logging_restored
from tests.s3_server import program, s3_server

NAME = "tiny-revid"
BUCKET = "models"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if program() is None:
        message = "no S3 server: moto_server is not installed"
        if os.environ.get("REQUIRE_S3"):
            pytest.fail(message)
        pytest.skip(message)
    with s3_server(tmp_path_factory.mktemp("s3")) as address:
        yield address


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys where AWS's own tools look for them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def filesystem(endpoint: str, keys: None) -> Any:
    filesystem = S3FileSystem(
        endpoint_override=endpoint, region="us-east-1", allow_bucket_creation=True, allow_bucket_deletion=True
    )
    filesystem.create_dir(BUCKET)
    filesystem.delete_dir_contents(BUCKET)
    return filesystem


@pytest.fixture
def remote(endpoint: str, filesystem: Any) -> Remote:
    return open_remote(f"s3://{BUCKET}/some/prefix", S3Options(endpoint=endpoint))


def stored(filesystem: Any, path: str) -> bytes:
    with filesystem.open_input_stream(f"{BUCKET}/some/prefix/{path}") as stream:
        data: bytes = stream.read()
    return data


def store(filesystem: Any, path: str, data: bytes) -> None:
    with filesystem.open_output_stream(f"{BUCKET}/some/prefix/{path}") as stream:
        stream.write(data)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_an_artefact_goes_to_s3_and_comes_back_the_same(tmp_path: Path, remote: Remote) -> None:
    for version in ("0.9.0", "0.10.0"):
        assert push(write_artefact(tmp_path / "here", version=version), remote).is_new
    assert remote.versions() == {NAME: ["0.9.0", "0.10.0"]}
    assert not push(tmp_path / "here" / NAME / "0.9.0", remote).is_new
    for version in ("0.9.0", "0.10.0"):
        assert pull(remote, NAME, version, tmp_path / "back").is_new
        assert not pull(remote, NAME, version, tmp_path / "back").is_new
    assert tree(tmp_path / "back") == tree(tmp_path / "here")
    assert ModelStore([tmp_path / "back"]).load(NAME).info.id.model_version == "0.10.0"


def test_what_everybody_may_read_needs_no_keys_and_all_else_does(
    tmp_path: Path, endpoint: str, remote: Remote, filesystem: Any
) -> None:
    folder = write_artefact(tmp_path / "here")
    push(folder, remote)
    anonymous = open_remote(remote.where, S3Options(endpoint=endpoint, is_anonymous=True))
    with pytest.raises(ModelUnavailable, match="ACCESS_DENIED"):
        pull(anonymous, NAME, "1.0.0", tmp_path / "back")
    for file in (ARRAYS, MANIFEST):
        path = f"{BUCKET}/some/prefix/{NAME}/1.0.0/{file}"
        with filesystem.open_output_stream(path, metadata={"ACL": "public-read"}) as stream:
            stream.write((folder / file).read_bytes())
    assert pull(anonymous, NAME, "1.0.0", tmp_path / "back").is_new


def test_an_artefact_without_its_manifest_is_not_there_yet(
    tmp_path: Path, remote: Remote, filesystem: Any
) -> None:
    store(filesystem, f"{NAME}/1.0.0/{ARRAYS}", b"half")
    assert remote.versions() == {}
    with pytest.raises(ModelNotFound):
        pull(remote, NAME, "1.0.0", tmp_path / "back")
    push(write_artefact(tmp_path / "here"), remote)
    assert pull(remote, NAME, "1.0.0", tmp_path / "back").is_new


@pytest.mark.parametrize(
    ("file", "change"), [(ARRAYS, (b"NUMPY", b"DUMPY")), (MANIFEST, (b"the tests", b"the pests"))]
)
def test_an_object_that_was_changed_is_not_taken(
    tmp_path: Path, remote: Remote, filesystem: Any, file: str, change: tuple[bytes, bytes]
) -> None:
    push(write_artefact(tmp_path / "here"), remote)
    store(filesystem, f"{NAME}/1.0.0/{file}", stored(filesystem, f"{NAME}/1.0.0/{file}").replace(*change))
    with pytest.raises(ModelCorrupt, match="sha512"):
        pull(remote, NAME, "1.0.0", tmp_path / "back")
    assert list((tmp_path / "back").iterdir()) == []


def test_an_object_that_is_gone_leaves_nothing_behind(
    tmp_path: Path, remote: Remote, filesystem: Any
) -> None:
    push(write_artefact(tmp_path / "here"), remote)
    filesystem.delete_file(f"{BUCKET}/some/prefix/{NAME}/1.0.0/{ARRAYS}")
    with pytest.raises(ModelNotFound, match=ARRAYS):
        pull(remote, NAME, "1.0.0", tmp_path / "back")
    assert list((tmp_path / "back").iterdir()) == []


def test_a_version_in_s3_is_never_replaced_by_another(
    tmp_path: Path, remote: Remote, filesystem: Any
) -> None:
    push(write_artefact(tmp_path / "here"), remote)
    before = stored(filesystem, f"{NAME}/1.0.0/{MANIFEST}")
    with pytest.raises(ModelCorrupt, match="a version never changes"):
        push(write_artefact(tmp_path / "other", model_name="another"), remote)
    assert stored(filesystem, f"{NAME}/1.0.0/{MANIFEST}") == before


def test_what_is_damaged_here_does_not_leave(tmp_path: Path, remote: Remote) -> None:
    folder = write_artefact(tmp_path / "here")
    (folder / ARRAYS).write_bytes(b"x")
    with pytest.raises(ModelCorrupt):
        push(folder, remote)
    assert remote.versions() == {}


def test_the_limit_holds(tmp_path: Path, remote: Remote) -> None:
    push(write_artefact(tmp_path / "here"), remote)
    with pytest.raises(ModelRefused, match="larger than"):
        pull(remote, NAME, "1.0.0", tmp_path / "back", limit_bytes=900)


def test_a_bucket_that_is_not_there_is_told(tmp_path: Path, endpoint: str, keys: None) -> None:
    absent = open_remote("s3://absent/prefix", S3Options(endpoint=endpoint))
    with pytest.raises(ModelNotFound, match="There is no s3://absent/prefix"):
        absent.versions()
    with pytest.raises(ModelNotFound, match="no bucket"):
        push(write_artefact(tmp_path / "here"), absent)


def test_a_prefix_that_holds_nothing_yet_is_empty(remote: Remote) -> None:
    assert remote.versions() == {}


def test_a_server_that_dies_on_the_way_leaves_nothing_behind(tmp_path: Path, keys: None) -> None:
    if program() is None:
        pytest.skip("no S3 server: moto_server is not installed")
    server = contextlib.ExitStack()

    class Dying(Remote):
        def pieces(self, path: str, limit_bytes: int) -> Iterator[bytes]:
            if path.endswith(ARRAYS):
                server.close()
            return super().pieces(path, limit_bytes)

    with server:
        address = server.enter_context(s3_server(tmp_path))
        filesystem = S3FileSystem(endpoint_override=address, region="us-east-1", allow_bucket_creation=True)
        filesystem.create_dir("bucket")
        remote = open_remote("s3://bucket", S3Options(endpoint=address, timeout_seconds=2))
        push(write_artefact(tmp_path / "here"), remote)
        with pytest.raises(ModelUnavailable, match="Check the address"):
            pull(Dying(filesystem, "bucket", "s3://bucket", None), NAME, "1.0.0", tmp_path / "back")
    assert list((tmp_path / "back").iterdir()) == []


def run(folder: Path, *arguments: str, **environ: str) -> Result:
    with logging_restored():
        return CliRunner().invoke(
            main,
            ("models", *arguments),
            prog_name="revstream",
            env={"REVSTREAM_MODEL_FOLDERS": str(folder), **environ},
        )


def test_a_second_machine_serves_what_the_first_promoted(
    tmp_path: Path, endpoint: str, filesystem: Any
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    address = f"s3://{BUCKET}/some/prefix"
    for version in ("1", "2", "3"):
        write_artefact(first, NAME, version=version)
    (first / STAGES_FILE).write_text(f"models: {{{NAME}: {{wikis: [aawiki]}}}}")
    for version in ("1", "2"):
        promoted = run(first, "promote", f"{NAME}@{version}", "--to", "production")
        assert promoted.exit_code == 0, promoted.output
    for version in ("1", "2", "3"):
        pushed = run(
            first, "push", f"{NAME}@{version}", "--to", address, "--endpoint", endpoint, "--with-stages"
        )
        assert pushed.exit_code == 0, pushed.output
    listed = run(second, "pull", "--from", address, "--endpoint", endpoint)
    assert listed.stdout == f"{NAME}\t1 2 3\n"
    # The endpoint may also stand where AWS's own tools look for it.
    pulled = run(second, "pull", NAME, "--from", address, "--with-stages", AWS_ENDPOINT_URL_S3=endpoint)
    assert pulled.exit_code == 0, pulled.output
    catalogues = []
    for folder in (first, second):
        settings = Settings(model_folders=(folder,))
        catalogues.append(build_catalogue(settings, open_store(settings)))
    assert catalogues[0] == catalogues[1]
    assert catalogues[1].models("aawiki")["revid"].id.model_version == "2"
    assert catalogues[1].find("aawiki", "revid@1") is not None


def test_a_command_tells_what_went_wrong_in_one_line(tmp_path: Path, endpoint: str, filesystem: Any) -> None:
    tmp_path.joinpath("here").mkdir()
    result = run(
        tmp_path / "here", "pull", "gone", "--from", f"s3://{BUCKET}/some/prefix", "--endpoint", endpoint
    )
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("revstream: model_not_found: There is no gone at s3://models/some/prefix")
