"""Turns what a wiki answered into content, or into the error that says why there is none.

Pure: no clock, no socket. The border that matters runs between what will never be there (do not ask again)
and what the wiki did not tell this time (``ContentUnavailable``, retryable).
"""

import msgspec

from agents.mediawiki_answer import (
    Absent,
    ApiRevision,
    Oversized,
    PageRevision,
    RevisionOutcome,
    decode_text,
)
from schemas.errors import (
    ContentTooLarge,
    ContentUnavailable,
    ParentNotFound,
    RevisionDeleted,
    RevisionNotFound,
    RevisionSuppressed,
)
from schemas.revision import PageRequest, RevisionRequest, RevisionUser


def found(request: RevisionRequest, outcome: RevisionOutcome) -> PageRevision:
    """Return the revision if the wiki gave it.

    Raises:
        RevisionNotFound: The wiki says that it has none.
        ContentTooLarge: The whole answer is over the limit.
        ContentUnavailable: The wiki did not tell.
    """
    if isinstance(outcome, PageRevision):
        return outcome
    if isinstance(outcome, Absent):
        raise RevisionNotFound(
            f"{request.wiki_id} does not have revision {request.rev_id}: the id is wrong, or its page "
            "is deleted; asking again will not help",
            wiki_id=request.wiki_id,
            rev_id=request.rev_id,
        )
    if isinstance(outcome, Oversized):
        raise ContentTooLarge(
            f"the answer about revision {request.rev_id} of {request.wiki_id} is over the limit on answers",
            wiki_id=request.wiki_id,
            rev_id=request.rev_id,
        )
    raise unavailable(request, outcome.reason)


def text_of(request: RevisionRequest, revision: ApiRevision, max_text_bytes: int) -> str:
    """Return the text of the main slot.

    Args:
        request: What was asked for; named in errors.
        revision: That revision, or its parent.
        max_text_bytes: Limit in UTF-8.

    Raises:
        RevisionDeleted: It is hidden from readers.
        RevisionSuppressed: It is hidden from administrators as well.
        ContentTooLarge: It is over the limit.
        ContentUnavailable: The wiki failed to read it, or garbled it.
    """
    slot = revision.slots.get("main")
    if slot is not None and slot.texthidden:
        kind, whom = (
            (RevisionSuppressed, "administrators as well")
            if revision.suppressed
            else (RevisionDeleted, "readers")
        )
        raise kind(
            f"the text of revision {revision.revid} of {request.wiki_id} is hidden from {whom}: "
            "it can have no score",
            wiki_id=request.wiki_id,
            rev_id=request.rev_id,
        )
    if slot is None or slot.missing or slot.textmissing or not memoryview(slot.content):
        raise unavailable(request, f"it cannot read the text of revision {revision.revid} itself")
    try:
        text = decode_text(slot.content, max_text_bytes)
    except msgspec.DecodeError as error:
        raise unavailable(request, f"the text of revision {revision.revid} is garbled: {error}") from None
    if text is None:
        raise ContentTooLarge(
            f"the text of revision {revision.revid} of {request.wiki_id} is over the limit of "
            f"{max_text_bytes} bytes",
            wiki_id=request.wiki_id,
            rev_id=request.rev_id,
        )
    return text


def parent_of(
    request: RevisionRequest, parent_id: int, outcome: RevisionOutcome, max_text_bytes: int
) -> tuple[ApiRevision, str]:
    """Return the parent and its text.

    Raises:
        ParentNotFound: It is missing, hidden or suppressed: for good.
        ContentTooLarge: Its text is over the limit.
        ContentUnavailable: The wiki did not tell.
    """
    try:
        page = found(request, outcome)
        return page.revision, text_of(request, page.revision, max_text_bytes)
    except (RevisionNotFound, RevisionDeleted, RevisionSuppressed) as error:
        raise ParentNotFound(
            f"revision {parent_id} of {request.wiki_id}, the parent of {request.rev_id}, cannot be had "
            f"({error.code}): models that compare with it give no score",
            wiki_id=request.wiki_id,
            rev_id=request.rev_id,
            rev_parent_id=parent_id,
        ) from error


def named(revision: ApiRevision) -> RevisionUser | None:
    """Return who saved a revision, without asking for groups and registration."""
    if revision.userhidden or revision.user is None:
        return None
    return RevisionUser(user_id=revision.userid or None, user_text=revision.user, is_known=False)


def presumed(revision: ApiRevision) -> RevisionUser | None:
    """Return who saved a revision, with an account that was made at that moment, until the wiki tells."""
    if revision.userhidden or revision.user is None:
        return None
    return RevisionUser(
        user_id=revision.userid or None,
        user_text=revision.user,
        registration_dt=revision.timestamp if revision.userid else None,
    )


def no_parent(request: RevisionRequest) -> ParentNotFound:
    """Return the error that says that a request names no parent."""
    return ParentNotFound(
        f"no parent of revision {request.rev_id} of {request.wiki_id} is named, so none can be fetched",
        wiki_id=request.wiki_id,
        rev_id=request.rev_id,
    )


def unavailable(request: RevisionRequest | PageRequest, reason: str) -> ContentUnavailable:
    """Return the error that says to ask again later."""
    return ContentUnavailable(
        f"{request.wiki_id} gave no answer about {subject_of(request)}: {reason}",
        wiki_id=request.wiki_id,
        rev_id=request.rev_id,
    )


def subject_of(request: RevisionRequest | PageRequest) -> str:
    """Return what was asked for, in words."""
    if request.rev_id is not None:
        return f"revision {request.rev_id}"
    if isinstance(request, PageRequest) and request.page_title is not None:
        return f"page {request.page_title[:255]!r}"
    return f"page {getattr(request, 'page_id', None)}"
