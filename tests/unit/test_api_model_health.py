"""How models do now, as programs and people are told."""

from pathlib import Path

import pytest

from app.model_monitor import ModelMonitor
from schemas.catalogue import Catalogue
from tests.served import served
from tests.shown_wiki import shown_catalogue
from tests.unit.test_model_monitor import WIKI, report
from tests.unit.test_outcomes import edit

BROWSER = {"accept": "text/html"}


async def test_drift_and_outcomes_are_told_to_programs_and_people(tmp_path: Path) -> None:
    catalogue = Catalogue({WIKI: shown_catalogue().wikis["enwiki"]})
    monitor = ModelMonitor(catalogue)
    for number in range(1, 251):
        change = edit(number, "a", page_id=number, hours=number)
        event = report(change, 0.95, 0.05, names=("damaging", "goodfaith"))
        monitor.event_handled(event)
    async with served(tmp_path, catalogue, health=monitor.health) as server:
        status, body, _ = await server.ask(f"/models/{WIKI}/damaging/live")
        assert status == 200
        assert (body["wiki_id"], body["model_name"], body["scores"]) == (WIKI, "damaging", 250)
        assert body["shares"]["true"][19] == pytest.approx(1.0)
        # Scores of the test are spread evenly.
        assert body["expected_shares"]["true"] == pytest.approx([0.05] * 20, abs=0.03)
        assert body["drift"]["true"] > 0.25
        assert (body["reverted"], body["kept"], body["roc_auc"]) == (0, 202, None)
        assert body["calibration"][19] == {"low": 0.95, "count": 202, "share": 0.0}

        _, page, _ = await server.ask(f"/ui/models/{WIKI}/damaging", headers=BROWSER)
        assert b"has shifted" in page
        assert b"0 reverted by others, 202 kept" in page
        _, page, _ = await server.ask(f"/ui/models/{WIKI}/goodfaith", headers=BROWSER)
        # Whose probability of good faith is small is likely to be reverted.
        assert b"Probability of false" in page


async def test_a_process_without_a_stream_says_so(tmp_path: Path) -> None:
    async with served(tmp_path, shown_catalogue()) as server:
        status, body, _ = await server.ask("/models/enwiki/damaging/live")
        assert (status, body["error"]["code"]) == (404, "statistics_not_found")
        assert "Ask a worker" in body["error"]["message"]
        _, page, _ = await server.ask("/ui/models/enwiki/damaging", headers=BROWSER)
        assert b"On the stream" not in page
