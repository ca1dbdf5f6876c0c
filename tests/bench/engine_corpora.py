"""The texts that the engine is measured on: whole histories of real pages, and edited real articles."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from datetime import timedelta
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

from msgspec.structs import replace

from batch.dump import read_dump
from schemas.revision import Revision
from tests.feature_revisions import edits, items
from tests.histories import dump_history, edited

AAWIKI = "aawiki-20260101-pages-meta-history.xml.7z"
WIKITRUST = "wikitrust_wiki_00023.xml"
ARTICLES = "enwiki-pages-articles1-shortened.xml.bz2"


class NoUnpacker(Exception):
    """Says that nothing here unpacks 7z."""


def history(path: Path, wiki_id: str) -> list[Revision]:
    """Read the wikitext revisions of a dump into memory.

    Raises:
        NoUnpacker: It is packed as 7z, and nothing here unpacks that.
    """
    return list(dump_history(unpacked(path), wiki_id))


def unpacked(path: Path) -> Path | BinaryIO:
    """Return a dump as something that our reader reads: 7z is unpacked by py7zr, 7zz or 7z.

    Raises:
        NoUnpacker: It is packed as 7z, and nothing here unpacks that.
    """
    if path.suffix != ".7z":
        return path
    if find_spec("py7zr") is not None:
        py7zr: Any = import_module("py7zr")
        factory = py7zr.io.BytesIOFactory(1 << 32)
        with py7zr.SevenZipFile(path) as archive:
            archive.extractall(factory=factory)
        (content,) = factory.products.values()
        content.seek(0)
        return BytesIO(content.read())
    for program in ("7zz", "7z"):
        if found := shutil.which(program):
            done = subprocess.run([found, "x", "-so", str(path)], check=True, capture_output=True)
            return BytesIO(done.stdout)
    raise NoUnpacker(f"{path.name} is left out: install py7zr, 7zz or 7z, or give an unpacked copy of it")


def articles(shared: Path, least: int, most: int, count: int) -> list[str]:
    """Return texts of real articles of a length between two, in characters; fewer where there are no more."""
    found: list[str] = []
    for read in read_dump(shared / "data" / "dumps" / ARTICLES):
        if read.text is not None and least <= len(read.text) <= most and read.page.namespace_id == 0:
            found.append(read.text)
            if len(found) == count:
                break
    return found


def of_size(texts: Sequence[str], chars: int) -> str:
    """Return a text of about so many characters: the articles given, one after another, cut at a line."""
    joined = ""
    for text in texts:
        joined += text + "\n\n"
        if len(joined) >= chars:
            break
    end = joined.find("\n", chars)
    return joined[:end] if end > 0 else joined


def language_history(shared: Path, wiki_id: str, count: int) -> list[Revision]:
    """Return a page in the language of a wiki, made of what real edits there inserted, and edits of it.

    Wikis of which no edits are at hand get pages made of edits of enwiki.
    """
    real = [each for each in edits(shared, of_each=60) if each.wiki_id == wiki_id]
    real = real or [each for each in edits(shared, of_each=60) if each.wiki_id == "enwiki"]
    page = "\n\n".join(each.text for each in real)[:40_000]
    return [replace(each, wiki_id=wiki_id) for each in edited([page], edits=count - 1)]


def item_history(shared: Path, count: int) -> list[Revision]:
    """Return recorded Wikidata items as histories: statements go one after another, and come back."""
    found: list[Revision] = []
    for item in items(shared)[:count]:
        texts = list(_item_texts(item.text))
        first = replace(item, text=texts[0], rev_parent_id=None, parent_text=None, parent_dt=None)
        found.append(first)
        for number, (before, after) in enumerate(pairwise(texts), start=1):
            found.append(
                replace(
                    item,
                    rev_id=item.rev_id + number,
                    rev_parent_id=item.rev_id + number - 1,
                    rev_dt=item.rev_dt + timedelta(hours=number),
                    text=after,
                    parent_text=before,
                    parent_dt=item.rev_dt + timedelta(hours=number - 1),
                )
            )
    return found


def _item_texts(text: str) -> Iterator[str]:
    """Yield states of an item: whole, without its last properties, and whole again."""
    yield text
    item = json.loads(text)
    for property_ in list(item["claims"] or {})[-3:]:
        del item["claims"][property_]
        yield json.dumps(item, ensure_ascii=False, separators=(",", ":"))
    yield text
