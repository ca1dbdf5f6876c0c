"""Lines of a batch made straight from the bytes of rows, where these are of a known form."""

from collections.abc import Mapping, Sequence
from struct import Struct as Layout
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from app.api.asked import AskedModel
from schemas.catalogue import ModelInfo
from schemas.keys import REVISIONS_TABLE
from schemas.prediction import Score, ScoreKind
from tables import row_binary
from tables.reader import PredictionReader
from tables.row_forms import Form, Forms, FormScore, Groups

_KEY_NUMBER: Final = Layout(">Q").pack
_WRITERS_MOST: Final = 32
_AS_DOCUMENTS: Final = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z


class Plan:
    """What a client wants to know of revisions of one wiki.

    Args:
        wiki_id: Database name, without NUL.
        asked: The models that were named; None where none was, which means all that are stored.
        models: What the wiki serves.
        needs_served: Whether a score of another version than the one served will not do, unless pinned.
    """

    def __init__(
        self,
        wiki_id: str,
        asked: tuple[AskedModel, ...] | None,
        models: Mapping[str, ModelInfo],
        *,
        needs_served: bool,
    ) -> None:
        self.wiki_id = wiki_id
        self.asked = asked
        self._models = models
        self._needs_served = needs_served
        self._writers: dict[Form, LineWriter | None] = {}

    def writer(self, form: Form) -> "LineWriter | None":
        """Return what writes rows of a form as lines; None where its rows alone do not settle that."""
        if form not in self._writers:
            if len(self._writers) >= _WRITERS_MOST:
                self._writers.clear()
            chosen = self._chosen(form)
            self._writers[form] = None if chosen is None else LineWriter(form, chosen)
        return self._writers[form]

    def _chosen(self, form: Form) -> list[tuple[str, FormScore]] | None:
        chosen = []
        for asked in self._asked_of(form):
            score = self._choose(
                [one for one in form.scores if one.model.model_name == asked.model_name], asked
            )
            if score is None:
                return None
            chosen.append((asked.name, score))
        return chosen

    def _asked_of(self, form: Form) -> Sequence[AskedModel]:
        if self.asked is not None:
            return self.asked
        names = dict.fromkeys(score.model.model_name for score in form.scores)
        return [AskedModel(name, name, None, self._models.get(name)) for name in names]

    def _choose(self, scores: Sequence[FormScore], asked: AskedModel) -> FormScore | None:
        wanted = asked.model_version or (asked.info and asked.info.id.model_version)
        for score in scores:
            if score.model.model_version == wanted:
                return score
        is_settled = len(scores) == 1 and asked.model_version is None and not self._needs_served
        return scores[0] if is_settled else None


class LineWriter:
    """Writes the rows of one form as lines, with the answers of some models.

    A line is what `app.api.documents.row_document` says as JSON, and a line end.

    Args:
        form: Of the rows.
        chosen: Scores of the form, by the name that each is to bear.

    Attributes:
        models: Answers in a line.
    """

    def __init__(self, form: Form, chosen: Sequence[tuple[str, FormScore]]) -> None:
        scores = []
        for name, score in chosen:
            probabilities = b",".join(_fixed(label) + b":%b" for label in score.labels)
            scores.append(
                b'%b:{"model_version":%b,"prediction":%%b,"probability":{%b}}'
                % (_fixed(name), _fixed(score.model.model_version), probabilities)
            )
        self._line = b'{"wiki_id":%b,"page_id":%%b,"rev_id":%%b,"rev_dt":%%b,"scores":{%b}}\n' % (
            _fixed(form.wiki_id),
            b",".join(scores),
        )
        self._chosen = [(score, _Predictions(score.kind)) for _, score in chosen]
        self.models = len(chosen)

    def write(
        self, rev_ids: Sequence[int], page_ids: NDArray[np.int64], rows: Sequence[Groups]
    ) -> list[bytes]:
        """Return the lines of some rows, of one at least.

        It works by columns: what is done for all at once costs least.
        """
        groups = list(zip(*rows, strict=True))
        times = row_binary.longs_of(groups[1]).view("datetime64[us]")
        columns = [_texts(page_ids), _texts(np.array(rev_ids, np.int64)), _texts(times)]
        for score, predictions in self._chosen:
            begin = score.chosen + 1
            columns.append([predictions[chosen] for chosen in groups[score.chosen]])
            columns += [
                _texts(np.frombuffer(b"".join(probabilities), "<f8"))
                for probabilities in groups[begin : begin + len(score.labels)]
            ]
        line = self._line
        return [line % values for values in zip(*columns, strict=True)]


class BatchLines:
    """Writes lines about many revisions at once, as far as their rows are plain.

    Args:
        reader: Of the rows that are here.
    """

    def __init__(self, reader: PredictionReader) -> None:
        self._rows = reader.rows
        self._hidden_pages = reader.hidden_pages
        self._forms = Forms()

    def lines(self, plan: Plan, rev_ids: Sequence[int]) -> tuple[list[bytes | None], int]:
        """Return a line for each revision that is a plain hit, None for any other, and the answers in them.

        The rows of a revision and of its page are read in one step, so that no line outlives its row.

        Args:
            plan: What is wanted of each.
            rev_ids: Each in [0, 2**63).

        Raises:
            StoreFormatUnsupported: A row was written by a later version than this one.
        """
        prefix = plan.wiki_id.encode() + b"\0"
        rows = self._rows(REVISIONS_TABLE, [prefix + _KEY_NUMBER(rev_id) for rev_id in rev_ids])
        lines: list[bytes | None] = [None] * len(rev_ids)
        answers = 0
        # What has a form was never withdrawn itself.
        for form, (places, groups) in self._forms.read_all(plan.wiki_id, rows).items():
            writer = plan.writer(form)
            if writer is None:
                continue
            page_ids = row_binary.longs_of([each[0] for each in groups])
            hidden = self._hidden_pages(plan.wiki_id, page_ids)
            made = writer.write([rev_ids[at] for at in places], page_ids, groups)
            for number, at in enumerate(places):
                if number not in hidden:
                    lines[at] = made[number]
            answers += writer.models * (len(made) - len(hidden))
        return lines, answers


class _Predictions(dict[bytes, bytes]):
    """Predictions of one model as JSON, by their bytes in a row."""

    def __init__(self, kind: ScoreKind) -> None:
        super().__init__()
        self._kind = kind

    def __missing__(self, group: bytes) -> bytes:
        labels = row_binary.texts_of(group)
        text = orjson.dumps(Score(self._kind, labels, {}).prediction_value())
        if self._kind is not ScoreKind.MULTILABEL:
            # Of lists there may be any number.
            self[group] = text
        return text


def _texts(values: NDArray[Any]) -> list[bytes]:
    """Return numbers or times as JSON, as all documents show them."""
    return orjson.dumps(values, option=_AS_DOCUMENTS)[1:-1].split(b",") if len(values) else []


def _fixed(text: str) -> bytes:
    """Return a text as JSON, safe to be part of a format."""
    return orjson.dumps(text).replace(b"%", b"%%")
