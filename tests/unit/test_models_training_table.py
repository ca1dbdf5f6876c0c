"""Labelled tables: what is read, and how what cannot be read is told."""

import bz2
import gzip
import hashlib
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from models.recipes import ENWIKI_REVERTED
from models.training.table import read_table
from schemas.errors import SourceError
from tests.training_data import HEADER

GOOD = "\t".join(["1"] * 10 + ["True"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no rows"),
        ("\n\n", "holds no rows"),
        ("\t".join(HEADER), "holds no rows"),
        ("a\tb\n1\t2\n", "lacks the columns longest_repeated_char_added"),
        ("\t".join(HEADER) + "\n" + GOOD + "\n" + GOOD.replace("1", "x", 3), "line 3 .* column user_"),
        ("\t".join(HEADER) + "\n" + GOOD.replace("True", "maybe"), "line 2 .* column reverted.* false, true"),
        ("\t".join(HEADER) + "\n" + "1\t2", "line 2 .* 2 cells, and the header names 11"),
        ("\t".join(HEADER) + "\n" + "1\tnan" + "\t1" * 8 + "\tTrue", "column .* not finite"),
        ("\t".join(HEADER) + "\n" + GOOD, "one label only"),
        ('{"reverted": true}\n', "lacks the columns longest_repeated_char_added"),
        ('{"reverted": true\n', "line 1 .* no JSON object"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "table.tsv"
    path.write_text(text)
    with pytest.raises(SourceError, match=message):
        read_table(path, columns=tuple(ENWIKI_REVERTED.features), label_column="reverted")


@pytest.mark.parametrize("name", ["absent.tsv", "broken.tsv.bz2", "broken.tsv.gz", "latin.tsv"])
def test_a_table_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if "absent" not in name:
        magic = {".bz2": b"BZh9", ".gz": b"\x1f\x8b\x08"}.get(path.suffix, b"")
        path.write_bytes(magic + b"\xff\xfe broken")
    with pytest.raises(SourceError, match=name):
        read_table(path, columns=(), label_column="reverted")


ROWS = [(1.5, True, "Stub"), (-2.0, False, "FA"), (3.0, True, "FA")]
TABLE = "x\tis_y\tquality\n" + "".join(f"{x}\t{y}\t{quality}\n" for x, y, quality in ROWS)
FLAT = "\n".join(json.dumps({"x": x, "is_y": y, "quality": quality}) for x, y, quality in ROWS)
NESTED = "\n".join(
    json.dumps({"features": {"x": x, "is_y": y}, "quality": quality}) for x, y, quality in ROWS
)


@pytest.mark.parametrize("text", [TABLE, FLAT, NESTED, TABLE.replace("\n", "\r\n"), "\ufeff" + TABLE])
@pytest.mark.parametrize("pack", [bytes, bz2.compress, gzip.compress, zstandard.ZstdCompressor().compress])
def test_tables_and_json_lines_read_alike_whatever_packs_them(
    tmp_path: Path, text: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "data"
    path.write_bytes(pack(text.encode()))
    table = read_table(path, columns=("is_y", "x"), label_column="quality", labels=("Stub", "FA"))
    assert table.features.tolist() == [[1, 1.5], [0, -2], [1, 3]]
    assert table.actual.tolist() == [0, 1, 1]
    assert table.labels == ("Stub", "FA")
    assert table.sha512 == hashlib.sha512(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(("label", "expected"), [("true", 1), ("True", 1), ("FALSE", 0)])
def test_booleans_are_labels_however_they_are_written(tmp_path: Path, label: str, expected: int) -> None:
    path = tmp_path / "data.tsv"
    path.write_text(f"x\tbad\n1\t{label}\n2\ttrue\n2\tfalse\n")
    assert read_table(path, columns=("x",), label_column="bad").actual[0] == expected


def test_whole_numbers_are_labels_as_text_and_as_json(tmp_path: Path) -> None:
    for text in ("x\tgrade\n1\t3\n2\t4\n", '{"x": 1, "grade": 3}\n{"x": 2, "grade": "4"}\n'):
        (tmp_path / "data").write_text(text)
        table = read_table(tmp_path / "data", columns=("x",), label_column="grade", labels=("3", "4"))
        assert table.actual.tolist() == [0, 1]


def test_a_label_with_too_few_rows_is_named(tmp_path: Path) -> None:
    path = tmp_path / "data.tsv"
    path.write_text(TABLE)
    with pytest.raises(SourceError, match="1 rows of label 'Stub', and 2 are needed"):
        read_table(path, columns=("x",), label_column="quality", labels=("Stub", "FA"), least=2)


def test_memory_is_that_of_the_numbers_and_not_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "long.tsv"
    rows, comment = 20_000, "c" * 500
    path.write_text("x\tcomment\tbad\n" + "".join(f"{n}\t{comment}\t{n % 2 == 0}\n" for n in range(rows)))
    tracemalloc.start()
    read_table(path, columns=("x",), label_column="bad")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert path.stat().st_size > 10_000_000
    assert peak < 3_000_000
