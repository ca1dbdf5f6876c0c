"""Dumps that are damaged, cut off, hostile, or whose unpacking program dies."""

import bz2
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from typing_extensions import Buffer

from batch import compression
from batch.dump import read_dump
from batch.dump_revision import DumpRevision
from schemas.errors import SourceError
from tests.dump_documents import PLAIN_HEAD, document, page
from tests.packings import PACKINGS, pack_7z

# Text that does not pack well, so that there is much to read, kill and damage.
NOISE = [os.urandom(6000).hex() for _ in range(120)]
DOCUMENT = document([page(number, [text]) for number, text in enumerate(NOISE, 1)]).encode()
COUNT = len(NOISE)


def taken(revisions: Iterator[DumpRevision]) -> tuple[list[str | None], SourceError]:
    """Return the texts before the error, and the error."""
    found: list[DumpRevision] = []
    with pytest.raises(SourceError) as caught:
        found.extend(revisions)
    return [one.text for one in found], caught.value


def children() -> list[psutil.Process]:
    return psutil.Process().children()


def test_an_archive_is_read_and_its_program_ends_with_it(tmp_path: Path) -> None:
    path = pack_7z(DOCUMENT, tmp_path)
    assert [one.text for one in read_dump(path)] == NOISE
    assert children() == []


def test_a_reader_that_stops_early_ends_the_program(tmp_path: Path) -> None:
    revisions = read_dump(pack_7z(DOCUMENT, tmp_path))
    next(revisions)
    assert len(children()) == 1
    revisions.close()  # type: ignore[attr-defined] # a generator
    assert children() == []


def test_a_program_that_is_killed_is_an_error_after_all_that_it_gave(tmp_path: Path) -> None:
    revisions = read_dump(pack_7z(DOCUMENT, tmp_path))
    first = next(revisions)
    [child] = children()
    child.send_signal(signal.SIGKILL)
    texts, error = taken(revisions)
    assert [first.text, *texts] == NOISE[: len(texts) + 1]
    assert len(texts) < COUNT - 1
    assert "cannot be unpacked after" in error.message
    assert "-9" in error.message
    assert children() == []


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_damaged_archive_gives_what_is_before_the_damage_and_an_error(tmp_path: Path, share: float) -> None:
    # Several blocks, each with its checksum.
    path = pack_7z(DOCUMENT, tmp_path, "-m0=LZMA2:c=64k")
    data = bytearray(path.read_bytes())
    place = int(len(data) * share)
    data[place : place + 200] = bytes(200)
    path.write_bytes(data)
    texts, error = taken(read_dump(path))
    assert texts == NOISE[: len(texts)]
    assert len(texts) < COUNT
    assert str(path) in error.message


@pytest.mark.parametrize("options", [("-psecret",), ("-psecret", "-mhe=on")])
def test_an_archive_with_a_password_is_an_error_and_no_question(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    texts, error = taken(read_dump(pack_7z(DOCUMENT, tmp_path, *options)))
    assert texts == []
    assert "cannot be unpacked" in error.message


@pytest.mark.parametrize("name", ["-so.7z", "@list.7z", "a*b?.7z", "ä b'.7z", "-.7z"])
def test_no_name_of_an_archive_is_taken_for_something_else(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack_7z(DOCUMENT, tmp_path).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(list(read_dump(Path(name)))) == COUNT


def test_without_a_program_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack_7z(DOCUMENT, tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="install the package 7zip"):
        list(read_dump(path))


def test_an_archive_out_of_a_stream_is_read_as_well(tmp_path: Path) -> None:
    with pack_7z(DOCUMENT, tmp_path).open("rb") as stream:
        assert len(list(read_dump(stream))) == COUNT
        assert not stream.closed


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("share", [0.3, 0.999])
def test_what_is_cut_off_gives_what_is_whole_and_an_error(tmp_path: Path, packing: str, share: float) -> None:
    path = tmp_path / "dump.xml"
    packed = PACKINGS[packing](DOCUMENT)
    path.write_bytes(packed[: int(len(packed) * share)])
    texts, _ = taken(read_dump(path))
    assert texts == NOISE[: len(texts)]
    assert len(texts) < COUNT


@pytest.mark.parametrize("is_built", [True, False])
@pytest.mark.parametrize("behind", [b"", b"junk that is no stream", bytes(512)])
def test_bz2_of_several_streams_is_read_whole_whatever_stands_behind(
    tmp_path: Path, behind: bytes, is_built: bool, built: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "native", built if is_built else None)
    half = len(DOCUMENT) // 2
    path = tmp_path / "dump.xml.bz2"
    path.write_bytes(bz2.compress(DOCUMENT[:half]) + bz2.compress(DOCUMENT[half:]) + behind)
    assert [one.text for one in read_dump(path)] == NOISE


class _Fails(io.RawIOBase):
    """Gives some bytes, and then fails as a connection does."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        count = self._content.readinto(buffer)
        if not count:
            raise OSError("the connection was lost")
        return count


def test_a_connection_lost_between_two_streams_of_bz2_is_an_error() -> None:
    half = len(DOCUMENT) // 2
    texts, error = taken(read_dump(io.BufferedReader(_Fails(bz2.compress(DOCUMENT[:half])))))
    assert texts == NOISE[: len(texts)]
    assert len(texts) > COUNT // 3
    assert "the connection was lost" in error.message


_READ = """
import sys
from pathlib import Path
from batch.dump import read_dump
found = list(read_dump(Path(sys.argv[1]), max_text_bytes=1 << 20))
print([(one.text, one.is_text_too_large) for one in found])
# Not getrusage: it counts what the process held before it became this program.
print(next(line.split()[1] for line in Path("/proc/self/status").open() if line.startswith("VmHWM")))
"""


@pytest.mark.parametrize("packing", ["bz2", "gz", "xz", "zst", "7z"])
def test_a_text_that_unpacks_to_much_takes_little_memory(tmp_path: Path, packing: str) -> None:
    text_bytes = 80 << 20
    head, _, tail = document([page(1, ["-", "small"])]).encode().partition(b"-</text>")
    bomb = head + b"a" * text_bytes + b"</text>" + tail
    if packing == "7z":
        path = pack_7z(bomb, tmp_path, "-mx=1")
    else:
        path = tmp_path / "dump.xml"
        path.write_bytes(PACKINGS[packing](bomb))
    del bomb
    assert path.stat().st_size < 2 << 20
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(path)], capture_output=True, text=True, check=True, timeout=120
    )
    found, peak_kilobytes = done.stdout.splitlines()
    assert found == "[(None, True), ('small', False)]"
    assert int(peak_kilobytes) < 64_000


@pytest.mark.parametrize("inside", [b"<a>", b"<id>", b"<page>"])
def test_elements_without_end_are_given_up(tmp_path: Path, inside: bytes) -> None:
    path = tmp_path / "dump.xml.gz"
    path.write_bytes(PACKINGS["gz"](PLAIN_HEAD.encode() + inside * (1 << 20)))
    with pytest.raises(SourceError, match="elements in elements"):
        list(read_dump(path, max_text_bytes=1 << 20))
