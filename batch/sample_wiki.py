"""A small wiki of our own, as a dump and as the page change stream that belongs to it."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import click
import msgspec
from msgspec.structs import asdict

from batch.compression import open_packed
from batch.sample_dump import DumpSpool
from batch.sample_events import EventStream
from batch.sample_history import SampleHistory
from batch.sample_site import EditTruth, SampleSite
from schemas.errors import SettingsError
from schemas.revision import RevisionUser

_MIN_PAGES = 10
# Measured: an average revision of the sample, which tells how many files the spool needs.
_REVISION_BYTES = 5_000


class SampleSpec(msgspec.Struct, frozen=True):
    """Which wiki to generate. Equal specs give equal bytes.

    Attributes:
        pages: Pages that people create, at least 10; moves leave some redirects besides.
        revisions: Revisions of all pages, at least as many as pages. Those of pages that are deleted at the
            end are in the stream and not in the dump.
        seed: Where all chance comes from.
        wiki_id: Database name.
        domain: Host name.
        start_dt: When the history begins, aware.
        mean_gap_seconds: Average time between two edits.
        packing: How the dump is packed; bz2 is small and slow.
        name: First part of the names of the files.
    """

    pages: int = 260
    revisions: int = 2100
    seed: int = 1
    wiki_id: str = "samplewiki"
    domain: str = "sample.example"
    start_dt: datetime = datetime(2025, 1, 1, tzinfo=UTC)
    mean_gap_seconds: float = 3600.0
    packing: Literal["bz2", "gz", "zst", "plain"] = "bz2"
    name: str = "sample"


class SampleFiles(msgspec.Struct, frozen=True):
    """The files of a sample wiki.

    Attributes:
        dump: Full history, export-0.11.
        events: Its `mediawiki.page_change.v1`, JSON lines in order of time, gz.
        users: JSON lines of `schemas.revision.RevisionUser`, gz.
        truth: JSON lines of `batch.sample_site.EditTruth`, gz: why each revision was made.
    """

    dump: Path
    events: Path
    users: Path
    truth: Path

    @classmethod
    def named(cls, folder: Path, name: str, packing: str) -> "SampleFiles":
        """Return the files that `generate` writes into a folder."""
        suffix = "" if packing == "plain" else f".{packing}"
        return cls(
            dump=folder / f"{name}.xml{suffix}",
            events=folder / f"{name}.page_change.jsonl.gz",
            users=folder / f"{name}.users.jsonl.gz",
            truth=folder / f"{name}.truth.jsonl.gz",
        )


class SampleCounts(msgspec.Struct, frozen=True):
    """What a generated wiki holds.

    Attributes:
        pages: Pages in the dump and deleted ones.
        revisions: Revisions made.
        dump_revisions: Those in the dump.
        events: Events, canaries included.
        canaries: Canary events.
        users: Accounts.
    """

    pages: int
    revisions: int
    dump_revisions: int
    events: int
    canaries: int
    users: int


BUNDLED_SPEC = SampleSpec()
BUNDLED = SampleFiles.named(Path(__file__).parent / "sample", BUNDLED_SPEC.name, BUNDLED_SPEC.packing)


def generate(spec: SampleSpec, out_dir: Path) -> SampleFiles:
    """Write a sample wiki; see `generate_counted`, of which this returns the files only."""
    return generate_counted(spec, out_dir)[0]


def generate_counted(spec: SampleSpec, out_dir: Path) -> tuple[SampleFiles, SampleCounts]:
    """Write a sample wiki.

    1. Live through the history: events, truth and users are written at once, revisions are spooled to disk.
    2. Write the dump out of the spool, page by page.

    Memory is bounded by the pages; the disk needs room for the plain dump once more while it is written.

    Args:
        spec: Which wiki.
        out_dir: Made where absent; files of the same names are replaced.

    Returns:
        The files, and what they hold.

    Raises:
        SettingsError: The spec asks for a wiki that cannot be.
        SourceError: A file cannot be written.
    """
    if spec.pages < _MIN_PAGES or spec.revisions < spec.pages:
        raise SettingsError(
            f"a sample of {spec.pages} pages and {spec.revisions} revisions cannot be: it takes at least "
            f"{_MIN_PAGES} pages, and one revision for each",
            pages=spec.pages,
            revisions=spec.revisions,
        )
    out_dir.mkdir(parents=True, exist_ok=True)
    files = SampleFiles.named(out_dir, spec.name, spec.packing)
    with tempfile.TemporaryDirectory(prefix=".sample-", dir=out_dir) as folder:
        spool = DumpSpool(Path(folder), spec.pages, spec.revisions * _REVISION_BYTES)
        try:
            site, history, events = _live(spec, files, spool)
            with open_packed(files.dump) as out:
                dump_revisions = spool.write(
                    out, wiki_id=spec.wiki_id, domain=spec.domain, pages=site.pages, hidden=site.hidden
                )
        finally:
            spool.close()
    return files, SampleCounts(
        pages=len(site.pages),
        revisions=site.revision_count,
        dump_revisions=dump_revisions,
        events=events.count,
        canaries=events.canary_count,
        users=_write_users(history, files.users),
    )


def _live(
    spec: SampleSpec, files: SampleFiles, spool: DumpSpool
) -> tuple[SampleSite, SampleHistory, EventStream]:
    encoder = msgspec.json.Encoder()
    with open_packed(files.events) as event_file, open_packed(files.truth) as truth_file:

        def write_truth(truth: EditTruth) -> None:
            truth_file.write(encoder.encode(truth) + b"\n")

        events = EventStream(event_file, spec.wiki_id, spec.domain, spec.seed)
        site = SampleSite(spool, events, write_truth)
        history = SampleHistory(
            site,
            pages=spec.pages,
            revisions=spec.revisions,
            seed=spec.seed,
            start_seconds=int(spec.start_dt.timestamp()),
            mean_gap_seconds=spec.mean_gap_seconds,
            on_canary=events.canary,
        )
        history.run()
    return site, history, events


def _write_users(history: SampleHistory, path: Path) -> int:
    """Write all accounts with the groups they had at the end; return their number."""
    encoder = msgspec.json.Encoder()
    accounts = list(history.population)
    with open_packed(path) as file:
        for account in accounts:
            registered = account.registered_seconds
            user = RevisionUser(
                user_id=account.user_id,
                user_text=account.user_text,
                groups=tuple(sorted(account.groups(history.now_seconds))),
                registration_dt=None if registered is None else datetime.fromtimestamp(registered, UTC),
            )
            told = {name: value for name, value in asdict(user).items() if not name.startswith("lacks_")}
            file.write(encoder.encode(told) + b"\n")
    return len(accounts)


@click.command()
@click.option("--pages", default=BUNDLED_SPEC.pages, show_default=True, help="Pages that people create.")
@click.option("--revisions", default=BUNDLED_SPEC.revisions, show_default=True, help="Revisions to make.")
@click.option("--seed", default=BUNDLED_SPEC.seed, show_default=True, help="Where all chance comes from.")
@click.option("--packing", type=click.Choice(["bz2", "gz", "zst", "plain"]), default="zst", show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write."
)
def main(
    pages: int, revisions: int, seed: int, packing: Literal["bz2", "gz", "zst", "plain"], out: Path
) -> None:
    """Generate a wiki of any size: a dump, its page change stream, its users."""
    spec = SampleSpec(pages=pages, revisions=revisions, seed=seed, packing=packing)
    try:
        files, counts = generate_counted(spec, out)
    except SettingsError as error:
        raise click.UsageError(error.message) from error
    click.echo(msgspec.json.encode({"files": files, "counts": counts}, enc_hook=str).decode())


if __name__ == "__main__":
    main()
