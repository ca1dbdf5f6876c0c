"""Rows read by one regular expression each, where rows of the same form were read before.

Rows of one wiki differ in numbers, times and labels, and repeat each other in the rest: the same models in
the same versions, of events from the same topic. So a row that the codec has read becomes a form: an
expression of all bytes that are fixed, and of the size of those that are not. Avro tells the length of each
text before its content and ends each list by a zero, so bytes that match a form mean what the form says, and
nothing else. Whatever matches none is left to the codec.

It gives what is shown of scores, at about a tenth of the cost of `tables.codec.decode_row`.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from schemas.errors import StoreFormatUnsupported
from schemas.prediction import ModelId, PredictionRow, Score, ScoreKind, StoredScore
from tables import row_binary
from tables.codec import HEADER, decode_row

Groups = tuple[bytes, ...]
Match = Callable[[bytes], re.Match[bytes] | None]

_FORMS_MOST: Final = 8
_WIKIS_MOST: Final = 2048
_GROUPS_MOST: Final = 300
# Once a wiki has its most, so many rows without a form pass until one is learned in place of the eldest.
_PATIENCE: Final = 256
_LONG: Final = row_binary.LONG_EXPRESSION
_EIGHT: Final = row_binary.EIGHT_EXPRESSION


class FormScore(Struct, frozen=True):
    """One score in all rows of a form.

    Attributes:
        model: Which model spoke.
        kind: How it answers.
        labels: Of its probabilities, in the order of the row.
        chosen: Place of its prediction among the groups; its probabilities follow.
    """

    model: ModelId
    kind: ScoreKind
    labels: tuple[str, ...]
    chosen: int


class Form:
    """What rows of one wiki have in common.

    Args:
        row: One of them.

    Attributes:
        wiki_id: Database name.
        scores: In the order of the rows.
        matched: Returns the match of a row of this form, whose groups `match` tells of.

    Raises:
        ValueError: Rows such as this one have no form.
    """

    def __init__(self, row: PredictionRow) -> None:
        if not row.scores or row.withdrawal is not None:
            raise ValueError("a row without scores, or of something withdrawn, has no form")
        parts = [_fixed(HEADER + row_binary.text_bytes(row.wiki_id)), b"(%b)%b(%b)" % (_LONG, _LONG, _EIGHT)]
        parts.append(_fixed(row_binary.long_bytes(len(row.scores))))
        scores: list[FormScore] = []
        group = 2
        for stored in row.scores:
            score = _formed(stored)
            labels = tuple(sorted(score.probability))
            scores.append(FormScore(stored.model, score.kind, labels, group))
            group += 1 + len(labels)
            parts += _expressions(stored, score, labels)
        if group - 2 > _GROUPS_MOST:
            raise ValueError(f"{group - 2} labels and predictions are too many for a form")
        parts.append(_fixed(row_binary.END + row_binary.NEVER_WITHDRAWN))
        self.wiki_id = row.wiki_id
        self.scores = tuple(scores)
        self.matched: Match = re.compile(b"".join(parts), re.DOTALL).fullmatch

    def match(self, data: bytes) -> Groups | None:
        """Return the groups of a row of this form; None for any other bytes.

        The first is the page, the second the time of the revision, and `FormScore` tells the others; all
        are as `tables.row_binary` reads them.
        """
        found = self.matched(data)
        return None if found is None else found.groups()


class Forms:
    """The forms of the rows that were read."""

    def __init__(self) -> None:
        self._forms: dict[str, list[Form]] = {}
        self._unlearned: dict[str, int] = {}

    def read(self, wiki_id: str, data: bytes) -> tuple[Form, Groups] | None:
        """Return the form of a row and its groups; None where it has none, or none yet.

        Args:
            wiki_id: Whose row it is.
            data: As the codec wrote it.
        """
        forms = self._forms.get(wiki_id)
        if forms is not None:
            for form in forms:
                groups = form.match(data)
                if groups is not None:
                    if form is not forms[0]:
                        forms.remove(form)
                        forms.insert(0, form)
                    return form, groups
        return self._learn(wiki_id, data)

    def read_all(
        self, wiki_id: str, rows: Sequence[bytes | None]
    ) -> dict[Form, tuple[list[int], list[Groups]]]:
        """Return the rows that `read` reads by their forms: their places, which rise, and their groups."""
        found: dict[Form, tuple[list[int], list[Groups]]] = {}
        places: list[int] = []
        groups: list[Groups] = []
        matched: Match = _matches_nothing
        for at, row in enumerate(rows):
            if row is None:
                continue
            match = matched(row)
            if match is None:
                one = self.read(wiki_id, row)
                if one is None:
                    continue
                form, its_groups = one
                matched = form.matched
                places, groups = found.setdefault(form, ([], []))
                groups.append(its_groups)
            else:
                groups.append(match.groups())
            places.append(at)
        return found

    def _learn(self, wiki_id: str, data: bytes) -> tuple[Form, Groups] | None:
        forms = self._forms.setdefault(wiki_id, [])
        if len(forms) >= _FORMS_MOST:
            missed = self._unlearned.get(wiki_id, 0) + 1
            self._unlearned[wiki_id] = missed % _PATIENCE
            if missed < _PATIENCE:
                return None
        try:
            form = Form(decode_row(data))
        except (ValueError, StoreFormatUnsupported):
            return None
        groups = form.match(data)
        if groups is None or form.wiki_id != wiki_id or len(self._forms) > _WIKIS_MOST:
            return None
        forms.insert(0, form)
        del forms[_FORMS_MOST:]
        return form, groups


def _formed(stored: StoredScore) -> Score:
    score = stored.outcome
    if not isinstance(score, Score):
        raise ValueError("a failure has no form")  # noqa: TRY004 - the type is right
    if "" in score.prediction or "" in score.probability:
        raise ValueError("an empty label is told from the end of its list by the count alone")
    if score.kind is not ScoreKind.MULTILABEL and len(score.prediction) != 1:
        raise ValueError("one label is chosen where the model is not multilabel")
    return score


def _expressions(stored: StoredScore, score: Score, labels: Sequence[str]) -> Iterator[bytes]:
    """Yield the expressions of a stored score: its prediction is a group, then each of its probabilities."""
    yield _fixed(row_binary.score_head(stored.model, score.kind))
    names = b"|".join(_fixed(row_binary.text_bytes(label)) for label in sorted({*labels, *score.prediction}))
    if score.kind is ScoreKind.MULTILABEL:
        yield rb"(\x00|[\x02-\x7e](?:%b)+\x00)" % names if names else rb"(\x00)"
    else:
        yield b"(%b(?:%b)%b)" % (_fixed(row_binary.long_bytes(1)), names, _fixed(row_binary.END))
    if labels:
        yield _fixed(row_binary.long_bytes(len(labels)))
        for label in labels:
            yield _fixed(row_binary.text_bytes(label)) + b"(.{8})"
    yield _fixed(row_binary.END)
    origin = stored.provenance
    size_bytes = len(origin.event_id.encode())
    yield _fixed(row_binary.long_bytes(size_bytes)) + b".{%d}" % size_bytes
    yield _fixed(row_binary.text_bytes(origin.source_topic)) + 2 * _LONG + 2 * _EIGHT
    yield row_binary.ORIGIN_END_EXPRESSION


def _matches_nothing(_: bytes) -> None:
    return None


def _fixed(data: bytes) -> bytes:
    return re.escape(data)
