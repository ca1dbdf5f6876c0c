"""A stand-in for a wiki's API in a process of its own, with pages of one size, each of them edited once.

``python -m tests.bench.wiki_server PAGES CHARACTERS LATENCY_SECONDS SHARED`` prints its address and serves
until it is ended. Page N has the revisions 2N - 1 and 2N; what is asked about is the second.
"""

import asyncio
import random
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from aiohttp import web
from msgspec.structs import replace

from tests.bench.engine_corpora import articles
from tests.busy_wiki import api_row
from tests.histories import changed, edited
from tests.mediawiki_api import MediaWikiApi, WikiRevision, WikiUser

_ARTICLES = 2_000
_LEAST_CHARACTERS = 1_000
_MOST_CHARACTERS = 10_000_000


def rev_id_of(page_id: int) -> int:
    """Return the revision that is asked about."""
    return 2 * page_id


def texts(shared: Path, characters: int) -> Iterator[str]:
    """Yield pages of a size without end: pieces of real articles, then their paragraphs in other orders."""
    whole = "\n\n".join(articles(shared, _LEAST_CHARACTERS, _MOST_CHARACTERS, _ARTICLES))
    for start in range(0, len(whole) - characters, characters):
        yield whole[start : start + characters]
    paragraphs = [each for each in whole.split("\n\n") if each]
    for seed in count():
        random.Random(seed).shuffle(paragraphs)
        mixed = "\n\n".join(paragraphs)
        for start in range(0, len(mixed) - characters, characters):
            yield mixed[start : start + characters]


def rows(pages: int, characters: int, shared: Path) -> list[WikiRevision]:
    """Return all revisions."""
    chance = random.Random(1)
    made = []
    for page_id, text in zip(range(1, pages + 1), texts(shared, characters), strict=False):
        (saved,) = edited([text], edits=0)
        saved = replace(saved, page_id=page_id, rev_id=2 * page_id - 1, rev_parent_id=None, parent_text=None)
        latest = replace(
            saved,
            rev_id=rev_id_of(page_id),
            rev_parent_id=saved.rev_id,
            text=changed(text, chance),
            parent_text=text,
            parent_dt=saved.rev_dt,
        )
        made += [api_row(saved), api_row(latest)]
    return made


async def serve(pages: int, characters: int, latency_seconds: float, shared: Path) -> None:
    """Serve for ever."""

    async def wait(_: web.Request) -> None:
        await asyncio.sleep(latency_seconds)

    made = rows(pages, characters, shared)
    users = {row.user_id: WikiUser(row.user_id, row.user) for row in made if row.user_id}
    api = MediaWikiApi(made, users.values(), chance=lambda: wait)
    async with api.serving():
        print(api.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4])))
