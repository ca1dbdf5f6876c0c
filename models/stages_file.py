"""``models.yaml``: the stages of the artefacts in the same folder, read strictly and replaced as a whole."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from models.stages import FORMAT_VERSION, Stages
from schemas.errors import SettingsError, StoreLocked

STAGES_FILE: Final = "models.yaml"
LIMIT_BYTES: Final = 4 << 20
_LOCK: Final = ".models.yaml.lock"
_WAIT_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.02
_HEAD: Final = (
    "# The stage of each version, where each model answers, and other names for models.\n"
    "# Written by `revstream models promote`, `rollback`, `pull`: comments are not kept.\n"
)


def read_stages(folder: Path) -> Stages | None:
    """Return what the file of a folder says; None where there is no file.

    Raises:
        SettingsError: It cannot be read, or says something that is not understood.
    """
    path = folder / STAGES_FILE
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _refused(path, f"cannot be read ({error.strerror})") from error
    return decode_stages(data, path)


def change_stages(
    folder: Path, change: Callable[[Stages | None], Stages], *, wait_seconds: float = _WAIT_SECONDS
) -> Stages:
    """Replace the file of a folder by what a function makes of it, while no other process does so.

    A reader sees the file as it was or as it is, never a part; after a crash as well.

    Args:
        folder: Exists.
        change: From what the file says, None where there is no file, to what it is to say.
        wait_seconds: For another process that changes it.

    Returns:
        What the file says now.

    Raises:
        SettingsError: The file cannot be understood, or the function refuses.
        StoreLocked: Another process holds it all that time.
        OSError: The folder takes no file.
    """
    with _locked(folder, wait_seconds):
        before = read_stages(folder)
        after = change(before)
        if after != before:
            _replace(folder / STAGES_FILE, encode_stages(after))
    return after


def decode_stages(data: bytes, source: object) -> Stages:
    """Return what the text of a file says.

    Args:
        data: UTF-8.
        source: Path or address, for errors.

    Raises:
        SettingsError: It is too long, no YAML, or says something that is not understood.
    """
    if len(data) > LIMIT_BYTES:
        raise _refused(source, f"is longer than {LIMIT_BYTES >> 20} MiB")
    try:
        document = yaml.load(data, _Loader)  # noqa: S506 - makes text, lists and mappings only
        if isinstance(document, dict) and document.get("format_version", "1") != str(FORMAT_VERSION):
            raise _refused(
                source,
                f"is of format {document['format_version']!r}, and this revstream reads {FORMAT_VERSION}",
            )
        # Not strict: every scalar is text, so that version 1.10 stays that and is not the number 1.1.
        return msgspec.convert(document or {}, Stages, strict=False)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise _refused(source, f"is no YAML: {' '.join(str(error).split())}") from error
    except msgspec.ValidationError as error:
        raise _refused(source, f"is not understood: {error}") from error


def encode_stages(stages: Stages) -> bytes:
    """Return the text of a file; the same stages give the same text."""
    document = msgspec.to_builtins(stages)
    # Other letters than ASCII are written as escapes: PyYAML does not read all of them back.
    text = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=False, width=110)
    return (_HEAD + text).encode()


class _Loader(yaml.BaseLoader):
    """Makes text, lists and mappings, and refuses what hides something from a reader of the file."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem=f"references are not taken here, line {self.line + 1}")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) < len(node.value):
            raise yaml.MarkedYAMLError(problem="a key is there twice", problem_mark=node.start_mark)
        return mapping


class _Dumper(yaml.SafeDumper):
    """Writes what `_Loader` reads: the same list twice is written twice."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def _refused(source: object, reason: str) -> SettingsError:
    return SettingsError(f"{source} {reason}. Correct it; README.md describes models.yaml.", path=str(source))


@contextmanager
def _locked(folder: Path, wait_seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + wait_seconds
    with (folder / _LOCK).open("wb") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise StoreLocked(
                        f"Another process has been changing {folder / STAGES_FILE} for {wait_seconds:g} s. "
                        "Wait for that command to end, or stop it.",
                        path=str(folder),
                    ) from None
                time.sleep(_POLL_SECONDS)
            else:
                break
        # The lock goes with the descriptor.
        yield


def _replace(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder outlast a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
