"""Files of word vectors as they are published: gensim's, and word2vec's text and binary formats."""

import bz2
import gzip
import io
import lzma
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from models.pickles import Instance, read_pickle
from schemas.errors import ModelCorrupt, ResourceMissing

Vectors = NDArray[np.float32]

_OPENERS: Mapping[str, Callable[[Path], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
_PICKLE = b"\x80"
_MOST_VALUES = 4 * 10**9
_LONGEST_WORD = 10_000


def read_vectors(source: Path, limit: int | None = None) -> tuple[list[str], Vectors]:
    """Read a published file of vectors.

    Args:
        source: gensim's ``.kv``, with the ``.npy`` files beside it if it has them; or word2vec's format,
            text or binary, plain or packed by gzip, bzip2 or xz.
        limit: Most words to take, the first of the file.

    Returns:
        Words, and float32[words, size].

    Raises:
        ResourceMissing: The file is not there.
        ModelCorrupt: It cannot be read.
        ModelRefused: It is a pickle that asks for more than data.
    """
    try:
        with _OPENERS.get(source.suffix, open_plain)(source) as opened:
            start = opened.read(1)
            if start == _PICKLE:
                words, vectors = _from_gensim(source, start + opened.read())
            else:
                words, vectors = _from_word2vec(source, start, opened, limit)
    except FileNotFoundError as error:
        raise ResourceMissing(f"there are no word vectors at {source}", path=str(source)) from error
    except (OSError, EOFError, UnicodeDecodeError, ValueError, lzma.LZMAError) as error:
        raise _corrupt(source, f"{type(error).__name__}: {error}") from error
    if len(set(words)) != len(words):
        raise _corrupt(source, "it has a word twice")
    count = len(words) if limit is None else min(limit, len(words))
    return words[:count], vectors[:count]


def open_plain(path: Path) -> BinaryIO:
    """Open a file that is not packed."""
    return path.open("rb")


def _from_gensim(source: Path, data: bytes) -> tuple[list[str], Vectors]:
    read = read_pickle(data)
    state = read.state if isinstance(read, Instance) else None
    if not isinstance(state, dict):
        raise _corrupt(source, "it holds no vectors of gensim's")
    words = state.get("index_to_key") or state.get("index2word")
    vectors = next((state[name] for name in ("vectors", "syn0") if state.get(name) is not None), None)
    if vectors is None:
        # gensim keeps large arrays in files of their own.
        beside = [source.with_name(f"{source.name}.{name}.npy") for name in ("vectors", "syn0")]
        vectors = next((np.load(path, allow_pickle=False) for path in beside if path.is_file()), None)
    if (
        isinstance(vectors, np.ndarray)
        and vectors.ndim == 2
        and vectors.dtype.kind == "f"
        and isinstance(words, list)
        and all(isinstance(word, str) for word in words)
        and len(words) == len(vectors)
    ):
        return words, vectors
    raise _corrupt(source, "its words and vectors do not belong together, or its .npy file is missing")


def _from_word2vec(
    source: Path, start: bytes, opened: BinaryIO, limit: int | None
) -> tuple[list[str], Vectors]:
    header = (start + opened.readline()).split()
    if len(header) != 2:
        raise _corrupt(source, "it does not start with the number of words and their size")
    count, size = (int(number) for number in header)
    count = count if limit is None else min(limit, count)
    if count < 0 or size < 1 or count * size > _MOST_VALUES:
        raise _corrupt(source, f"it states {count} vectors of {size} values")
    buffered: Any = io.BufferedReader(_Raw(opened), 1 << 20)
    is_text = _is_text(buffered.peek(1 << 16), size)
    words: list[str] = []
    rows: list[Vectors] = []
    for _ in range(count):
        word, row = (_text_row if is_text else _binary_row)(buffered, size)
        words.append(word)
        rows.append(row)
    return words, np.vstack(rows) if rows else np.empty((0, size), dtype=np.float32)


def _is_text(start: bytes, size: int) -> bool:
    line = start.split(b"\n", 1)[0].rsplit(b" ", size)
    try:
        return len(line) == size + 1 and all(np.isfinite(float(number)) for number in line[1:])
    except ValueError:
        return False


def _text_row(buffered: Any, size: int) -> tuple[str, Vectors]:
    parts = buffered.readline().rstrip(b"\n").rstrip(b" ").rsplit(b" ", size)
    if len(parts) != size + 1:
        raise EOFError("a line ends early")
    return parts[0].decode(), np.array([float(number) for number in parts[1:]], dtype=np.float32)


def _binary_row(buffered: Any, size: int) -> tuple[str, Vectors]:
    word = bytearray()
    while (byte := buffered.read(1)) != b" ":
        if not byte or len(word) > _LONGEST_WORD:
            raise EOFError("a word does not end")
        if byte != b"\n":
            word += byte
    data = buffered.read(4 * size)
    if len(data) != 4 * size:
        raise EOFError("a vector ends early")
    return word.decode(errors="strict"), np.frombuffer(data, dtype="<f4")


class _Raw(io.RawIOBase):
    """A packed or plain file for ``BufferedReader``, which wants raw ones."""

    def __init__(self, opened: BinaryIO) -> None:
        self._opened = opened

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._opened.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _corrupt(source: Path, what: str) -> ModelCorrupt:
    return ModelCorrupt(
        f"the word vectors in {source} cannot be read: {what}; fetch the file again from its source",
        path=str(source),
    )
