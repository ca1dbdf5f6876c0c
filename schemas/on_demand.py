"""The record of scores that clients asked for, on its way to the tables."""

from datetime import datetime
from uuid import UUID

from msgspec import DecodeError, Struct
from msgspec.json import Decoder, Encoder

from schemas.errors import EventUndecodable
from schemas.identity import derived_id
from schemas.prediction import ModelId, Outcome

_SUFFIX = ".on-demand"
_IDS = UUID("9b8f4c1e-6d52-5a37-8e04-c3a1d7f2960b")


class AnsweredModel(Struct, frozen=True):
    """What one model said."""

    model: ModelId
    outcome: Outcome


class OnDemandScores(Struct, frozen=True):
    """Scores of one revision that no event asked for. It holds ids alone: no title, no user, no text.

    Attributes:
        wiki_id: Database name.
        page_id: As the wiki told it with the text.
        rev_id: The revision.
        rev_dt: When it was saved, aware UTC.
        scored_dt: When scoring finished, aware UTC.
        answers: One per model.
    """

    wiki_id: str
    page_id: int
    rev_id: int
    rev_dt: datetime
    scored_dt: datetime
    answers: tuple[AnsweredModel, ...]

    @property
    def event_id(self) -> str:
        """The id that provenance names; the same for the same scores."""
        models = [one.model for one in self.answers]
        return derived_id(_IDS, self.wiki_id, self.rev_id, self.scored_dt, models)


_encode = Encoder().encode
_decode = Decoder(OnDemandScores).decode


def on_demand_topic(app_id: str) -> str:
    """Return the topic that these records go to: ``revstream.on-demand``."""
    return app_id + _SUFFIX


def encode_on_demand(scores: OnDemandScores) -> bytes:
    """Return a record's bytes."""
    return _encode(scores)


def decode_on_demand(value: bytes) -> OnDemandScores:
    """Read a record back.

    Raises:
        EventUndecodable: These bytes are none.
    """
    try:
        return _decode(value)
    except (DecodeError, UnicodeDecodeError) as error:
        raise EventUndecodable(
            f"these are no scores that clients asked for: {error}; let nothing but revstream write to its "
            "topic of them"
        ) from error
