"""Histories of pages: of real dumps, and made of real articles by small edits."""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from batch.dump import read_dump
from schemas.revision import Revision, RevisionUser

_BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
_VANDALISM = ("LOL this is STUPID!!!!!!!", "aaaaaaaaaaaaaaaaaaaaaa", "poop poop poop", "hi mom")


def dump_history(source: Path | BinaryIO, wiki_id: str = "enwiki") -> Iterator[Revision]:
    """Read the wikitext revisions of a dump that are not hidden, each with the one before it as parent.

    Groups and registration of accounts are given as none: dumps do not tell them.
    """
    before: Revision | None = None
    for number, read in enumerate(read_dump(source), start=1):
        if read.text is None or read.content_model != "wikitext" or read.user is None:
            before = None
            continue
        page_id = read.page.page_id or 1
        parent = before if before is not None and before.page_id == page_id else None
        before = Revision(
            wiki_id=wiki_id,
            page_id=page_id,
            page_title=read.page.page_title,
            namespace_id=read.page.namespace_id,
            rev_id=read.rev_id or number,
            rev_parent_id=parent.rev_id if parent else None,
            rev_dt=read.rev_dt,
            content_model="wikitext",
            text=read.text,
            parent_text=parent.text if parent else None,
            comment=read.comment or "",
            user=RevisionUser(read.user.user_id, read.user.user_text, (), None),
            parent_dt=parent.rev_dt if parent else None,
            parent_user=parent.user if parent else None,
        )
        yield before


def edited(articles: Iterable[str], *, edits: int, seed: int = 1) -> Iterator[Revision]:
    """Make a history for each of some articles: small edits, now and then vandalism and its revert.

    Args:
        articles: Texts of the first revisions.
        edits: How many revisions follow each of these.
        seed: Of the random numbers; equal seeds make equal histories.
    """
    chance = random.Random(seed)
    for page_id, article in enumerate(articles, start=1):
        texts = [article]
        while len(texts) <= edits:
            last = texts[-1]
            if chance.random() < 0.1 and len(texts) < edits:
                texts += [vandalised(last, chance), last]
            else:
                texts.append(changed(last, chance))
        before: Revision | None = None
        for number, text in enumerate(texts):
            before = _revision(page_id, number, text, before)
            yield before


def changed(text: str, chance: random.Random) -> str:
    """Return a text with one small edit: a word replaced, a sentence added, a line removed, a link made."""
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    words = lines[at].split(" ")
    place = chance.randrange(len(words))
    match chance.randrange(5):
        case 0:
            words[place] = chance.choice(("however", "Therefore", "the", "1999", "ISBN", "approximately"))
        case 1:
            words.insert(place, f"It was first described in {chance.randrange(1800, 2020)}.")
        case 2:
            words[place] = f"[[{words[place].strip('[]')}]]"
        case 3:
            words.append(f"<ref>{{{{cite web|url=http://example.org/{chance.randrange(999)}}}}}</ref>")
        case _:
            return "\n".join([*lines[:at], *lines[at + 1 :]]) if len(lines) > 1 else text + " more"
    lines[at] = " ".join(words)
    return "\n".join(lines)


def vandalised(text: str, chance: random.Random) -> str:
    """Return a text with nonsense in it, or in its place."""
    nonsense = chance.choice(_VANDALISM)
    if chance.random() < 0.1:
        return nonsense
    at = chance.randrange(len(text) + 1)
    return f"{text[:at]} {nonsense} {text[at:]}"


def _revision(page_id: int, number: int, text: str, before: Revision | None) -> Revision:
    rev_dt = _BEGIN + timedelta(hours=number)
    user_id = 7 * number if number % 3 else None
    return Revision(
        wiki_id="enwiki",
        page_id=page_id,
        page_title=f"Article {page_id}",
        namespace_id=0,
        rev_id=page_id * 1000 + number,
        rev_parent_id=before.rev_id if before else None,
        rev_dt=rev_dt,
        content_model="wikitext",
        text=text,
        parent_text=before.text if before else None,
        comment="copy edit" if number % 2 else "",
        user=RevisionUser(
            user_id,
            f"User {user_id}" if user_id else "192.0.2.7",
            (),
            _BEGIN - timedelta(days=number) if user_id else None,
        ),
        parent_dt=before.rev_dt if before else None,
        parent_user=before.user if before else None,
    )
