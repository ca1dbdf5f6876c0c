"""The lines of one file of recorded events, from a place on. Blocks: for use off the event loop."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from agents.compressed import (
    NAMED_BY_SUFFIX,
    DamagedFileError,
    blocks_of,
    chunks,
    compression_of,
    is_compressed,
)
from agents.lines import Line, LineSplitter
from schemas.errors import SourceError

# Enough of the first event to hold its id.
_HEAD_BYTES = 4096
# Uncompressed bytes passed over in one step, so that a caller who gives up need not wait for all.
_SKIP_BYTES = 8 << 20


class RecordedFile:
    """Lines of a plain or compressed file.

    Args:
        path: A regular file; .gz, .bz2 and .zst are read as such, all else as plain text.
        max_line_bytes: Limit on one line.
    """

    def __init__(self, path: Path, max_line_bytes: int) -> None:
        self._path = path
        self._max_line_bytes = max_line_bytes
        self._file: BinaryIO | None = None
        self._chunks: Iterator[bytes] = iter(())
        self._ahead = b""
        self._position = 0
        self._splitter = LineSplitter(max_line_bytes)
        self._is_damaged: DamagedFileError | None = None

    def open(self) -> None:
        """Open the file and look whether it is what its name says.

        Raises:
            SourceError: It is missing, not a file, unreadable, or of another kind than its name says.
        """
        path = self._path
        try:
            # Without O_NONBLOCK the opening of a pipe would wait for its writer.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise SourceError(
                f"the recorded events in {path} cannot be opened ({error.strerror}): "
                "check the path and who may read it",
                path=str(path),
            ) from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise SourceError(
                f"{path} is no regular file, so that reading could not go on where it stopped: name a "
                "file, or pipe the events in and use '-' as the source",
                path=str(path),
            )
        self._file = os.fdopen(descriptor, "rb")
        kind = compression_of(self._file.read(8))
        self._file.seek(0)
        named = NAMED_BY_SUFFIX.get(path.suffix.lower())
        if kind != named and os.fstat(descriptor).st_size > 0:
            raise SourceError(
                f"{path} holds {kind or 'no compressed data'}, and its name says "
                f"{named or 'plain text'}: rename or convert it; plain text, .gz, .bz2 and .zst are read",
                path=str(path),
            )
        self._chunks = chunks(path, blocks_of(self._file.read))

    def close(self) -> None:
        """Release the file. Idempotent."""
        if self._file is not None:
            self._file.close()

    def head(self, size_bytes: int = _HEAD_BYTES) -> tuple[int, str]:
        """Return length and digest of the first uncompressed bytes; tells one file from another.

        Call it before anything else is read.
        """
        while len(self._ahead) < size_bytes and (chunk := self._chunk()):
            self._ahead += chunk
        head = self._ahead[:size_bytes]
        return len(head), hashlib.blake2b(head, digest_size=16).hexdigest()

    def skip(self, offset: int, line_number: int) -> bool:
        """Pass over a part of what lies before a place; call it again until it returns True.

        Args:
            offset: Place in the uncompressed bytes, the end of a line.
            line_number: Lines before it.

        Raises:
            SourceError: The file ends before that place.
        """
        if not is_compressed(self._path) and self._file is not None:
            if os.fstat(self._file.fileno()).st_size < offset:
                raise self._too_short(offset)
            self._file.seek(offset)
            self._ahead, self._position = b"", offset
        goal = min(offset, self._position + _SKIP_BYTES)
        while self._position < goal:
            chunk = self._ahead or self._chunk()
            if not chunk:
                raise self._too_short(offset)
            passed = min(len(chunk), offset - self._position)
            self._position += passed
            self._ahead = chunk[passed:]
        if self._position < offset:
            return False
        self._splitter = LineSplitter(self._max_line_bytes, offset=offset, number=line_number)
        return True

    def lines(self) -> list[Line]:
        """Return the next lines, blank ones among them; none at the end.

        Raises:
            SourceError: The data is damaged; every line before the damage was given.
        """
        while True:
            chunk = self._ahead or self._chunk()
            self._ahead = b""
            if not chunk:
                if self._is_damaged is not None:
                    raise SourceError(
                        f"{self._path} cannot be read to its end: {self._is_damaged}; every whole event "
                        "before was taken. Fetch the file again; reading goes on after the last one taken",
                        path=str(self._path),
                    )
                last = self._splitter.finish()
                return [] if last is None else [last]
            if lines := self._splitter.feed(chunk):
                return lines

    def _chunk(self) -> bytes:
        if self._is_damaged is not None:
            return b""
        try:
            return next(self._chunks, b"")
        except DamagedFileError as error:
            self._is_damaged = error
            return b""
        except OSError as error:
            self._is_damaged = DamagedFileError(error.strerror or str(error))
            return b""

    def _too_short(self, offset: int) -> SourceError:
        cause = f": {self._is_damaged}" if self._is_damaged else ""
        return SourceError(
            f"{self._path} ends before byte {offset}, where reading stopped last time{cause}: put the whole "
            "file back, or give the new one another name to read it from its start",
            path=str(self._path),
        )
