"""Word vectors: files of every published form, converted once, mapped and looked up."""

import bz2
import gzip
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import resources, vectors
from models.features import catalogue
from models.features.binder import FeatureBinder
from models.features.describe import describe
from models.features.feature_set import FeatureSet
from models.features.mirror import Mirror
from models.manifest import FeatureSpec
from models.scoring import FeatureCache
from schemas.errors import FeatureError, ModelCorrupt, ModelRefused, ResourceMissing
from tests.model_revisions import edit
from tests.topics import mean_of_vectors

WORDS = ["oak", "tree", "über", "日本", "a.b"]
VECTORS = (np.arange(15, dtype=np.float32).reshape(5, 3) - 4) / 7
FILE = "enwiki-20200501-learned_vectors.50_cell.10k.kv"


class KeyedVectors:
    """Pickles under the name of gensim's class."""

    def __init__(self, **state: Any) -> None:
        self.__dict__ = state


KeyedVectors.__module__ = "gensim.models.keyedvectors"


@pytest.fixture(autouse=True)
def _gensim_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    module = types.ModuleType("gensim.models.keyedvectors")
    monkeypatch.setattr(module, "KeyedVectors", KeyedVectors, raising=False)
    for name in ("gensim", "gensim.models"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    vectors.look_in([tmp_path / "elsewhere", tmp_path])
    yield tmp_path
    vectors.look_in(vectors.FOLDERS)


def text() -> bytes:
    rows = (f"{word} {' '.join(map(repr, row.tolist()))}\n" for word, row in zip(WORDS, VECTORS, strict=True))
    return ("5 3\n" + "".join(rows)).encode()


def binary(end: bytes = b"") -> bytes:
    rows = (word.encode() + b" " + row.tobytes() + end for word, row in zip(WORDS, VECTORS, strict=True))
    return b"5 3\n" + b"".join(rows)


def gensim(**changes: Any) -> bytes:
    state = {"index_to_key": WORDS, "vectors": VECTORS, "vector_size": 3, "lifecycle_events": None}
    return pickle.dumps(KeyedVectors(**{**state, **changes}), protocol=4)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("v.txt", text()),
        ("v.vec.bz2", bz2.compress(text())),
        ("v.bin", binary()),
        ("v.bin.gz", gzip.compress(binary(b"\n"), mtime=0)),
        ("v.kv", gensim),
        ("old.kv", lambda: gensim(index_to_key=None, index2word=WORDS)),
    ],
)
def test_every_published_form_gives_the_same_vectors(folder: Path, name: str, data: Any) -> None:
    (folder / name).write_bytes(data() if callable(data) else data)
    opened = vectors.WordVectors(vectors.convert_vectors(folder / name, folder))
    assert opened.size == 3
    found = opened.of(["über", "no such word", "oak", "日本", "oak"])
    np.testing.assert_array_equal(found, VECTORS[[2, 0, 3, 0]])
    assert found.dtype == np.float32


def test_vectors_that_gensim_keeps_beside_are_read_too(folder: Path) -> None:
    (folder / "v.kv").write_bytes(gensim(vectors=None))
    np.save(folder / "v.kv.vectors.npy", VECTORS)
    opened = vectors.WordVectors(vectors.convert_vectors(folder / "v.kv", folder))
    np.testing.assert_array_equal(opened.of(["tree"]), VECTORS[[1]])


def test_no_known_word_gives_one_row_of_zeros_as_in_revscoring(folder: Path) -> None:
    (folder / "v.txt").write_bytes(text())
    opened = vectors.WordVectors(vectors.convert_vectors(folder / "v.txt", folder))
    for words in ([], None, ["no such word"]):
        np.testing.assert_array_equal(opened.of(words), np.zeros((1, 3), dtype=np.float32))


def test_a_limit_takes_the_first_words(folder: Path) -> None:
    (folder / "v.bin").write_bytes(binary())
    opened = vectors.WordVectors(vectors.convert_vectors(folder / "v.bin", folder, limit=2))
    np.testing.assert_array_equal(opened.of(["oak", "über"]), VECTORS[[0]])


def test_the_vectors_are_mapped_and_not_loaded(folder: Path) -> None:
    (folder / "v.txt").write_bytes(text())
    opened = vectors.WordVectors(vectors.convert_vectors(folder / "v.txt", folder))
    assert isinstance(opened._vectors, np.memmap)
    assert not opened._vectors.flags.writeable


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"five three\n",
        b"5 3\noak 1 2\n",
        binary()[:-1],
        b"999999999999 999999\n",
        text().replace(b"tree", b"oak"),
        lambda: gensim(vectors=VECTORS[:2]),
        lambda: gensim(vectors="none"),
        lambda: gensim()[:-20],
        pickle.dumps([1]),
    ],
)
def test_a_broken_file_is_told_as_such(folder: Path, data: Any) -> None:
    (folder / "v.bin").write_bytes(data() if callable(data) else data)
    with pytest.raises(ModelCorrupt):
        vectors.convert_vectors(folder / "v.bin", folder)
    assert [path.name for path in folder.iterdir()] == ["v.bin"]


def test_a_file_that_asks_for_more_than_data_is_refused(folder: Path) -> None:
    (folder / "v.kv").write_bytes(b"\x80\x04cos\nsystem\n(Vtrue\ntR.")
    with pytest.raises(ModelRefused, match=r"os\.system"):
        vectors.convert_vectors(folder / "v.kv", folder)


def test_a_file_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(ResourceMissing, match=r"v\.kv"):
        vectors.convert_vectors(folder / "v.kv", folder)


def topic_features() -> tuple[FeatureBinder, list[FeatureSpec]]:
    words = Mirror().of(resources.module("features.wikitext").revision.datasources.words)
    mean = mean_of_vectors(words)
    chars = Mirror().of(resources.module("features.wikitext").revision.chars)
    positions, definitions = describe([mean, chars], catalogue.known())
    specs = [
        FeatureSpec(
            definitions[position].name, definitions[position].returns, definition=position, columns=columns
        )
        for position, columns in zip(positions, (3, 1), strict=True)
    ]
    return FeatureBinder(lambda _: frozenset(), definitions), specs


def test_a_topic_model_reads_the_mean_of_the_vectors_and_its_other_features(folder: Path) -> None:
    (folder / FILE).write_bytes(gensim())
    vectors.convert_vectors(folder / FILE, folder)
    binder, specs = topic_features()
    features = FeatureSet("articletopic", specs, binder)
    assert features.columns == 4
    values = features.compute(edit(text="oak tree oak shrub"), FeatureCache())
    mean = VECTORS[[0, 1, 0]].astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(features.row(values)[0], [*mean, 18.0], rtol=1e-15)
    name = "feature_vector.revision.text.en_vectors_mean"
    assert list(features.by_name(values)) == [f"{name}[{place}]" for place in range(3)] + [specs[1].name]


def test_vectors_of_another_size_than_the_model_reads_are_refused(folder: Path) -> None:
    (folder / FILE).write_bytes(gensim(vectors=VECTORS[:, :2]))
    vectors.convert_vectors(folder / FILE, folder)
    binder, specs = topic_features()
    with pytest.raises(FeatureError, match="gave 2 numbers, where the model reads 3"):
        FeatureSet("articletopic", specs, binder).compute(edit(text="oak"), FeatureCache())


def test_missing_vectors_name_the_file_and_the_folders(folder: Path) -> None:
    binder, specs = topic_features()
    with pytest.raises(ResourceMissing, match="enwiki-20200501-learned_vectors") as refusal:
        FeatureSet("articletopic", specs, binder).compute(edit(text="oak"), FeatureCache())
    assert str(folder) in refusal.value.message


def test_claims_of_an_item_are_words_by_property_and_by_item() -> None:
    assert vectors.words_of_claims([("P31", "Q5"), ("P1", "'Qx'"), ("P2", "Quercus")]) == [
        *("P31", "Q5", "P1", "P2"),
    ]
