"""Walk a fastText file from end to end before fastText reads it.

fastText trusts its files: of one that is cut off it reads for ever, and it makes room for whatever a header
promises.
"""

import re
import struct
from typing import Final

from models.kinds.estimator import corrupt, unread

PREFIX: Final = "__label__"

_MAGIC: Final = 793_712_314
_VERSIONS: Final = (11, 12)
_SUPERVISED: Final = 3
_LOSSES: Final = (1, 2, 3, 4)
_LONGEST_PIECE: Final = 100
_CENTROIDS: Final = 256
_LARGEST: Final = 1 << 31
_ENTRY: Final = re.compile(rb"([^\0]*)\0.{8}([\0\1])", re.DOTALL)


def read_labels(file: str, data: bytes) -> tuple[str, ...]:
    """Check that a file is whole, and return its labels.

    Args:
        file: Its name, for messages.
        data: Of the file.

    Returns:
        Labels without prefix, sorted.

    Raises:
        ModelCorrupt: It is no fastText file, or not as long as it says.
        ModelIncompatible: It holds word vectors and no classifier.
    """
    try:
        return _Walk(file, data).labels()
    except (struct.error, UnicodeDecodeError) as error:
        raise corrupt(file, f"it is cut off, or no fastText file ({error})") from error


class _Walk:
    def __init__(self, file: str, data: bytes) -> None:
        self._file = file
        self._data = data
        self._position = 0

    def labels(self) -> tuple[str, ...]:
        magic, release = self._take("<ii")
        if magic != _MAGIC or release not in _VERSIONS:
            raise corrupt(self._file, "it does not begin as fastText files do")
        dim, _, _, _, _, grams, loss, kind, buckets, least, most, _, _ = self._take("<12id")
        if kind != _SUPERVISED:
            raise unread(
                self._file, "holds word vectors and no classifier; train with fastText's supervised mode"
            )
        entries, words, count, _, pruned = self._take("<iiiqq")
        reads_pieces = grams > 1 or most > 0
        is_possible = (
            min(dim, grams, count) > 0
            and min(words, least, most, buckets) >= 0
            and max(grams, least, most) <= _LONGEST_PIECE
            and entries == words + count
            and loss in _LOSSES
            # Pieces of words, and words together, are counted modulo the buckets.
            and (buckets > 0 or not reads_pieces)
        )
        if not is_possible:
            raise corrupt(self._file, f"it states {words} words and {count} labels of {dim} numbers")
        labels = self._dictionary(words, count)
        self._pruned(max(0, pruned))
        self._matrix(words + (buckets if pruned < 0 else pruned), dim)
        self._matrix(count, dim)
        if self._position != len(self._data):
            raise corrupt(self._file, f"{len(self._data) - self._position} bytes follow its end")
        return tuple(sorted(labels))

    def _take(self, layout: str) -> tuple[int, ...]:
        values = struct.unpack_from(layout, self._data, self._position)
        self._position += struct.calcsize(layout)
        return values

    def _skip(self, count: int) -> None:
        if not 0 <= count <= len(self._data) - self._position:
            raise corrupt(self._file, "it is cut off, or promises more than it holds")
        self._position += count

    def _dictionary(self, words: int, count: int) -> list[str]:
        labels = []
        for number in range(words + count):
            entry = _ENTRY.match(self._data, self._position)
            # fastText keeps all words before all labels.
            if entry is None or (entry[2] == b"\1") != (number >= words):
                raise corrupt(self._file, "its dictionary is cut off or out of order")
            self._position = entry.end()
            if number >= words:
                labels.append(entry[1].decode().removeprefix(PREFIX))
        return labels

    def _pruned(self, count: int) -> None:
        start = self._position
        self._skip(8 * count)
        rows = struct.unpack(f"<{2 * count}i", self._data[start : self._position])[1::2]
        if not all(0 <= row < count for row in rows):
            raise corrupt(self._file, "its pruned dictionary points outside its matrix")

    def _matrix(self, rows: int, columns: int) -> None:
        [is_quantised] = self._take("<B")
        if is_quantised not in {0, 1}:
            raise corrupt(self._file, "a matrix of it is of no known kind")
        has_norms = bool(is_quantised) and self._take("<B") == (1,)
        shape = self._take("<qq")
        if shape != (rows, columns) or rows * columns > _LARGEST:
            raise corrupt(self._file, f"a matrix of it is {shape} and not {(rows, columns)}")
        if not is_quantised:
            self._skip(4 * rows * columns)
            return
        [codes] = self._take("<i")
        self._skip(codes)
        parts = self._quantiser(columns)
        if codes != rows * parts:
            raise corrupt(self._file, "a matrix of it has not a code for each of its parts")
        if has_norms:
            self._skip(rows)
            self._quantiser(1)

    def _quantiser(self, columns: int) -> int:
        dim, parts, width, last = self._take("<4i")
        if (
            dim != columns
            or not 0 < width <= dim
            or not 0 < last <= width
            or (parts - 1) * width + last != dim
        ):
            raise corrupt(self._file, "it divides the rows of a matrix in no possible way")
        self._skip(4 * dim * _CENTROIDS)
        return parts
