"""7z archives, unpacked by the program of that name."""

import io
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
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
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        raise SourceError(
            f"{path} is a 7z archive, and no program for those is here; install the package 7zip (Debian: "
            "apt-get install 7zip), or unpack it elsewhere and pack it as bz2 or zst",
            path=str(path),
        )
    # The program takes * and @ in names for patterns and lists, a missing password for a question. One thread
    # bounds its memory, whatever the archive.
    command = [program, "x", "-so", "-bd", "-spd", "-y", "-p", "-mmt=1", "--", str(path.absolute())]
    with (
        tempfile.TemporaryFile() as told,
        subprocess.Popen(  # noqa: S603 - a program of this machine, no shell, options end before the path
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=told
        ) as process,
    ):
        with suppress(OSError):
            # It may have ended already.
            resource.prlimit(process.pid, resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        assert process.stdout is not None  # noqa: S101 - for the types: it was asked for
        try:
            yield cast(BinaryIO, io.BufferedReader(_Pipe(process, process.stdout, told), _BUFFER_BYTES))
        finally:
            process.kill()


class _Pipe(io.RawIOBase):
    """What a program writes; its end counts only once the program says that all went well."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: IO[bytes], told: IO[bytes]) -> None:
        self._process = process
        self._pipe = pipe
        self._told = told

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = cast(io.BufferedReader, self._pipe).readinto1(buffer)
        if count == 0 and (code := self._process.wait()) != 0:
            raise OSError(f"the unpacking program ended with {code}: {self._words() or 'it was killed'}")
        return count

    def _words(self) -> str:
        self._told.seek(0)
        lines = self._told.read(_TOLD_BYTES).decode(errors="replace").splitlines()
        return "; ".join(dict.fromkeys(line.strip() for line in lines if line.strip()))
