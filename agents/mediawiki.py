"""Revisions from MediaWiki's API, of any number of wikis."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping

import aiohttp
from msgspec import Struct
from msgspec.structs import replace

from agents.backoff import Backoff
from agents.inflated import ACCEPTED
from agents.mediawiki_answer import (
    Absent,
    ApiRevision,
    ApiUser,
    Oversized,
    PageRevision,
    Unanswered,
    UserOutcome,
)
from agents.mediawiki_batch import WikiBatcher
from agents.mediawiki_client import ClientLimits, MediaWikiClient, Observe
from agents.mediawiki_links import PageLinks
from agents.mediawiki_revisions import RevisionQueries
from agents.mediawiki_verdict import found, named, no_parent, parent_of, presumed, text_of, unavailable
from agents.user_agent import require_contact
from schemas.errors import ContentError, ContentUnavailable, RevisionNotFound, SettingsError
from schemas.prediction import ScoreFailure
from schemas.revision import PageRequest, ParentRevision, Revision, RevisionRequest, RevisionUser

# The top-level label starts with a letter, so that an event cannot lead us to a bare address.
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,62})\.)+[a-z][a-z0-9-]{0,62}", re.ASCII | re.IGNORECASE)


class MediaWikiSettings(Struct, frozen=True, kw_only=True):
    """How wikis are reached and how hard they are asked.

    Attributes:
        user_agent: Names the tool and a contact.
        url_template: Address of api.php; ``{domain}`` stands for the host name of the wiki.
        domains: wiki id to host name, for requests that do not name one.
        connect_timeout_seconds: Limit on making a connection.
        request_timeout_seconds: Limit on one request, its whole answer included.
        batch_window_seconds: How long a question waits for others to share its query, where no client waits
            for its answer.
        max_requests_per_wiki: Queries under way for one wiki.
        max_requests: Queries under way in all.
        max_text_bytes: Limit on one text, in UTF-8.
        max_lookup_seconds: Limit on all queries about the links of one page together.
        limits: How hard one wiki is asked.
    """

    user_agent: str
    url_template: str = "https://{domain}/w/api.php"
    domains: Mapping[str, str] = {}
    connect_timeout_seconds: float = 5.0
    request_timeout_seconds: float = 30.0
    batch_window_seconds: float = 0.025
    max_requests_per_wiki: int = 3
    max_requests: int = 12
    max_text_bytes: int = 5 << 20
    max_lookup_seconds: float = 30.0
    limits: ClientLimits = ClientLimits()


def _ignore(outcome: str, seconds: float) -> None:
    """Observe nothing."""


class MediaWikiSource:
    """Gives revisions with parents and editors from api.php; a ``RevisionSource``.

    Concurrent calls about one wiki share queries of up to 50 ids: revisions and the parents that requests
    name go together, editors follow in the next one (an editor's id is known only from the revision), which
    nothing holds up any more: those who shared the first query ask at the same moment.

    Args:
        settings: How to reach and to ask.
        backoff: Waits between attempts.
        observe: See ``MediaWikiClient``.
        sleep: Waits; replaced in tests.
        monotonic: Clock in seconds.

    Raises:
        SettingsError: The user agent names no contact, or the template is no HTTP address.
    """

    def __init__(
        self,
        settings: MediaWikiSettings,
        *,
        backoff: Backoff | None = None,
        observe: Observe = _ignore,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        require_contact(settings.user_agent)
        if not settings.url_template.startswith(("https://", "http://")):
            raise SettingsError(
                f"the API address {settings.url_template!r} is no HTTP address: "
                "write it like https://{domain}/w/api.php"
            )
        self._settings = settings
        self._backoff = backoff or Backoff()
        self._observe = observe
        self._sleep = sleep
        self._monotonic = monotonic
        self._slots = asyncio.Semaphore(settings.max_requests)
        self._http: aiohttp.ClientSession | None = None
        self._clients: dict[str, MediaWikiClient] = {}
        self._wikis: dict[str, WikiBatcher] = {}
        self._lookups: dict[str, asyncio.Semaphore] = {}
        self._deadlines: set[asyncio.Timeout] = set()
        self._is_closed = False

    async def get(self, request: RevisionRequest) -> Revision:
        """Return one revision.

        Raises:
            ContentError: As `get_early`.
        """
        return await self.get_early(request, _pass_by)

    async def get_early(self, request: RevisionRequest, early: Callable[[Revision], None]) -> Revision:
        """Return one revision, and show it before its parent where only the revision names that.

        1. Ask for the revision, and for its parent and its editor where the request names them.
        2. Refuse what is missing, hidden or too large.
        3. Ask for the editor and the parent where only the revision names them.

        Raises:
            RevisionNotFound: The wiki has no such revision, or its page is deleted.
            RevisionDeleted: Its text is hidden from readers.
            RevisionSuppressed: Its text is hidden from administrators as well.
            ParentNotFound: It has a parent whose text is missing or hidden.
            ContentTooLarge: Its text or its parent's is over the limit.
            ContentUnavailable: The wiki did not answer, or refused for now. Retryable.
        """
        if request.rev_id <= 0:
            raise RevisionNotFound(
                f"{request.wiki_id} has no revision {request.rev_id}: revision ids are positive",
                wiki_id=request.wiki_id,
                rev_id=request.rev_id,
            )
        wiki = self._wiki(request)
        # 1
        asked = wiki.revision(request.rev_id, is_urgent=request.is_awaited)
        named_parent_id = request.rev_parent_id if (request.rev_parent_id or 0) > 0 else None
        parent = None if named_parent_id is None else wiki.revision(named_parent_id)
        editor = None if request.user_id is None else wiki.user(request.user_id)
        # 2
        page = found(request, await asked)
        text = text_of(request, page.revision, self._settings.max_text_bytes)
        # 3
        parent_id = named_parent_id if page.revision.parentid is None else page.revision.parentid or None
        if parent_id is None:
            parent = None
        elif parent is None or parent_id != named_parent_id:
            parent = wiki.revision(parent_id, is_urgent=True)
        alone = Revision(
            wiki_id=request.wiki_id,
            page_id=page.page_id,
            page_title=page.page_title,
            namespace_id=page.namespace_id,
            rev_id=request.rev_id,
            rev_parent_id=None,
            rev_dt=page.revision.timestamp,
            content_model=page.revision.slots["main"].contentmodel or "wikitext",
            text=text,
            parent_text=None,
            comment="" if page.revision.commenthidden else page.revision.comment,
            user=presumed(page.revision),
        )
        if parent is not None and not parent.done():
            early(alone)
        user = await self._user(wiki, request, page.revision, editor)
        if parent is None or parent_id is None:
            return replace(alone, rev_parent_id=parent_id, user=user)
        outcome = await parent
        try:
            parent_revision, parent_text = parent_of(
                request, parent_id, outcome, self._settings.max_text_bytes
            )
        except ContentError as error:
            if error.retryable or not request.may_lack_parent:
                raise
            failure = ScoreFailure(error.code, error.message)
            return replace(alone, rev_parent_id=parent_id, user=user, parent_failure=failure)
        return replace(
            alone,
            rev_parent_id=parent_id,
            parent_text=parent_text,
            user=user,
            parent_dt=parent_revision.timestamp,
            parent_user=named(parent_revision),
        )

    async def parent(self, request: RevisionRequest) -> ParentRevision:
        """Return the parent that a request names, alone.

        Raises:
            ParentNotFound: It is missing or hidden, or the request names none.
            ContentTooLarge: Its text is over the limit.
            ContentUnavailable: The wiki did not answer, or refused for now. Retryable.
        """
        if not request.rev_parent_id:
            raise no_parent(request)
        outcome = await self._wiki(request).revision(request.rev_parent_id)
        revision, text = parent_of(request, request.rev_parent_id, outcome, self._settings.max_text_bytes)
        return ParentRevision(text, revision.timestamp, named(revision))

    async def account(self, wiki_id: str, user_id: int, user_text: str) -> RevisionUser | None:
        """Return what a wiki tells of an account now.

        Args:
            wiki_id: Which wiki; its host comes from the settings.
            user_id: Positive id of the account.
            user_text: Name to return; the wiki is asked by the id.

        Returns:
            The account, with ``is_known`` False where the wiki has none of that id; None where its very name
            is suppressed.

        Raises:
            ContentUnavailable: The wiki did not answer, or refused for now. Retryable.
        """
        outcome = await self._wiki(RevisionRequest(wiki_id, 0)).user(user_id)
        if isinstance(outcome, ApiUser | Absent):
            return _account(outcome, user_id, user_text)
        raise ContentUnavailable(
            f"{wiki_id} does not tell of the account {user_id}: {_reason(outcome)}; try again later",
            wiki_id=wiki_id,
        )

    async def outlinks(self, request: PageRequest) -> tuple[str, ...]:
        """Return the Wikidata ids of the articles that a page links to, see ``PageLinks.of``.

        No more pages of one wiki are looked up at a time than it has queries under way for revisions, so
        that these keep a share of the requests.

        Raises:
            RevisionNotFound: There is no such page or revision. The field ``api_code`` has the wiki's word.
            RevisionDeleted: The wiki does not show it.
            ContentUnavailable: The wiki did not answer, or not in time. Retryable.
        """
        client = self._client(request, None)
        limit = self._settings.max_lookup_seconds
        lookups = self._lookups.setdefault(
            client.url, asyncio.Semaphore(self._settings.max_requests_per_wiki)
        )
        try:
            async with asyncio.timeout(limit) as deadline:
                self._deadlines.add(deadline)
                try:
                    async with lookups:
                        return await PageLinks(client).of(request)
                finally:
                    self._deadlines.discard(deadline)
        except TimeoutError as error:
            reason = "the client was closed" if self._is_closed else f"it took more than {limit:g} s"
            raise unavailable(request, reason) from error

    async def close(self) -> None:
        """Release connections; calls under way end with ContentUnavailable. Idempotent."""
        self._is_closed = True
        for deadline in self._deadlines:
            deadline.reschedule(asyncio.get_running_loop().time())
        for wiki in self._wikis.values():
            await wiki.close()
        if self._http is not None:
            await self._http.close()

    def _wiki(self, request: RevisionRequest) -> WikiBatcher:
        client = self._client(request, request.domain)
        wiki = self._wikis.get(client.url)
        if wiki is None:
            wiki = self._wikis[client.url] = WikiBatcher(
                RevisionQueries(client).ask,
                window_seconds=self._settings.batch_window_seconds,
                max_runners=self._settings.max_requests_per_wiki,
            )
        return wiki

    def _client(self, request: RevisionRequest | PageRequest, domain: str | None) -> MediaWikiClient:
        if self._is_closed:
            raise unavailable(request, "the client was closed")
        url = self._url(request, domain)
        client = self._clients.get(url)
        if client is None:
            client = self._clients[url] = MediaWikiClient(
                url,
                self._session(),
                self._slots,
                limits=self._settings.limits,
                backoff=self._backoff,
                observe=self._observe,
                sleep=self._sleep,
                monotonic=self._monotonic,
            )
        return client

    def _url(self, request: RevisionRequest | PageRequest, domain: str | None) -> str:
        template = self._settings.url_template
        if "{domain}" not in template:
            return template
        domain = domain or self._settings.domains.get(request.wiki_id)
        if domain is None:
            raise unavailable(
                request, "no host name is known for this wiki; name it in the settings under its wiki id"
            )
        if _DOMAIN.fullmatch(domain) is None:
            raise unavailable(request, f"{domain!r} is no host name of a wiki")
        return template.replace("{domain}", domain.lower())

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            settings = self._settings
            self._http = aiohttp.ClientSession(
                headers={"User-Agent": settings.user_agent, "Accept-Encoding": ACCEPTED},
                # aiohttp would unpack on the event loop.
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                # The number of requests is bounded before they ask for a connection, so that waiting for
                # one never counts against the timeout.
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(
                    total=settings.request_timeout_seconds, sock_connect=settings.connect_timeout_seconds
                ),
            )
        return self._http

    async def _user(
        self,
        wiki: WikiBatcher,
        request: RevisionRequest,
        revision: ApiRevision,
        editor: asyncio.Future[UserOutcome] | None,
    ) -> RevisionUser | None:
        if revision.userhidden or revision.user is None:
            return None
        if not revision.userid:
            return RevisionUser(user_id=None, user_text=revision.user)
        if editor is None or revision.userid != request.user_id:
            editor = wiki.user(revision.userid, is_urgent=True)
        outcome = await editor
        if isinstance(outcome, ApiUser | Absent):
            return _account(outcome, revision.userid, revision.user)
        raise unavailable(request, f"of the editor it does not tell: {_reason(outcome)}")


def _account(outcome: ApiUser | Absent, user_id: int, user_text: str) -> RevisionUser | None:
    """Return an editor with an account; None where the very name is suppressed."""
    if isinstance(outcome, Absent):
        return RevisionUser(user_id=user_id, user_text=user_text, is_known=False)
    if outcome.hidden:
        return None
    return RevisionUser(
        user_id=user_id,
        user_text=user_text,
        groups=tuple(sorted(outcome.groups)),
        registration_dt=outcome.registration,
    )


def _reason(outcome: Unanswered | Oversized | PageRevision) -> str:
    return outcome.reason if isinstance(outcome, Unanswered) else "its answer is over the limit"


def _pass_by(revision: Revision) -> None:
    """Do nothing with a revision that is shown early."""
