"""One row of a snapshot."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from schemas.prediction import FeatureValue, ModelId, Outcome


class SnapshotRow(Struct, frozen=True):
    """What one model said about one revision. No title, no user, no text: nothing that can be suppressed.

    Attributes:
        wiki_id: Database name.
        page_id: Page of the revision.
        rev_id: Revision.
        rev_parent_id: None where it has none, or where the source does not tell.
        rev_dt: When it was saved, aware UTC.
        namespace_id: None where the source does not tell.
        is_bot: None where the source does not tell.
        model: Which spoke.
        outcome: What it said, or why it said nothing.
        features_missing: Features that took their declared default for want of facts; None where nobody kept
            note, and for failures.
        features: By printed name; None where not asked for, and for failures.
        scored_dt: When scoring finished.
        event_id: Of the page change that caused the score; None for a backfill, as are the next four.
        source_topic: Its topic.
        source_partition: Its partition.
        source_offset: Its offset.
        event_dt: Its time.
    """

    wiki_id: str
    page_id: int
    rev_id: int
    rev_parent_id: int | None
    rev_dt: datetime
    namespace_id: int | None
    is_bot: bool | None
    model: ModelId
    outcome: Outcome
    features_missing: tuple[str, ...] | None
    features: Mapping[str, FeatureValue] | None
    scored_dt: datetime
    event_id: str | None = None
    source_topic: str | None = None
    source_partition: int | None = None
    source_offset: int | None = None
    event_dt: datetime | None = None
