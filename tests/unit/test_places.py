"""Where rows lie, as told to whoever looks for them."""

from collections import Counter
from pathlib import Path

import pytest

from app.cluster.sharing import advertised_url
from app.settings import load_settings
from schemas.errors import SettingsError
from schemas.keys import PAGES_TABLE, REVISIONS_TABLE, place_key, row_key
from tests.audit import records
from tests.pipelines import WIKI, RunningPipeline, edit, pipeline
from tests.unit.test_withdrawals import delete

TOPIC = "places"


def place(table: str, number: int) -> bytes:
    return place_key(table, row_key(WIKI, number))


def told(given: RunningPipeline) -> Counter[bytes | None]:
    found = list(records(given.log, TOPIC))
    assert {record.value for _, record in found} <= {b"0"}
    return Counter(record.key for _, record in found)


async def test_the_place_of_each_revision_is_told_once_and_that_of_its_page(tmp_path: Path) -> None:
    async with pipeline(tmp_path, places_topic=TOPIC) as given:
        for rev_id in (1, 2, 3):
            given.give(edit(rev_id))
            await given.until_done()
        revisions = {place(REVISIONS_TABLE, rev_id): 1 for rev_id in (1, 2, 3)}
        assert told(given) == revisions | {place(PAGES_TABLE, 31): 1}


async def test_a_page_that_was_only_ever_withdrawn_has_a_place(tmp_path: Path) -> None:
    async with pipeline(tmp_path, places_topic=TOPIC) as given:
        given.give(delete)
        await given.until_done()
        assert told(given)[place(PAGES_TABLE, 31)] == 1


@pytest.mark.parametrize(
    ("setting", "address", "expected"),
    [
        ("", "http://127.0.0.1:8090", "http://127.0.0.1:8090"),
        ("http://one.example.org:80/", "http://0.0.0.0:8090", "http://one.example.org:80"),
        ("", "http://0.0.0.0:8090", "http://host.example.org:8090"),
        ("", "http://[::]:8090", "http://host.example.org:8090"),
    ],
)
def test_a_worker_is_advertised_at_an_address_that_others_reach(
    setting: str, address: str, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("socket.getfqdn", lambda: "host.example.org")
    settings = load_settings(flags={"advertised_url": setting}, environ={}, cwd=tmp_path)
    assert advertised_url(settings, address) == expected


def test_a_machine_without_a_name_asks_for_the_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for function in ("getfqdn", "gethostname"):
        monkeypatch.setattr(f"socket.{function}", lambda: "localhost")
    settings = load_settings(environ={}, cwd=tmp_path)
    with pytest.raises(SettingsError, match="advertised_url"):
        advertised_url(settings, "http://0.0.0.0:8090")
