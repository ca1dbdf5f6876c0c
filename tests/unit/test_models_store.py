"""Finding artefacts by name and version, and what a look costs."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from models import conformance, langid
from models.artefact import MANIFEST, save_artefact
from models.manifest import Manifest
from models.store import PACKAGED_MODELS, ModelStore
from schemas.errors import ModelCorrupt, ModelFileMissing, ModelIncompatible, ModelNotFound
from tests.artefacts import write_artefact

MEGABYTES = 1.5


def test_without_a_version_the_newest_in_natural_order_counts(tmp_path: Path) -> None:
    for version in ("0.9.0", "0.10.0", "0.2.0"):
        write_artefact(tmp_path, version=version)
    store = ModelStore([tmp_path])
    assert store.names() == ["tiny-revid"]
    assert store.versions("tiny-revid") == ["0.2.0", "0.9.0", "0.10.0"]
    assert store.info("tiny-revid").id.model_version == "0.10.0"
    assert store.info("tiny-revid@0.2.0").id.model_version == "0.2.0"


def test_an_artefact_is_known_by_the_name_that_it_was_asked_for(tmp_path: Path) -> None:
    write_artefact(tmp_path)
    store = ModelStore([tmp_path])
    assert store.info("tiny-revid@1.0.0").artefact == "tiny-revid@1.0.0"
    assert store.load("tiny-revid@1.0.0").info == store.info("tiny-revid@1.0.0")
    assert store.load("tiny-revid").info == store.info("tiny-revid")


def test_the_first_folder_hides_later_ones(tmp_path: Path) -> None:
    write_artefact(tmp_path / "user", version="1.0.0")
    write_artefact(tmp_path / "packaged", version="2.0.0")
    store = ModelStore([tmp_path / "absent", tmp_path / "user", tmp_path / "packaged"])
    assert store.info("tiny-revid").id.model_version == "1.0.0"
    assert store.info("tiny-revid@2.0.0").id.model_version == "2.0.0"


@pytest.mark.parametrize(
    "name", ["other", "tiny-revid@9", "tiny-revid@", "../tiny-revid", "", "@1", "tiny-revid@../1.0.0", "a/b"]
)
def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path, name: str) -> None:
    write_artefact(tmp_path / "models")
    with pytest.raises(ModelNotFound, match=r"tiny-revid|1\.0\.0"):
        ModelStore([tmp_path / "models"]).info(name)


def test_an_artefact_without_its_manifest_is_damaged_and_not_unknown(tmp_path: Path) -> None:
    (write_artefact(tmp_path) / MANIFEST).unlink()
    with pytest.raises(ModelFileMissing, match=MANIFEST):
        ModelStore([tmp_path]).info("tiny-revid")


def test_a_renamed_folder_is_refused(tmp_path: Path) -> None:
    write_artefact(tmp_path).parent.rename(tmp_path / "renamed")
    with pytest.raises(ModelCorrupt, match="rename the folders"):
        ModelStore([tmp_path]).info("renamed")


def test_a_scorer_of_a_later_version_is_refused_without_loading(tmp_path: Path) -> None:
    manifest = Manifest(
        name="later",
        model_name="later",
        model_version="1",
        kind=conformance.manifest().kind,
        labels=("false", "true"),
        scorer="unheard-of",
        licence="Apache-2.0",
        owner="nobody",
    )
    save_artefact(tmp_path / "later" / "1", manifest, {}, {})
    with pytest.raises(ModelIncompatible, match="unheard-of"):
        ModelStore([tmp_path]).info("later")


def test_every_packaged_model_loads_and_is_small() -> None:
    store = ModelStore([PACKAGED_MODELS])
    assert set(store.names()) >= {"enwiki-reverted", "langid", "testwiki-revid"}
    for name in store.names():
        assert store.load(name).info == store.info(name)
        size = sum(path.stat().st_size for path in store.folder(name).rglob("*"))
        assert size < MEGABYTES * 1e6


@pytest.mark.parametrize("manifest", [conformance.manifest, langid.manifest])
def test_packaged_models_without_training_are_what_the_code_describes(
    tmp_path: Path, manifest: Callable[[], Manifest]
) -> None:
    described = manifest()
    fresh = save_artefact(tmp_path / described.model_version, described, {}, {})
    packaged = ModelStore([PACKAGED_MODELS]).open(described.name).manifest
    assert packaged == fresh


def test_a_look_at_models_imports_nothing_heavy() -> None:
    program = (
        "import sys; from models.store import *; ModelStore([PACKAGED_MODELS]).info('enwiki-reverted'); "
        "heavy = ('revscoring', 'sklearn', 'scipy', 'nltk', 'deltas', 'fasttext'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
