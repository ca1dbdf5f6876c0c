"""Input events for tests, composed here."""

import json
from typing import Any

from hypothesis import strategies as st

MAX_ID = 2**53 - 1


def user(**fields: Any) -> dict[str, Any]:
    return {
        "user_text": "Mossy Stone",
        "groups": ["editor", "*", "user"],
        "is_bot": False,
        "is_system": False,
        "is_temp": False,
        "user_id": 4711,
        "registration_dt": "2019-05-04T03:02:01Z",
        "edit_count": 12,
        "user_central_id": 99,
    } | fields


def page_change(**fields: Any) -> dict[str, Any]:
    """Return an edit as version 1.12 tells it. Keyword arguments replace whole top-level fields."""
    revision: dict[str, Any] = {
        "rev_id": 5002,
        "rev_dt": "2026-11-01T10:00:00Z",
        "is_minor_edit": True,
        "rev_sha1": "0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "rev_size": 812,
        "rev_parent_id": 5001,
        "comment": "a word on moss",
        "is_content_visible": True,
        "is_editor_visible": True,
        "is_comment_visible": True,
        "editor": user(),
        "content_slots": {"main": {"slot_role": "main", "content_model": "wikitext", "content_size": 812}},
    }
    return {
        "$schema": "/mediawiki/page/change/1.12.0",
        "changelog_kind": "update",
        "page_change_kind": "edit",
        "dt": "2026-11-01T10:00:00Z",
        "wiki_id": "mosswiki",
        "meta": {
            "stream": "mediawiki.page_change.v1",
            "id": "3b1b3a52-6d0e-4a07-9a55-0c6f2b9f1e01",
            "dt": "2026-11-01T10:00:02.500Z",
            "domain": "moss.example.org",
            "uri": "https://moss.example.org/wiki/Moss",
            "request_id": "3b1b3a52-6d0e-4a07-9a55-0c6f2b9f1e02",
        },
        "page": {"page_id": 31, "page_title": "Talk:Moss", "namespace_id": 1, "is_redirect": False},
        "performer": user(),
        "revision": revision,
        "prior_state": {"revision": {"rev_id": 5001, "rev_dt": "2026-10-31T09:00:00Z"}},
    } | fields


def revision_create(**fields: Any) -> dict[str, Any]:
    """Return an edit as revision-create 2.0.0 tells it. Keyword arguments replace whole top-level fields."""
    return {
        "$schema": "/mediawiki/revision/create/2.0.0",
        "dt": "2026-11-01T10:00:00Z",
        "database": "mosswiki",
        "meta": {
            "stream": "mediawiki.revision-create",
            "id": "3b1b3a52-6d0e-4a07-9a55-0c6f2b9f1e03",
            "dt": "2026-11-01T10:00:02Z",
            "domain": "moss.example.org",
        },
        "page_id": 31,
        "page_title": "Moss",
        "page_namespace": 0,
        "page_is_redirect": False,
        "rev_id": 5002,
        "rev_parent_id": 5001,
        "rev_timestamp": "2026-11-01T10:00:00Z",
        "rev_len": 812,
        "rev_content_model": "wikitext",
        "comment": "a word on moss",
        "performer": {
            "user_text": "Mossy Stone",
            "user_groups": ["editor", "*"],
            "user_is_bot": True,
            "user_id": 4711,
            "user_registration_dt": "2019-05-04T03:02:01Z",
            "user_edit_count": 12,
        },
    } | fields


def old_change(schema: str, *, stream: str | None = None, **fields: Any) -> bytes:
    """Return an event of an older stream of pages and visibility, ``page/delete`` for one."""
    event: dict[str, Any] = {
        "$schema": f"/mediawiki/{schema}/1.0.0",
        "database": "mosswiki",
        "meta": {
            "stream": stream or f"mediawiki.{schema.replace('/', '-')}",
            "id": "3b1b3a52-6d0e-4a07-9a55-0c6f2b9f1e04",
            "dt": "2026-11-02T10:00:00Z",
            "domain": "moss.example.org",
        },
        "page_id": 31,
        "page_title": "Moss",
        "page_namespace": 0,
        "page_is_redirect": False,
        "rev_id": 5002,
        "performer": {"user_text": "Warden", "user_groups": ["sysop"], "user_is_bot": False, "user_id": 9},
    }
    return encoded(event | fields)


def encoded(event: object) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


_text = st.text(st.characters(codec="utf-8"), max_size=20)
_ids = st.integers(1, MAX_ID)
_counts = st.integers(0, MAX_ID)
_times = st.datetimes().map(lambda dt: dt.isoformat() + "Z")


def _sometimes(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={name: st.none() | each for name, each in optional.items()})


_users = _sometimes(
    user_text=_text,
    user_id=_counts,
    groups=st.lists(_text.filter(bool), max_size=3),
    is_bot=st.booleans(),
    registration_dt=_times,
    edit_count=_counts,
)
_revisions = st.builds(
    lambda needed, rest: needed | rest,
    st.fixed_dictionaries({"rev_id": _ids, "rev_dt": _times}),
    _sometimes(
        rev_parent_id=_counts,
        rev_size=_counts,
        rev_sha1=_text,
        comment=_text,
        editor=_users,
        is_content_visible=st.booleans(),
        is_editor_visible=st.booleans(),
        is_comment_visible=st.booleans(),
        is_minor_edit=st.booleans(),
    ),
)
_metas = _sometimes(
    stream=_text,
    id=_text,
    dt=_times,
    domain=_text.filter(lambda domain: domain != "canary"),
    uri=_text | _text.map("https://moss.example.org/wiki/{}".format),
    request_id=_text,
)
_kinds = st.sampled_from(
    ("create", "edit", "move", "delete", "undelete", "visibility_change", "rename_of_later_times")
)


def page_changes() -> st.SearchStrategy[dict[str, Any]]:
    """Return every page change that a tolerant reader must take, however odd."""
    return st.builds(
        lambda needed, rest: needed | rest,
        st.fixed_dictionaries(
            {
                "$schema": st.sampled_from(("/mediawiki/page/change/1.0.0", "/mediawiki/page/change/1.99.0")),
                "page_change_kind": _kinds,
                "dt": _times,
                "wiki_id": st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True),
                "meta": _metas,
                "page": st.fixed_dictionaries(
                    {
                        "page_id": _ids,
                        "page_title": _text.filter(bool),
                        "namespace_id": st.integers(-MAX_ID, MAX_ID),
                    }
                ),
                "revision": _revisions,
            }
        ),
        _sometimes(performer=_users, a_field_of_later_times=st.integers() | _text),
    )
