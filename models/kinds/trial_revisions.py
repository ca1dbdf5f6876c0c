"""Revisions that try a model: with parts missing, with strange texts, and huge."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from schemas.revision import Revision, RevisionUser


def odd(revision: Revision) -> Sequence[Revision]:
    """Return variants of a revision that real streams and dumps hold, or that somebody may make up.

    Args:
        revision: One that the model can score.

    Returns:
        Variants; their titles say what is odd.
    """
    user = revision.user or RevisionUser(1, "Somebody")
    variants: dict[str, dict[str, Any]] = {
        "hidden editor": {"user": None},
        "unknown account": {"user": replace(user, groups=(), registration_dt=None, is_known=False)},
        "no account": {"user": RevisionUser(None, "192.0.2.7")},
        "temporary account": {"user": RevisionUser(9, "~2026-1234")},
        "no parent": {"rev_parent_id": None, "parent_text": None, "parent_dt": None},
        "missing parent": {"rev_parent_id": 1, "parent_text": None},
        "empty text": {"text": ""},
        "empty texts": {"text": "", "parent_text": "", "comment": ""},
        "nothing changed": {"parent_text": revision.text},
        "all removed": {"text": "", "parent_text": revision.text * 3},
        "blank text": {"text": " \n\t\u3000\u200b"},
        "a NUL": {"text": "a\0b\0"},
        "half a surrogate pair": {"text": "half \ud800 pair"},
        "astral characters": {"text": "\U0001f600" * 50, "parent_text": "\U00020000" * 50},
        "right to left": {"text": "\u0645\u0631\u062d\u0628\u0627 \u202e abc"},
        "deep nesting": {"text": "{{a|" * 500 + "}}" * 500},
        "never closed": {"text": "{{[[<ref><!-- {| <nowiki> '''" * 20},
        "numbers": {"text": "9" * 5_000 + " 1e309 -0 NaN"},
        "long comment": {"comment": "/* */" + "x" * 5_000},
        "other namespace": {"namespace_id": -1},
        "largest ids": {"rev_id": (1 << 63) - 1, "page_id": (1 << 63) - 1},
    }
    return [replace(revision, **{"page_title": title, **changes}) for title, changes in variants.items()]


def huge(revision: Revision) -> Sequence[Revision]:
    """Return variants of a revision with texts of 2 MB, one plain and one that parsers take long over."""
    plain = "Lorem ipsum dolor sit amet, 1234 consectetur. " * 45_000
    nested = "{{a|[[b|{{c|" * 170_000
    return [
        replace(revision, page_title=title, text=text[:2_000_000], parent_text=revision.text)
        for title, text in (("plain", plain), ("nested", nested))
    ]
