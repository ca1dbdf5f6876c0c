"""What a load test asks: requests of several kinds about listed revisions, in shares that its user names."""

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from app.api.liftwing_language import wiki_of
from schemas.errors import SettingsError

DEFAULT_MIX: Final = {"scores": 80.0, "ores": 10.0, "liftwing": 5.0, "batch": 5.0}
"""Most ask for stored scores; shares need not add up to 100."""

_BATCH_REVISIONS: Final = 50
# Lift Wing's lists name a wiki by its language: two or three letters, with or without more behind a hyphen.
_LANGUAGE: Final = re.compile(r"(?:[a-z]{2,3}(?:-[a-z]+)*|simple)", re.ASCII)


class ListedRevision(Struct, frozen=True):
    """A revision to ask about."""

    wiki_id: str
    rev_id: int


class LoadRequest(Struct, frozen=True):
    """One request.

    Attributes:
        route: Name of its kind, of which latencies are told.
        method: Of HTTP.
        path: With the query.
        body: None where there is none; else of JSON.
        is_secret: Whether it takes the token of those who post events.
    """

    route: str
    method: str
    path: str
    body: bytes | None = None
    is_secret: bool = False


class LoadMix:
    """Makes requests without end, in shares, the same ones for the same seed.

    Args:
        shares: Name of a route to its share, each above 0.
        revisions: That are asked about, in turn.
        models: Wiki to the names of its models.
        events: Bodies of events to post, in turn; needed for the route ``events``.
        seed: Of the order.

    Raises:
        SettingsError: A route is not known, or has nothing to ask about.
    """

    def __init__(
        self,
        shares: Mapping[str, float],
        revisions: Sequence[ListedRevision],
        models: Mapping[str, Sequence[str]],
        events: Sequence[bytes] = (),
        *,
        seed: int = 1,
    ) -> None:
        self._revisions = [one for one in revisions if models.get(one.wiki_id)]
        self._models = models
        self._events = events
        self._random = random.Random(seed)  # noqa: S311 - an order, no secret
        self._place = 0
        makers: dict[str, Callable[[], LoadRequest]] = {
            "scores": self._scores,
            "ores": self._ores,
            "liftwing": self._liftwing,
            "batch": self._batch,
            "events": self._event,
        }
        if unknown := sorted(shares.keys() - makers.keys()):
            raise SettingsError(f"The mix names {', '.join(unknown)}; there is {', '.join(makers)}.")
        if not shares:
            raise SettingsError("The mix is empty: name a route, as in --mix scores=90,liftwing=10.")
        if shares.keys() - {"events"} and not self._revisions:
            raise SettingsError(
                "No revision is listed of a wiki that the server has models for: give --revisions FILE "
                "with revisions of one of " + (", ".join(sorted(models)) or "its wikis") + "."
            )
        if "events" in shares and not events:
            raise SettingsError("The mix posts events: name a file of them, --events FILE.")
        self._makers = [makers[name] for name in shares]
        self._weights = list(shares.values())

    def __iter__(self) -> Iterator[LoadRequest]:
        """Yield requests without end."""
        while True:
            [make] = self._random.choices(self._makers, self._weights)
            yield make()

    def _next(self) -> ListedRevision:
        self._place += 1
        return self._revisions[(self._place - 1) % len(self._revisions)]

    def _scores(self) -> LoadRequest:
        one = self._next()
        return LoadRequest("scores", "GET", f"/scores/{one.wiki_id}/{one.rev_id}")

    def _ores(self) -> LoadRequest:
        one = self._next()
        models = "|".join(self._models[one.wiki_id])
        return LoadRequest("ores", "GET", f"/v3/scores/{one.wiki_id}/?revids={one.rev_id}&models={models}")

    def _liftwing(self) -> LoadRequest:
        one = self._next()
        model = self._random.choice(self._models[one.wiki_id])
        body = json.dumps({"rev_id": one.rev_id}).encode()
        return LoadRequest("liftwing", "POST", f"/v1/models/{one.wiki_id}-{model}:predict", body)

    def _batch(self) -> LoadRequest:
        wanted: dict[str, list[int]] = {}
        for _ in range(min(_BATCH_REVISIONS, len(self._revisions))):
            one = self._next()
            wanted.setdefault(one.wiki_id, []).append(one.rev_id)
        lookups = [{"wiki_id": wiki_id, "rev_ids": rev_ids} for wiki_id, rev_ids in wanted.items()]
        return LoadRequest("batch", "POST", "/scores", json.dumps({"lookups": lookups}).encode())

    def _event(self) -> LoadRequest:
        self._place += 1
        body = self._events[(self._place - 1) % len(self._events)]
        return LoadRequest("events", "POST", "/v1/events", body, is_secret=True)


def parse_mix(text: str) -> dict[str, float]:
    """Return the shares of ``scores=90,liftwing=10``.

    Raises:
        SettingsError: It is no such list.
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.partition("=")
        try:
            shares[name.strip()] = float(share)
        except ValueError:
            shares[name.strip()] = 0.0
        if not 0 < shares[name.strip()] <= 1e6:
            raise SettingsError(f"{part!r} is no part of a mix: write --mix scores=90,liftwing=10.")
    return shares


def read_revisions(path: Path, wiki_id: str | None) -> list[ListedRevision]:
    """Return the revisions of a list: a number a line, or a language or wiki and a number with a tab between.

    That is the shape of the lists that Lift Wing tests with; a heading and further columns are passed over.

    Args:
        path: Of the file, UTF-8.
        wiki_id: The wiki of lines that name none.

    Raises:
        SettingsError: A line is none of these, or names no wiki where none is given.
    """
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        cells = line.split("\t")
        if number == 1 and not any(cell.strip().isdecimal() for cell in cells):
            continue
        if not line.strip():
            continue
        found.append(_listed(cells, path, number, wiki_id))
    return found


def _listed(cells: Sequence[str], path: Path, number: int, wiki_id: str | None) -> ListedRevision:
    where, rev_id = ("", cells[0].strip()) if cells[0].strip().isdecimal() else (cells[0].strip(), "")
    if not rev_id and len(cells) > 1:
        rev_id = cells[1].strip()
    if not rev_id.isdecimal():
        raise SettingsError(
            f"Line {number} of {path} names no revision: write one a line, or WIKI<tab>REVISION."
        )
    if where:
        return ListedRevision(wiki_of(where) if _LANGUAGE.fullmatch(where) else where, int(rev_id))
    if wiki_id is None:
        raise SettingsError(f"{path} names no wikis: say which it is about, --wiki enwiki.")
    return ListedRevision(wiki_id, int(rev_id))


def read_event_lines(lines: Iterable[bytes]) -> list[bytes]:
    """Return the events of a file of JSON lines, as they are."""
    return [line.strip() for line in lines if line.strip()]
