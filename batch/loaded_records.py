"""A snapshot as the records that `revstream snapshot load` sends, made column by column."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, cast

from msgspec import Struct

from batch.snapshot import Snapshot
from batch.snapshot_manifest import SnapshotFile
from batch.snapshot_schema import TIME
from schemas.errors import SnapshotUnusable
from schemas.loaded import (
    FORMAT_VERSION,
    LoadedModel,
    LoadedOrigin,
    LoadedRow,
    LoadedRows,
    LoadedScore,
    encode_loaded,
)
from schemas.prediction import ModelId, ScoreKind

ROWS_PER_RECORD: Final = 256
# Labels and messages may be long; usual rows have a hundred bytes.
_TEXT_PER_RECORD: Final = 1 << 19

# page_id, rev_id, rev_us, namespace_id, is_bot, name and version of the model, score
_Found = tuple[int, int, int, int | None, bool | None, tuple[str, str], LoadedScore]


class LoadRecord(Struct, frozen=True):
    """Rows that go to one partition.

    Attributes:
        partition: From 0.
        rows: Revisions in it.
        record: Their bytes, see `schemas.loaded`.
    """

    partition: int
    rows: int
    record: bytes


def load_records(
    snapshot: Snapshot,
    home: Callable[[str, int], int],
    *,
    with_errors: bool = False,
    rows_per_record: int = ROWS_PER_RECORD,
) -> Iterator[LoadRecord]:
    """Yield a snapshot's rows, those of one revision brought together whatever the model.

    Memory holds a batch of each file that is open, and the records that are being filled.

    Args:
        snapshot: To read.
        home: Returns the partition of a wiki's page.
        with_errors: Whether failures are taken along.
        rows_per_record: Revisions in a record at most.

    Raises:
        SnapshotUnusable: A file is damaged, or holds what no row can.
    """
    for wiki_id in sorted({file.wiki_id for file in snapshot.manifest.files}):
        yield from _Wiki(snapshot, wiki_id, with_errors=with_errors).records(home, rows_per_record)


class _Wiki:
    """The rows of one wiki."""

    def __init__(self, snapshot: Snapshot, wiki_id: str, *, with_errors: bool) -> None:
        self._snapshot = snapshot
        self._wiki_id = wiki_id
        files = snapshot.files(wiki_id=wiki_id, is_errors=None if with_errors else False)
        self._files: defaultdict[tuple[str, bool], list[SnapshotFile]] = defaultdict(list)
        for file in files:
            self._files[file.model_name, file.is_errors].append(file)
        self._models: dict[LoadedModel, int] = {}

    def records(self, home: Callable[[str, int], int], rows_per_record: int) -> Iterator[LoadRecord]:
        waiting: defaultdict[int, list[LoadedRow]] = defaultdict(list)
        sizes: defaultdict[int, int] = defaultdict(int)
        for page_id, of_page in groupby(self._rows(), lambda row: row.page_id):
            partition = home(self._wiki_id, page_id)
            for row in of_page:
                waiting[partition].append(row)
                sizes[partition] += sum(len(one.failure[1]) for one in row.scores if one.failure is not None)
                if len(waiting[partition]) >= rows_per_record or sizes[partition] >= _TEXT_PER_RECORD:
                    yield self._record(partition, waiting.pop(partition))
                    sizes.pop(partition)
        for partition, rows in waiting.items():
            yield self._record(partition, rows)

    def _record(self, partition: int, rows: Sequence[LoadedRow]) -> LoadRecord:
        loaded = LoadedRows(
            FORMAT_VERSION, self._wiki_id, self._snapshot.manifest.name, tuple(self._models), tuple(rows)
        )
        return LoadRecord(partition, len(rows), encode_loaded(loaded))

    def _rows(self) -> Iterator[LoadedRow]:
        streams = [self._found(files) for files in self._files.values()]
        for (page_id, rev_id), found in groupby(merge(*streams, key=itemgetter(0, 1)), itemgetter(0, 1)):
            by_name = {one[5]: one for one in found}
            _, _, rev_us, namespace_id, is_bot, *_ = next(iter(by_name.values()))
            scores = tuple(by_name[name][6] for name in sorted(by_name))
            yield LoadedRow(page_id, rev_id, rev_us, namespace_id, is_bot, scores)

    def _found(self, files: Sequence[SnapshotFile]) -> Iterator[_Found]:
        for file in files:
            for batch in self._snapshot.batches(file):
                yield from self._of_batch(file, batch)

    def _of_batch(self, file: SnapshotFile, batch: Any) -> Iterator[_Found]:
        def column(name: str) -> list[Any]:
            return cast(list[Any], batch.column(name).to_pylist())

        scores = self._failures(file, batch) if file.is_errors else self._scores(file, batch)
        names = [(file.model_name, version) for version in column("model_version")]
        plain = map(column, ("page_id", "rev_id"))
        rest = map(column, ("namespace_id", "is_bot"))
        yield from zip(*plain, _microseconds(batch, "rev_dt"), *rest, names, scores, strict=True)

    def _scores(self, file: SnapshotFile, batch: Any) -> Iterator[LoadedScore]:
        probability, prediction = batch.column("probability"), batch.column("prediction")
        labels, values = probability.keys.to_pylist(), probability.items.to_pylist()
        chosen = prediction.values.to_pylist()
        ends, chosen_ends = probability.offsets.to_pylist(), prediction.offsets.to_pylist()
        known: dict[tuple[Any, ...], tuple[int, tuple[int, ...]]] = {}
        rows = zip(
            *(batch.column(name).to_pylist() for name in ("model_version", "model_sha512", "kind")),
            _microseconds(batch, "scored_dt"),
            _origins(batch),
            strict=True,
        )
        for at, (version, sha512, kind, scored_us, origin) in enumerate(rows):
            begin, end = ends[at], ends[at + 1]
            key = (
                version,
                sha512,
                kind,
                *labels[begin:end],
                None,
                *chosen[chosen_ends[at] : chosen_ends[at + 1]],
            )
            found = known.get(key)
            if found is None:
                model_id = ModelId(file.model_name, version, sha512)
                names = tuple(labels[begin:end])
                predicted = chosen[chosen_ends[at] : chosen_ends[at + 1]]
                found = known[key] = self._known(file, model_id, kind, names, predicted)
            yield LoadedScore(found[0], found[1], tuple(values[begin:end]), scored_us, None, origin)

    def _known(
        self, file: SnapshotFile, model_id: ModelId, kind: str, labels: tuple[str, ...], predicted: list[str]
    ) -> tuple[int, tuple[int, ...]]:
        if list(labels) != sorted(set(labels)) or not set(predicted) <= set(labels):
            raise SnapshotUnusable(
                f"{file.path} of snapshot {self._snapshot.manifest.name} has probabilities that are not "
                "sorted by label, or none of a label that is predicted. Make the snapshot anew.",
                path=file.path,
            )
        model = LoadedModel(model_id, ScoreKind(kind), labels)
        number = self._models.setdefault(model, len(self._models))
        return number, tuple(labels.index(label) for label in predicted)

    def _failures(self, file: SnapshotFile, batch: Any) -> Iterator[LoadedScore]:
        names = ("model_version", "model_sha512", "error_code", "error_message")
        rows = zip(
            *(batch.column(name).to_pylist() for name in names),
            _microseconds(batch, "scored_dt"),
            _origins(batch),
            strict=True,
        )
        for version, sha512, code, message, scored_us, origin in rows:
            model = LoadedModel(ModelId(file.model_name, version, sha512), ScoreKind.BINARY, ())
            number = self._models.setdefault(model, len(self._models))
            yield LoadedScore(number, (), (), scored_us, (code, message), origin)


def _microseconds(batch: Any, name: str) -> list[Any]:
    return cast(list[Any], batch.column(name).cast(TIME).cast("int64").to_pylist())


def _origins(batch: Any) -> list[LoadedOrigin | None]:
    ids = batch.column("event_id")
    if ids.null_count == batch.num_rows:
        return [None] * batch.num_rows
    names = ("event_id", "source_topic", "source_partition", "source_offset")
    rows = zip(
        *(batch.column(name).to_pylist() for name in names), _microseconds(batch, "event_dt"), strict=True
    )
    return [None if row[0] is None else LoadedOrigin(*row) for row in rows]
