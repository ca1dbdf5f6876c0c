"""Settles what a backfill does, from what is asked for and what is there."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from msgspec import Struct

from batch.backfill.chunks import LEAST_CHUNK_BYTES, MOST_CHUNK_BYTES
from batch.backfill.filters import Filters
from batch.backfill.plan import Plan, PlannedInput, PlannedModel, PlannedPart
from batch.backfill.users import WIKI
from batch.dump_inputs import DumpInput, list_inputs, split_input
from batch.locations import find_files, is_remote
from batch.users_beside import facts_beside
from schemas.catalogue import ModelInfo
from schemas.errors import BackfillRefused, ModelNotFound, SourceError, WikiUnknown

PART_BYTES: Final = 64 << 20
"""How large parts are at least, as the dump is packed."""
# Chunks of all of a large wiki's history are still counted in thousands for each part.
_CHUNKS_OF_INPUT: Final = 2_000


class Wish(Struct, frozen=True, kw_only=True):
    """What is asked of a backfill.

    Attributes:
        snapshot: Name of what it writes.
        sources: Dumps, see ``batch.dump_inputs.look_for_inputs``.
        wiki_id: Of dumps that do not tell it; stronger than what they tell.
        wikis: Of those that the sources hold; all if empty.
        model_names: Of those that the wikis have; all if empty.
        filters: Which revisions.
        users: Sources of groups and registrations; if empty, what lies beside the dumps.
        with_features: Whether rows have the features.
        max_text_bytes: A larger text is a failure.
    """

    snapshot: str
    sources: tuple[str, ...]
    wiki_id: str | None = None
    wikis: tuple[str, ...] = ()
    model_names: tuple[str, ...] = ()
    filters: Filters = Filters()
    users: tuple[str, ...] = ()
    with_features: bool = False
    max_text_bytes: int = 8 << 20


def make_plan(
    wish: Wish, models: Mapping[str, Mapping[str, ModelInfo]], *, before: Plan | None = None
) -> Plan:
    """Settle what a backfill does.

    Args:
        wish: What is asked for.
        models: By wiki and name, as they answer now.
        before: An earlier plan: what it says of files that have not changed since is not read again.

    Raises:
        SourceError: A dump or a users file is not there, cannot be listed, or does not tell its wiki.
        WikiUnknown: A wiki of the sources has no models.
        ModelNotFound: A wiki does not have a model that is asked for.
        BackfillRefused: No dump is of the wikis asked for.
    """
    found = list_inputs(wish.sources, wiki_id=wish.wiki_id)
    unnamed = [one.name for one in found if one.wiki_id is None]
    if unnamed:
        raise SourceError(
            f"{', '.join(unnamed)} does not name its wiki, as dumps before export-0.9 do not; say which it "
            "is with --wiki"
        )
    taken = [one for one in found if not wish.wikis or one.wiki_id in wish.wikis]
    if not taken:
        there = ", ".join(sorted({str(one.wiki_id) for one in found}))
        raise BackfillRefused(
            f"no dump is of {', '.join(wish.wikis)}: there are dumps of {there}; name others, or leave the "
            "wikis out",
        )
    users = _users(wish, taken)
    known = {} if before is None else {(one.url, one.state): one.sha256 for one in before.inputs}
    inputs = tuple(_planned(one, known) for one in taken)
    parts = [(source, piece) for source, one in enumerate(taken) for piece in split_input(one, PART_BYTES)]
    return Plan(
        snapshot=wish.snapshot,
        inputs=inputs,
        parts=tuple(
            PlannedPart(number=number, source=source, range=piece)
            for number, (source, piece) in enumerate(parts)
        ),
        models=tuple(_models(sorted({one.wiki_id for one in inputs}), wish.model_names, models)),
        filters=wish.filters,
        users=users,
        with_features=wish.with_features,
        max_text_bytes=wish.max_text_bytes,
        chunk_bytes=_chunk_bytes(one.size_bytes for one in inputs),
        code_version=version("revstream"),
        created_dt=datetime.now(UTC).replace(microsecond=0),
    )


def _users(wish: Wish, inputs: Sequence[DumpInput]) -> tuple[tuple[str, str], ...]:
    """Return the sources of what is known of users, with their states: those beside the dumps by default."""
    sources = wish.users
    if not sources:
        beside = (path for one in inputs if not is_remote(one.url) for path in facts_beside(Path(one.url)))
        sources = tuple(dict.fromkeys(map(str, beside)))
    if sources and len({one.wiki_id for one in inputs}) > 1:
        raise BackfillRefused(
            f"the users of {', '.join(sources)} are those of one wiki, and the dumps are of several: "
            "backfill each wiki by itself, see --only-wiki"
        )
    files = (found.url for source in sources if source != WIKI for found in find_files(source)[0])
    return (*((url, _state(url)) for url in files), *((WIKI, "") for source in sources if source == WIKI))


def _models(
    wikis: Sequence[str], names: Sequence[str], models: Mapping[str, Mapping[str, ModelInfo]]
) -> Iterable[PlannedModel]:
    for wiki_id in wikis:
        there = models.get(wiki_id, {})
        if not there:
            raise WikiUnknown(
                f"No model is configured for the wiki {wiki_id!r}; there are models for "
                f"{', '.join(sorted(models))}. Add it to the setting wikis, or leave its dumps out.",
                wiki_id=wiki_id,
            )
        for name in names:
            if name not in there:
                raise ModelNotFound(
                    f"{wiki_id} has no model {name!r}; it has {', '.join(sorted(there))}. Name those.",
                    wiki_id=wiki_id,
                    model_name=name,
                )
        for name, info in sorted(there.items()):
            if not names or name in names:
                yield PlannedModel.of(wiki_id, info)


def _planned(one: DumpInput, known: Mapping[tuple[str, str], str | None]) -> PlannedInput:
    state = _state(one.url)
    sha256 = known.get((one.url, state))
    if sha256 is None and not is_remote(one.url):
        sha256 = _sha256(Path(one.url))
    return PlannedInput(
        url=one.url,
        name=one.name,
        wiki_id=one.wiki_id or "",
        size_bytes=one.size_bytes,
        sha256=sha256,
        state=state,
    )


def _state(url: str) -> str:
    """Return what tells a file from a later one of that name."""
    if is_remote(url):
        return ""
    try:
        status = Path(url).stat()
    except OSError as error:
        raise SourceError(f"cannot open {url}: {error.strerror}; check the path", path=url) from error
    return f"{status.st_size} bytes of {status.st_mtime_ns}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _chunk_bytes(sizes: Iterable[int]) -> int:
    """Return more for large inputs, so that the files of chunks stay few."""
    wanted = max(sizes, default=0) * 10 // _CHUNKS_OF_INPUT
    return min(MOST_CHUNK_BYTES, max(LEAST_CHUNK_BYTES, wanted))
