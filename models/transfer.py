"""Copying artefacts between places.

What arrives is checked against its sha512 in a hidden folder and then renamed, so that a store sees all of
it or nothing. What leaves for S3 ends with the manifest, without which nobody lists the rest.
"""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

from msgspec import Struct

from models.artefact import MANIFEST, is_name, open_artefact, read_manifest
from models.manifest import Manifest
from models.remote import Remote, open_remote
from models.stages_file import sync_folder
from schemas.errors import ModelCorrupt, ModelNotFound, ModelRefused, ResourceMissing

DEFAULT_LIMIT_BYTES: Final = 4 << 30
_MANIFEST_LIMIT_BYTES: Final = 64 << 20


class Copied(Struct, frozen=True):
    """What came or went.

    Attributes:
        name: Of the artefact.
        version: Of the artefact.
        sha512: Of the artefact.
        is_new: False where it was there already, the same.
    """

    name: str
    version: str
    sha512: str
    is_new: bool


def pull(
    remote: Remote, name: str, version: str, into: Path, *, limit_bytes: int = DEFAULT_LIMIT_BYTES
) -> Copied:
    """Copy an artefact into a folder, checked before it is seen there. Repeating it changes nothing.

    1. Fetch the manifest, and the files that it lists, into a hidden folder.
    2. Check them against each sha512.
    3. Rename the folder.

    Args:
        remote: Where it is.
        name: Of the artefact.
        version: Of the artefact.
        into: Folder of artefacts; made where it does not exist.
        limit_bytes: Of all files together.

    Raises:
        ModelNotFound: It is not there.
        ModelCorrupt: A file differs from its sha512, or the folder has that version with other contents.
        ModelRefused: It is larger than the limit.
        ModelUnavailable: The place does not answer.
    """
    folder = into / name / version
    if not (is_name(name) and is_name(version)):
        raise ModelNotFound(f"{name}@{version} cannot be the name of an artefact.", model_name=name)
    into.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".pull.", dir=into))
    try:
        data = remote.read(f"{name}/{version}/{MANIFEST}", _MANIFEST_LIMIT_BYTES)  # 1
        (partial / MANIFEST).write_bytes(data)
        manifest = read_manifest(partial)
        _require_named(manifest, name, version, remote.where)
        if folder.exists():
            return _present(folder, manifest)
        left_bytes = limit_bytes - len(data)
        for path in manifest.files:
            left_bytes -= _fetch(remote, f"{name}/{version}", path, partial, left_bytes)
        # A package that this machine lacks is told when the model is used.
        with suppress(ResourceMissing):
            open_artefact(partial)  # 2
        folder.parent.mkdir(exist_ok=True)
        _install(partial, folder)  # 3
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Copied(name, version, manifest.sha512, is_new=True)


def push(folder: Path, remote: Remote) -> Copied:
    """Copy an artefact to another place, checked before it leaves. Repeating it changes nothing.

    Args:
        folder: ``<name>/<version>`` of the artefact.
        remote: Where it goes.

    Raises:
        ModelError: The artefact is damaged, or the place has that version with other contents.
        ModelUnavailable: The place does not answer, or refuses.
    """
    name, version = folder.parent.name, folder.name
    if remote.folder is not None:
        here = open_remote(str(folder.parent.parent))
        return pull(here, name, version, remote.folder)
    with suppress(ResourceMissing):
        open_artefact(folder)
    manifest = read_manifest(folder)
    _require_named(manifest, name, version, str(folder))
    with suppress(ModelNotFound):
        theirs = remote.read(f"{name}/{version}/{MANIFEST}", _MANIFEST_LIMIT_BYTES)
        if theirs != (folder / MANIFEST).read_bytes():
            raise _differs(f"{remote.where}/{name}/{version}")
        return Copied(name, version, manifest.sha512, is_new=False)
    for path in (*manifest.files, MANIFEST):
        remote.write(f"{name}/{version}/{path}", folder / path)
    return Copied(name, version, manifest.sha512, is_new=True)


def _fetch(remote: Remote, artefact: str, path: str, partial: Path, limit_bytes: int) -> int:
    """Write one file of an artefact into a folder, on the disk for good; return its size."""
    parts = PurePosixPath(path).parts
    if not parts or PurePosixPath(path).is_absolute() or ".." in parts or path == MANIFEST:
        raise ModelRefused(
            f"The manifest of {artefact} at {remote.where} lists {path!r}, which lies outside the artefact. "
            "Do not trust its source.",
            path=path,
        )
    target = partial / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        for piece in remote.pieces(f"{artefact}/{path}", limit_bytes):
            file.write(piece)
        size_bytes = file.tell()
        file.flush()
        os.fsync(file.fileno())
    return size_bytes


def _install(partial: Path, folder: Path) -> None:
    # Made for the owner alone; what is installed is for whoever may read the folder above.
    partial.chmod(folder.parent.stat().st_mode)
    try:
        partial.rename(folder)
    except OSError:
        # Another process was quicker, with the same artefact or another.
        if not folder.exists():
            raise
        _present(folder, read_manifest(partial))
    sync_folder(folder.parent)


def _present(folder: Path, manifest: Manifest) -> Copied:
    """Return what to say of an artefact that is there already."""
    if read_manifest(folder).sha512 != manifest.sha512:
        raise _differs(str(folder))
    return Copied(manifest.name, manifest.model_version, manifest.sha512, is_new=False)


def _differs(where: str) -> ModelCorrupt:
    return ModelCorrupt(
        f"{where} exists with other contents, and a version never changes. Give the new artefact another "
        "version, or remove the old one if it is not in use.",
        path=where,
    )


def _require_named(manifest: Manifest, name: str, version: str, where: str) -> None:
    if (manifest.name, manifest.model_version) != (name, version):
        raise ModelCorrupt(
            f"{where} holds {manifest.name}@{manifest.model_version} under the name of {name}@{version}. "
            "Do not trust its source.",
            model_name=name,
        )
