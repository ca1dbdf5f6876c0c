"""Artefacts on disk: what is saved twice is the same, what was changed is refused by name."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.artefact import ARRAYS, MANIFEST, open_artefact, save_artefact
from models.manifest import FeatureSpec, Manifest, PackageFile, WordList
from schemas.errors import ModelCorrupt, ModelFileMissing, ModelIncompatible, ResourceMissing
from schemas.prediction import ScoreKind

WORDS = "word_lists/english.stopwords.txt"


def manifest(**changes: Any) -> Manifest:
    fields: dict[str, Any] = {
        "name": "small",
        "model_name": "reverted",
        "model_version": "1.0",
        "kind": ScoreKind.BINARY,
        "labels": ("false", "true"),
        "scorer": "revscoring",
        "features": (FeatureSpec("feature.a", "float", 0.0), FeatureSpec("feature.b", "bool", False)),
        "word_lists": {"english.stopwords": WordList(WORDS, "a test")},
        "statistics": {"roc_auc": {"labels": {"true": 0.875}, "micro": 1.0}, "precision": None},
        "licence": "Apache-2.0",
        "owner": "nobody",
    }
    return Manifest(**(fields | changes))


def save(folder: Path, **changes: Any) -> Path:
    path = folder / "small" / "1.0"
    arrays: dict[str, Any] = {"threshold": np.array([0.1, 0.2]), "feature": np.array([1, 2], dtype=np.int16)}
    save_artefact(path, manifest(**changes), arrays, {WORDS: frozenset({"the", "of", "über"})})
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_what_is_opened_is_what_was_saved(tmp_path: Path) -> None:
    opened = open_artefact(save(tmp_path))
    assert opened.manifest.features == manifest().features
    assert opened.manifest.statistics == manifest().statistics
    assert opened.arrays()["feature"].tolist() == [1, 2]
    assert opened.arrays()["feature"].dtype == np.int16
    assert opened.words("english.stopwords") == {"the", "of", "über"}
    assert len(opened.manifest.sha512) == 128
    assert opened.manifest.info().id.model_sha512 == opened.manifest.sha512


def test_saving_the_same_model_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    assert contents(save(tmp_path / "a")) == contents(save(tmp_path / "b"))


def test_saving_again_leaves_nothing_of_the_model_before(tmp_path: Path) -> None:
    path = save(tmp_path)
    save_artefact(path, manifest(word_lists={}), {}, {})
    assert set(contents(path.parent)) == {f"1.0/{MANIFEST}"}


def test_the_hash_of_the_whole_tells_models_apart_that_differ_in_one_word(tmp_path: Path) -> None:
    first = open_artefact(save(tmp_path / "a")).manifest
    other = save_artefact(tmp_path / "b" / "1.0", manifest(), {}, {WORDS: frozenset({"the"})})
    assert first.sha512 != other.sha512


@pytest.mark.parametrize("file", [ARRAYS, WORDS])
def test_a_changed_file_is_refused_by_name(tmp_path: Path, file: str) -> None:
    path = save(tmp_path)
    data = bytearray((path / file).read_bytes())
    data[-1] ^= 1
    (path / file).write_bytes(data)
    with pytest.raises(ModelCorrupt, match=r"sha512.*restore") as refusal:
        open_artefact(path)
    assert refusal.value.fields["path"] == str(path / file)


@pytest.mark.parametrize("file", [MANIFEST, ARRAYS, WORDS])
def test_a_missing_file_is_named(tmp_path: Path, file: str) -> None:
    path = save(tmp_path)
    (path / file).unlink()
    with pytest.raises(ModelFileMissing, match=file):
        open_artefact(path)


@pytest.mark.parametrize(
    "change",
    [
        {"owner": "someone else"},
        {"statistics": {"roc_auc": 1.0}},
        {"files": {}},
        {"sha512": "0" * 128},
        {"unheard_of": 1},
    ],
)
def test_a_changed_manifest_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = save(tmp_path)
    document = json.loads((path / MANIFEST).read_bytes())
    (path / MANIFEST).write_text(json.dumps(document | change))
    with pytest.raises(ModelCorrupt, match="differs from the sha512 that it states"):
        open_artefact(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "{}", '{"format_version": 1}'])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = save(tmp_path)
    (path / MANIFEST).write_text(text)
    with pytest.raises(ModelCorrupt, match="is no manifest"):
        open_artefact(path)


def test_a_later_format_is_told_from_damage(tmp_path: Path) -> None:
    with pytest.raises(ModelIncompatible, match="format 2"):
        open_artefact(save(tmp_path, format_version=2))


@pytest.mark.parametrize("name", ["../../secret", "/etc/hostname"])
def test_a_manifest_cannot_reach_out_of_its_folder(tmp_path: Path, name: str) -> None:
    path = tmp_path / "small" / "1.0"
    with pytest.MonkeyPatch.context() as patch:
        # Saving would write there; only the manifest is wanted.
        patch.setattr(Path, "write_bytes", lambda *_: 0)
        patch.setattr(Path, "mkdir", lambda *_, **__: None)
        patch.setattr(Path, "rename", lambda *_: None)
        saved = save_artefact(path, manifest(), {}, {name: frozenset({"x"})})
    import msgspec

    path.mkdir(parents=True)
    (path / MANIFEST).write_bytes(msgspec.json.encode(saved))
    with pytest.raises(ModelCorrupt, match="outside the artefact"):
        open_artefact(path)


def test_arrays_of_objects_are_never_unpickled(tmp_path: Path) -> None:
    class Loud:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "unpickled",))

    hostile = tmp_path / "hostile.npz"
    np.savez(hostile, threshold=np.array([Loud()], dtype=object))
    opened = open_artefact(save(tmp_path))
    replaced = type(opened)(opened.manifest, {**opened.contents, ARRAYS: hostile.read_bytes()})
    with pytest.raises(ModelCorrupt, match=ARRAYS):
        replaced.arrays()
    assert not (tmp_path / "unpickled").exists()


def test_arrays_carry_no_time_of_day(tmp_path: Path) -> None:
    with zipfile.ZipFile(save(tmp_path) / ARRAYS) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_word_list_that_is_not_carried_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelIncompatible, match=r"french\.stopwords"):
        open_artefact(save(tmp_path)).words("french.stopwords")


def test_a_package_file_is_hashed_and_its_absence_cured(tmp_path: Path) -> None:
    absent = PackageFile("no_such_package", "model.bin", "0" * 128, "pip install it")
    with pytest.raises(ResourceMissing, match="pip install it"):
        open_artefact(save(tmp_path / "a", package_files=(absent,)))
    other = PackageFile("msgspec", "__init__.py", "0" * 128, "pip install it")
    with pytest.raises(ModelCorrupt, match="msgspec"):
        open_artefact(save(tmp_path / "b", package_files=(other,)))
