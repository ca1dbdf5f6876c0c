"""The page change stream of the sample wiki, as MediaWiki's EventBus would send it."""

import random
from datetime import UTC, datetime
from functools import lru_cache
from typing import IO, Any
from urllib.parse import quote
from uuid import NAMESPACE_DNS, UUID, uuid5

from msgspec import Struct
from msgspec.json import Encoder

from batch.sample_page import FORMATS, SavedRevision, WikiPage
from batch.sample_users import Account

STREAM = "mediawiki.page_change.v1"
_SCHEMA = "/mediawiki/page/change/1.3.0"
# revision.revert came with 1.4.0, so events that have it may not call themselves 1.3.0.
_SCHEMA_WITH_REVERT = "/mediawiki/page/change/1.4.0"
_CHANGELOG_KINDS = {"create": "insert", "undelete": "insert", "delete": "delete"}


class Revert(Struct, frozen=True):
    """What an edit undid, as the event tells it."""

    method: str
    is_exact: bool
    rev_original_id: int
    rev_original_dt: str
    rev_reverted_oldest_id: int
    rev_reverted_newest_id: int


class EventStream:
    """Writes events as JSON lines, in order of time.

    Ids come from the seed and the number of the event, so the same history gives the same bytes.

    Args:
        file: Where the lines go.
        wiki_id: Database name.
        domain: Host name.
        seed: Of the history.
    """

    def __init__(self, file: IO[bytes], wiki_id: str, domain: str, seed: int) -> None:
        self.count = 0
        self.canary_count = 0
        self._file = file
        self._wiki_id = wiki_id
        self._domain = domain
        # Delays have chance of their own: leaving an event out must not change the history.
        self._rng = random.Random(seed)  # noqa: S311 - a reproducible sample, no secret
        self._namespace: UUID = uuid5(NAMESPACE_DNS, f"{seed}.{wiki_id}.{domain}")
        self._encoder = Encoder()
        self._sent_ms = 0

    def page_change(
        self,
        kind: str,
        page: WikiPage,
        seconds: int,
        *,
        performer: Account | None,
        comment: str | None = None,
        prior: dict[str, Any] | None = None,
        created_redirect: WikiPage | None = None,
        revert: Revert | None = None,
    ) -> None:
        """Write one event about a page as it is after the change.

        Args:
            kind: ``create``, ``edit``, ``move``, ``delete``, ``undelete`` or ``visibility_change``.
            page: The page.
            seconds: Time of the change, Unix time.
            performer: Who did it; None where that is suppressed.
            comment: The reason, where the kind has one.
            prior: What was different before.
            created_redirect: The page left behind by a move.
            revert: What an edit undid.
        """
        revision = revision_entity(page.revision)
        if revert is not None:
            revision["revert"] = revert
        event: dict[str, Any] = {
            "$schema": _SCHEMA if revert is None else _SCHEMA_WITH_REVERT,
            "changelog_kind": _CHANGELOG_KINDS.get(kind, "update"),
            "page_change_kind": kind,
            "dt": timestamp(seconds),
            "wiki_id": self._wiki_id,
            "page": page_entity(page),
            "revision": revision,
        }
        if kind == "delete":
            event["page"]["revision_count"] = page.revision_count
        if performer is not None:
            event["performer"] = user_entity(performer, performer.groups(seconds), performer.edit_count)
        if comment is not None:
            event["comment"] = comment
        if prior is not None:
            event["prior_state"] = prior
        if created_redirect is not None:
            event["created_redirect_page"] = {
                "page_id": created_redirect.page_id,
                "page_title": created_redirect.key,
                "namespace_id": created_redirect.namespace_id,
                "is_redirect": True,
            }
        uri = f"https://{self._domain}/wiki/{quote(page.key, safe=':/()!,;@*')}"
        self._send(event, seconds, self._domain, uri)

    def canary(self, seconds: int) -> None:
        """Write an event of the kind that only shows that the stream is alive."""
        moment = timestamp(seconds)
        event: dict[str, Any] = {
            "$schema": _SCHEMA,
            "changelog_kind": "update",
            "page_change_kind": "edit",
            "dt": moment,
            "wiki_id": "examplewiki",
            "page": {"page_id": 1, "page_title": "Example", "namespace_id": 0, "is_redirect": False},
            "revision": {"rev_id": 2, "rev_parent_id": 1, "rev_dt": moment, "comment": "canary"},
        }
        self._send(event, seconds, "canary", "https://canary/wiki/Example")
        self.canary_count += 1

    def _send(self, event: dict[str, Any], seconds: int, domain: str, uri: str) -> None:
        self.count += 1
        self._sent_ms = max(seconds * 1000 + 100 + int(self._rng.random() * 800), self._sent_ms + 1)
        event["meta"] = {
            "stream": STREAM,
            "uri": uri,
            "id": str(uuid5(self._namespace, f"event {self.count}")),
            "request_id": str(uuid5(self._namespace, f"request {self.count}")),
            "domain": domain,
            "dt": f"{timestamp(self._sent_ms // 1000)[:-1]}.{self._sent_ms % 1000:03}Z",
        }
        self._file.write(self._encoder.encode(event) + b"\n")


@lru_cache(maxsize=4096)
def timestamp(seconds: int) -> str:
    """Return a Unix time as ``2025-01-01T00:00:00Z``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def user_entity(account: Account, groups: list[str], edit_count: int) -> dict[str, Any]:
    """Return a user as events show one."""
    entity: dict[str, Any] = {
        "user_text": account.user_text,
        "groups": groups,
        "is_bot": account.is_bot,
        "is_system": False,
        "is_temp": False,
    }
    if account.user_id is not None and account.registered_seconds is not None:
        entity["user_id"] = account.user_id
        entity["registration_dt"] = timestamp(account.registered_seconds)
        entity["edit_count"] = edit_count
    return entity


def page_entity(page: WikiPage) -> dict[str, Any]:
    """Return a page as events show one."""
    entity: dict[str, Any] = {
        "page_id": page.page_id,
        "page_title": page.key,
        "namespace_id": page.namespace_id,
        "is_redirect": page.redirect is not None,
    }
    if page.redirect is not None:
        entity["redirect_page_link"] = {
            "page_id": page.redirect.page_id,
            "page_title": page.redirect.key,
            "namespace_id": page.redirect.namespace_id,
            "is_redirect": False,
        }
    return entity


def revision_entity(revision: SavedRevision) -> dict[str, Any]:
    """Return a revision as events show one, without what is hidden."""
    entity: dict[str, Any] = {
        "rev_id": revision.rev_id,
        "rev_dt": timestamp(revision.seconds),
        "is_minor_edit": revision.is_minor,
        "is_content_visible": not revision.hides_content,
        "is_editor_visible": not revision.hides_editor,
        "is_comment_visible": not revision.hides_comment,
    }
    if revision.rev_parent_id is not None:
        entity["rev_parent_id"] = revision.rev_parent_id
    if not revision.hides_comment:
        entity["comment"] = revision.comment
    if not revision.hides_editor:
        entity["editor"] = user_entity(revision.editor, revision.editor_groups, revision.editor_edit_count)
    if not revision.hides_content:
        content = revision.content
        entity["rev_sha1"] = content.sha1
        entity["rev_size"] = content.size_bytes
        entity["content_slots"] = {
            "main": {
                "slot_role": "main",
                "content_model": content.model,
                "content_format": FORMATS[content.model],
                "content_sha1": content.sha1,
                "content_size": content.size_bytes,
                "origin_rev_id": revision.origin_rev_id,
            }
        }
    return entity
