"""The hot path: single look-ups that storage alone can answer, straight from the path to the bytes."""

from collections.abc import Callable, Mapping

from app.api import ores, ours
from app.api.answers import Resources, of_version
from app.api.conditional import Headers, cache_control, entity_tag, http_date, modified_seconds
from app.api.cors import ANY_ORIGIN
from app.api.documents import compact, ores_answers, ores_models, row_document
from app.api.memo import Memo
from app.api.numbers import parse_id
from app.api.ores_json import are_plain, ores_json
from app.metrics import Face, FaceCounters
from schemas.catalogue import ModelInfo
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE, row_key
from schemas.prediction import PredictionRow, ScoredModel
from tables.codec import decode_row
from tables.withdrawal import is_hidden

# Table, key and row, and the same of the row that could withdraw it.
_Rows = tuple[str, bytes, bytes, str, bytes, bytes | None]
# Face, rows, headers, body, models in it, tag (empty where the face has none) and Unix seconds. Nothing in it
# refers back to anything, so that the garbage collector leaves it alone: thousands of these would otherwise
# be walked again and again.
_Kept = tuple[str, _Rows, Headers, bytes, int, bytes, int]

# With ten models a body has about 8 kB, so the memo stays below 70 MB; with two it takes 10 MB.
_MEMO_ENTRIES = 4096
_MEMO_BODY_BYTES = 8192
# What was withdrawn is out of memory after twice this time, though nobody asks for it.
_MEMO_SECONDS = 10.0
_AGE_SECONDS = 0.5
_FORMAT_JSON = b"format=json"


class Lookups:
    """Answers ``/scores/{wiki}/{rev}``, ``/pages/{wiki}/{page}`` and ``/v3/scores/{wiki}/{rev}[/{model}]``.

    Whatever is not a plain hit is left to the full handlers, which answer hits in the same way: a query
    that asks for more, a missing or withdrawn row, an unknown wiki, a malformed number.

    The rows of the revision and of its page are read for every request. What they were rendered to is kept,
    and given again only while they have the same bytes, so that no answer outlives its row.

    Args:
        resources: What to ask.
        clock: Seconds.
        has_ores: Whether ORES's paths are answered here, which is in ORES's own way.
    """

    def __init__(self, resources: Resources, clock: Callable[[], float], *, has_ores: bool = True) -> None:
        self._get = resources.reader.row
        self._freshness = resources.reader.freshness
        self._wikis = {
            wiki_id: dict(sorted(models.items())) for wiki_id, models in resources.catalogue.wikis.items()
        }
        self._counters: Mapping[str, FaceCounters] = {
            face.value: counters for face, counters in resources.metrics.faces.items()
        }
        self._clock = clock
        self._has_ores = has_ores
        self._our_headers = _headers(
            {**ours.HEADERS, "cache-control": cache_control(resources.cache_seconds)}
        )
        self._ores_headers = _headers(ores.HEADERS)
        self._memo: Memo[tuple[str, bytes], _Kept] = Memo(_MEMO_ENTRIES, keep_seconds=_MEMO_SECONDS)
        self._age: Headers = ()
        self._age_at = float("-inf")

    def answer(self, path: str, query: bytes) -> tuple[FaceCounters, Headers, bytes, bytes, int] | None:
        """Return counters, headers, body, tag and time of a plain hit; None where it is not one.

        A tag that is empty says that the face answers no conditions.

        Raises:
            StoreFormatUnsupported: The row was written by a later version than this one.
        """
        kept = self._memo.get((path, query))
        if kept is None or not self._is_current(kept[1]):
            kept = self._rendered(path, query)
            if kept is None:
                # It may have been withdrawn.
                self._memo.forget((path, query))
                return None
            if len(kept[3]) <= _MEMO_BODY_BYTES:
                self._memo.put((path, query), kept)
        face, _, headers, body, models, tag, modified = kept
        counters = self._counters[face]
        counters.answered_stored(models)
        return counters, headers + self._age_now(), body, tag, modified

    def _is_current(self, rows: _Rows) -> bool:
        return self._get(rows[0], rows[1]) == rows[2] and self._get(rows[3], rows[4]) == rows[5]

    def _shown(self, table: str, wiki_id: str, number: int) -> tuple[PredictionRow, _Rows] | None:
        """Return a row with scores that nothing withdraws, and all rows that say so; None for any other."""
        key = row_key(wiki_id, number)
        data = self._get(table, key)
        if data is None:
            return None
        row = decode_row(data)
        is_revision = table == REVISIONS_TABLE
        other_table = PAGES_TABLE if is_revision else REVISIONS_TABLE
        other_key = row_key(wiki_id, row.page_id if is_revision else row.rev_id)
        other_data = self._get(other_table, other_key)
        other = None if other_data is None else decode_row(other_data)
        if not row.scores or is_hidden(row) or (other is not None and is_hidden(other)):
            return None
        return row, (table, key, data, other_table, other_key, other_data)

    def _rendered(self, path: str, query: bytes) -> _Kept | None:
        parts = path.split("/")
        if not parts[-1]:
            parts.pop()
        match parts:
            case ["", "v3", "scores", wiki_id, text] if self._has_ores:
                return self._of_ores(wiki_id, text, None, query)
            case ["", "v3", "scores", wiki_id, text, model_name] if self._has_ores:
                return self._of_ores(wiki_id, text, model_name, query)
            case ["", "scores", wiki_id, text]:
                return self._of_ours(Face.SCORES.value, REVISIONS_TABLE, wiki_id, text, query)
            case ["", "pages", wiki_id, text]:
                return self._of_ours(Face.PAGES.value, PAGES_TABLE, wiki_id, text, query)
        return None

    def _of_ours(self, face: str, table: str, wiki_id: str, text: str, query: bytes) -> _Kept | None:
        models = self._wikis.get(wiki_id)
        number = parse_id(text)
        if query or number is None or models is None:
            return None
        shown = self._shown(table, wiki_id, number)
        if shown is None:
            return None
        row, rows = shown
        document = row_document(row, models)
        body = compact(document)
        tag, modified = entity_tag(body), modified_seconds(row)
        headers = (
            *_with_length(self._our_headers, body),
            (b"etag", tag),
            (b"last-modified", http_date(modified).encode()),
        )
        return face, rows, headers, body, len(document["scores"]), tag, modified

    def _of_ores(self, wiki_id: str, text: str, model_name: str | None, query: bytes) -> _Kept | None:
        models = self._wikis.get(wiki_id)
        rev_id = parse_id(text)
        if models is None or rev_id is None or query not in {b"", _FORMAT_JSON}:
            return None
        if model_name is not None:
            if model_name not in models:
                return None
            models = {model_name: models[model_name]}
        shown = self._shown(REVISIONS_TABLE, wiki_id, rev_id)
        found = None if shown is None else _stored(shown[0], models)
        if shown is None or found is None:
            return None
        scores = {str(rev_id): ores_answers(rev_id, found)}
        document = {wiki_id: {**ores_models(models), "scores": scores}}
        body = ores_json(document, is_compact=bool(query), is_plain=are_plain(found))
        headers = _with_length(self._ores_headers, body)
        return Face.ORES.value, shown[1], headers, body, len(found), b"", 0

    def _age_now(self) -> Headers:
        """Return the Age header, whose unit is the second, at most half of one late."""
        now = self._clock()
        if now - self._age_at > _AGE_SECONDS:
            self._age_at = now
            age_seconds = self._freshness().age_seconds
            self._age = () if age_seconds is None else ((b"age", b"%d" % age_seconds),)
        return self._age


def _stored(row: PredictionRow, models: Mapping[str, ModelInfo]) -> dict[str, ScoredModel] | None:
    """Return what a row says of each model in the version served; None where it lacks any."""
    found: dict[str, ScoredModel] = {}
    for name, info in models.items():
        stored = of_version(row, name, info.id.model_version)
        if stored is None:
            return None
        found[name] = ScoredModel(stored.model, stored.outcome)
    return found


def _headers(face: Mapping[str, str]) -> Headers:
    pairs = {"content-type": "application/json", **ANY_ORIGIN, **face}
    return tuple((name.encode(), value.encode()) for name, value in pairs.items())


def _with_length(headers: Headers, body: bytes) -> Headers:
    return (*headers, (b"content-length", b"%d" % len(body)))
