"""A wiki of real histories that are written again and again under new ids, and whose API often fails."""

import random
from collections.abc import Callable, Iterator
from itertools import count, islice, zip_longest
from pathlib import Path
from uuid import UUID

from msgspec import to_builtins
from msgspec.structs import replace

from models.scoring import FeatureCache, Scorer
from schemas.prediction import FeatureValue, Score
from schemas.revision import Revision, RevisionUser
from tests.histories import dump_history
from tests.input_events import encoded, page_change, user
from tests.mediawiki_api import Fault, WikiRevision, answer_with, cut, drop, hang

WIKI_ID = "enwiki"
DOMAIN = "en.wikipedia.org"
_HISTORIES = ("wikitrust_wiki_00023.xml", "enwiki-20140102.tiny.xml.gz", "wikitrust_amen.xml.gz")
_PAGES = "smallwiki-pages-articles.xml.bz2"
_PAGES_TAKEN = 150
_EDITS_OF_A_PAGE = 12
_NOBODY = RevisionUser(None, "")


def edits(shared: Path) -> Iterator[Revision]:
    """Yield real edits of some two hundred pages, page by page in turn, and copies of them without end.

    Args:
        shared: Shared data, with the dumps.
    """
    dumps = shared / "data" / "dumps"
    histories = [piece for name in _HISTORIES for piece in _pieces(list(dump_history(dumps / name, WIKI_ID)))]
    histories += [[revision] for revision in islice(dump_history(dumps / _PAGES, WIKI_ID), _PAGES_TAKEN)]
    rev_ids = count(1)
    for first_page_id in count(1, len(histories)):
        parents: dict[int, Revision] = {}
        for turn in zip_longest(*histories):
            for page_id, revision in enumerate(turn, start=first_page_id):
                if revision is not None:
                    parents[page_id] = _renumbered(revision, page_id, next(rev_ids), parents.get(page_id))
                    yield parents[page_id]


def page_change_of(revision: Revision) -> bytes:
    """Return the event that tells of a revision."""
    template = page_change()
    template["revision"].pop("rev_sha1")
    kind = "create" if revision.rev_parent_id is None else "edit"
    saved = to_builtins(revision.rev_dt)
    account = revision.user or _NOBODY
    performer = user(user_text=account.user_text, user_id=account.user_id)
    parent_dt = None if revision.parent_dt is None else to_builtins(revision.parent_dt)
    return encoded(
        template
        | {
            "wiki_id": revision.wiki_id,
            "page_change_kind": kind,
            "changelog_kind": "insert" if kind == "create" else "update",
            "dt": saved,
            "meta": template["meta"]
            | {"id": str(UUID(int=revision.rev_id)), "domain": DOMAIN, "uri": f"https://{DOMAIN}/wiki/Page"},
            "page": template["page"]
            | {
                "page_id": revision.page_id,
                "page_title": revision.page_title,
                "namespace_id": revision.namespace_id,
            },
            "performer": performer,
            "revision": template["revision"]
            | {
                "rev_id": revision.rev_id,
                "rev_dt": saved,
                "rev_parent_id": revision.rev_parent_id or 0,
                "comment": revision.comment,
                "editor": performer,
            },
            "prior_state": {"revision": {"rev_id": revision.rev_parent_id, "rev_dt": parent_dt}}
            if parent_dt
            else {},
        }
    )


def api_row(revision: Revision) -> WikiRevision:
    """Return a revision as the wiki's API knows it."""
    account = revision.user or _NOBODY
    return WikiRevision(
        rev_id=revision.rev_id,
        text=revision.text,
        parent_id=revision.rev_parent_id or 0,
        page_id=revision.page_id,
        title=revision.page_title,
        namespace_id=revision.namespace_id,
        timestamp=to_builtins(revision.rev_dt),
        user=account.user_text,
        user_id=account.user_id or 0,
        comment=revision.comment,
    )


class Failing:
    """The faults of an API, by chance: no answer in time, refusals, broken answers and connections.

    Args:
        share: Of the requests, from 0 to 1.
        seed: Of the chance.
        slow_seconds: How long a request hangs: more than its client waits.
    """

    def __init__(self, share: float, *, seed: int, slow_seconds: float) -> None:
        self.share = share
        self.requests = self.failed = 0
        self._chance = random.Random(seed)
        self._kinds: tuple[Callable[[], Fault], ...] = (
            lambda: answer_with(503, "<html>upstream</html>"),
            lambda: hang(slow_seconds),
            lambda: answer_with(200, '{"batchcomplete":true,"query":{"pages":[{"pa'),
            cut,
            drop,
        )

    def __call__(self) -> Fault | None:
        """Return the fault of the next request; None for a proper answer."""
        self.requests += 1
        if self._chance.random() >= self.share:
            return None
        self.failed += 1
        return self._chance.choice(self._kinds)()


class RememberingScorer:
    """A model that is asked once about all copies of a revision: ids say nothing to one that reads text."""

    def __init__(self, scorer: Scorer) -> None:
        self.info = scorer.info
        self._scorer = scorer
        self._known: dict[Revision, tuple[Score, dict[str, FeatureValue]]] = {}

    def score(self, revision: Revision, cache: FeatureCache) -> tuple[Score, dict[str, FeatureValue]]:
        """Score a revision, or remember the score of its like."""
        parent_id = None if revision.rev_parent_id is None else 1
        like = replace(revision, page_id=1, rev_id=2, rev_parent_id=parent_id)
        if like not in self._known:
            self._known[like] = self._scorer.score(revision, cache)
        return self._known[like]


def _pieces(history: list[Revision]) -> Iterator[list[Revision]]:
    for start in range(0, len(history), _EDITS_OF_A_PAGE):
        yield history[start : start + _EDITS_OF_A_PAGE]


def _renumbered(revision: Revision, page_id: int, rev_id: int, parent: Revision | None) -> Revision:
    return replace(
        revision,
        page_id=page_id,
        rev_id=rev_id,
        rev_parent_id=None if parent is None else parent.rev_id,
        parent_text=None if parent is None else parent.text,
        parent_dt=None if parent is None else parent.rev_dt,
    )
