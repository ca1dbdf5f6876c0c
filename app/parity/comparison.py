"""What several sides say of the same revisions, matched on disk and compared bit for bit."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Literal

from msgspec import Struct, field
from msgspec.msgpack import Decoder, Encoder

from schemas.errors import StoreFull
from schemas.prediction import FeatureValue, ModelId, Outcome, Score

EXAMPLES_MOST: Final = 10
_LAYOUT: Final = """
CREATE TABLE told (
  wiki_id TEXT, rev_id INTEGER, model_name TEXT, side TEXT, told BLOB,
  PRIMARY KEY (wiki_id, rev_id, model_name, side)
) WITHOUT ROWID
"""
_ALL: Final = "SELECT * FROM told ORDER BY wiki_id, rev_id, model_name"
_KEY_FIELDS: Final = 3
_CACHE_BYTES: Final = 64 << 20

Side = Literal["asked", "live", "again", "batch"]
"""What was to be scored; the rows of the live tables; the same scored live again, with features; the rows of
the backfill."""


class Told(Struct, frozen=True):
    """What one side says of one revision and one model; None where it has no word on it.

    Attributes:
        wiki_id: Database name.
        rev_id: Revision.
        model_name: As clients name it on the wiki.
        page_id: Page.
        rev_dt: When it was saved.
        namespace_id: Of the page.
        is_bot: Whether a bot saved it.
        model: Name, version and hash.
        outcome: The score, or the failure with code and message.
        features: By printed name.
    """

    wiki_id: str
    rev_id: int
    model_name: str
    page_id: int | None = None
    rev_dt: datetime | None = None
    namespace_id: int | None = None
    is_bot: bool | None = None
    model: ModelId | None = None
    outcome: Outcome | None = None
    features: dict[str, FeatureValue] | None = None


class Difference(Struct):
    """Where the sides differ in one respect.

    Attributes:
        count: Pairs of revision and model.
        examples: The first of them: wiki, revision, model and what each side says. Floats are told with all
            their bits as well.
    """

    count: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)


class Compared(Struct):
    """What came of a comparison.

    Attributes:
        asked: Pairs of revision and model that were to be scored.
        rows: Of these, pairs of which both sides have a row.
        scores: Of these, pairs that the live side has a score of; the others are failures.
        features: Feature values of which both sides were asked.
        differences: By kind: ``missing_live``, ``missing_batch``, ``not_asked`` (a row of what was not to be
            scored), ``told_twice``, ``again`` (scored live twice, with two outcomes), and the names of what
            differs: ``page_id``, ``rev_dt``, ``namespace_id``, ``is_bot``, ``model``, ``outcome`` and
            ``features``.
    """

    asked: int = 0
    rows: int = 0
    scores: int = 0
    features: int = 0
    differences: dict[str, Difference] = field(default_factory=dict)

    def differ(self, kind: str, one: Told, live: Any, batch: Any) -> None:
        """Note a difference."""
        difference = self.differences.setdefault(kind, Difference())
        difference.count += 1
        if len(difference.examples) < EXAMPLES_MOST:
            difference.examples.append(
                {
                    "wiki_id": one.wiki_id,
                    "rev_id": one.rev_id,
                    "model_name": one.model_name,
                    "live": _shown(live),
                    "batch": _shown(batch),
                }
            )


class Comparison:
    """Holds what the sides say in a file, and compares it. Memory does not grow with it.

    Args:
        path: Of the file, which is made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._encode = Encoder(order="sorted").encode
        self._decode = Decoder(Told).decode
        self._twice: list[Told] = []
        self._twice_count = 0
        self._database = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_BYTES >> 10}"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute(_LAYOUT)
        self._database.execute("BEGIN")

    def tell(self, side: Side, told: Iterable[Told]) -> int:
        """Take what a side says; return how much that was.

        Raises:
            StoreFull: The disk is full.
        """
        count = 0
        try:
            for one in told:
                count += 1
                row = (one.wiki_id, one.rev_id, one.model_name, side, self._encode(one))
                if not self._database.execute(
                    "INSERT OR IGNORE INTO told VALUES (?, ?, ?, ?, ?)", row
                ).rowcount:
                    self._twice_count += 1
                    self._twice = [*self._twice, one][:EXAMPLES_MOST]
        except sqlite3.OperationalError as error:
            if "full" not in str(error):
                raise
            raise StoreFull(
                f"the disk is full: what is to be compared does not fit into {self._path}; free some space, "
                "or name another folder in TMPDIR",
                path=str(self._path),
            ) from error
        return count

    def compare(self) -> Compared:
        """Compare what was told, every pair of revision and model."""
        compared = Compared()
        for sides in self._pairs():
            self._compare_pair(sides, compared)
        for one in self._twice:
            compared.differ("told_twice", one, one, one)
        if self._twice:
            compared.differences["told_twice"].count = self._twice_count
        return compared

    def close(self) -> None:
        """Release the file. Idempotent."""
        self._database.close()

    def _pairs(self) -> Iterator[dict[str, Told]]:
        for _, rows in groupby(self._database.execute(_ALL), key=lambda row: row[:_KEY_FIELDS]):
            yield {row[_KEY_FIELDS]: self._decode(row[-1]) for row in rows}

    def _compare_pair(self, sides: Mapping[str, Told], compared: Compared) -> None:
        live, batch, again = sides.get("live"), sides.get("batch"), sides.get("again")
        one = next(iter(sides.values()))
        if "asked" in sides:
            compared.asked += 1
        else:
            compared.differ("not_asked", one, live, batch)
        for side, told in (("live", live), ("batch", batch)):
            if told is None:
                compared.differ(f"missing_{side}", one, live, batch)
        if live is not None and again is not None:
            self._compare_field("again", "outcome", live, again, compared)
        if live is None or batch is None:
            return
        compared.rows += 1
        compared.scores += isinstance(live.outcome, Score)
        for name in ("page_id", "rev_dt", "namespace_id", "is_bot", "model", "outcome"):
            self._compare_field(name, name, live, batch, compared)
        if again is not None:
            self._compare_features(again, batch, compared)

    def _compare_field(self, kind: str, name: str, live: Told, batch: Told, compared: Compared) -> None:
        ours, theirs = getattr(live, name), getattr(batch, name)
        if self._encode(ours) != self._encode(theirs):
            compared.differ(kind, live, ours, theirs)

    def _compare_features(self, live: Told, batch: Told, compared: Compared) -> None:
        ours, theirs = live.features or {}, batch.features or {}
        compared.features += len(ours.keys() | theirs.keys())
        if self._encode(ours) == self._encode(theirs):
            return
        names = [
            name
            for name in sorted(ours.keys() | theirs.keys())
            if (name in ours) != (name in theirs)
            or self._encode(ours.get(name)) != self._encode(theirs.get(name))
        ]
        compared.differ(
            "features",
            live,
            {name: ours[name] for name in names if name in ours},
            {name: theirs[name] for name in names if name in theirs},
        )


def _shown(value: Any) -> Any:
    """Return plain JSON that tells a value and its type to the last bit."""
    if isinstance(value, float):
        return f"{value!r} ({value.hex()})"
    if isinstance(value, Struct):
        fields = {name: getattr(value, name) for name in value.__struct_fields__}
        return {name: _shown(held) for name, held in fields.items()}
    if isinstance(value, Mapping):
        return {name: _shown(held) for name, held in value.items()}
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
