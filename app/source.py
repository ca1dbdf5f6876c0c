"""Opens the event source that the settings name."""

from pathlib import Path

from agents.sources import EventSource, open_source
from app.settings import Settings
from app.settings_fields import EVENTSTREAMS, SAMPLE
from schemas.decode import peek_key


def open_settings_source(settings: Settings) -> EventSource:
    """Return the source, unopened.

    Raises:
        SourceError: It is the address of no stream.
        SettingsError: Wikimedia's stream is to be followed and no contact is set.
    """
    name = _sample() if settings.source == SAMPLE else settings.source
    is_stream = name == EVENTSTREAMS or "://" in name
    return open_source(
        name if is_stream else str(Path(name).expanduser()),
        peek_key,
        user_agent=settings.user_agent if is_stream else "",
        pace_events_per_second=settings.pace_events_per_second or None,
    )


def _sample() -> str:
    from batch.sample_wiki import BUNDLED  # noqa: PLC0415 - the generator of the sample takes a while to import

    return str(BUNDLED.events)
