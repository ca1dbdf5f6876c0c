"""Model files from a published directory: found by name, checked, and refused where something is odd."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner, Result

from app.cli import main
from app.published import PublishedModels
from models.stages import Stage
from models.stages_file import read_stages
from models.store import ModelStore
from schemas.errors import ModelCorrupt, ModelNotFound, ModelRefused, ModelUnavailable, SettingsError
from tests.clean_logging import logging_restored
from tests.model_directory import UPLOADED, Directory, model_directory

DATA = b"not a model, but bytes like any other" * 1000
SHA512 = hashlib.sha512(DATA).hexdigest()
LIMIT_BYTES = 1 << 20


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    with model_directory(tmp_path / "published") as served:
        yield served


@pytest.fixture
async def published(directory: Directory) -> AsyncIterator[PublishedModels]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        yield PublishedModels(session, directory.url)


async def fetched(published: PublishedModels, folder: Path, name: str = "aawiki-damaging") -> bytes:
    path = await published.download(await published.find(name), folder, limit_bytes=LIMIT_BYTES)
    return path.read_bytes()


async def test_a_name_leads_to_the_newest_upload(
    tmp_path: Path, directory: Directory, published: PublishedModels
) -> None:
    directory.publish(b"old", uploaded="20210101000000")
    directory.publish(DATA)
    file = await published.find("aawiki-damaging")
    assert (file.wiki_id, file.model_name, file.uploaded) == ("aawiki", "damaging", UPLOADED)
    assert file.sha512 == SHA512
    assert await fetched(published, tmp_path) == DATA
    assert await fetched(published, tmp_path, "aawiki-damaging@20210101000000") == b"old"


@pytest.mark.parametrize(
    ("file", "sums"),
    [
        ("model.bin", "model.bin.sha512"),
        ("model.bin", "model.sha512"),
        ("model.bz2", "SHA512SUMS"),
        ("model.bin", "sha512sums.txt"),
    ],
)
async def test_the_sha512_is_found_in_whichever_file_states_it(
    tmp_path: Path, directory: Directory, published: PublishedModels, file: str, sums: str
) -> None:
    directory.publish(DATA, file=file, sums=sums)
    assert await fetched(published, tmp_path) == DATA


async def test_models_of_wikidata_are_found_among_their_kin(
    tmp_path: Path, directory: Directory, published: PublishedModels
) -> None:
    directory.publish(DATA, wiki_id="wikidatawiki", model_name="articlequality")
    file = await published.find("wikidatawiki-itemquality")
    assert (file.name, file.model_name) == ("wikidatawiki-itemquality", "itemquality")
    assert await fetched(published, tmp_path, "wikidatawiki-itemquality") == DATA


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("aawiki-goodfaith", "There is no .*goodfaith/aawiki"),
        ("bbwiki-damaging", "There is no .*damaging/bbwiki"),
        ("aawiki-damaging@20200101000000", f"no upload 20200101000000; there are: {UPLOADED}"),
        ("damaging", "names no published model"),
        ("../aawiki-damaging", "names no published model"),
        ("aawiki-damaging/..", "names no published model"),
    ],
)
async def test_what_is_not_there_is_told(
    directory: Directory, published: PublishedModels, name: str, reason: str
) -> None:
    directory.publish(DATA)
    with pytest.raises(ModelNotFound, match=reason):
        await published.find(name)


async def test_several_model_files_in_one_upload_are_not_guessed_among(
    directory: Directory, published: PublishedModels
) -> None:
    directory.publish(DATA)
    directory.publish(DATA, file="other.bin", sums="other.bin.sha512")
    with pytest.raises(ModelNotFound, match=r"other\.bin.*and one model file was expected"):
        await published.find("aawiki-damaging")


async def test_a_file_that_differs_from_its_sha512_is_not_kept(
    tmp_path: Path, directory: Directory, published: PublishedModels
) -> None:
    path = directory.publish(DATA)
    (directory.folder / path[1:]).write_bytes(DATA[:-1] + b"x")
    file = await published.find("aawiki-damaging")
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(ModelCorrupt, match="sha512"):
        await published.download(file, into)
    assert list(into.iterdir()) == []
    with pytest.raises(ModelCorrupt):
        await published.download(file, into, sha512="0" * 128)


async def test_without_a_stated_sha512_it_must_be_named(
    tmp_path: Path, directory: Directory, published: PublishedModels
) -> None:
    directory.publish(DATA, sums="")
    file = await published.find("aawiki-damaging")
    with pytest.raises(ModelRefused, match=f"It has sha512 {SHA512}; .*--sha512"):
        await published.download(file, tmp_path)
    path = await published.download(file, tmp_path, sha512=SHA512.upper())
    assert path.read_bytes() == DATA


async def test_a_sum_of_another_file_counts_for_nothing(
    tmp_path: Path, directory: Directory, published: PublishedModels
) -> None:
    path = directory.publish(DATA, sums="SHA512SUMS")
    sums = (directory.folder / path[1:]).with_name("SHA512SUMS")
    sums.write_text(f"{SHA512}  other.bin\n{SHA512}\n")
    with pytest.raises(ModelRefused, match="without a sha512"):
        await fetched(published, tmp_path)


async def test_a_file_over_the_limit_is_refused_before_it_is_read(
    tmp_path: Path, directory: Directory, published: PublishedModels
) -> None:
    directory.claims[directory.publish(DATA)] = LIMIT_BYTES + 1
    with pytest.raises(ModelRefused, match="larger than 1 MiB"):
        await fetched(published, tmp_path)


async def test_a_file_that_is_cut_short_is_retryable(
    tmp_path: Path, directory: Directory, published: PublishedModels
) -> None:
    directory.claims[directory.publish(DATA)] = 5000
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        await fetched(published, tmp_path)


@pytest.mark.parametrize("status", [403, 429, 500, 503])
async def test_a_server_that_refuses_is_retryable(
    directory: Directory, published: PublishedModels, status: int
) -> None:
    directory.statuses["/damaging/aawiki/"] = status
    with pytest.raises(ModelUnavailable, match=f"answers {status}") as told:
        await published.find("aawiki-damaging")
    assert told.value.retryable


async def test_a_server_that_is_not_there_is_retryable() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ModelUnavailable, match="cannot be reached"):
            await PublishedModels(session, "http://127.0.0.1:1/").find("aawiki-damaging")


async def test_a_redirect_within_the_server_is_followed(
    tmp_path: Path, directory: Directory, published: PublishedModels
) -> None:
    path = directory.publish(DATA)
    moved = directory.folder / "moved.bin"
    moved.write_bytes(DATA)
    directory.redirects[path] = "/moved.bin"
    assert await fetched(published, tmp_path) == DATA


@pytest.mark.parametrize(
    "target", ["http://example.org/model.bin", "http://127.0.0.1:1/model.bin", "file:///etc/passwd"]
)
async def test_a_redirect_to_elsewhere_is_refused(
    tmp_path: Path, directory: Directory, published: PublishedModels, target: str
) -> None:
    directory.redirects[directory.publish(DATA)] = target
    with pytest.raises(ModelRefused, match="another host or not https"):
        await fetched(published, tmp_path)


async def test_redirects_in_a_ring_end(
    tmp_path: Path, directory: Directory, published: PublishedModels
) -> None:
    path = directory.publish(DATA)
    directory.redirects[path] = path
    with pytest.raises(ModelUnavailable, match="without end"):
        await fetched(published, tmp_path)


@pytest.mark.parametrize("url", ["http://analytics.wikimedia.org/", "ftp://127.0.0.1/", "127.0.0.1"])
async def test_an_address_that_anybody_could_change_is_refused(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(SettingsError, match="no https address"):
            PublishedModels(session, url)


def run(folder: Path, *arguments: str) -> Result:
    environ = {"REVSTREAM_MODEL_FOLDERS": str(folder), "REVSTREAM_MEDIAWIKI_CONTACT": "tests@example.org"}
    with logging_restored():
        return CliRunner().invoke(main, ("models", *arguments), prog_name="revstream", env=environ)


def test_a_published_model_is_pulled_promoted_and_answers(
    tmp_path: Path, directory: Directory, shared: Path
) -> None:
    source = shared / "data/models/revscoring/editquality__arwiki.damaging.gradient_boosting.model"
    directory.publish(source.read_bytes(), wiki_id="arwiki")
    here = tmp_path / "here"
    here.mkdir()
    pulled = run(here, "pull", "arwiki-damaging", "--from", directory.url)
    assert pulled.exit_code == 0, pulled.output
    artefact = pulled.stdout.split("  ")[0]
    assert artefact.startswith("arwiki-damaging@")
    assert all(agent.startswith("revstream/") for agent, _ in directory.asked)
    assert all("tests@example.org" in agent for agent, _ in directory.asked)
    stages = read_stages(here)
    assert stages is not None
    assert stages.entry("arwiki-damaging").wikis == ("arwiki",)
    assert ModelStore([here]).stage(artefact) is Stage.EXPERIMENTAL
    again = run(here, "pull", "arwiki-damaging", "--from", directory.url)
    assert "was here already" in again.stdout
    imported = ModelStore([here]).open(artefact).manifest.imported
    assert imported is not None
    assert imported.sha512 == hashlib.sha512(source.read_bytes()).hexdigest()


def test_a_pickle_that_wants_more_is_refused_and_nothing_of_it_stays(
    tmp_path: Path, directory: Directory
) -> None:
    marker = tmp_path / "executed"
    directory.publish(f"cos\nsystem\n(S'touch {marker}'\ntR.".encode())
    here = tmp_path / "here"
    here.mkdir()
    refused = run(here, "pull", "aawiki-damaging", "--from", directory.url)
    assert refused.exit_code == 1
    (line,) = refused.stderr.splitlines()
    assert line.startswith("revstream: model_refused: ")
    assert not marker.exists()
    assert list(here.iterdir()) == []


def test_names_are_needed_for_a_directory_that_cannot_be_listed(tmp_path: Path, directory: Directory) -> None:
    nothing = run(tmp_path, "pull", "--from", directory.url)
    assert nothing.exit_code == 2
    assert "Name the models" in nothing.stderr
    wrong = run(tmp_path, "pull", "aawiki-damaging", "--from", directory.url, "--sha512", "beef")
    assert wrong.exit_code == 2
    assert "128 hexadecimal digits" in wrong.stderr
