"""What pages link to, as Wikidata ids: the input of models that read a page by its neighbours."""

import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Final

from msgspec import Struct, field
from msgspec.json import Decoder

from agents.mediawiki_answer import ApiError
from agents.mediawiki_client import Culprit, MediaWikiClient, Refused, Transient
from agents.mediawiki_verdict import subject_of, unavailable
from schemas.errors import RevisionDeleted, RevisionNotFound
from schemas.revision import PageRequest

MOST_OUTLINKS: Final = 1_000
# Many links lead to pages without an item; a page that has more of them is read up to here.
_MOST_PARTS: Final = 20
_MOST_TITLES: Final = 50
# Percent-encoding makes three bytes of one, and servers take addresses of some 8 kB.
_MOST_TITLE_BYTES: Final = 2_000
_TITLE: Final = re.compile(r"[^\x00-\x1f\x7f<>\[\]|{}]+")
_LONGEST_TITLE_BYTES: Final = 255

_ITEMS: Final = {"action": "query", "redirects": "1", "prop": "pageprops", "ppprop": "wikibase_item"}


class _PageProps(Struct, frozen=True):
    wikibase_item: str | None = None


class _Page(Struct, frozen=True):
    missing: bool = False
    invalid: bool = False
    pageprops: _PageProps = _PageProps()


class _Query(Struct, frozen=True):
    pages: tuple[_Page, ...] = ()


class _Pages(Struct, frozen=True):
    query: _Query = _Query()
    error: ApiError | None = None
    resume: dict[str, str | int] = field(name="continue", default_factory=dict)


class _Link(Struct, frozen=True):
    ns: int
    title: str


class _Parse(Struct, frozen=True):
    links: tuple[_Link, ...] = ()


class _Parsed(Struct, frozen=True):
    parse: _Parse = _Parse()
    error: ApiError | None = None


_pages: Callable[[bytes], _Pages] = Decoder(_Pages).decode
_parsed: Callable[[bytes], _Parsed] = Decoder(_Parsed).decode


class PageLinks:
    """Looks up the items of the articles that a page links to.

    Args:
        client: Of the page's wiki.
    """

    def __init__(self, client: MediaWikiClient) -> None:
        self._client = client

    async def of(self, request: PageRequest) -> tuple[str, ...]:
        """Return the Wikidata ids of linked articles; redirects are followed, and each id comes once.

        Args:
            request: A page, or one of its revisions, which takes three times as many queries.

        Returns:
            Up to 1,000, of the first 10,000 links; those of a revision are of its first 1,000 links.

        Raises:
            RevisionNotFound: There is no such page or revision. The field ``api_code`` has the wiki's word.
            RevisionDeleted: The wiki does not show it.
            ContentUnavailable: The wiki did not answer. Retryable.
        """
        try:
            return await self._ids(request)
        except Refused as error:
            if error.absent_code is None:
                raise unavailable(request, str(error)) from error
            raise _absent(request, error.absent_code) from error
        except (Transient, Culprit) as error:
            raise unavailable(request, str(error)) from error

    async def _ids(self, request: PageRequest) -> tuple[str, ...]:
        if request.rev_id is not None:
            return await _first(self._of_revision(request.rev_id))
        source = _source(request)
        ids = await _first(self._of_page(source))
        if not ids:
            # The query about links is silent about the page itself.
            await self._require(source)
        return ids

    async def _of_page(self, source: dict[str, str]) -> AsyncIterator[str]:
        links = {"generator": "links", "gplnamespace": "0", "gpllimit": "500"}
        async for part in self._parts(source | links):
            for page in part.query.pages:
                if page.pageprops.wikibase_item is not None:
                    yield page.pageprops.wikibase_item

    async def _of_revision(self, rev_id: int) -> AsyncIterator[str]:
        parameters = {"action": "parse", "oldid": str(rev_id), "prop": "links"}
        parsed = await self._client.send(parameters, _parsed)
        articles = dict.fromkeys(link.title for link in parsed.parse.links if link.ns == 0)
        for titles in _batches(list(articles)[:MOST_OUTLINKS]):
            async for part in self._parts({"titles": "|".join(titles)}):
                for page in part.query.pages:
                    if page.pageprops.wikibase_item is not None:
                        yield page.pageprops.wikibase_item

    async def _parts(self, parameters: dict[str, str]) -> AsyncIterator[_Pages]:
        """Give the answers about the items of some pages, following continuation to its bound."""
        resume: dict[str, str] = {}
        for _ in range(_MOST_PARTS):
            part = await self._client.send(_ITEMS | parameters | resume, _pages)
            yield part
            following = {name: str(value) for name, value in part.resume.items()}
            if not following:
                return
            if following == resume:
                raise Transient("invalid_answer", f"{self._client.url} continues where it was")
            resume = following

    async def _require(self, source: dict[str, str]) -> None:
        answer = await self._client.send({"action": "query"} | source, _pages)
        page = next(iter(answer.query.pages), None)
        if page is not None and page.invalid:
            raise Refused("ok", "no title", "invalidtitle")
        if page is None or page.missing:
            raise Refused("ok", "no page", "missingtitle" if "titles" in source else "nosuchpageid")


async def _first(found: AsyncIterator[str]) -> tuple[str, ...]:
    """Return the first ids, each once, and ask for no more than they take."""
    ids: dict[str, None] = {}
    async for one in found:
        ids[one] = None
        if len(ids) == MOST_OUTLINKS:
            break
    return tuple(ids)


def _source(request: PageRequest) -> dict[str, str]:
    if request.page_title is None:
        return {"pageids": str(request.page_id)}
    title = request.page_title
    # A bar would ask for two pages, and the wiki cuts what is too long out of its answer.
    if not _TITLE.fullmatch(title) or len(title.encode(errors="replace")) > _LONGEST_TITLE_BYTES:
        raise Refused("ok", "no title", "invalidtitle")
    return {"titles": title}


def _batches(titles: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size_bytes = 0
    for title in titles:
        title_bytes = len(title.encode())
        if batch and (len(batch) == _MOST_TITLES or size_bytes + title_bytes > _MOST_TITLE_BYTES):
            yield batch
            batch, size_bytes = [], 0
        batch.append(title)
        size_bytes += title_bytes
    if batch:
        yield batch


def _absent(request: PageRequest, code: str) -> RevisionNotFound | RevisionDeleted:
    kind = RevisionDeleted if code == "permissiondenied" else RevisionNotFound
    return kind(
        f"{request.wiki_id} shows no {subject_of(request)} ({code}): it does not exist, or is deleted or "
        "hidden; asking again will not help",
        wiki_id=request.wiki_id,
        rev_id=request.rev_id,
        api_code=code,
    )
