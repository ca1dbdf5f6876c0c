"""Models on disk: a folder with a manifest, arrays and word lists, held together by sha512.

::

    <name>/<version>/
        manifest.json       everything but the numbers; sha512 of each other file, and of the whole
        arrays.npz          the numbers, read without pickle
        word_lists/*.txt    the words that features read, one per line, UTF-8, sorted
        model.*             the numbers in a library's own format, for kinds that have one: ``model.onnx``

The sha512 of the whole is that of the manifest without the field itself, as compact JSON with sorted keys;
since the manifest holds the hashes of the files, it covers them too. Saving the same model again gives the
same bytes.
"""

import hashlib
import io
import re
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.manifest import FORMAT_VERSION, Manifest, PackageFile
from schemas.errors import ModelCorrupt, ModelFileMissing, ModelIncompatible, ResourceMissing

__all__ = [
    "ARRAYS",
    "MANIFEST",
    "Arrays",
    "Artefact",
    "Manifest",
    "find_package_file",
    "is_name",
    "open_artefact",
    "read_manifest",
    "save_artefact",
]

Arrays = dict[str, NDArray[Any]]

MANIFEST = "manifest.json"
ARRAYS = "arrays.npz"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE = 0o100644 << 16


class Artefact(Struct, frozen=True):
    """A verified artefact, its files in memory as they were hashed."""

    manifest: Manifest
    contents: Mapping[str, bytes]

    def arrays(self) -> Arrays:
        """Read the arrays, without pickle.

        Raises:
            ModelFileMissing: The artefact has none.
            ModelCorrupt: They cannot be read, or hold objects.
        """
        if ARRAYS not in self.contents:
            raise ModelFileMissing(
                f"artefact {self.manifest.name!r} lists no {ARRAYS}, which its scorer reads; train it anew",
                path=ARRAYS,
            )
        try:
            with np.load(io.BytesIO(self.contents[ARRAYS]), allow_pickle=False) as loaded:
                return dict(loaded)
        except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise ModelCorrupt(
                f"{ARRAYS} of artefact {self.manifest.name!r} cannot be read ({error}), although its sha512 "
                "is right: it was written broken; train it anew",
                path=ARRAYS,
            ) from error

    def file(self, path: str) -> bytes:
        """Return a file of the artefact as it was hashed.

        Raises:
            ModelFileMissing: The manifest lists no such file.
        """
        if path not in self.contents:
            raise ModelFileMissing(
                f"artefact {self.manifest.name!r} lists no {path!r}, which its scorer reads; save it anew "
                "with that file",
                path=path,
            )
        return self.contents[path]

    def words(self, collection: str) -> frozenset[str]:
        """Return the words of a collection, ``english.stopwords``.

        Raises:
            ModelIncompatible: The artefact carries no such list.
        """
        word_list = self.manifest.word_lists.get(collection)
        if word_list is None or word_list.file not in self.contents:
            raise ModelIncompatible(
                f"artefact {self.manifest.name!r} has features that read the words of {collection}, but "
                "carries no such list; train it anew with the word lists named",
                path=self.manifest.name,
            )
        return frozenset(self.contents[word_list.file].decode().splitlines())


def save_artefact(
    folder: Path,
    manifest: Manifest,
    arrays: Arrays,
    word_lists: Mapping[str, frozenset[str]],
    files: Mapping[str, bytes] | None = None,
) -> Manifest:
    """Write an artefact, replacing the folder. The same model gives the same bytes.

    Args:
        folder: ``<models>/<name>/<version>``.
        manifest: Complete but for ``files`` and ``sha512``.
        arrays: The numbers, by name; empty for a model without.
        word_lists: Words by path, ``word_lists/english.stopwords.txt``.
        files: Further files by path, ``model.onnx``, kept byte for byte.

    Returns:
        The manifest with hashes.
    """
    contents = {**(files or {}), **{path: _word_bytes(words) for path, words in word_lists.items()}}
    if arrays:
        contents[ARRAYS] = _npz_bytes(arrays)
    hashes = {path: hashlib.sha512(data).hexdigest() for path, data in sorted(contents.items())}
    manifest = msgspec.structs.replace(manifest, files=hashes, sha512="")
    document = msgspec.to_builtins(manifest)
    manifest = msgspec.structs.replace(manifest, sha512=_whole_sha512(document))
    document["sha512"] = manifest.sha512
    text = msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=1)
    contents[MANIFEST] = text + b"\n"
    # The leading dot keeps a store from seeing a folder that is half written.
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for path, data in contents.items():
        target = partial / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return manifest


def open_artefact(folder: Path) -> Artefact:
    """Read an artefact and check every hash before any of it is used.

    Raises:
        ModelFileMissing: The manifest, or a file that it lists, is not there.
        ModelCorrupt: A file differs from its sha512, or the manifest cannot be read.
        ModelIncompatible: The manifest is of a later format.
        ResourceMissing: A package that carries a file of the model is not installed.
    """
    manifest = read_manifest(folder)
    contents = {}
    for path, sha512 in manifest.files.items():
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise ModelCorrupt(
                f"the manifest in {folder} lists {path!r}, which lies outside the artefact; refuse its "
                "source",
                path=path,
            )
        data = _read(folder / path)
        _check_sha512(folder / path, data, sha512)
        contents[path] = data
    for package_file in manifest.package_files:
        path_found = find_package_file(package_file)
        _check_sha512(path_found, path_found.read_bytes(), package_file.sha512)
    return Artefact(manifest, contents)


def read_manifest(folder: Path) -> Manifest:
    """Read a manifest and check the sha512 of the whole, without looking at the other files.

    Raises:
        ModelFileMissing: It is not there.
        ModelCorrupt: It differs from its sha512, or cannot be read.
        ModelIncompatible: It is of a later format.
    """
    path = folder / MANIFEST
    try:
        document = msgspec.json.decode(_read(path))
        version = document["format_version"]
        sha512 = document.pop("sha512")
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
        raise ModelCorrupt(
            f"{path} is no manifest ({type(error).__name__}: {error}); restore the artefact from its source",
            path=str(path),
        ) from error
    if version != FORMAT_VERSION:
        raise ModelIncompatible(
            f"{path} is of format {version}, but this revstream reads format {FORMAT_VERSION}; "
            "install the revstream that wrote it, or train the model anew",
            path=str(path),
        )
    if _whole_sha512({**document, "sha512": ""}) != sha512:
        raise ModelCorrupt(
            f"{path} differs from the sha512 that it states: it was changed after it was saved; restore the "
            "artefact from its source, or train it anew",
            path=str(path),
        )
    try:
        return msgspec.convert({**document, "sha512": sha512}, Manifest)
    except msgspec.ValidationError as error:
        raise ModelCorrupt(
            f"{path} does not describe a model: {error}; restore the artefact from its source", path=str(path)
        ) from error


def find_package_file(package_file: PackageFile) -> Path:
    """Return where an installed package keeps a file, without importing the package.

    Raises:
        ResourceMissing: The package or the file is not there.
    """
    from importlib.util import find_spec  # noqa: PLC0415 - only models with package files need it

    spec = find_spec(package_file.package)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(location) / package_file.path
        if path.is_file():
            return path
    raise ResourceMissing(
        f"the model reads {package_file.path} of the Python package {package_file.package}, which is not "
        f"installed; run: {package_file.cure}",
        path=f"{package_file.package}/{package_file.path}",
    )


def is_name(text: str) -> bool:
    """Tell whether a text may name an artefact or a version: letters, digits and ``_.+-``, no path."""
    return _NAME.fullmatch(text) is not None


def _whole_sha512(document: Mapping[str, Any]) -> str:
    return hashlib.sha512(msgspec.json.encode({**document, "sha512": ""}, order="sorted")).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise ModelFileMissing(
            f"{path} is missing: the artefact was copied in part; restore it from its source, or train it "
            "anew",
            path=str(path),
        ) from error
    except OSError as error:
        raise ModelFileMissing(
            f"{path} cannot be read ({error.strerror}); check its permissions and its disk", path=str(path)
        ) from error


def _check_sha512(path: Path, data: bytes, sha512: str) -> None:
    found = hashlib.sha512(data).hexdigest()
    if found != sha512:
        raise ModelCorrupt(
            f"{path} has sha512 {found[:16]}…, but its manifest states {sha512[:16]}…: it was changed or "
            "copied in part; restore the artefact from its source, or train it anew",
            path=str(path),
        )


def _word_bytes(words: frozenset[str]) -> bytes:
    return "".join(f"{word}\n" for word in sorted(words)).encode()


def _npz_bytes(arrays: Arrays) -> bytes:
    # np.savez stamps the time of day into the archive; entries of a fixed date keep the bytes stable.
    buffer = io.BytesIO()
    write_array: Any = np.lib.format.write_array
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            write_array(member, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", _ZIP_DATE)
            entry.external_attr = _REGULAR_FILE
            archive.writestr(entry, member.getvalue())
    return buffer.getvalue()
