"""Word vectors of topic models: converted once to plain arrays, then mapped into memory and shared.

::

    <file>.vectors/
        vectors.npy     float32[words, size], in the order of the file
        words.npy       uint8, the words in UTF-8, one after another, in the same order
        ends.npy        int64[words], where each word ends
        hashes.npy      uint64[words], hash of each word, ascending
        rows.npy        int64[words], the row of each hash

Nothing of it is read before a word is looked up; several processes on a machine hold one copy. A file of
vectors as it was published is never read by a process that scores: gensim's are pickles.
"""

import functools
import hashlib
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.errors import ModelCorrupt, ResourceMissing

ENDING = ".vectors"
VECTORS = "vectors"
"""Where a folder of artefacts holds converted vectors."""
# Where revscoring looks for published vectors.
FOLDERS = (Path("word2vec"), Path("~/.word2vec"), Path("/var/share/word2vec"))
_PARTS = ("vectors", "words", "ends", "hashes", "rows")
_DATES = {
    **dict.fromkeys(("arwiki", "cswiki", "enwiki", "kowiki", "viwiki", "wikidata"), "20200501"),
    **dict.fromkeys(("euwiki", "huwiki", "hywiki", "srwiki", "ukwiki"), "20201201"),
}
_FILES = {
    **{wiki: f"{wiki}-{date}-learned_vectors.50_cell.10k.kv" for wiki, date in _DATES.items()},
    **{
        f"enwiki_{kind}": f"enwiki.vectors.20191201.{kind}.300k.vec.bz2"
        for kind in ("skipgram_50", "cbow_50")
    },
    **dict.fromkeys(("wordvectors", "word2vec", "gnews"), "GoogleNews-vectors-negative300.bin.gz"),
}
_folders: list[Path] = list(FOLDERS)


class WordVectors:
    """Vectors by word.

    Args:
        folder: Converted vectors.

    Raises:
        ResourceMissing: The folder or a part of it is not there.
        ModelCorrupt: The parts do not belong together.
    """

    def __init__(self, folder: Path) -> None:
        self._vectors, self._words, self._ends, self._hashes, self._rows = (
            _mapped(folder / f"{part}.npy") for part in _PARTS
        )
        counts = {len(self._vectors), len(self._ends), len(self._hashes), len(self._rows)}
        if self._vectors.ndim != 2 or len(counts) != 1:
            raise ModelCorrupt(
                f"the word vectors in {folder} do not belong together; convert them anew", path=str(folder)
            )

    @property
    def size(self) -> int:
        """Number of values in a vector."""
        return int(self._vectors.shape[1])

    def of(self, words: Iterable[str] | None) -> NDArray[np.float32]:
        """Return the vectors of the words that have one, in the order of the words.

        Returns:
            float32[known words, size]; one row of zeros where no word is known.
        """
        rows: dict[str, int | None] = {}
        found = []
        for word in words or ():
            if word not in rows:
                rows[word] = self._row(str(word))
            if (row := rows[word]) is not None:
                found.append(row)
        if not found:
            return np.zeros((1, self.size), dtype=np.float32)
        return np.asarray(self._vectors[found], dtype=np.float32)

    def _row(self, word: str) -> int | None:
        encoded = word.encode(errors="surrogatepass")
        place = int(np.searchsorted(self._hashes, hash_ := _hash(encoded)))
        while place < len(self._hashes) and self._hashes[place] == hash_:
            row = int(self._rows[place])
            start = int(self._ends[row - 1]) if row else 0
            if self._words[start : int(self._ends[row])].tobytes() == encoded:
                return row
            place += 1
        return None


def convert_vectors(source: Path, folder: Path, *, limit: int | None = None) -> Path:
    """Convert a published file of vectors.

    Args:
        source: gensim's ``.kv``, or the format of word2vec, text or binary, plain or packed.
        folder: Where the converted vectors go, into ``<name of the source>.vectors``; replaced if there.
        limit: Most words to take, the first of the file; None for all.

    Returns:
        The folder of the converted vectors.

    Raises:
        ResourceMissing: The file is not there.
        ModelCorrupt: It cannot be read.
        ModelRefused: It is a pickle that asks for more than data.
    """
    # Whoever only looks vectors up needs no reader of pickles.
    from models.vector_files import read_vectors  # noqa: PLC0415

    words, vectors = read_vectors(source, limit)
    encoded = [word.encode(errors="surrogatepass") for word in words]
    hashes = np.array([_hash(word) for word in encoded], dtype=np.uint64)
    order = np.argsort(hashes, kind="stable")
    parts: dict[str, NDArray[Any]] = {
        "vectors": np.ascontiguousarray(vectors, dtype=np.float32),
        "words": np.frombuffer(b"".join(encoded), dtype=np.uint8),
        "ends": np.cumsum([len(word) for word in encoded], dtype=np.int64),
        "hashes": hashes[order],
        "rows": order.astype(np.int64),
    }
    target = folder / f"{source.name}{ENDING}"
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, array in parts.items():
        np.save(partial / f"{name}.npy", array, allow_pickle=False)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    return target


def look_in(folders: Sequence[Path]) -> None:
    """Name the folders that hold converted vectors."""
    if _folders != list(folders):
        _folders[:] = folders
        open_vectors.cache_clear()


@functools.cache
def open_vectors(file: str) -> WordVectors:
    """Open the converted vectors of a published file; once in a process.

    Args:
        file: As it was published, ``enwiki-20200501-learned_vectors.50_cell.10k.kv``.

    Raises:
        ResourceMissing: They are in none of the folders.
    """
    for folder in _folders:
        path = folder.expanduser() / f"{file}{ENDING}"
        if path.is_dir():
            return WordVectors(path)
    raise ResourceMissing(
        f"a feature reads the word vectors {file}, which are in none of {', '.join(map(str, _folders))}; "
        "fetch that file from where the topic models are published, and run: revstream models vectors FILE",
        path=file,
    )


def vectorizer(module: str) -> Callable[[Any], NDArray[np.float32]] | None:
    """Return what looks words up in the vectors of a feature list of drafttopic.

    Args:
        module: Name of the list, ``enwiki``.

    Returns:
        From words to vectors; the file is opened at the first call. None for a list of other vectors.
    """
    file = _FILES.get(module)
    return None if file is None else lambda words: open_vectors(file).of(words)


def words_of_claims(claims: Iterable[tuple[str, str]]) -> list[str]:
    """Return the properties of a Wikidata item's claims, and the items that they name, as words.

    Args:
        claims: Property and value as text, each pair once.
    """
    words = []
    for property_, value in claims:
        words.append(property_)
        if value[:1] == "Q" and value[1:2] in set("0123456789"):
            words.append(value)
    return words


def _mapped(path: Path) -> NDArray[Any]:
    try:
        loaded: NDArray[Any] = np.load(
            path, mmap_mode="r" if path.stat().st_size else None, allow_pickle=False
        )
    except OSError as error:
        raise ResourceMissing(
            f"{path} of the word vectors cannot be read ({error.strerror}); convert them anew", path=str(path)
        ) from error
    except ValueError as error:
        raise ModelCorrupt(
            f"{path} is no array ({error}); convert the vectors anew", path=str(path)
        ) from error
    return loaded


def _hash(word: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(word, digest_size=8).digest(), "big")
