"""A stand-in for MediaWiki's api.php on loopback: queries and links, format version 2, from given rows."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.mediawiki_pages import WikiPage, answer_pages, parsed_links

Fault = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
USER_AGENT = "revstream-tests/1.0 (mailto:tests@example.org)"


@dataclass
class WikiRevision:
    """One row of the wiki; the flags hide as MediaWiki's revision deletion does."""

    rev_id: int
    text: str = "text"
    parent_id: int = 0
    page_id: int = 1
    title: str = "Page"
    namespace_id: int = 0
    timestamp: str = "2026-01-01T00:00:00Z"
    user: str = "Editor"
    user_id: int = 7
    comment: str = "a comment"
    content_model: str = "wikitext"
    is_text_hidden: bool = False
    is_user_hidden: bool = False
    is_comment_hidden: bool = False
    is_suppressed: bool = False
    is_text_lost: bool = False
    links: tuple[str, ...] = ()


@dataclass
class WikiUser:
    user_id: int
    name: str = "Editor"
    groups: tuple[str, ...] = ("*", "user", "autoconfirmed")
    registration: str | None = "2010-01-01T00:00:00Z"
    is_hidden: bool = False


@dataclass
class MediaWikiApi:
    """The wiki. ``faults`` are used up one a request before it answers by itself; ``requests`` records all.

    Attributes:
        chance: Gives the fault of a request where ``faults`` are used up; None for an answer.
        most_text_bytes: Texts that fit in one answer; the rest comes by continuation.
        most_links: Links that fit in one answer; the rest comes by continuation.
    """

    revisions: Iterable[WikiRevision] = ()
    users: Iterable[WikiUser] = (WikiUser(7),)
    pages: Iterable[WikiPage] = ()
    most_links: int = 500
    most_text_bytes: int = 12 << 20
    faults: deque[Fault] = field(default_factory=deque)
    chance: Callable[[], Fault | None] = lambda: None
    requests: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    url: str = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["MediaWikiApi"]:
        """Serve on a free port of loopback; ``url`` has the domain as its first folder."""
        app = web.Application()
        app.router.add_get("/{domain}/w/api.php", self._answer)
        async with TestServer(app, host="127.0.0.1") as server:
            self.url = f"http://127.0.0.1:{server.port}/{{domain}}/w/api.php"
            yield self

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(dict(request.query))
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.paths.append(request.path)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            fault = self.faults.popleft() if self.faults else self.chance()
            response = None if fault is None else await fault(request)
            if response is not None:
                return response
            answer = web.json_response(self.query(dict(request.query)))
            answer.enable_compression()
            return answer
        finally:
            self.at_once -= 1

    def query(self, asked: dict[str, str]) -> dict[str, Any]:
        """Return what MediaWiki would answer."""
        assert asked["format"] == "json"
        assert asked["formatversion"] == "2"
        if asked["action"] == "parse":
            return self._parse(asked)
        assert asked["action"] == "query"
        if "titles" in asked or "pageids" in asked:
            return answer_pages(self.pages, asked, self.most_links)
        query: dict[str, Any] = {}
        answer: dict[str, Any] = {"batchcomplete": True, "query": query}
        if "revids" in asked:
            assert asked["rvslots"] == "main"
            self._revisions(asked, answer)
        if "ususerids" in asked and asked.get("continue") != "||users":
            query["users"] = self._users(asked)
        return answer

    def _revisions(self, asked: dict[str, str], answer: dict[str, Any]) -> None:
        rev_ids = sorted(int(number) for number in asked["revids"].split("|"))
        assert len(rev_ids) <= 50
        rows = {row.rev_id: row for row in self.revisions}
        query = answer["query"]
        absent = [rev_id for rev_id in rev_ids if rev_id not in rows]
        if absent:
            query["badrevids"] = {str(rev_id): {"revid": rev_id, "missing": True} for rev_id in absent}
        pages: dict[int, dict[str, Any]] = {}
        sent_bytes = 0
        for rev_id in rev_ids:
            if rev_id not in rows or rev_id < int(asked.get("rvcontinue", 0)):
                continue
            row = rows[rev_id]
            if sent_bytes and sent_bytes + len(row.text.encode()) > self.most_text_bytes:
                answer["continue"] = {"rvcontinue": str(rev_id), "continue": "||users"}
                del answer["batchcomplete"]
                break
            sent_bytes += len(row.text.encode())
            page = pages.setdefault(
                row.page_id,
                {"pageid": row.page_id, "ns": row.namespace_id, "title": row.title, "revisions": []},
            )
            page["revisions"].append(_shown(row, asked["rvprop"].split("|")))
        if pages:
            query["pages"] = list(pages.values())

    def _parse(self, asked: dict[str, str]) -> dict[str, Any]:
        assert asked["prop"] == "links"
        row = next((row for row in self.revisions if row.rev_id == int(asked["oldid"])), None)
        if row is None:
            info = f"There is no revision with ID {asked['oldid']}."
            return {"error": {"code": "nosuchrevid", "info": info}}
        if row.is_text_hidden:
            return {"error": {"code": "permissiondenied", "info": "You may not view deleted text."}}
        links = parsed_links(self.pages, row.links)
        return {"parse": {"title": row.title, "pageid": row.page_id, "revid": row.rev_id, "links": links}}

    def _users(self, asked: dict[str, str]) -> list[dict[str, Any]]:
        user_ids = [int(number) for number in asked["ususerids"].split("|")]
        assert len(user_ids) <= 50
        rows = {row.user_id: row for row in self.users}
        shown: list[dict[str, Any]] = []
        for user_id in user_ids:
            row = rows.get(user_id)
            if row is None:
                shown.append({"userid": user_id, "missing": True})
                continue
            shown.append(
                {
                    "userid": user_id,
                    "name": row.name,
                    "registration": row.registration,
                    "groups": list(row.groups),
                }
                | ({"hidden": True} if row.is_hidden else {})
            )
        return shown


def _shown(row: WikiRevision, properties: list[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if "ids" in properties:
        shown |= {"revid": row.rev_id, "parentid": row.parent_id}
    if row.is_user_hidden:
        shown["userhidden"] = True
    else:
        shown |= {"user": row.user, "userid": row.user_id} | ({} if row.user_id else {"anon": True})
    if "timestamp" in properties:
        shown["timestamp"] = row.timestamp
    slot: dict[str, Any] = {"contentmodel": row.content_model}
    if row.is_text_hidden:
        slot["texthidden"] = True
    elif row.is_text_lost:
        slot["textmissing"] = True
    elif "content" in properties:
        slot |= {"contentformat": "text/x-wiki", "content": row.text}
    shown["slots"] = {"main": slot}
    if row.is_comment_hidden:
        shown["commenthidden"] = True
    else:
        shown["comment"] = row.comment
    if row.is_suppressed:
        shown["suppressed"] = True
    return shown


def recorded_revisions(rows: Iterable[dict[str, Any]], *, page_id: int, title: str) -> list[WikiRevision]:
    """Return rows of the wiki from revisions as format version 1 recorded them."""
    return [
        WikiRevision(
            rev_id=row["revid"],
            parent_id=row["parentid"],
            page_id=page_id,
            title=title,
            text=row["*"],
            timestamp=row["timestamp"],
            user=row["user"],
            user_id=row["userid"],
            comment=row["comment"],
            content_model=row["contentmodel"],
        )
        for row in rows
    ]


def answer_with(
    status: int = 200, body: str | dict[str, Any] = "", headers: dict[str, str] | None = None
) -> Fault:
    """A request that is answered with something else."""

    async def fault(_: web.Request) -> web.StreamResponse:
        if isinstance(body, dict):
            return web.json_response(body, status=status, headers=headers)
        return web.Response(status=status, text=body, headers=headers)

    return fault


def api_error(code: str, *, headers: dict[str, str] | None = None, **fields: object) -> Fault:
    """A request that the API refuses with an error of its own."""
    error = {"code": code, "info": f"refused for {code}", **fields}
    return answer_with(200, {"error": error, "servedby": "stand-in"}, headers)


def hang(seconds: float = 3600) -> Fault:
    """A request that is not answered for a long time."""

    async def fault(_: web.Request) -> web.StreamResponse | None:
        await asyncio.sleep(seconds)
        return None

    return fault


def cut(status: int = 200) -> Fault:
    """An answer that breaks off in the middle, with the connection."""

    async def fault(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status, headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"batchcomplete":true,"query":{"pages":[{"pageid":1,')
        assert request.transport is not None
        request.transport.close()
        return response

    return fault


def drop() -> Fault:
    """A connection that is closed without a word."""

    async def fault(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    return fault


def refuse_with(rev_id: int, code: str = "internal_api_error_RevisionAccessException") -> Fault:
    """A request that fails inside the wiki as long as one revision is asked for with it."""

    async def fault(request: web.Request) -> web.StreamResponse | None:
        if str(rev_id) in request.query.get("revids", "").split("|"):
            return web.json_response({"error": {"code": code, "info": "caught an exception"}}, status=500)
        return None

    return fault
