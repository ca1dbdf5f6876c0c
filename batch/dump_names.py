"""What the names of Wikimedia's dump files tell."""

import re
from typing import Final

from msgspec import Struct

_NAME: Final = re.compile(
    r"(?P<wiki_id>[a-z][a-z0-9_]*)-(?P<date>\d{8}|latest)-"
    r"(?P<kind>pages-articles-multistream|pages-articles|pages-meta-current|pages-meta-history)"
    r"\d*\.xml(?:-p\d+p\d+)?(?:\.(?:bz2|gz|xz|lzma|zst|7z))?"
)
_WIKI_ID: Final = re.compile(r"([a-z][a-z0-9_]*wik[a-z0-9_]*)-(?:\d{8}|latest)\b")
_PAGES: Final = re.compile(r"[-.]p(\d+)p(\d+)(?=[.]|$)")
_BESIDE: Final = re.compile(
    r"-index\d*\.txt|\.sql\b|\.jsonl?\b|\.html?\b|-rss\.xml|^(md5|sha1|sha256|sha512)sums"
    r"|(md5|sha1|sha256|sha512)sums?\.txt|\.(md5|sha1|sha256|sha512|torrent|part|tmp|partial)$"
)
_OTHER_DUMP: Final = re.compile(r"-(stub-[a-z]+-?[a-z]*|abstract|pages-logging)\d*\.xml")
_DUMP: Final = re.compile(r"\.xml\b|\.xml_")

# What holds more comes first: a history has all that the current pages have.
KINDS: Final = (
    "pages-meta-history",
    "pages-meta-current",
    "pages-articles-multistream",
    "pages-articles",
)
# Of the same content in several packings: what unpacks in the least time.
PACKINGS: Final = ("", "zst", "7z", "gz", "xz", "lzma", "bz2")


class DumpName(Struct, frozen=True):
    """The name of a dump as Wikimedia gives them.

    Attributes:
        wiki_id: Database name.
        date: ``20261101``, or ``latest``.
        kind: One of `KINDS`.
    """

    wiki_id: str
    date: str
    kind: str


def parse_name(name: str) -> DumpName | None:
    """Return what a name tells; None where it is not one of Wikimedia's."""
    found = _NAME.fullmatch(name)
    return None if found is None else DumpName(found["wiki_id"], found["date"], found["kind"])


def split_packing(name: str) -> tuple[str, str]:
    """Return a name or address without the suffix that tells how it is packed, and that suffix."""
    stem, dot, suffix = name.rpartition(".")
    return (stem, suffix) if dot and suffix in PACKINGS else (name, "")


def wiki_id_of(name: str) -> str | None:
    """Return the wiki that a name begins with, before a date: ``enwiki-20261101…``."""
    found = _WIKI_ID.match(name)
    return None if found is None else found[1]


def pages_of(name: str) -> tuple[int | None, int | None]:
    """Return the first and the last page id that a name tells, ``…-p1p857.7z``."""
    found = _PAGES.search(name)
    return (int(found[1]), int(found[2])) if found else (None, None)


def lies_beside(name: str) -> bool:
    """Tell whether a name is of what lies beside dumps: indexes, checksums, tables, files half fetched."""
    return _BESIDE.search(name) is not None


def looks_like_dump(name: str) -> bool:
    """Tell whether a name is one of a dump of pages with their texts."""
    return _DUMP.search(name) is not None and not (lies_beside(name) or _OTHER_DUMP.search(name))


def tables_named(name: str) -> tuple[str, ...]:
    """Return what the tables of users beside a dump may be called; nothing where its name tells no day."""
    found = _WIKI_ID.match(name)
    if found is None:
        return ()
    tables = (f"{found[0]}-{table}.sql" for table in ("user_groups", "user"))
    return tuple(f"{table}{suffix}" for table in tables for suffix in (".gz", ".zst", ".bz2", ""))


def index_names(name: str) -> tuple[str, ...]:
    """Return what the index of a multistream dump may be called; nothing for other dumps."""
    if "multistream" not in name:
        return ()
    plain = name.replace("multistream", "multistream-index", 1).replace(".xml", ".txt", 1)
    plain = plain.removesuffix(".bz2")
    return (f"{plain}.bz2", plain)
