"""Which source of events the settings come to."""

from pathlib import Path

import pytest

from agents.eventstreams import DEFAULT_URL, EventStreams
from agents.recorded import RecordedEvents
from agents.sources import EventSource
from agents.standard_input import StandardInput
from app.settings import load_settings
from app.source import open_settings_source
from batch.sample_wiki import BUNDLED
from schemas.errors import SettingsError, SourceError
from schemas.keys import page_topic_key
from tests.conftest import ROOT
from tests.input_events import encoded, page_change
from tests.memory_intake import MemoryIntake

CONTACT = "tests@revstream.example.org"


def opened(tmp_path: Path, **flags: str) -> EventSource:
    return open_settings_source(load_settings(flags=flags, environ={}, cwd=tmp_path))


def test_the_sample_is_the_default(tmp_path: Path) -> None:
    source = opened(tmp_path)
    assert isinstance(source, RecordedEvents)
    assert source.source_id == f"file:{BUNDLED.events}"
    assert BUNDLED.events.is_relative_to(ROOT)


def test_a_home_folder_may_be_written_as_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert opened(tmp_path, source="~/events.jsonl").source_id == f"file:{tmp_path}/events.jsonl"


def test_a_dash_is_standard_input(tmp_path: Path) -> None:
    assert isinstance(opened(tmp_path, source="-"), StandardInput)


@pytest.mark.parametrize("name", ["eventstreams", DEFAULT_URL])
def test_event_streams_are_asked_with_a_contact_only(name: str, tmp_path: Path) -> None:
    source = opened(tmp_path, source=name, mediawiki_contact=CONTACT)
    assert isinstance(source, EventStreams)
    assert source.source_id.endswith(DEFAULT_URL)
    with pytest.raises(SettingsError, match="mediawiki_contact"):
        opened(tmp_path, source=name)


def test_an_address_of_no_stream_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no address of an event stream"):
        opened(tmp_path, source="https://moss.example.org/events", mediawiki_contact=CONTACT)


async def test_events_are_keyed_by_their_page(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(encoded(page_change()) + b"\nnonsense\n")
    intake = MemoryIntake()
    await opened(tmp_path, source=str(tmp_path / "events.jsonl"), pace_events_per_second="0").run(intake)
    (batch,) = intake.batches
    assert [event.key for event in batch] == [page_topic_key("mosswiki", 31), b""]
