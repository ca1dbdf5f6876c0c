from pathlib import Path

import pytest

from agents.eventstreams import DEFAULT_URL, EventStreams
from agents.recorded import RecordedEvents
from agents.sources import EventSource, open_source
from agents.standard_input import StandardInput
from schemas.decode import peek_key
from schemas.errors import SettingsError, SourceError
from tests.mediawiki_api import USER_AGENT


def test_sources_are_named_as_a_person_would() -> None:
    def opened(name: str) -> EventSource:
        return open_source(name, peek_key, user_agent=USER_AGENT)

    assert isinstance(opened("-"), StandardInput)
    assert isinstance(opened("events.jsonl.zst"), RecordedEvents)
    assert opened("eventstreams").source_id == f"eventstreams:{DEFAULT_URL}"
    url = "http://127.0.0.1:1/v2/stream/mediawiki.page_change.v1"
    assert isinstance(opened(url), EventStreams)
    assert opened("sub/events.jsonl").source_id == f"file:{Path.cwd()}/sub/events.jsonl"


@pytest.mark.parametrize(
    "name", ["", "https://example.org/", "kafka://b:9092", "ftp://x/v2/stream/y", "http://["]
)
def test_a_source_that_is_no_source_is_refused(name: str) -> None:
    with pytest.raises(SourceError):
        open_source(name, peek_key, user_agent=USER_AGENT)


def test_an_event_stream_is_not_opened_without_a_contact() -> None:
    with pytest.raises(SettingsError, match="contact"):
        open_source("eventstreams", peek_key, user_agent="me/1.0")
