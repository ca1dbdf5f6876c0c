"""A place elsewhere that holds artefacts: another folder, or a prefix behind an S3 endpoint."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from models.artefact import MANIFEST, is_name
from models.stages import Stages, newest_last
from models.stages_file import LIMIT_BYTES, STAGES_FILE, decode_stages, encode_stages
from schemas.errors import ModelNotFound, ModelRefused, ModelUnavailable, SettingsError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

S3_SCHEME: Final = "s3://"
_PIECE_BYTES: Final = 1 << 20


class S3Options(Struct, frozen=True):
    """How to reach S3. Keys come from where AWS's own tools take them: environment, files, machine.

    Attributes:
        endpoint: Address of a server other than Amazon's, ``https://host[:port]``.
        region: Name of the region; found out from Amazon where empty, ``us-east-1`` at another endpoint.
        is_anonymous: Whether to ask without keys.
        timeout_seconds: Of connecting, and of each answer.
    """

    endpoint: str = ""
    region: str = ""
    is_anonymous: bool = False
    timeout_seconds: float = 30.0


class Remote:
    """A place that holds artefacts as ``<name>/<version>/…``.

    Args:
        filesystem: Of pyarrow.
        base: Path in it.
        where: Address for people.
        folder: The folder, where it is one of this machine.
    """

    def __init__(self, filesystem: "FileSystem", base: str, where: str, folder: Path | None) -> None:
        self._filesystem = filesystem
        self._base = base
        self.where = where
        self.folder = folder

    def versions(self) -> dict[str, list[str]]:
        """Return the versions of each artefact, oldest first, sorted by name; whole ones only.

        Raises:
            ModelNotFound: There is no such bucket or folder.
            ModelUnavailable: The place does not answer.
        """
        from pyarrow.fs import FileSelector, FileType  # noqa: PLC0415 - a quarter of a second

        with self._answering():
            found = self._filesystem.get_file_info(
                FileSelector(self._base, allow_not_found=True, recursive=True)
            )
            if not found:
                # A prefix exists once something has it, a bucket does or does not.
                bucket = self._base if self.folder else self._base.partition("/")[0]
                if self._filesystem.get_file_info(bucket).type is FileType.NotFound:
                    raise FileNotFoundError(bucket)
        versions: dict[str, list[str]] = {}
        for info in found:
            parts = PurePosixPath(info.path).relative_to(self._base).parts
            if len(parts) == 3 and parts[2] == MANIFEST and is_name(parts[0]) and is_name(parts[1]):
                versions.setdefault(parts[0], []).append(parts[1])
        return {name: newest_last(versions[name]) for name in sorted(versions)}

    def read(self, path: str, limit_bytes: int) -> bytes:
        """Return a file.

        Raises:
            ModelNotFound: There is none.
            ModelRefused: It is larger than the limit.
            ModelUnavailable: The place does not answer.
        """
        return b"".join(self.pieces(path, limit_bytes))

    def pieces(self, path: str, limit_bytes: int) -> Iterator[bytes]:
        """Yield a file piece by piece. Raises as `read` does."""
        taken = 0
        with self._answering(path):
            stream = self._filesystem.open_input_stream(f"{self._base}/{path}")
        with stream:
            while True:
                with self._answering(path):
                    piece: bytes = stream.read(_PIECE_BYTES)
                if not piece:
                    return
                taken += len(piece)
                if taken > limit_bytes:
                    raise ModelRefused(
                        f"{self.where}/{path} is larger than {limit_bytes >> 20} MiB. Allow more with "
                        "--limit-mb if you trust it.",
                        path=path,
                    )
                yield piece

    def write(self, path: str, source: Path) -> None:
        """Store a file as a whole, in place of what is there.

        Raises:
            ModelUnavailable: The place does not answer, or refuses.
        """
        target = f"{self._base}/{path}"
        with (
            source.open("rb") as file,
            self._answering(path),
            self._filesystem.open_output_stream(target) as stream,
        ):
            shutil.copyfileobj(file, stream, _PIECE_BYTES)

    def read_stages(self) -> Stages:
        """Return what the place's ``models.yaml`` says; empty where it has none.

        Raises:
            SettingsError: It is not understood.
            ModelUnavailable: The place does not answer.
        """
        try:
            data = self.read(STAGES_FILE, LIMIT_BYTES)
        except ModelNotFound:
            return Stages()
        return decode_stages(data, f"{self.where}/{STAGES_FILE}")

    def write_stages(self, stages: Stages) -> None:
        """Replace the place's ``models.yaml``. S3 knows no lock: of two writers the later one wins.

        Raises:
            ModelUnavailable: The place does not answer, or refuses.
        """
        with tempfile.NamedTemporaryFile() as file:
            file.write(encode_stages(stages))
            file.flush()
            self.write(STAGES_FILE, Path(file.name))

    @contextmanager
    def _answering(self, path: str = "") -> Iterator[None]:
        where = f"{self.where}/{path}" if path else self.where
        try:
            yield
        except FileNotFoundError as error:
            raise ModelNotFound(
                f"There is no {where}. Correct the address or the name.", path=where
            ) from error
        except OSError as error:
            reason = " ".join(str(error).split())
            if "NO_SUCH_BUCKET" in reason:
                raise ModelNotFound(
                    f"There is no bucket at {where}. Correct the address.", path=where
                ) from error
            raise ModelUnavailable(
                f"{where} does not answer as it should: {reason}. Check the address, the endpoint and the "
                "keys, or try again later.",
                path=where,
            ) from error


def open_remote(address: str, options: S3Options | None = None) -> Remote:
    """Return a place by its address. Nothing is asked yet.

    Args:
        address: ``s3://bucket/prefix`` or the path of a folder.
        options: For S3.

    Raises:
        SettingsError: The address names no bucket, or the options contradict each other.
    """
    from pyarrow.fs import LocalFileSystem, S3FileSystem  # noqa: PLC0415 - a quarter of a second

    if not address.startswith(S3_SCHEME):
        folder = Path(address).expanduser().absolute()
        return Remote(LocalFileSystem(), folder.as_posix(), str(folder), folder)
    base = address.removeprefix(S3_SCHEME).strip("/")
    if not base:
        raise SettingsError(f"{address} names no bucket. Write s3://bucket or s3://bucket/prefix.")
    options = options or S3Options()
    try:
        filesystem = S3FileSystem(
            anonymous=options.is_anonymous,
            region=options.region or ("us-east-1" if options.endpoint else None),
            endpoint_override=options.endpoint or None,
            connect_timeout=options.timeout_seconds,
            request_timeout=options.timeout_seconds,
            # Written before the call returns, so that an error is told and not lost; small files at once.
            background_writes=False,
            allow_delayed_open=True,
        )
    except (OSError, ValueError) as error:
        raise SettingsError(f"S3 cannot be set up for {address}: {error}.") from error
    return Remote(filesystem, base, S3_SCHEME + base, None)
