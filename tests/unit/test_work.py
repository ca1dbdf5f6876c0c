"""What a scoring process loads, and what it does with it."""

from pathlib import Path

import pytest

from models.conformance import reversed_last_two
from models.store import PACKAGED_MODELS, ModelStore
from models.work import load_work
from schemas.errors import ModelCorrupt, ModelNotFound
from schemas.prediction import Score
from tests.artefacts import write_artefact
from tests.pool_work import revision


def test_the_models_wanted_answer_in_the_order_wanted(tmp_path: Path) -> None:
    for name in ("tiny-a", "tiny-b"):
        write_artefact(tmp_path, name, model_name=name.partition("-")[2])
    work = load_work((tmp_path,), ("tiny-a", "tiny-b"))
    scored = work(revision("any", rev_id=1205), ("tiny-b", "tiny-a", "tiny-b"), False)
    assert [one.model.model_name for one in scored] == ["b", "a", "b"]
    for one in scored:
        assert isinstance(one.outcome, Score)
        assert one.outcome.probability["true"] == reversed_last_two(1205) / 100
        assert one.features is None


def test_features_come_where_asked(tmp_path: Path) -> None:
    write_artefact(tmp_path)
    (one,) = load_work((tmp_path,), ("tiny-revid",))(revision("any"), ("tiny-revid",), True)
    assert one.features


def test_the_first_folder_wins_and_the_packaged_models_are_behind(tmp_path: Path) -> None:
    write_artefact(tmp_path, "testwiki-revid", version="99.0")
    names = ("testwiki-revid", "enwiki-reverted")
    own, packaged = load_work((tmp_path, PACKAGED_MODELS), names)(revision("Some text."), names, False)
    assert own.model.model_version == "99.0"
    assert packaged.model.model_name == "reverted"


def test_what_cannot_be_loaded_is_told_before_any_revision_comes(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="tiny-revid"):
        load_work((tmp_path,), ("tiny-revid",))
    manifest = write_artefact(tmp_path) / "arrays.npz"
    manifest.write_bytes(b"something else")
    with pytest.raises(ModelCorrupt, match="sha512"):
        load_work((tmp_path,), ("tiny-revid",))


def test_no_models_are_no_work(tmp_path: Path) -> None:
    assert load_work((tmp_path,), ())(revision("any"), (), False) == []


def test_an_artefact_that_was_replaced_since_the_catalogue_was_read_is_refused(tmp_path: Path) -> None:
    write_artefact(tmp_path)
    sha512 = ModelStore([tmp_path]).info("tiny-revid").id.model_sha512
    hashes = {"tiny-revid": sha512}
    load_work((tmp_path,), ("tiny-revid",), hashes)
    write_artefact(tmp_path, model_name="another")
    with pytest.raises(ModelCorrupt, match="was replaced under the same version"):
        load_work((tmp_path,), ("tiny-revid",), hashes)
