"""What moved a score, for programs and on the page: only where asked for, and never of what is withdrawn."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from app.api.on_demand import ScoreRequest
from schemas.prediction import ScoredModel, Withdrawal
from tests.replica_log import MemoryLog
from tests.scorers import ReversedDigits
from tests.served import Served, fill, served
from tests.shown_wiki import HOSTILE, shown_catalogue, shown_row

ROW = shown_row(11)
PATH = f"/attributions/enwiki/{ROW.rev_id}/damaging"
PAGE = f"/revision/enwiki/{ROW.rev_id}?features=damaging"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, shown_catalogue(), [ROW], on_demand=ReversedDigits()) as running:
        yield running


async def test_programs_are_told_what_moved_a_score_the_most_first(server: Served) -> None:
    status, body, response = await server.ask(PATH)
    assert status == 200
    assert body["model_name"] == "damaging"
    assert body["probability"]["true"] == 0.11
    assert body["features"]["feature.revision.user.is_anon"] is True
    told = body["attribution"]
    assert (told["method"], told["scale"], told["reference"]) == ("tree_shap", "log_odds", "training")
    label = told["labels"]["true"]
    contributions = [each["contribution"] for each in label["contributions"]]
    assert contributions == [1.75, -0.5, 0.0]
    assert label["base"] + sum(contributions) == label["score"]
    assert response.headers["cache-control"] == "no-store"


async def test_the_page_shows_features_with_words_and_numbers_beside_the_bars(server: Served) -> None:
    _, body, _ = await server.ask(PAGE, headers={"accept": "text/html"})
    shown = body.decode()
    assert "+1.750 for" in shown
    assert "-0.500 against" in shown
    assert shown.index("reversed_last_two_in_rev_id") < shown.index("revision.user.is_anon")
    assert "From -1.000, the log-odds of the revisions that it was trained with" in shown
    assert "1 others" in shown
    assert "&lt;img&gt;" in shown
    assert f'href="{PATH}"' in shown


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/attributions/enwiki/404/damaging", 404, "revision_not_found"),
        ("/attributions/enwiki/410/damaging", 404, "revision_deleted"),
        ("/attributions/enwiki/502/damaging", 503, "content_unavailable"),
        ("/attributions/enwiki/503/damaging", 503, "not_ready"),
        ("/attributions/enwiki/504/damaging", 422, "cpu_limit_exceeded"),
        ("/attributions/enwiki/5/nothing", 404, "model_not_found"),
        ("/attributions/xwiki/5/damaging", 404, "wiki_unknown"),
        ("/attributions/enwiki/x/damaging", 400, "request_invalid"),
        ("/attributions/enwiki/5/damaging?label=true", 400, "request_invalid"),
        (f"/attributions/enwiki/5/{HOSTILE}", 404, "model_not_found"),
    ],
)
async def test_what_cannot_be_told_says_why(server: Served, path: str, status: int, code: str) -> None:
    got, body, response = await server.ask(path)
    assert (got, body["error"]["code"]) == (status, code)
    assert ("retry-after" in response.headers) == (status == 503)


async def test_a_model_whose_scores_are_no_sums_says_so(tmp_path: Path) -> None:
    class Silent(ReversedDigits):
        async def score(self, request: ScoreRequest, /) -> list[ScoredModel]:
            return [replace(one, attribution=None) for one in await super().score(request)]

    async with served(tmp_path, shown_catalogue(), [ROW], on_demand=Silent()) as server:
        _, body, _ = await server.ask(PATH)
        assert body["attribution"] is None
        _, shown, _ = await server.ask(PAGE, headers={"accept": "text/html"})
        assert "does not tell what moved its score" in shown.decode()


async def test_a_process_that_cannot_score_says_so(tmp_path: Path) -> None:
    async with served(tmp_path, shown_catalogue(), [ROW]) as server:
        status, body, _ = await server.ask(PATH)
        assert (status, body["error"]["code"]) == (404, "prediction_not_found")


async def test_what_is_withdrawn_while_it_is_explained_is_not_told(tmp_path: Path) -> None:
    log = MemoryLog()
    hidden = replace(ROW, withdrawal=Withdrawal(True, ROW.rev_dt, 99))

    class Withdrawing(ReversedDigits):
        async def score(self, request: ScoreRequest, /) -> list[ScoredModel]:
            scored = await super().score(request)
            fill(log, [hidden])
            for _ in range(500):
                if (await running.ask(f"/scores/enwiki/{ROW.rev_id}"))[0] == 410:
                    return scored
                await asyncio.sleep(0.02)
            raise AssertionError("the withdrawal does not show")

    scorer = Withdrawing()
    async with served(tmp_path, shown_catalogue(), [ROW], log=log, on_demand=scorer) as running:
        status, body, _ = await running.ask(PATH)
        assert (status, body["error"]["code"]) == (410, "prediction_withdrawn")
        assert len(scorer.asked) == 1
        for path in (PATH, PAGE):
            status, _, _ = await running.ask(path)
            assert status == 410
        # Nobody scores what is known to be withdrawn.
        assert len(scorer.asked) == 1
