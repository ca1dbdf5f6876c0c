"""What a name means once versions have stages: in the store, in the catalogue and on the command line."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.catalogue import build_catalogue, model_routes, open_store
from app.cli import main
from app.settings import Settings, WikiSettings
from models.artefact import MANIFEST
from models.stages import Change, Stage, Stages
from models.stages_file import STAGES_FILE, read_stages
from models.staging import admit_artefact, promote_artefact, rollback_model
from models.store import ModelStore
from schemas.catalogue import Catalogue
from schemas.errors import ModelCorrupt, ModelNotFound, SettingsError
from tests.artefacts import write_artefact
from tests.clean_logging import logging_restored

NAME = "aawiki-damaging"


def promote(folder: Path, artefact: str, to: Stage | None = Stage.PRODUCTION) -> Change:
    return promote_artefact([folder], artefact, to, by="tests", at=datetime.now(UTC))


def rollback(folder: Path, name: str = NAME) -> Change:
    return rollback_model([folder], name, by="tests", at=datetime.now(UTC))


def write(folder: Path, version: str, name: str = NAME, model_name: str = "damaging") -> None:
    """Write an artefact and list it for aawiki."""
    write_artefact(folder, name, version=version, model_name=model_name)
    admit_artefact(folder, name, version, wikis=["aawiki"])


def answering(store: ModelStore, artefact: str) -> str:
    return store.info(artefact).id.model_version


def catalogue_of(folder: Path, **wikis: dict[str, str]) -> Catalogue:
    settings = Settings(model_folders=(folder,))
    if wikis:
        settings = Settings(
            model_folders=(folder,),
            wikis={wiki_id: WikiSettings(models) for wiki_id, models in wikis.items()},
        )
    return build_catalogue(settings, open_store(settings))


def test_without_a_file_all_versions_are_in_production_and_the_newest_answers(tmp_path: Path) -> None:
    write_artefact(tmp_path, NAME, version="1")
    write_artefact(tmp_path, NAME, version="2")
    store = ModelStore([tmp_path])
    assert store.stage(f"{NAME}@1") is Stage.PRODUCTION
    assert (answering(store, NAME), store.live_versions(NAME)) == ("2", ["2"])
    assert answering(store, f"{NAME}@production") == "2"


def test_what_comes_in_does_not_answer_until_it_is_promoted(tmp_path: Path) -> None:
    write(tmp_path, "1")
    with pytest.raises(ModelNotFound, match="is at production; there are: 1"):
        ModelStore([tmp_path]).info(NAME)
    assert promote(tmp_path, NAME, None).to is Stage.STAGING
    assert answering(ModelStore([tmp_path], least_stage=Stage.STAGING), NAME) == "1"
    with pytest.raises(ModelNotFound):
        ModelStore([tmp_path]).info(NAME)
    assert promote(tmp_path, NAME, None).to is Stage.PRODUCTION
    assert answering(ModelStore([tmp_path]), NAME) == "1"


def test_the_first_arrival_in_a_folder_without_a_file_leaves_what_is_served_as_it_was(tmp_path: Path) -> None:
    write_artefact(tmp_path, NAME, version="1")
    write_artefact(tmp_path, "other", version="3")
    write(tmp_path, "2")
    store = ModelStore([tmp_path])
    assert (answering(store, NAME), answering(store, "other")) == ("1", "3")


def test_the_newest_in_production_answers_and_the_others_when_asked_for(tmp_path: Path) -> None:
    for version in ("0.9.0", "0.10.0", "0.11.0", "0.12.0"):
        write(tmp_path, version)
    promote(tmp_path, f"{NAME}@0.10.0")
    promote(tmp_path, f"{NAME}@0.9.0")
    promote(tmp_path, f"{NAME}@0.11.0", Stage.STAGING)
    store = ModelStore([tmp_path])
    assert answering(store, NAME) == "0.10.0"
    assert store.live_versions(NAME) == ["0.9.0", "0.10.0"]
    assert answering(store, f"{NAME}@staging") == "0.11.0"
    assert answering(store, f"{NAME}@experimental") == "0.12.0"
    assert answering(store, f"{NAME}@0.12.0") == "0.12.0"


def test_a_folder_whose_model_is_not_in_production_does_not_hide_one_that_is(tmp_path: Path) -> None:
    write(tmp_path / "user", "2")
    write_artefact(tmp_path / "packaged", NAME, version="1")
    folders = [tmp_path / "user", tmp_path / "packaged"]
    assert answering(ModelStore(folders), NAME) == "1"
    promote(tmp_path / "user", NAME)
    assert answering(ModelStore(folders), NAME) == "2"


def test_an_artefact_that_was_replaced_after_its_promotion_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "1")
    promote(tmp_path, NAME)
    write_artefact(tmp_path, NAME, version="1", model_name="another")
    with pytest.raises(ModelCorrupt, match="was replaced since"):
        ModelStore([tmp_path]).load(NAME)
    promote(tmp_path, f"{NAME}@1", Stage.EXPERIMENTAL)
    promote(tmp_path, f"{NAME}@1")
    assert ModelStore([tmp_path]).load(NAME).info.id.model_name == "another"


def test_a_version_in_production_that_is_gone_is_told_and_not_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "1")
    write(tmp_path, "2")
    promote(tmp_path, f"{NAME}@1")
    promote(tmp_path, f"{NAME}@2")
    (tmp_path / NAME / "2").rename(tmp_path / "gone")
    with pytest.raises(ModelNotFound, match=f"has {NAME}@2 in production, but the folder does not hold it"):
        ModelStore([tmp_path]).info(NAME)


def test_a_damaged_artefact_is_not_promoted_but_may_be_taken_out(tmp_path: Path) -> None:
    write(tmp_path, "1")
    promote(tmp_path, NAME, Stage.STAGING)
    arrays = tmp_path / NAME / "1" / "arrays.npz"
    arrays.write_bytes(arrays.read_bytes()[:-1])
    with pytest.raises(ModelCorrupt, match="sha512"):
        promote(tmp_path, NAME)
    assert ModelStore([tmp_path]).stage(f"{NAME}@1") is Stage.STAGING
    promote(tmp_path, NAME, Stage.EXPERIMENTAL)
    assert ModelStore([tmp_path]).stage(f"{NAME}@1") is Stage.EXPERIMENTAL


def test_a_store_gives_the_same_answer_for_as_long_as_it_lives(tmp_path: Path) -> None:
    write(tmp_path, "1")
    promote(tmp_path, NAME)
    store = ModelStore([tmp_path])
    assert answering(store, NAME) == "1"
    write(tmp_path, "2")
    promote(tmp_path, NAME)
    assert answering(store, NAME) == "1"
    assert answering(ModelStore([tmp_path]), NAME) == "2"


def test_packaged_models_are_not_promoted() -> None:
    with pytest.raises(SettingsError, match="--model-folders"):
        promote_artefact([], "enwiki-reverted", None, by="tests", at=datetime.now(UTC))
    with pytest.raises(SettingsError, match="--model-folders"):
        rollback_model([], "enwiki-reverted", by="tests", at=datetime.now(UTC))


def test_promotion_puts_a_model_on_its_wikis_beside_the_default_ones(tmp_path: Path) -> None:
    write(tmp_path, "1")
    assert "aawiki" not in catalogue_of(tmp_path).wikis
    promote(tmp_path, NAME)
    catalogue = catalogue_of(tmp_path)
    info = catalogue.models("aawiki")["damaging"]
    assert (info.artefact, info.id.model_version) == (f"{NAME}@1", "1")
    assert catalogue.models("samplewiki").keys() == {"reverted"}
    rollback(tmp_path)
    assert "aawiki" not in catalogue_of(tmp_path).wikis


def test_the_setting_says_it_all_where_it_is_given_and_versions_still_follow_the_file(tmp_path: Path) -> None:
    write(tmp_path, "1")
    promote(tmp_path, NAME)
    write(tmp_path, "2")
    catalogue = catalogue_of(
        tmp_path, bbwiki={"d": NAME, "next": f"{NAME}@experimental", "pinned": f"{NAME}@2"}
    )
    assert catalogue.wikis.keys() == {"bbwiki"}
    versions = {name: info.id.model_version for name, info in catalogue.models("bbwiki").items()}
    assert versions == {"d": "1", "next": "2", "pinned": "2"}


def test_two_models_in_one_place_are_refused_and_both_named(tmp_path: Path) -> None:
    write(tmp_path, "1", name="aawiki-damaging")
    write(tmp_path, "1", name="aawiki-damaging-svc")
    promote(tmp_path, "aawiki-damaging")
    promote(tmp_path, "aawiki-damaging-svc")
    settings = Settings(model_folders=(tmp_path,))
    with pytest.raises(
        SettingsError, match=r"both aawiki-damaging and aawiki-damaging-svc .*aawiki as damaging"
    ):
        model_routes(settings, open_store(settings))


def test_other_live_versions_and_other_names_are_found_by_who_asks(tmp_path: Path) -> None:
    for version in ("1", "2", "3"):
        write(tmp_path, version, name="aawiki-articlequality", model_name="articlequality")
    promote(tmp_path, "aawiki-articlequality@1")
    promote(tmp_path, "aawiki-articlequality@2")
    catalogue = catalogue_of(tmp_path)
    assert catalogue.models("aawiki").keys() == {"articlequality"}

    def found(asked: str) -> tuple[str, str] | None:
        info = catalogue.find("aawiki", asked)
        return None if info is None else (info.id.model_name, info.id.model_version)

    assert found("articlequality") == found("wp10") == found("wp10@2") == ("articlequality", "2")
    assert found("articlequality@1") == found("wp10@1") == ("articlequality", "1")
    assert found("articlequality@3") is found("item_quality") is found("other") is None
    assert catalogue.find("bbwiki", "wp10") is None
    loaded = {name for name in catalogue.artefacts() if name.startswith("aawiki")}
    assert loaded == {"aawiki-articlequality@1", "aawiki-articlequality@2"}


def test_every_model_of_a_catalogue_can_be_loaded_by_the_name_that_it_gives(tmp_path: Path) -> None:
    write(tmp_path, "1")
    promote(tmp_path, NAME)
    settings = Settings(model_folders=(tmp_path,))
    store = open_store(settings)
    for artefact, info in build_catalogue(settings, store).artefacts().items():
        assert store.load(artefact).info.id.model_sha512 == info.id.model_sha512


def run(folder: Path, *arguments: str) -> Result:
    environ = {"REVSTREAM_MODEL_FOLDERS": str(folder)}
    with logging_restored():
        return CliRunner().invoke(main, ("models", *arguments), prog_name="revstream", env=environ)


def test_the_commands_promote_tell_and_take_back(tmp_path: Path) -> None:
    write(tmp_path, "1")
    write(tmp_path, "2")
    said = run(tmp_path, "promote", f"{NAME}@1", "--to", "production", "--by", "Ann").stdout
    assert said == f"{NAME}@1: experimental → production; answers by default: 1\n"
    said = run(tmp_path, "promote", NAME).stdout
    assert said == f"{NAME}@2: experimental → staging; answers by default: 1\n"
    assert run(tmp_path, "promote", NAME).stdout.endswith("production; answers by default: 2\n")
    assert f"{NAME}\t1:production 2:production\taawiki/damaging" in run(tmp_path, "list").stdout.splitlines()
    shown = json.loads(run(tmp_path, "show", NAME).stdout)
    assert (shown["stage"], shown["live_versions"], shown["wikis"]) == ("production", ["1", "2"], ["aawiki"])
    assert [(row["by"] == "Ann", row["version"], row["to"]) for row in shown["history"]] == [
        (True, "1", "production"),
        (False, "2", "staging"),
        (False, "2", "production"),
    ]
    for expected in (
        f"{NAME}@2: production → staging; answers by default: 1\n",
        f"{NAME}@2: staging → experimental; answers by default: 1\n",
        f"{NAME}@1: production → experimental; no version answers by default\n",
    ):
        assert run(tmp_path, "rollback", NAME).stdout == expected
    last = run(tmp_path, "rollback", NAME)
    assert (last.exit_code, last.stdout) == (2, "")
    assert "settings_invalid: No promotion" in last.stderr


def test_list_names_the_other_names_of_a_model(tmp_path: Path) -> None:
    write(tmp_path, "1", name="aawiki-articlequality", model_name="articlequality")
    promote(tmp_path, "aawiki-articlequality")
    line = "aawiki-articlequality\t1:production\taawiki/articlequality,wp10"
    assert line in run(tmp_path, "list").stdout.splitlines()
    assert json.loads(run(tmp_path, "show", "aawiki-articlequality").stdout)["aliases"] == ["wp10"]


def test_verify_looks_at_every_version_whatever_its_stage(tmp_path: Path) -> None:
    write(tmp_path, "1")
    write(tmp_path, "2")
    (tmp_path / NAME / "1" / MANIFEST).write_text("{}")
    result = run(tmp_path, "verify")
    assert result.exit_code == 1
    lines = {line.split("  ")[1].strip(): line for line in result.stdout.splitlines() if NAME in line}
    assert any(line.startswith("broken") for line in result.stdout.splitlines() if f"{NAME}@1" in line), lines
    assert any(line.startswith("ok") for line in result.stdout.splitlines() if f"{NAME}@2" in line), lines


def test_a_file_with_a_slip_stops_the_command_with_one_line(tmp_path: Path) -> None:
    write(tmp_path, "1")
    (tmp_path / STAGES_FILE).write_text("modles: {}")
    result = run(tmp_path, "list")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert "settings_invalid" in line
    assert "`modles`" in line
    assert read_stages_text(tmp_path) == "modles: {}"


def read_stages_text(folder: Path) -> str:
    return (folder / STAGES_FILE).read_text()


def test_what_a_person_writes_by_hand_is_kept_by_the_next_promotion(tmp_path: Path) -> None:
    write_artefact(tmp_path, NAME, version="1", model_name="damaging")
    model = f"{NAME}: {{wikis: [aawiki], versions: {{1: {{stage: staging}}}}}}"
    (tmp_path / STAGES_FILE).write_text(f"aliases: {{vandalism: damaging}}\nmodels: {{{model}}}")
    promote(tmp_path, NAME)
    stages = read_stages(tmp_path)
    assert isinstance(stages, Stages)
    assert stages.aliases == {"vandalism": "damaging"}
    assert catalogue_of(tmp_path).find("aawiki", "vandalism") is not None
