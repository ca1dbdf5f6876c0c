"""7z archives, and bz2, unpacked by the program 7zz."""

import io
import resource
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, cast

from schemas.errors import SourceError

MAGIC: Final = b"7z\xbc\xaf\x27\x1c"

_PROGRAMS: Final = ("7zz", "7z", "7za", "7zr")
_BUFFER_BYTES: Final = 1 << 18
# An archive says itself how much memory unpacking takes. Those of Wikimedia ask for less than 100 MB.
_MEMORY_BYTES: Final = 2 << 30
_TOLD_BYTES: Final = 2000
_PIECE_BYTES: Final = 1 << 18
# Python's own bz2 reads what is whole and passes over what stands behind, as this program reports.
_JUNK_BEHIND: Final = "data after the end of the payload"


@contextmanager
def open_seven_zip(path: Path) -> Iterator[BinaryIO]:
    """Open an archive for reading: the files in it, one after the other.

    The program runs beside, writes into a pipe, and ends with this context.

    Args:
        path: The archive, a file on this machine.

    Yields:
        The plain bytes. A read raises `OSError` where the program says that the archive is damaged, or
        was killed, after the last byte that it gave.

    Raises:
        SourceError: No program for 7z archives is installed.
    """
    program = _program()
    if program is None:
        raise SourceError(
            f"{path} is a 7z archive, and no program for those is here; install the package 7zip (Debian: "
            "apt-get install 7zip), or unpack it elsewhere and pack it as bz2 or zst",
            path=str(path),
        )
    # The program takes * and @ in names for patterns and lists, a missing password for a question. One thread
    # bounds its memory, whatever the archive.
    command = [program, "x", "-so", "-bd", "-spd", "-y", "-p", "-mmt=1", "--", str(path.absolute())]
    with _running(command, subprocess.DEVNULL) as process_and_pipe:
        yield process_and_pipe[1]


@contextmanager
def open_bz2(packed: "io.BufferedReader[Any]") -> Iterator[BinaryIO | None]:
    """Unpack bz2 of any number of streams by the program, in about half of the time of Python's library.

    Args:
        packed: Stands at the beginning; a thread reads it to its end, or until this context ends.

    Yields:
        The plain bytes; None where no program is installed. A read raises `OSError` where the packed bytes
        are damaged, cut off or cannot be read, after the last byte that could be unpacked.
    """
    program = _program()
    if program is None:
        yield None
        return
    command = [program, "x", "-so", "-bd", "-mmt=1", "-tbzip2", "-si"]
    with _running(command, subprocess.PIPE) as (process, pipe):
        assert process.stdin is not None  # noqa: S101 - for the types: it was asked for
        feeder = _Feeder(packed, process.stdin, pipe.raw)
        feeder.start()
        try:
            yield cast(BinaryIO, pipe)
        finally:
            # Its pipe breaks, and the thread ends with that.
            process.kill()
            feeder.join()


def _program() -> str | None:
    return next(filter(None, map(shutil.which, _PROGRAMS)), None)


@contextmanager
def _running(
    command: Sequence[str], stdin: int
) -> Iterator["tuple[subprocess.Popen[bytes], io.BufferedReader[_Pipe]]"]:
    with (
        tempfile.TemporaryFile() as told,
        subprocess.Popen(  # noqa: S603 - a program of this machine, no shell, options end before the path
            command, stdin=stdin, stdout=subprocess.PIPE, stderr=told
        ) as process,
    ):
        with suppress(OSError):
            # It may have ended already.
            resource.prlimit(process.pid, resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        assert process.stdout is not None  # noqa: S101 - for the types: it was asked for
        try:
            yield process, io.BufferedReader(_Pipe(process, process.stdout, told), _BUFFER_BYTES)
        finally:
            process.kill()


class _Pipe(io.RawIOBase):
    """What a program writes; its end counts only once the program says that all went well."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: IO[bytes], told: IO[bytes]) -> None:
        self._process = process
        self._pipe = pipe
        self._told = told
        self.failure: OSError | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = cast(io.BufferedReader, self._pipe).readinto1(buffer)
        if count:
            return count
        code = self._process.wait()
        if self.failure is not None:
            raise OSError(f"what is packed cannot be read: {self.failure}") from self.failure
        if code:
            words = self._words()
            if _JUNK_BEHIND not in words:
                raise OSError(f"the unpacking program ended with {code}: {words or 'it was killed'}")
        return 0

    def _words(self) -> str:
        self._told.seek(0)
        lines = self._told.read(_TOLD_BYTES).decode(errors="replace").splitlines()
        return "; ".join(dict.fromkeys(line.strip() for line in lines if line.strip()))


class _Feeder(threading.Thread):
    """Writes what is packed into the pipe of a program.

    Args:
        packed: Where it comes from.
        into: The program's standard input; closed at the end.
        pipe: Is told of a failure to read.
    """

    def __init__(self, packed: "io.BufferedReader[Any]", into: IO[bytes], pipe: _Pipe) -> None:
        super().__init__(name="unpacking-feeder", daemon=True)
        self._packed = packed
        self._into = into
        self._pipe = pipe

    def run(self) -> None:
        """Write all there is."""
        with suppress(BrokenPipeError), self._into:
            while True:
                try:
                    piece = self._packed.read1(_PIECE_BYTES)
                except OSError as error:
                    self._pipe.failure = error
                    return
                if not piece:
                    return
                self._into.write(piece)
