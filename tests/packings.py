"""Bytes packed in every way that dumps come in."""

import bz2
import gzip
import lzma
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import zstandard

SEVEN_ZIP: Final = shutil.which("7zz") or shutil.which("7z")


def pack_7z(data: bytes, folder: Path, *options: str) -> Path:
    """Pack bytes as an archive of one file and return its path."""
    assert SEVEN_ZIP is not None, "the package 7zip is not installed"
    archive = folder / f"{len(list(folder.iterdir()))}.xml.7z"
    subprocess.run(
        [SEVEN_ZIP, "a", "-bd", "-mx=1", "-sidump.xml", *options, str(archive)],
        input=data,
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=60,
    )
    return archive


PACKINGS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "plain": bytes,
    "bz2": bz2.compress,
    "gz": gzip.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE, preset=0),
    "zst": zstandard.ZstdCompressor().compress,
}
