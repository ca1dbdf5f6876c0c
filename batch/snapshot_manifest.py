"""What a snapshot says of itself: where it came from, what is in it, and its files."""

import urllib.parse
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from batch.snapshot_rows import OutcomeCount
from schemas.errors import SnapshotUnusable
from schemas.prediction import ModelId
from schemas.snapshot_columns import SCHEMA_VERSION

FORMAT_VERSION: Final = 1
# Readers of folders of Parquet pass over names that begin with an underscore or a dot.
MANIFEST: Final = "_manifest.json"
ERRORS: Final = "_errors"
PREFIX: Final = "snapshot="


class SnapshotInput(Struct, frozen=True):
    """A file that the rows were made from.

    Attributes:
        url: Address or path, as it was given.
        size_bytes: None where the source does not tell.
        checksum: Algorithm, colon, hexadecimal digits: ``sha256:9f86…``. None where nobody made it.
    """

    url: str
    size_bytes: int | None
    checksum: str | None


class SnapshotModel(Struct, frozen=True, order=True):
    """A model that spoke on a wiki."""

    wiki_id: str
    model: ModelId


class SnapshotOrigin(Struct, frozen=True):
    """Where a snapshot comes from.

    Attributes:
        source: ``backfill`` or ``export``.
        code_version: Of revstream.
        models: That were asked, sorted.
        inputs: Files that were read, in their order.
        plan: What was asked for, as plain JSON: filters, options, the application of an export.
    """

    source: str
    code_version: str
    models: tuple[SnapshotModel, ...]
    inputs: tuple[SnapshotInput, ...] = ()
    plan: dict[str, Any] = {}


class SnapshotFile(Struct, frozen=True):
    """One file of a snapshot.

    Attributes:
        path: Below the snapshot, with slashes.
        wiki_id: Of its rows.
        model_name: Of its rows.
        is_errors: Whether it holds what could not be scored.
        rows: How many, at least 1.
        size_bytes: Of the file.
        sha256: Of the file, 64 hexadecimal digits.
    """

    path: str
    wiki_id: str
    model_name: str
    is_errors: bool
    rows: int
    size_bytes: int
    sha256: str


class DoubledRows(Struct, frozen=True):
    """How many rows of one model on one wiki were left out, since another told of the same revision."""

    wiki_id: str
    model_name: str
    rows: int


class Manifest(Struct, frozen=True):
    """What is in a snapshot.

    Attributes:
        name: Of the snapshot.
        created_dt: When it was finished.
        origin: Where it comes from.
        counts: Rows by wiki, model and outcome, sorted.
        doubled: Rows that were left out, by wiki and model; only where there were any.
        files: Sorted by path.
        format_version: Of folders and manifest.
        schema_version: Of the columns.
    """

    name: str
    created_dt: datetime
    origin: SnapshotOrigin
    counts: tuple[OutcomeCount, ...]
    doubled: tuple[DoubledRows, ...]
    files: tuple[SnapshotFile, ...]
    format_version: int = FORMAT_VERSION
    schema_version: int = SCHEMA_VERSION

    @property
    def rows(self) -> int:
        """Scores and errors together."""
        return sum(one.rows for one in self.files)


def partition_folder(wiki_id: str, model_name: str, *, is_errors: bool) -> str:
    """Return where the files of one model on one wiki lie below a snapshot."""
    wiki, model = (urllib.parse.quote(name, safe="") for name in (wiki_id, model_name))
    folder = f"wiki_id={wiki}/model_name={model}"
    return f"{ERRORS}/{folder}" if is_errors else folder


def read_manifest(path: Path) -> Manifest:
    """Return the manifest of a snapshot.

    Raises:
        SnapshotUnusable: It cannot be read, or is of another format.
    """
    try:
        document = (path / MANIFEST).read_bytes()
        found = msgspec.json.decode(document, type=_Versions)
    except (OSError, msgspec.DecodeError) as error:
        raise SnapshotUnusable(
            f"The manifest of {path} cannot be read ({error}). Name the folder of one snapshot, "
            "FOLDER/snapshot=NAME, as revstream finished it.",
            path=str(path),
        ) from error
    if (found.format_version, found.schema_version) != (FORMAT_VERSION, SCHEMA_VERSION):
        raise SnapshotUnusable(
            f"The snapshot {path} has format {found.format_version} and schema {found.schema_version}, and "
            f"this version reads {FORMAT_VERSION} and {SCHEMA_VERSION}. Read it with the version that wrote "
            "it, or make it anew.",
            path=str(path),
        )
    try:
        manifest = msgspec.json.decode(document, type=Manifest)
        for file in manifest.files:
            _require_inside(file.path)
    except (msgspec.DecodeError, ValueError) as error:
        raise SnapshotUnusable(
            f"The manifest of {path} is damaged ({error}). Copy the snapshot again, or make it anew.",
            path=str(path),
        ) from error
    return manifest


def _require_inside(path: str) -> None:
    """Raise where the path of a file leads out of its snapshot: others may have written the manifest."""
    parts = path.split("/")
    if not all(parts) or not {".", ".."}.isdisjoint(parts):
        raise ValueError(f"{path!r} is no path below it")


class _Versions(Struct):
    format_version: int
    schema_version: int
