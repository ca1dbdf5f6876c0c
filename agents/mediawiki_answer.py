"""What api.php answers to ``action=query`` in format version 2, as structs.

Flags that MediaWiki sets are ``true`` or absent. Revisions and users are decoded one by one, so that an odd
one does not spoil the rest, and texts stay raw JSON until somebody asks for one: a text that is hidden or
too large is never decoded.
"""

from datetime import datetime
from typing import Generic, TypeVar

import msgspec
from msgspec import Raw, Struct, field
from msgspec.json import Decoder

_Part = TypeVar("_Part")


class ApiSlot(Struct, frozen=True):
    """The main slot; ``content`` is empty where absent. ``missing``, ``textmissing``: the wiki lost it."""

    contentmodel: str | None = None
    content: Raw = Raw()
    texthidden: bool = False
    textmissing: bool = False
    missing: bool = False


class ApiRevision(Struct, frozen=True):
    """One revision. ``suppressed`` says that what is hidden is hidden from administrators as well."""

    revid: int
    timestamp: datetime
    parentid: int | None = None
    user: str | None = None
    userid: int | None = None
    userhidden: bool = False
    comment: str = ""
    commenthidden: bool = False
    suppressed: bool = False
    slots: dict[str, ApiSlot] = {}


class ApiUser(Struct, frozen=True):
    """One account. ``missing``: no such account; ``hidden``: its very name is suppressed."""

    userid: int
    name: str | None = None
    groups: tuple[str, ...] = ()
    registration: datetime | None = None
    missing: bool = False
    hidden: bool = False


class PageRevision(Struct, frozen=True):
    """A revision with the page that it belongs to."""

    page_id: int
    page_title: str
    namespace_id: int
    revision: ApiRevision


class ApiError(Struct, frozen=True):
    """A whole request refused. ``lag`` is in seconds and comes with code ``maxlag``."""

    code: str
    info: str = ""
    lag: float | None = None


class Part(Struct, frozen=True):
    """One HTTP answer, which holds all or a part of what was asked.

    Attributes:
        revisions: By revision id.
        users: By user id.
        absent_rev_ids: Ids which the wiki says it does not have.
        resume: Parameters that ask for the next part; empty when this is the last.
        error: Why there is nothing.
    """

    revisions: dict[int, PageRevision]
    users: dict[int, ApiUser]
    absent_rev_ids: frozenset[int]
    resume: dict[str, str]
    error: ApiError | None = None


class Absent(Struct, frozen=True):
    """The wiki says that it has no such thing."""


class Unanswered(Struct, frozen=True):
    """The wiki did not tell, for now.

    Attributes:
        reason: What came instead, and from where.
    """

    reason: str


class Oversized(Struct, frozen=True):
    """The answer about this one thing is larger than the limit on whole answers."""


RevisionOutcome = PageRevision | Absent | Unanswered | Oversized
UserOutcome = ApiUser | Absent | Unanswered | Oversized


class Answer(Struct, frozen=True):
    """What is known of each revision and each user that was asked for; none is left out."""

    revisions: dict[int, RevisionOutcome]
    users: dict[int, UserOutcome]


class _Page(Struct):
    pageid: int = 0
    ns: int = 0
    title: str = ""
    revisions: list[Raw] = []


class _AbsentRevision(Struct):
    revid: int


class _Query(Struct):
    pages: list[_Page] = []
    badrevids: dict[str, _AbsentRevision] | list[_AbsentRevision] = {}
    users: list[Raw] = []


class _Envelope(Struct):
    query: _Query | None = None
    error: ApiError | None = None
    resume: dict[str, str | int] = field(name="continue", default_factory=dict)


class _Each(Generic[_Part]):
    """Decodes the members of a list, leaving out those that do not fit."""

    def __init__(self, kind: type[_Part]) -> None:
        self._decoder = Decoder(kind)

    def decode(self, members: list[Raw]) -> list[_Part]:
        decoded = []
        for member in members:
            try:
                decoded.append(self._decoder.decode(member))
            # Left out here, it counts as not answered, which its own caller hears.
            except msgspec.DecodeError:
                continue
        return decoded


_envelope = Decoder(_Envelope)
_revisions = _Each(ApiRevision)
_users = _Each(ApiUser)
_text = Decoder(str)


def parse_part(body: bytes) -> Part:
    """Return one answer of the API.

    Raises:
        msgspec.DecodeError: The bytes are not JSON, or not an answer of ``action=query``.
    """
    envelope = _envelope.decode(body)
    query = envelope.query or _Query()
    absent = query.badrevids.values() if isinstance(query.badrevids, dict) else query.badrevids
    return Part(
        revisions={
            revision.revid: PageRevision(page.pageid, page.title, page.ns, revision)
            for page in query.pages
            for revision in _revisions.decode(page.revisions)
        },
        users={user.userid: user for user in _users.decode(query.users)},
        absent_rev_ids=frozenset(revision.revid for revision in absent),
        resume={name: str(value) for name, value in envelope.resume.items()},
        error=envelope.error,
    )


def decode_text(content: Raw, most_bytes: int) -> str | None:
    """Return the text of a slot, or None when it is larger than the limit.

    Args:
        content: The text as a JSON string.
        most_bytes: Limit on its length in UTF-8.

    Raises:
        msgspec.DecodeError: It is no JSON string, or holds half a surrogate pair.
    """
    json_bytes = len(memoryview(content)) - 2
    # JSON spends at most six bytes on one byte of text, and never fewer than one.
    if json_bytes > 6 * most_bytes:
        return None
    text = _text.decode(content)
    if json_bytes > most_bytes and len(text.encode()) > most_bytes:
        return None
    return text
