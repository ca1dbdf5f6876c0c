"""Where input events come from, by the name that a person gives."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from agents.eventstreams import DEFAULT_URL, EventStreams
from agents.intake import Intake
from agents.recorded import RecordedEvents
from agents.standard_input import StandardInput
from schemas.errors import SourceError


class EventSource(Protocol):
    """Gives events to an intake, each once, from the place where the last run stopped.

    Attributes:
        source_id: Under which the intake keeps the place.
    """

    source_id: str

    async def run(self, intake: Intake) -> None:
        """Read on from ``intake.cursor(source_id)`` and take what comes, batch by batch.

        Returns at the end of a source that has one. May be cancelled at any moment: nothing is lost or
        taken twice, since events and place move together.

        Raises:
            SourceError: It cannot be read, for a reason that waiting does not cure.
        """
        ...


def open_source(
    name: str,
    key_of: Callable[[bytes], bytes],
    *,
    user_agent: str,
    pace_events_per_second: float | None = None,
) -> EventSource:
    """Return the source of that name. Nothing is opened before it runs.

    Args:
        name: ``eventstreams``, the URL of a stream (``https://…/v2/stream/…``), ``-`` for standard input,
            or the path of a file, plain or compressed as .gz, .bz2 or .zst.
        key_of: Gives the topic key of an event; never raises.
        user_agent: Sent to event streams; names the tool and a contact.
        pace_events_per_second: Pace of files; None for as fast as they can be taken.

    Raises:
        SourceError: The name is empty, or an address that is no stream's.
        SettingsError: The user agent names no contact, for event streams.
    """
    if not name:
        raise SourceError("no event source is named: name 'eventstreams', '-', a file or the URL of a stream")
    if name == "eventstreams":
        return EventStreams(key_of, user_agent=user_agent, url=DEFAULT_URL)
    if name == "-":
        return StandardInput(key_of)
    if "://" in name:
        if not _is_stream(name):
            raise SourceError(
                f"{name!r} is no address of an event stream: one looks like {DEFAULT_URL}; for a file give "
                "its path",
                source=name,
            )
        return EventStreams(key_of, user_agent=user_agent, url=name)
    return RecordedEvents(Path(name), key_of, pace_events_per_second=pace_events_per_second)


def _is_stream(url: str) -> bool:
    try:
        address = urlsplit(url)
    except ValueError:
        return False
    return address.scheme in {"http", "https"} and bool(address.netloc) and "/v2/stream/" in address.path
