"""Which revisions of a dump are scored."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from batch.dump_revision import DumpRevision

_MASK = (1 << 64) - 1


class Filters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which revisions are scored. What is left out is still read: it may be the parent of one that is not.

    Attributes:
        namespaces: Numbers; None for all.
        since: Saved then or later.
        until: Saved before.
        is_latest_only: Of each page the last, by time and then by id, of those that namespaces and times let
            through.
        sample: Share of the revisions, taken by a hash of their ids: the same ones each time, and of a larger
            share all those of a smaller one.
    """

    namespaces: tuple[int, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    is_latest_only: bool = False
    sample: Annotated[float, Meta(gt=0, le=1)] = 1.0

    def admits(self, revision: DumpRevision) -> bool:
        """Tell whether namespaces and times let a revision through."""
        if self.namespaces is not None and revision.page.namespace_id not in self.namespaces:
            return False
        if self.since is not None and revision.rev_dt < self.since:
            return False
        return self.until is None or revision.rev_dt < self.until

    def samples(self, rev_id: int) -> bool:
        """Tell whether a revision is in the sample."""
        return self.sample >= 1 or _spread(rev_id) < self.sample * (_MASK + 1)


def _spread(number: int) -> int:
    """Return 64 bits that look random: the last steps of SplitMix64."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)
