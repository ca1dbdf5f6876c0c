"""The status page: how far behind, how fast, how full, and what fails; and the same as JSON."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.api.answers import Resources
from app.api.documents import Document
from app.api.endpoint import Handler, json_response
from app.api.html import Html, Twin, element, page, table
from app.metrics import Face
from app.pages.parts import duration, figures, moment, revision_path
from app.pages.status_document import StatusTeller

_WIKIS_MOST: Final = 100
_NO: Final = "This process does not know."
_WHO: Final[Mapping[str, str]] = {
    "stream": "the worker that reads the stream",
    "scoring": "a worker, which has the scoring processes",
    "on_demand": "a worker, which scores on demand",
    "wikis": "a process whose tables are complete",
    "tables": "a process that has the tables",
    "dead_letters": "a reader of the topic revstream.dead-letter",
}


class StatusPage:
    """Handlers of ``/status`` and ``/status.json``."""

    def __init__(self, resources: Resources) -> None:
        self._teller = StatusTeller(resources)

    def routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler; all are GET."""
        return {"/status": (Face.BROWSER, self._show), "/status.json": (Face.BROWSER, self._tell)}

    async def _tell(self, _: Request) -> Response:
        return json_response(await self._teller.document())

    async def _show(self, _: Request) -> Response:
        status = await self._teller.document()
        content = element("div", *_content(status), id="content")
        return page("Status", content, script="status.js", twin=Twin("/status.json"))


def _content(status: Document) -> Iterable[Html]:
    now: datetime = status["as_of"]
    yield element(
        "p",
        element("b", "Ready" if status["is_ready"] else f"Not ready: {', '.join(status['reasons'])}"),
        f". A {status['process']}, as of ",
        element("time", f"{now:%Y-%m-%d %H:%M:%SZ}", datetime=f"{now:%Y-%m-%dT%H:%M:%SZ}"),
        ". ",
        element("span", "Load the page anew for later numbers.", id="state"),
        class_="" if status["is_ready"] else "state off",
    )
    if status["notes"]:
        yield element("p", f"Noted: {', '.join(status['notes'])}.")
    if status["configuration"]["was_last_reload_refused"]:
        refused = "New rules or models could not be put in force, and the former ones are. The log says why."
        yield element("p", refused, class_="state off")
    yield figures(_figures(status))
    yield from _lag(status, now)
    yield from _tables(status)
    yield from _work(status)
    yield from _errors(status, now)
    yield _counts("Requests by part of the API", ("Part", "Requests"), status["requests"]["by_face"])


def _figures(status: Document) -> Iterable[tuple[str, str]]:
    stream, scoring = status["stream"], status["scoring"]
    if stream is not None:
        for topics, events in stream["lag_events"].items():
            yield f"events behind, {topics}", f"{events:,}"
    if status["age_seconds"] is not None:
        yield "age of the replica", duration(status["age_seconds"])
    over = status["rates"]["over_seconds"]
    for name, rate in status["rates"].items():
        if name.endswith("_per_second") and rate is not None:
            yield f"{name.removesuffix('_per_second')} a second, over {over:g} s", f"{rate:,.3g}"
    if scoring is not None:
        yield "scoring processes", str(scoring["processes"])
        yield "revisions in the queue", str(sum(scoring["queue_by_priority"].values()))
    yield "open feeds", str(status["feed"]["readers"])


def _lag(status: Document, now: datetime) -> Iterable[Html]:
    yield element("h2", "Wikis")
    wikis: Mapping[str, Document] | None = status["wikis"]
    if wikis is None:
        yield _unknown("wikis")
        return
    known = {wiki_id: told["newest"] for wiki_id, told in wikis.items() if told["newest"] is not None}
    rows = [
        (
            wiki_id,
            moment(told["rev_dt"], now),
            moment(told["scored_dt"], now),
            duration(told["delay_seconds"]),
            element("a", str(told["rev_id"]), href=revision_path(wiki_id, told["rev_id"])),
        )
        for wiki_id, told in sorted(known.items(), key=lambda pair: pair[1]["scored_dt"], reverse=True)
    ][:_WIKIS_MOST]
    if rows:
        heads = ("Wiki", "Newest revision saved", "Scored", "Event to score", "Revision")
        yield table("The newest scored revision of each wiki", heads, rows)
    nothing = sorted(wikis.keys() - known.keys())
    if nothing:
        shown = ", ".join(nothing[:_WIKIS_MOST]) + (", …" if len(nothing) > _WIKIS_MOST else "")
        yield element("p", f"Nothing is scored yet of: {shown}.")


def _tables(status: Document) -> Iterable[Html]:
    yield element("h2", "Tables")
    told = status["tables"]
    if told is None:
        yield _unknown("tables")
        return
    rows = [
        (
            name,
            str(one["partitions"]),
            f"{one['records_applied']:,}",
            "unknown" if one["keys"] is None else f"{one['keys']:,}",
            _megabytes(one["disk_bytes"]),
            _megabytes(one["memory_bytes"]),
        )
        for name, one in sorted(told["tables"].items())
    ]
    if rows:
        heads = ("Table", "Partitions", "Changelog records applied", "Keys, about", "Files", "In memory")
        yield table("What is here", heads, rows)
    recovering = [
        (
            one["table"],
            str(one["partition"]),
            one["role"],
            "unknown" if one["rows_left"] is None else f"{one['rows_left']:,}",
        )
        for one in told["recovering"]
    ]
    if recovering:
        yield table("Being filled", ("Table", "Partition", "Role", "Records left"), recovering)
    else:
        yield element("p", "Nothing is being filled.")


def _work(status: Document) -> Iterable[Html]:
    yield element("h2", "Stream and scoring")
    stream, scoring, on_demand = status["stream"], status["scoring"], status["on_demand"]
    rows: list[tuple[str, str]] = []
    if stream is not None:
        rows += [
            ("events put off, held in memory", f"{stream['put_off_events_held']:,}"),
            ("wikis let alone", str(stream["wikis_let_alone"])),
            ("an event takes, on average", duration(stream["event_seconds_mean"])),
            ("fetching and scoring one takes", duration(stream["scoring_seconds_mean"])),
        ]
    if scoring is not None:
        rows += [
            (f"waiting for a process, {name}", str(n)) for name, n in scoring["queue_by_priority"].items()
        ]
        rows += [
            ("CPU time of scoring", duration(scoring["cpu_seconds"])),
            ("processes replaced", str(scoring["restarts"])),
            *((f"ended at the limit of {name}", str(n)) for name, n in scoring["kills_by_limit"].items()),
        ]
    if on_demand is not None:
        rows += [
            ("revisions that clients wait for", str(on_demand["revisions_waiting"])),
            *((f"refused on demand, {name}", str(n)) for name, n in on_demand["refused_by_limit"].items()),
        ]
    if rows:
        yield table("Work", ("What", "How much"), rows)
    if stream is not None:
        yield _counts("Events by what became of them", ("Outcome", "Events"), stream["events_by_outcome"])
    for name in ("stream", "scoring", "on_demand"):
        if status[name] is None:
            yield _unknown(name)


def _errors(status: Document, now: datetime) -> Iterable[Html]:
    yield element("h2", "What failed")
    rows = [(one["code"], one["of"], f"{one['count']:,}") for one in status["errors"]]
    failed = [("HTTP", name, f"{count:,}") for name, count in status["requests"]["failed"].items()]
    if rows or failed:
        yield table("Failures since the start", ("Code", "Of", "Number"), [*rows, *failed])
    else:
        yield element("p", "Nothing since the start of this process.")
    letters = status["dead_letters"]
    if letters is None:
        yield _unknown("dead_letters")
    elif letters:
        shown = [
            (
                one["code"],
                element("span", one["message"]),
                f"{one['source_topic']} {one['source_partition']} / {one['source_offset']}",
                moment(datetime.fromisoformat(one["dt"]), now),
            )
            for one in letters
        ]
        yield table("Events that were set aside last", ("Code", "Why", "Event", "Set aside"), shown)
    else:
        yield element("p", "No event was set aside.")


def _megabytes(size_bytes: int | None) -> str:
    return "unknown" if size_bytes is None else f"{size_bytes / 1e6:,.1f} MB"


def _counts(caption: str, heads: tuple[str, str], numbers: Mapping[str, int]) -> Html:
    rows = [(name, f"{number:,}") for name, number in numbers.items() if number]
    if not rows:
        return element("p", f"{caption}: none yet.")
    return table(caption, heads, rows)


def _unknown(name: str) -> Html:
    text = f"{name.replace('_', ' ').capitalize()}: {_NO} Ask {_WHO[name]}."
    return element("p", text, class_="quiet")
