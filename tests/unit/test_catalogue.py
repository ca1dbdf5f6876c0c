"""From settings and folders of artefacts to the models of each wiki."""

from pathlib import Path

import pytest

from app.catalogue import build_catalogue, open_store
from app.settings import Settings, WikiSettings
from schemas.errors import ModelCorrupt, ModelNotFound, SettingsError
from tests.artefacts import write_artefact


def settings(folder: Path, **wikis: dict[str, str]) -> Settings:
    return Settings(
        model_folders=(folder,), wikis={wiki_id: WikiSettings(models) for wiki_id, models in wikis.items()}
    )


def test_one_artefact_answers_on_several_wikis_under_several_names(tmp_path: Path) -> None:
    write_artefact(tmp_path, "tiny-revid", model_name="revid")
    chosen = settings(tmp_path, aawiki={"revid": "tiny-revid"}, bbwiki={"other": "tiny-revid"})
    catalogue = build_catalogue(chosen, open_store(chosen))
    first, second = catalogue.models("aawiki")["revid"], catalogue.models("bbwiki")["other"]
    assert (first.id.model_name, second.id.model_name) == ("revid", "other")
    assert first.id.model_sha512 == second.id.model_sha512
    assert first.artefact == second.artefact == "tiny-revid@1.0.0"
    assert not catalogue.models("ccwiki")


def test_a_version_may_be_named(tmp_path: Path) -> None:
    for version in ("0.9.0", "0.10.0"):
        write_artefact(tmp_path, version=version)
    chosen = settings(tmp_path, aawiki={"revid": "tiny-revid"}, bbwiki={"revid": "tiny-revid@0.9.0"})
    catalogue = build_catalogue(chosen, open_store(chosen))
    assert catalogue.models("aawiki")["revid"].id.model_version == "0.10.0"
    assert catalogue.models("bbwiki")["revid"].id.model_version == "0.9.0"


def test_an_artefact_that_is_nowhere_is_told_with_those_that_are(tmp_path: Path) -> None:
    write_artefact(tmp_path)
    chosen = settings(tmp_path, aawiki={"revid": "tiny-rivid"})
    with pytest.raises(ModelNotFound, match=r"'tiny-rivid'.*tiny-revid"):
        build_catalogue(chosen, open_store(chosen))


def test_an_artefact_that_was_changed_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    arrays = write_artefact(tmp_path) / "arrays.npz"
    arrays.write_bytes(arrays.read_bytes()[:-1] + b"x")
    chosen = settings(tmp_path, aawiki={"revid": "tiny-revid"})
    with pytest.raises(ModelCorrupt, match="sha512"):
        build_catalogue(chosen, open_store(chosen))


def test_a_folder_of_the_settings_hides_a_packaged_artefact_of_the_same_name(tmp_path: Path) -> None:
    write_artefact(tmp_path, "testwiki-revid", version="99.0")
    chosen = settings(tmp_path, testwiki={"revid": "testwiki-revid"})
    catalogue = build_catalogue(chosen, open_store(chosen))
    assert catalogue.models("testwiki")["revid"].id.model_version == "99.0"


def test_a_folder_of_artefacts_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such folder"):
        open_store(settings(tmp_path / "typo", aawiki={"revid": "testwiki-revid"}))
