"""What a scorer reads: one revision with its text, its parent's text and its editor."""

from datetime import datetime

from msgspec import Struct

from schemas.prediction import Injected, ScoreFailure


class RevisionRequest(Struct, frozen=True):
    """A revision to fetch.

    Attributes:
        wiki_id: Database name, ``enwiki``.
        rev_id: Positive revision id.
        rev_parent_id: Id of the parent where the event names one; None when it has none or is unknown.
        domain: Host name of the wiki, ``en.wikipedia.org``, where known.
        told: The revision as its event tells it, without its parent; None where it does not tell all of it.
        may_lack_parent: Whether a revision whose parent cannot be had is wanted all the same, with
            ``parent_failure``, for the models that read its own text alone.
        is_awaited: Whether a client waits for it, so that nothing may be waited for that could share its way.
        user_id: Positive id of the account that saved it, where known: what is to be asked about the account
            need not wait for the revision. Whether it did, the wiki says.
    """

    wiki_id: str
    rev_id: int
    rev_parent_id: int | None = None
    domain: str | None = None
    told: "Revision | None" = None
    may_lack_parent: bool = False
    is_awaited: bool = False
    user_id: int | None = None


class PageRequest(Struct, frozen=True):
    """A page whose links are wanted. One of title, page id and revision id is given at least.

    Attributes:
        wiki_id: Database name, ``enwiki``.
        page_title: With its namespace prefix; None where the page is named by its id.
        page_id: Positive; None where the page is named by its title.
        rev_id: Whose links count, whatever the page; None for those that the page has now.
    """

    wiki_id: str
    page_title: str | None = None
    page_id: int | None = None
    rev_id: int | None = None


class RevisionUser(Struct, frozen=True):
    """The editor of a revision.

    Attributes:
        user_id: Positive for accounts, None or 0 for those without one.
        user_text: Account name or address.
        groups: Group names, sorted; empty where the source does not know them.
        registration_dt: When the account was made; None for those without one, or where unknown.
        is_known: False where the source has no groups and registration (dumps), so that the features
            which read them take their declared defaults.
        lacks_groups: The source knows the registration and not the groups. Features that read groups take
            their defaults.
        lacks_registration: The other way round.
    """

    user_id: int | None
    user_text: str
    groups: tuple[str, ...] = ()
    registration_dt: datetime | None = None
    is_known: bool = True
    lacks_groups: bool = False
    lacks_registration: bool = False


class Revision(Struct, frozen=True):
    """One revision with all that features ask of it. Visible content only.

    Attributes:
        wiki_id: Database name.
        page_id: Positive page id.
        page_title: Title with its namespace prefix.
        namespace_id: Number of the namespace.
        rev_id: Positive revision id.
        rev_parent_id: None on the first revision of a page.
        rev_dt: When it was saved, aware UTC.
        content_model: ``wikitext``, ``wikibase-item`` …
        text: The main slot.
        parent_text: The parent's main slot; None without a parent.
        comment: Edit summary; empty where hidden or absent.
        user: The editor; None where hidden.
        parent_dt: When the parent was saved.
        parent_user: Who saved the parent, id and name; None without a parent, where hidden or unknown.
        outlinks: Wikidata ids of the pages that it links to; None where the source does not know them.
        parent_failure: Why its parent's text is not here, for good; only where the request has
            ``may_lack_parent``.
        injected: What a client wants to be read in the place of what is computed. A score of that is no score
            of the revision: it is given to who asked, and never kept.
    """

    wiki_id: str
    page_id: int
    page_title: str
    namespace_id: int
    rev_id: int
    rev_parent_id: int | None
    rev_dt: datetime
    content_model: str
    text: str
    parent_text: str | None
    comment: str
    user: RevisionUser | None
    parent_dt: datetime | None = None
    parent_user: RevisionUser | None = None
    outlinks: tuple[str, ...] | None = None
    injected: Injected | None = None
    parent_failure: ScoreFailure | None = None


class ParentRevision(Struct, frozen=True):
    """What features ask of a parent.

    Attributes:
        text: The main slot.
        rev_dt: When it was saved; None where the source does not tell.
        user: Who saved it, id and name; None where hidden or unknown.
    """

    text: str
    rev_dt: datetime | None = None
    user: RevisionUser | None = None
