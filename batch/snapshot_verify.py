"""Whether a snapshot is what its manifest says, and what every reader may rely on."""

# ruff: noqa: S608 - what is put into statements are names of our columns.
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from batch.snapshot_database import open_database
from batch.snapshot_files import file_sha256
from batch.snapshot_manifest import (
    MANIFEST,
    PREFIX,
    Manifest,
    SnapshotFile,
    partition_folder,
    read_manifest,
)
from batch.snapshot_rows import OutcomeCount
from batch.snapshot_schema import arrow_schema
from batch.snapshot_table import FEATURE_TYPES, FeatureColumn
from batch.snapshot_writer import SORTED_BY
from schemas.errors import SnapshotUnusable
from schemas.prediction import ModelId, ScoreKind
from schemas.snapshot_columns import ERROR_COLUMNS, FEATURE_PREFIX, SCORE_COLUMNS

MEMORY_BYTES: Final = 512 << 20
_BATCH_ROWS: Final = 1 << 16
_TOLD: Final = 3

_SOUND_SCORE: Final = f"""
    kind IN ({", ".join(f"'{kind}'" for kind in ScoreKind)})
    AND (kind = 'multilabel' OR len(prediction) = 1)
    AND cardinality(probability) > 0
    AND list_bool_and(list_transform(map_values(probability), lambda one: one BETWEEN 0 AND 1))
    AND list_has_all(map_keys(probability), prediction)
"""
_SOUND_ERROR: Final = "error_code <> ''"
_SOUND_ROW: Final = "page_id >= 0 AND rev_id > 0 AND regexp_full_match(model_sha512, '[0-9a-f]{128}')"


class Finding(Struct, frozen=True):
    """Something that is not as it should be.

    Attributes:
        code: ``manifest_unusable``, ``name_differs``, ``file_missing``, ``file_unknown``,
            ``checksum_differs``, ``file_unreadable``, ``partition_differs``, ``schema_differs``,
            ``metadata_differs``, ``rows_differ``, ``unsorted``, ``value_invalid``, ``key_doubled``,
            ``counts_differ``.
        path: Of the file or folder, below the snapshot; empty for the whole.
        message: What was found and what was expected.
    """

    code: str
    path: str
    message: str


def verify_snapshot(
    path: Path, *, memory_bytes: int = MEMORY_BYTES, scratch: Path | None = None
) -> list[Finding]:
    """Read all of a snapshot, and say what is wrong with it.

    1. The manifest can be read, and is of this folder.
    2. Its files are there, and no others.
    3. Each file has its checksum, its place, the schema, and the rows that it should, sorted.
    4. Values are of their ranges, each revision is told once for each version of a model, and the counts fit.

    Args:
        path: ``FOLDER/snapshot=NAME``.
        memory_bytes: What looking for doubled keys may take.
        scratch: Folder for what does not fit; the system's for temporary files where not said.

    Returns:
        What was found, in the order above; empty where all is well.
    """
    try:
        manifest = read_manifest(path)  # 1
    except SnapshotUnusable as error:
        return [Finding("manifest_unusable", MANIFEST, error.message)]
    findings = []
    if path.resolve().name != PREFIX + manifest.name:
        findings.append(
            Finding(
                "name_differs",
                "",
                f"the folder is {path.resolve().name}, and the manifest is of {manifest.name}",
            )
        )
    findings += _files_there(path, manifest)  # 2
    sound = []
    for file in manifest.files:  # 3
        found = list(_checked(path, manifest, file)) if (path / file.path).is_file() else []
        findings += found
        if (path / file.path).is_file() and not found:
            sound.append(file)
    findings += _checked_order(path, sound)
    if len(sound) == len(manifest.files):  # 4
        with (
            tempfile.TemporaryDirectory(dir=scratch) as folder,
            open_database(Path(folder), memory_bytes=memory_bytes) as database,
        ):
            findings += _checked_values(database, path, manifest)
    return findings


def _files_there(path: Path, manifest: Manifest) -> Iterator[Finding]:
    wanted = {file.path for file in manifest.files}
    there = {one.relative_to(path).as_posix() for one in path.rglob("*") if not one.is_dir()} - {MANIFEST}
    for name in sorted(wanted - there):
        yield Finding("file_missing", name, "the manifest names it, and it is not there")
    for name in sorted(there - wanted):
        yield Finding("file_unknown", name, "the manifest does not name it")


def _checked(path: Path, manifest: Manifest, file: SnapshotFile) -> Iterator[Finding]:
    target = path / file.path
    found = file_sha256(target)
    if found != file.sha256:
        yield Finding(
            "checksum_differs", file.path, f"sha256 is {found}, and the manifest says {file.sha256}"
        )
        return
    folder = partition_folder(file.wiki_id, file.model_name, is_errors=file.is_errors)
    if file.path.rpartition("/")[0] != folder:
        yield Finding("partition_differs", file.path, f"its rows belong into {folder}")
    try:
        with pq.ParquetFile(target) as opened:
            schema, rows = opened.schema_arrow, opened.metadata.num_rows
        metadata = schema.metadata or {}
        features = msgspec.json.decode(
            metadata.get(b"revstream.features", b"[]"), type=tuple[FeatureColumn, ...]
        )
    except (OSError, pa.ArrowException, msgspec.DecodeError) as error:
        yield Finding("file_unreadable", file.path, str(error))
        return
    columns = arrow_schema(ERROR_COLUMNS if file.is_errors else SCORE_COLUMNS)
    expected = pa.schema([*columns, *(pa.field(one.name, FEATURE_TYPES[one.type]) for one in features)])
    if not schema.equals(expected) or not all(one.name.startswith(FEATURE_PREFIX) for one in features):
        yield Finding("schema_differs", file.path, _difference(expected, schema))
    told = {"snapshot": manifest.name, "wiki_id": file.wiki_id, "model_name": file.model_name}
    for name, value in told.items():
        said = metadata.get(f"revstream.{name}".encode(), b"").decode(errors="replace")
        if said != value:
            yield Finding(
                "metadata_differs", file.path, f"it says {name} {said!r}, and the manifest {value!r}"
            )
    if rows != file.rows:
        yield Finding("rows_differ", file.path, f"it has {rows} rows, and the manifest says {file.rows}")


def _difference(expected: Any, found: Any) -> str:
    wanted, there = set(expected), set(found)
    lacks = ", ".join(sorted(str(field) for field in wanted - there)) or "nothing"
    more = ", ".join(sorted(str(field) for field in there - wanted)) or "nothing"
    return f"of the published columns it lacks {lacks}; instead it has {more}"


def _checked_order(path: Path, files: Sequence[SnapshotFile]) -> Iterator[Finding]:
    last: dict[str, tuple[int, int, str]] = {}
    for file in files:
        folder = file.path.rpartition("/")[0]
        with pq.ParquetFile(path / file.path) as opened:
            for batch in opened.iter_batches(_BATCH_ROWS, columns=list(SORTED_BY), use_threads=False):
                first, is_sorted = _order(batch)
                if not is_sorted or (folder in last and last[folder] >= first):
                    yield Finding("unsorted", file.path, f"its rows are not sorted by {', '.join(SORTED_BY)}")
                    break
                last[folder] = _key(batch, batch.num_rows - 1)


def _key(batch: Any, index: int) -> tuple[int, int, str]:
    page_id, rev_id, version = (batch.column(name)[index].as_py() for name in SORTED_BY)
    return page_id, rev_id, version


def _order(batch: Any) -> tuple[tuple[int, int, str], bool]:
    """Return the first key of a batch, and whether its keys rise."""
    pages, revisions = (batch.column(name).to_numpy() for name in SORTED_BY[:2])
    page_steps, revision_steps = np.diff(pages), np.diff(revisions)
    rises = (page_steps > 0) | ((page_steps == 0) & (revision_steps > 0))
    same = np.flatnonzero((page_steps == 0) & (revision_steps == 0))
    versions = batch.column(SORTED_BY[2])
    by_version = all(versions[index].as_py() < versions[index + 1].as_py() for index in same.tolist())
    return _key(batch, 0), by_version and int(np.count_nonzero(~rises)) == len(same)


def _checked_values(database: Any, path: Path, manifest: Manifest) -> Iterator[Finding]:
    counts: Counter[tuple[str, ModelId, str]] = Counter()
    for (wiki_id, model_name), files in _by_partition(manifest).items():
        place = f"wiki_id={wiki_id}/model_name={model_name}"
        scores, errors = (
            [str(path / one.path) for one in files if one.is_errors is kind] for kind in (False, True)
        )
        for paths, is_sound, code in ((scores, _SOUND_SCORE, "''"), (errors, _SOUND_ERROR, "error_code")):
            if not paths:
                continue
            source = "read_parquet(?, hive_partitioning = false)"
            bad = database.execute(
                f"SELECT rev_id FROM {source} WHERE NOT coalesce({_SOUND_ROW} AND {is_sound}, false) LIMIT ?",
                [paths, _TOLD],
            ).fetchall()
            if bad:
                yield Finding(
                    "value_invalid", place, f"rows of {_listed(bad)} have values out of their ranges"
                )
            found = database.execute(
                f"SELECT model_version, model_sha512, {code}, count(*) FROM {source} GROUP BY ALL", [paths]
            ).fetchall()
            for version, sha512, error_code, rows in found:
                counts[wiki_id, ModelId(model_name, version, sha512), error_code] += rows
        doubled = database.execute(
            """
            SELECT rev_id FROM read_parquet(?, hive_partitioning = false, union_by_name = true)
            GROUP BY rev_id, model_version HAVING count(*) > 1 ORDER BY rev_id LIMIT ?
            """,
            [scores + errors, _TOLD],
        ).fetchall()
        if doubled:
            yield Finding("key_doubled", place, f"{_listed(doubled)} are told more than once for one version")
    told = tuple(sorted(OutcomeCount(*key, rows=rows) for key, rows in counts.items()))
    if told != tuple(sorted(manifest.counts)):
        yield Finding("counts_differ", "", "rows by wiki, model and outcome are not what the manifest says")


def _by_partition(manifest: Manifest) -> Mapping[tuple[str, str], Sequence[SnapshotFile]]:
    found: dict[tuple[str, str], list[SnapshotFile]] = {}
    for file in manifest.files:
        found.setdefault((file.wiki_id, file.model_name), []).append(file)
    return found


def _listed(rows: Sequence[tuple[int]]) -> str:
    more = " and others" if len(rows) == _TOLD else ""
    return f"revisions {', '.join(str(rev_id) for (rev_id,) in rows)}{more}"
