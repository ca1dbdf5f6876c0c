"""Which edits were reverted, out of a dump or of recorded page changes, as rows to train on."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain, groupby
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from batch.compression import open_packed
from batch.dump import read_dump
from batch.dump_revision import DumpRevision, sha1_base36
from models.reverts import PageRevision, RevertRules, revert_outcomes

LABEL_COLUMN = "reverted"
# Texts are read only to hash those that come without a sha1.
_MAX_TEXT_BYTES = 8 << 20
_NONE = ""


class RevertLabel(Struct, frozen=True):
    """Whether one edit was reverted.

    Attributes:
        rev_id: Positive.
        rev_dt: When it was saved, aware UTC.
        wiki_id: None where the source does not say.
        page_id: None where the source does not say.
        is_reverted: By the rules.
        reverting_rev_id: The revision that reverted it; None where none did, or where it has no id.
    """

    rev_id: int
    rev_dt: datetime
    wiki_id: str | None
    page_id: int | None
    is_reverted: bool
    reverting_rev_id: int | None


class LabelCounts(Struct, frozen=True):
    """What a file of labels holds.

    Attributes:
        rows: Edits.
        reverted: Of them, those reverted.
        unsettled: Left out, because the source ends before their window does.
        latest_dt: Of the last edit of the source, ISO-8601; None of an empty one.
    """

    rows: int
    reverted: int
    unsettled: int
    latest_dt: str | None


def dump_labels(
    source: Path | BinaryIO,
    rules: RevertRules,
    *,
    wiki_id: str | None = None,
    namespaces: Collection[int] = (),
    hashes_text: bool = False,
) -> Iterator[RevertLabel]:
    """Tell which revisions of a dump were reverted, in the order of the dump.

    Memory is that of ``rules.radius`` revisions. Revisions without an id get no label, but revert others.

    Args:
        source: With full history, as `batch.dump.read_dump` reads it.
        rules: What counts as reverted.
        wiki_id: Database name, stronger than what the dump says.
        namespaces: Whose pages to read; all where empty.
        hashes_text: Take the sha1 of the text for that which the dump states: real dumps hold wrong ones.
            Where a dump states none, that of the text is taken in any case.

    Raises:
        SourceError: The dump cannot be read to its end.
    """
    revisions = read_dump(source, max_text_bytes=_MAX_TEXT_BYTES)
    for _, of_page in groupby(revisions, key=lambda revision: (revision.site, revision.page)):
        first = next(of_page)
        if namespaces and first.page.namespace_id not in namespaces:
            continue
        wiki = wiki_id or first.site.wiki_id
        page_revisions = (_page_revision(one, hashes_text) for one in chain((first,), of_page))
        yield from page_labels(page_revisions, rules, wiki, first.page.page_id)


def page_labels(
    revisions: Iterable[PageRevision], rules: RevertRules, wiki_id: str | None, page_id: int | None
) -> Iterator[RevertLabel]:
    """Tell which revisions of one page were reverted.

    Args:
        revisions: All of the page, oldest first.
        rules: What counts as reverted.
        wiki_id: Database name, where known.
        page_id: Of the page, where known.
    """
    for outcome in revert_outcomes(revisions, rules):
        revision, reverting = outcome.revision, outcome.reverting
        if revision.rev_id is not None:
            yield RevertLabel(
                revision.rev_id,
                revision.rev_dt,
                wiki_id,
                page_id,
                outcome.is_reverted,
                None if reverting is None else reverting.rev_id,
            )


def write_labels(
    labels: Iterable[RevertLabel],
    out: Path,
    rules: RevertRules,
    *,
    label_column: str = LABEL_COLUMN,
    keeps_unsettled: bool = False,
) -> LabelCounts:
    """Write labels as a tab-separated table. The same labels give the same bytes.

    The outcome of an edit is open until its window is over. The source shows no end of its own, so that of
    its latest edit is taken; edits that had less than the window until then are left out.

    1. Write all rows aside, and find the latest.
    2. Write those that are settled, and put the file in place; a failure leaves nothing behind.

    Args:
        labels: In the order to write.
        out: Packed as its suffix says: ``.bz2``, ``.gz``, ``.zst``, else plain. Replaced.
        rules: By which the labels were made.
        label_column: Name of the column of ``True`` and ``False``.
        keeps_unsettled: Write edits whose window is not over as well.

    Raises:
        SourceError: The source cannot be read to its end, or the file cannot be written.
    """
    rows, partial = out.with_name(f".{out.name}.rows"), out.with_name(f".{out.name}.partial{out.suffix}")
    latest: datetime | None = None
    try:
        with open_packed(rows) as file:  # 1
            for label in labels:
                latest = label.rev_dt if latest is None else max(latest, label.rev_dt)
                file.write(_line(label))
        window = None if keeps_unsettled else rules.window_seconds
        settled_until = None if latest is None or window is None else latest - timedelta(seconds=window)
        counts = _copy_settled(rows, partial, label_column, settled_until, latest)  # 2
        partial.replace(out)
    finally:
        rows.unlink(missing_ok=True)
        partial.unlink(missing_ok=True)
    return counts


def _page_revision(revision: DumpRevision, hashes_text: bool) -> PageRevision:
    sha1 = revision.sha1
    if revision.text is not None and (hashes_text or sha1 is None):
        sha1 = sha1_base36(revision.text.encode())
    user = revision.user
    return PageRevision(
        rev_id=revision.rev_id,
        rev_dt=revision.rev_dt,
        sha1=None if revision.is_text_hidden else sha1,
        editor=None if user is None else user.user_id or user.user_text,
    )


def _line(label: RevertLabel) -> bytes:
    cells = (
        label.rev_id,
        label.is_reverted,
        label.wiki_id or _NONE,
        _NONE if label.page_id is None else label.page_id,
        _written(label.rev_dt),
        _NONE if label.reverting_rev_id is None else label.reverting_rev_id,
    )
    return "\t".join(map(str, cells)).encode() + b"\n"


def _copy_settled(
    rows: Path, partial: Path, label_column: str, settled_until: datetime | None, latest: datetime | None
) -> LabelCounts:
    # Times are written alike, so that they compare as texts.
    limit = None if settled_until is None else _written(settled_until).encode()
    written = reverted = unsettled = 0
    header = ("rev_id", label_column, "wiki_id", "page_id", "rev_dt", "reverting_rev_id")
    with rows.open("rb") as source, open_packed(partial) as file:
        file.write("\t".join(header).encode() + b"\n")
        for line in source:
            cells = line.split(b"\t")
            if limit is not None and cells[4] > limit:
                unsettled += 1
                continue
            written += 1
            reverted += cells[1] == b"True"
            file.write(line)
    return LabelCounts(written, reverted, unsettled, None if latest is None else _written(latest))


def _written(dt: datetime) -> str:
    return dt.strftime("%Y-%m-%dT%H:%M:%SZ")
