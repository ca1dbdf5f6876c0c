"""What lists and the feed are asked for: which wikis, namespaces and bots, and what the scores must say."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from schemas.catalogue import Catalogue, ModelInfo
from schemas.errors import ModelNotFound, RequestInvalid, WikiUnknown
from schemas.prediction import PredictionRow, Provenance, Score, ScoreKind, StoredScore
from tables.codec import microseconds

_CONDITIONS_MOST: Final = 8
_VALUES_MOST: Final = 1000
_CONDITION: Final = re.compile(r"([^.<>=]{1,100})(?:\.([^<>=]{1,200}))?(>=|<=|>|<|=)([^<>=]{1,200})")
_NUMBER: Final = re.compile(r"[0-9]*\.?[0-9]+(?:[eE]-?[0-9]{1,3})?")
_NAMESPACE: Final = re.compile(r"-?[0-9]{1,9}")
_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">": float.__gt__,
    ">=": float.__ge__,
    "<": float.__lt__,
    "<=": float.__le__,
}
NAMES: Final = ("score", "namespace", "bots", "since")
"""The parameters of a query that a filter is made of."""


class Bots(StrEnum):
    """Whose revisions are wanted."""

    ALL = "all"
    NONE = "none"
    ONLY = "only"


class Condition(Struct, frozen=True):
    """What one model must say.

    Attributes:
        model_name: As it is named on the wiki.
        label: Whose probability is compared; None where the prediction itself is.
        compare: ``>``, ``>=``, ``<``, ``<=`` of a probability, ``=`` of a prediction.
        value: A probability, or the label that is predicted.
    """

    model_name: str
    label: str | None
    compare: str
    value: float | str

    def holds(self, outcome: object) -> bool:
        """Tell whether an outcome meets the condition; a failure never does."""
        if not isinstance(outcome, Score):
            return False
        if isinstance(self.value, str):
            return self.value in outcome.prediction
        probability = outcome.probability.get(self.label or "true")
        return probability is not None and _COMPARE[self.compare](float(probability), self.value)


class RowFilter(Struct, frozen=True):
    """Which rows are wanted: those that meet all that is said here. Equal filters want the same.

    Attributes:
        wiki_ids: Of these wikis; of all where it is empty.
        namespaces: In these namespaces; in all, and where none is known, where it is empty.
        bots: Whose. Where nothing told whether it was a bot, it counts as none.
        since_us: Saved at that time or later, in microseconds since 1970; None for any.
        conditions: All of which hold.
    """

    wiki_ids: frozenset[str] = frozenset()
    namespaces: frozenset[int] = frozenset()
    bots: Bots = Bots.ALL
    since_us: int | None = None
    conditions: tuple[Condition, ...] = ()

    def is_met(self, row: PredictionRow, models: Mapping[str, ModelInfo]) -> bool:
        """Tell whether a row is wanted.

        Args:
            row: With a score at least.
            models: Those of its wiki.
        """
        if self.wiki_ids and row.wiki_id not in self.wiki_ids:
            return False
        if self.since_us is not None and microseconds(row.rev_dt) < self.since_us:
            return False
        if self.namespaces or self.bots is not Bots.ALL:
            told = told_of(row)
            if self.namespaces and told.namespace_id not in self.namespaces:
                return False
            if self.bots is not Bots.ALL and bool(told.is_bot) is not (self.bots is Bots.ONLY):
                return False
        return all(_meets(row, condition, models) for condition in self.conditions)


def spelled_out(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the parameters of a query, with ``damaging>0.9`` alone as ``score=damaging>0.9``.

    Of ``damaging>=0.9`` a query takes what lies before the sign of equality for a name.
    """
    return [
        ("score", f"{name}={value}" if value else name) if ">" in name or "<" in name else (name, value)
        for name, value in pairs
    ]


def told_of(row: PredictionRow) -> Provenance:
    """Return what the last event behind a row with a score told."""
    return max((score.provenance for score in row.scores), key=lambda origin: origin.event_dt)


def parse_filter(
    pairs: Iterable[tuple[str, str]], catalogue: Catalogue, wiki_ids: frozenset[str]
) -> RowFilter:
    """Return the filter that the parameters of a query make.

    Args:
        pairs: Name and value, of `NAMES` only.
        catalogue: What may be asked for.
        wiki_ids: What the filter is about; all wikis where it is empty.

    Raises:
        RequestInvalid: A value is malformed.
        WikiUnknown: A wiki has no models.
        ModelNotFound: A model is of none of the wikis.
    """
    for wiki_id in wiki_ids:
        if wiki_id not in catalogue.wikis:
            raise WikiUnknown(
                f"No model is configured for the wiki {wiki_id[:100]!r}. GET /v3/scores/ lists those that "
                "have one.",
                wiki_id=wiki_id[:100],
            )
    namespaces: set[int] = set()
    conditions: set[Condition] = set()
    bots, since_us = Bots.ALL, None
    for name, value in pairs:
        if name == "namespace":
            namespaces |= {_namespace(one) for one in value.split("|")}
        elif name == "bots":
            bots = _bots(value)
        elif name == "since":
            since_us = _since(value)
        else:
            conditions.add(_condition(value, catalogue, wiki_ids))
    if len(conditions) > _CONDITIONS_MOST or len(namespaces) > _VALUES_MOST:
        raise RequestInvalid(
            f"At most {_CONDITIONS_MOST} conditions and {_VALUES_MOST} namespaces can be asked for at once."
        )
    ordered = sorted(conditions, key=repr)
    return RowFilter(wiki_ids, frozenset(namespaces), bots, since_us, tuple(ordered))


def _meets(row: PredictionRow, condition: Condition, models: Mapping[str, ModelInfo]) -> bool:
    info = models.get(condition.model_name)

    def rank(score: StoredScore) -> tuple[bool, datetime]:
        is_served = info is not None and info.id.model_version == score.model.model_version
        return is_served, score.provenance.scored_dt

    found = [score for score in row.scores if score.model.model_name == condition.model_name]
    return bool(found) and condition.holds(max(found, key=rank).outcome)


def _condition(text: str, catalogue: Catalogue, wiki_ids: frozenset[str]) -> Condition:
    parts = _CONDITION.fullmatch(text)
    if parts is None:
        raise _invalid(
            "score",
            text,
            "MODEL>PROBABILITY (also >=, <, <=), MODEL.LABEL>PROBABILITY, or MODEL=LABEL, such as "
            "score=damaging>0.9",
        )
    model_name, label, compare, value = parts.groups()
    of_wikis = [catalogue.models(wiki_id) for wiki_id in wiki_ids or catalogue.wikis]
    infos = [models[model_name] for models in of_wikis if model_name in models]
    if not infos:
        raise ModelNotFound(
            f"No model {model_name[:100]!r} scores what was asked for. GET /v3/scores/ lists the models of "
            "each wiki.",
            model_name=model_name[:100],
        )
    if compare == "=":
        if label is not None:
            raise _invalid("score", text, "MODEL=LABEL where the prediction is asked for")
        return Condition(model_name, None, compare, value)
    if label is None and all(info.kind is not ScoreKind.BINARY for info in infos):
        labels = ", ".join(sorted({label for info in infos for label in info.labels})[:20])
        raise _invalid("score", text, f"MODEL.LABEL{compare}PROBABILITY, of the labels {labels}")
    number = float(value) if _NUMBER.fullmatch(value) else -1.0
    if not 0 <= number <= 1:
        raise _invalid("score", text, "compared with a probability in [0, 1]")
    return Condition(model_name, label, compare, number)


def _namespace(text: str) -> int:
    if not _NAMESPACE.fullmatch(text):
        raise _invalid("namespace", text, "a whole number, or several separated by '|'")
    return int(text)


def _bots(text: str) -> Bots:
    try:
        return Bots(text)
    except ValueError:
        raise _invalid("bots", text, "all, none or only") from None


def _since(text: str) -> int:
    try:
        # A plus that was not encoded comes as a blank.
        dt = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        dt = None
    if dt is None or dt.tzinfo is None or len(text) > 40:
        raise _invalid("since", text, "a time with its zone, such as 2026-11-01T12:00:00Z")
    return microseconds(dt.astimezone(UTC))


def _invalid(name: str, value: str, what: str) -> RequestInvalid:
    return RequestInvalid(f"The parameter {name} is {value[:100]!r}; it must be {what}.", parameter=name)
