"""Sorted rows as the files of a snapshot: of bounded size, and made for look-ups as well as for scans."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from batch.snapshot_files import file_sha256, sync
from batch.snapshot_manifest import SnapshotFile, partition_folder
from batch.snapshot_schema import described
from batch.snapshot_table import FEATURE_TYPES, FeatureColumn
from schemas.prediction import ModelId
from schemas.snapshot_columns import ERROR_COLUMNS, SCORE_COLUMNS, ColumnType

GROUP_ROWS: Final = 131_072
GROUPS_A_FILE: Final = 64
SORTED_BY: Final = ("page_id", "rev_id", "model_version")

_PAGE_ROWS: Final = 8_192
_DELTA: Final = (ColumnType.LONG, ColumnType.INT, ColumnType.TIMESTAMP)
# One revision in a hundred groups that lack it is looked for in vain, at 10 bits a row.
_FALSE_POSITIVES: Final = 0.01


class PartitionWriter:
    """Writes the rows of one model on one wiki.

    Equal rows give equal bytes: groups and files are cut after fixed numbers of rows.

    Args:
        root: Of the snapshot.
        wiki_id: Of the rows.
        model_name: Of the rows.
        is_errors: Whether they are what could not be scored.
        features: What columns of features they have.
        metadata: What each file says of its origin.
        group_rows: Rows of a row group.
        groups_a_file: How many a file has at most.
        ending: Of the files' names until whoever asked renames them.

    Attributes:
        counts: Wiki, model and error code, empty for scores, to the rows that were written.
    """

    def __init__(
        self,
        root: Path,
        wiki_id: str,
        model_name: str,
        *,
        is_errors: bool,
        features: Sequence[FeatureColumn] = (),
        metadata: Mapping[bytes, bytes] = {},
        group_rows: int = GROUP_ROWS,
        groups_a_file: int = GROUPS_A_FILE,
        ending: str = "",
    ) -> None:
        self._root = root
        self._partition = (wiki_id, model_name)
        self._is_errors = is_errors
        self._folder = partition_folder(wiki_id, model_name, is_errors=is_errors)
        self._columns = ERROR_COLUMNS if is_errors else SCORE_COLUMNS
        fields = [pa.field(one.name, FEATURE_TYPES[one.type]) for one in features]
        self.schema = pa.schema([*described(self._columns), *fields], dict(metadata))
        self._group_rows = group_rows
        self._groups_a_file = groups_a_file
        self._ending = ending
        self.counts: Counter[tuple[str, ModelId, str]] = Counter()

    def write(self, batches: Iterable[Any]) -> Iterator[SnapshotFile]:
        """Write record batches of any sizes, sorted; yield each file when it is whole.

        Raises:
            OSError: The disk refuses.
        """
        groups = self._groups(batches)
        group = next(groups, None)
        for number in count():
            if group is None:
                return
            path = f"{self._folder}/part-{number:04d}.parquet"
            target = self._root / (path + self._ending)
            target.parent.mkdir(parents=True, exist_ok=True)
            rows = 0
            with pq.ParquetWriter(target, self.schema, **self._options()) as writer:
                for _ in range(self._groups_a_file):
                    writer.write_table(group, row_group_size=self._group_rows)
                    rows += group.num_rows
                    self._count(group)
                    group = next(groups, None)
                    if group is None:
                        break
            sync(target)
            yield SnapshotFile(
                path, *self._partition, self._is_errors, rows, target.stat().st_size, file_sha256(target)
            )

    def _count(self, group: Any) -> None:
        wiki_id, model_name = self._partition
        columns = ["model_version", "model_sha512", *(["error_code"] if self._is_errors else [])]
        for row in group.group_by(columns).aggregate([([], "count_all")]).to_pylist():
            model = ModelId(model_name, row["model_version"], row["model_sha512"])
            self.counts[wiki_id, model, row.get("error_code", "")] += row["count_all"]

    def _groups(self, batches: Iterable[Any]) -> Iterator[Any]:
        held: list[Any] = []
        rows = 0
        for batch in batches:
            held.append(self._fitted(batch))
            rows += batch.num_rows
            if rows >= self._group_rows:
                table = pa.concat_tables(held)
                while rows >= self._group_rows:
                    yield table.slice(0, self._group_rows)
                    table, rows = table.slice(self._group_rows), rows - self._group_rows
                held = [table]
        if rows:
            yield pa.concat_tables(held)

    def _fitted(self, batch: Any) -> Any:
        arrays = [batch.column(field.name).cast(field.type) for field in self.schema]
        return pa.Table.from_arrays(arrays, schema=self.schema)

    def _options(self) -> dict[str, Any]:
        delta = [column.name for column in self._columns if column.type in _DELTA]
        delta += [field.name for field in self.schema if field.type == pa.int64() and field.name not in delta]
        told = [column.name for column in self._columns if column.type is ColumnType.STRING]
        told += [field.name for field in self.schema if field.type == pa.string() and field.name not in told]
        if not self._is_errors:
            told += ["prediction.list.element", "features_missing.list.element", "probability.key_value.key"]
        names = self.schema.names
        return {
            "compression": "zstd",
            "use_dictionary": told,
            # Fractions stay plain: split by bytes they take 3 % less, and Spark 4.1 cannot read that.
            "column_encoding": dict.fromkeys(delta, "DELTA_BINARY_PACKED"),
            "write_page_index": True,
            "max_rows_per_page": _PAGE_ROWS,
            "sorting_columns": [pq.SortingColumn(names.index(name)) for name in SORTED_BY],
            "bloom_filter_options": {"rev_id": {"ndv": self._group_rows, "fpp": _FALSE_POSITIVES}},
        }
