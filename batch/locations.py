"""Files here and elsewhere: paths, ``https://`` and ``s3://`` addresses, read from any byte on."""

import glob
import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from msgspec import Struct

from schemas.errors import SourceError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_REMOTE: Final = ("https://", "http://", "s3://")
_GLOB_SIGNS: Final = frozenset("*?[")
_PIECE_BYTES: Final = 1 << 20
# Small enough that a worker holds little, large enough that few requests are made.
_BLOCK_BYTES: Final = 4 << 20
_ATTEMPTS: Final = 5
_PATIENCE_SECONDS: Final = 120.0


class FoundFile(Struct, frozen=True):
    """A file that was found.

    Attributes:
        url: Absolute path, or address.
        size_bytes: As it lies there; None where the server does not tell.
    """

    url: str
    size_bytes: int | None

    @property
    def name(self) -> str:
        """The last part of its address."""
        return self.url.partition("?")[0].rstrip("/").rpartition("/")[2]


def is_remote(url: str) -> bool:
    """Tell whether an address is one of another machine."""
    return url.startswith(_REMOTE)


def beside(url: str, name: str) -> str:
    """Return the address of another file in the same folder."""
    address, mark, query = url.partition("?") if is_remote(url) else (url, "", "")
    return f"{address.rpartition('/')[0]}/{name}{mark}{query}"


def find_files(source: str) -> tuple[list[FoundFile], bool]:
    """Find what a source names: a file, all files right in a folder, or what matches a glob.

    Args:
        source: Path or address. ``?`` is no sign of a glob in an address.

    Returns:
        Files sorted by address, and whether one file was named, and not a folder or a glob.

    Raises:
        SourceError: There is nothing, or it cannot be listed.
    """
    with _answering(source):
        return _find_remote(source) if is_remote(source) else _find_here(source)


@contextmanager
def open_location(url: str, begin: int = 0) -> Iterator[BinaryIO]:
    """Open a file for reading from a byte on.

    Args:
        url: Path or address.
        begin: First byte to read.

    Yields:
        A buffered binary stream. Reading it may raise `OSError`, whatever lies beneath.

    Raises:
        SourceError: It is missing, is a folder, may not be read, or the server does not answer.
    """
    if not is_remote(url):
        with _answering(url):
            # A buffered reader gives its block to bz2 and gzip without another copy.
            here = Path(url).open("rb")  # noqa: SIM115 - closed below, errors of reading are not of opening
        with here:
            here.seek(begin)
            yield here
        return
    with _answering(url):
        filesystem, path = _remote(url)
        there = filesystem.open(path, "rb", block_size=_BLOCK_BYTES, cache_type="readahead")
        if begin:
            there.seek(begin)
    with there, io.BufferedReader(cast(io.RawIOBase, _Reading(there)), _PIECE_BYTES) as stream:
        yield cast(BinaryIO, stream)


def read_some(url: str, begin: int, limit_bytes: int) -> bytes:
    """Return the bytes of a file from one on, at most so many.

    Raises:
        SourceError: It cannot be opened or read.
    """
    with open_location(url, begin) as stream, _answering(url):
        return stream.read(limit_bytes)


@contextmanager
def held_here(source: Path | str | BinaryIO) -> Iterator[Path]:
    """Yield a path of what a source holds, for programs that read files only.

    A stream or a remote file is copied to a temporary file, which is removed at the end.

    Raises:
        SourceError: It cannot be read.
        OSError: The copy does not fit on the disk.
    """
    if isinstance(source, Path) or (isinstance(source, str) and not is_remote(source)):
        yield Path(source).absolute()
        return
    with tempfile.NamedTemporaryFile(prefix="revstream-", suffix=".packed") as copy:
        if isinstance(source, str):
            with open_location(source) as stream:
                shutil.copyfileobj(stream, copy, _PIECE_BYTES)
        else:
            shutil.copyfileobj(source, copy, _PIECE_BYTES)
        copy.flush()
        yield Path(copy.name)


class _Reading(io.RawIOBase):
    """A remote file whose failures are all `OSError`, as those of a file here are."""

    def __init__(self, remote: Any) -> None:
        self._remote = remote

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        import stamina  # noqa: PLC0415 - a twentieth of a second, which nothing but remote files needs

        try:
            # What is read is kept by its place, so a failed read may be tried again.
            for attempt in stamina.retry_context(on=Exception, attempts=_ATTEMPTS, timeout=_PATIENCE_SECONDS):
                with attempt:
                    piece = self._remote.read(len(buffer))
        except Exception as error:
            # The clients beneath raise errors of their own.
            raise OSError(f"{type(error).__name__}: {error}") from error
        buffer[: len(piece)] = piece
        return len(piece)


def _find_here(source: str) -> tuple[list[FoundFile], bool]:
    path = Path(source).expanduser()
    if path.is_dir():
        found = [each for each in path.iterdir() if each.is_file()]
    elif path.exists() or not _GLOB_SIGNS & set(source):
        return [FoundFile(str(path.absolute()), path.stat().st_size)], True
    else:
        found = [Path(each) for each in glob.glob(str(path), recursive=True) if Path(each).is_file()]  # noqa: PTH207 - patterns may be absolute
    return [FoundFile(str(each.absolute()), each.stat().st_size) for each in sorted(found)], False


def _find_remote(source: str) -> tuple[list[FoundFile], bool]:
    filesystem, path = _remote(source)
    scheme = "s3://" if source.startswith("s3://") else ""
    query = source.partition("?")[1] + source.partition("?")[2] if scheme else ""
    if "*" in path or "[" in path:
        names = filesystem.glob(path)
    elif path.endswith("/") or (scheme and filesystem.isdir(path)):
        names = [each["name"] for each in filesystem.ls(path, detail=True) if each["type"] == "file"]
    else:
        return [FoundFile(source, filesystem.info(path)["size"])], True
    return [
        FoundFile(f"{scheme}{name}{query}", filesystem.info(name)["size"]) for name in sorted(names)
    ], False


def _remote(url: str) -> tuple["AbstractFileSystem", str]:
    """Return the file system that has an address, and the path in it."""
    import fsspec  # noqa: PLC0415 - a tenth of a second, which nothing but remote files needs

    if not url.startswith("s3://"):
        return fsspec.filesystem("https"), url
    from fsspec.implementations.arrow import ArrowFSWrapper  # noqa: PLC0415 - as above
    from pyarrow.fs import FileSystem  # noqa: PLC0415 - as above

    filesystem, path = FileSystem.from_uri(url)
    return ArrowFSWrapper(filesystem), path


@contextmanager
def _answering(url: str) -> Iterator[None]:
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        if not (isinstance(error, OSError | ValueError) or is_remote(url)):
            raise
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        cure = "address, the server and the keys" if is_remote(url) else "path and its permissions"
        raise SourceError(f"cannot open {url}: {reason}; check the {cure}", path=url) from error
