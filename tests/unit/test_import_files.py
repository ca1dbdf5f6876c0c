"""Names and bytes of model files: what a name says, what is packed, what is too large."""

import bz2
import gzip
import hashlib
import lzma
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from models.importer.file_name import parse_file_name
from models.importer.source import read_source
from schemas.errors import ModelCorrupt, ModelFileMissing

DATA = bytes(range(256)) * 100
PACKERS: Mapping[str, Callable[[bytes], bytes]] = {
    "bz2": bz2.compress,
    "gzip": gzip.compress,
    "xz": lzma.compress,
}


@pytest.mark.parametrize(
    ("path", "wiki_id", "stated", "model_name"),
    [
        ("enwiki.damaging.gradient_boosting.model", "enwiki", "damaging", "damaging"),
        ("editquality__eswikiquote.reverted.rf.model", "eswikiquote", "reverted", "reverted"),
        (
            "articlequality__enwiki.nettrom_wp10.gradient_boosting.model",
            "enwiki",
            "nettrom_wp10",
            "articlequality",
        ),
        ("nlwiki.wp10.gradient_boosting.model.gz", "nlwiki", "wp10", "articlequality"),
        ("wikidatawiki.item_quality.rf.model", "wikidatawiki", "item_quality", "itemquality"),
        (
            "draftquality__enwiki.draft_quality.gradient_boosting.model.bz2",
            "enwiki",
            "draft_quality",
            "draftquality",
        ),
        ("ores__azwiki.reverted.RBF_svc.model", "azwiki", "reverted", "reverted"),
        ("zh_min_nanwiki.goodfaith.model", "zh_min_nanwiki", "goodfaith", "goodfaith"),
        ("frwikisource.pagelevel.gradient_boosting.model", "frwikisource", "pagelevel", "pagelevel"),
        ("goodfaith/enwiki/20220214192144/model.bin", "enwiki", "goodfaith", "goodfaith"),
        (
            "models/articlequality/ruwiki/20220214192144/model.bin.bz2",
            "ruwiki",
            "articlequality",
            "articlequality",
        ),
        ("enwiki-drafttopic.model", "enwiki", "drafttopic", "drafttopic"),
        ("model.bin", None, None, None),
        ("my.best.model", None, None, None),
        ("enwiki.model", None, None, None),
    ],
)
def test_a_file_name_tells_wiki_and_model(
    path: str, wiki_id: str | None, stated: str | None, model_name: str | None
) -> None:
    name = parse_file_name(Path(path))
    assert (name.wiki_id, name.stated_model_name, name.model_name) == (wiki_id, stated, model_name)


@pytest.mark.parametrize("compression", PACKERS)
def test_a_packed_file_is_known_by_its_bytes_and_hashed_as_it_lies_on_disk(
    tmp_path: Path, compression: str
) -> None:
    path = tmp_path / "plainly.model"
    path.write_bytes(PACKERS[compression](DATA))
    source = read_source(path)
    assert (source.compression, source.data) == (compression, DATA)
    assert source.sha512 == hashlib.sha512(path.read_bytes()).hexdigest()


def test_a_plain_file_is_read_as_it_is_whatever_its_name_says(tmp_path: Path) -> None:
    path = tmp_path / "x.model.bz2"
    path.write_bytes(DATA)
    assert (read_source(path).compression, read_source(path).data) == ("none", DATA)


@pytest.mark.parametrize("compression", PACKERS)
def test_streams_one_after_the_other_are_one_file(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "x.model"
    pack = PACKERS[compression]
    path.write_bytes(pack(DATA) + pack(DATA[:10]))
    assert read_source(path).data == DATA + DATA[:10]


@pytest.mark.parametrize("compression", PACKERS)
@pytest.mark.parametrize("damage", ["cut", "rubbish behind", "changed within"])
def test_a_damaged_packed_file_is_refused(tmp_path: Path, compression: str, damage: str) -> None:
    packed = bytearray(PACKERS[compression](DATA))
    if damage == "cut":
        packed = packed[:-9]
    elif damage == "rubbish behind":
        packed += b"rubbish"
    else:
        packed[len(packed) // 2] ^= 0xFF
    path = tmp_path / "x.model"
    path.write_bytes(packed)
    with pytest.raises(ModelCorrupt, match="cannot be unpacked"):
        read_source(path)


@pytest.mark.parametrize("compression", PACKERS)
def test_a_file_that_unpacks_to_far_more_than_a_model_is_refused(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "bomb.model"
    path.write_bytes(PACKERS[compression](bytes(1024**2)) * 64)
    assert path.stat().st_size < 100_000
    with pytest.raises(ModelCorrupt, match="unpacks to more than 50331648"):
        read_source(path)


def test_thousands_of_small_streams_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.model"
    path.write_bytes(bz2.compress(b"") * 3000)
    with pytest.raises(ModelCorrupt, match="more than 2000 streams"):
        read_source(path)


@pytest.mark.parametrize("data", [b"", bz2.compress(b""), gzip.compress(b"", mtime=0)])
def test_an_empty_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.model"
    path.write_bytes(data)
    with pytest.raises(ModelCorrupt, match="is empty"):
        read_source(path)


def test_a_pointer_of_git_lfs_is_told_apart_from_a_broken_model(tmp_path: Path) -> None:
    path = tmp_path / "x.model"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 10309127\n")
    with pytest.raises(ModelFileMissing, match="git lfs pull"):
        read_source(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileMissing, match=r"absent\.model cannot be read"):
        read_source(tmp_path / "absent.model")


def test_a_folder_is_no_model_file(tmp_path: Path) -> None:
    with pytest.raises(ModelFileMissing, match="cannot be read"):
        read_source(tmp_path)
