"""The part of the stand-in for api.php that knows pages: their links, items and redirects."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass
class WikiPage:
    """One page. ``item`` is its Wikidata id; ``links`` are titles, whether there are such pages or not."""

    page_id: int
    title: str
    item: str | None = None
    links: Sequence[str] = ()
    redirects_to: str | None = None
    namespace_id: int = 0


def answer_pages(pages: Iterable[WikiPage], asked: dict[str, str], most_links: int) -> dict[str, Any]:
    """Answer a query by title or page id, or about the pages that those link to."""
    rows = {page.title: page for page in pages}
    by_id = {page.page_id: page for page in rows.values()}
    found: list[tuple[str, WikiPage | None]] = []
    if "pageids" in asked:
        for number in asked["pageids"].split("|"):
            page = by_id.get(int(number))
            found.append((f"#{number}" if page is None else page.title, page))
    else:
        titles = asked["titles"].split("|")
        assert len(titles) <= 50
        found = [(title, rows.get(title)) for title in titles]
    answer: dict[str, Any] = {"batchcomplete": True}
    redirects: list[dict[str, str]] = []
    if "redirects" in asked:
        found = [_followed(rows, title, page, redirects) for title, page in found]
    if asked.get("generator") == "links":
        links = [link for _, page in found if page is not None for link in page.links]
        if "gplnamespace" in asked:
            namespaces = {int(number) for number in asked["gplnamespace"].split("|")}
            links = [link for link in links if _namespace(rows, link) in namespaces]
        start = int(asked.get("gplcontinue", "0|0|").split("|")[0])
        size = min(int(asked["gpllimit"]), most_links)
        if start + size < len(links):
            answer["continue"] = {"gplcontinue": f"{start + size}|0|x", "continue": "gplcontinue||"}
            del answer["batchcomplete"]
        found = [_followed(rows, link, rows.get(link), redirects) for link in links[start : start + size]]
    shown = {title: _shown(title, page, asked) for title, page in found}
    if shown:
        answer["query"] = {"pages": list(shown.values())} | ({"redirects": redirects} if redirects else {})
    return answer


def parsed_links(pages: Iterable[WikiPage], links: Sequence[str]) -> list[dict[str, Any]]:
    """Return links as ``action=parse`` lists them."""
    rows = {page.title: page for page in pages}
    return [{"ns": _namespace(rows, link), "title": link, "exists": link in rows} for link in links]


def _followed(
    rows: dict[str, WikiPage], title: str, page: WikiPage | None, redirects: list[dict[str, str]]
) -> tuple[str, WikiPage | None]:
    if page is None or page.redirects_to is None:
        return title, page
    redirects.append({"from": title, "to": page.redirects_to})
    return page.redirects_to, rows.get(page.redirects_to)


def _namespace(rows: dict[str, WikiPage], title: str) -> int:
    return rows[title].namespace_id if title in rows else 0


def _shown(title: str, page: WikiPage | None, asked: dict[str, str]) -> dict[str, Any]:
    if title.startswith("#"):
        return {"pageid": int(title[1:]), "missing": True}
    if "_" * 3 in title:
        return {"title": title, "invalidreason": "The wiki dislikes it.", "invalid": True}
    if page is None:
        return {"ns": 0, "title": title, "missing": True}
    shown: dict[str, Any] = {"pageid": page.page_id, "ns": page.namespace_id, "title": page.title}
    if asked.get("ppprop") == "wikibase_item" and page.item is not None:
        shown["pageprops"] = {"wikibase_item": page.item}
    return shown
