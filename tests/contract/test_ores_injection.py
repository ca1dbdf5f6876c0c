"""ORES's injection and its features, over real scoring of the conformance model and of an edit model."""

import asyncio
import functools
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from agents.scoring import RevisionScoring
from app.on_demand import WorkerOnDemand
from models.store import PACKAGED_MODELS, ModelStore
from models.work import load_work
from schemas.catalogue import Catalogue
from schemas.revision import Revision, RevisionRequest
from tests.model_revisions import edit
from tests.pool_work import running
from tests.revisions import ScriptedContent
from tests.rows import binary, row, stored
from tests.served import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")

STORE = ModelStore([PACKAGED_MODELS])
REVERTED, REVID = STORE.info("enwiki-reverted"), STORE.info("testwiki-revid")
WIKIS = Catalogue({"enwiki": {"reverted": REVERTED}, "testwiki": {"revid": REVID}})
DIGITS = "feature.revision.reversed_last_two_in_rev_id"
TIMED_OUT = {"error": {"message": "Timed out after 15 seconds.", "type": "TimeoutError"}}
STORED = stored("reverted", binary(0.25), model_version=REVERTED.id.model_version)


class Content(ScriptedContent):
    """Gives the example edit, of whichever id."""

    async def get(self, request: RevisionRequest) -> Revision:
        return edit(rev_id=request.rev_id)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("worker")
    inline = {"testwiki-revid": STORE.load("testwiki-revid")}
    async with running(functools.partial(load_work, (PACKAGED_MODELS,), ("enwiki-reverted",))) as pool:
        on_demand = WorkerOnDemand(RevisionScoring(Content(), pool, inline, max_text_bytes=1 << 20), WIKIS)
        async with served(folder, WIKIS, [row(STORED, rev_id=5)], on_demand=on_demand) as given:
            yield given


async def score(server: Served, query: str, place: str = "testwiki/2342342/revid") -> Any:
    status, body, _ = await server.ask(f"/v3/scores/{place}?{query}")
    assert status == 200
    wiki_id, rev_id, model_name = place.split("/")
    return body[wiki_id]["scores"][rev_id][model_name]


def revid(false: float, true: float) -> dict[str, Any]:
    return {"prediction": true > 0.5, "probability": {"false": false, "true": true}}


async def test_a_feature_is_injected_by_its_name(worker: Served) -> None:
    assert await score(worker, f"{DIGITS}=50") == {"score": revid(0.5, 0.5)}
    assert await score(worker, "") == {"score": revid(0.76, 0.24)}


async def test_a_delay_holds_and_is_shown_among_the_features(worker: Served) -> None:
    started = asyncio.get_running_loop().time()
    _, body, _ = await worker.ask("/v3/scores/testwiki/?revids=1205|2309&feature.delay=0.2&features")
    assert asyncio.get_running_loop().time() - started >= 0.2
    assert body["testwiki"]["scores"] == {
        "1205": {"revid": {"score": revid(0.5, 0.5), "features": {"feature.delay": 0.2, DIGITS: 50}}},
        "2309": {
            "revid": {
                "score": revid(0.09999999999999998, 0.9),
                "features": {"feature.delay": 0.2, DIGITS: 90},
            }
        },
    }


async def test_a_delay_beyond_the_limit_is_a_timeout_without_features(
    worker: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.scoring.WAIT_SECONDS", 0.05)
    assert await score(worker, "features&feature.delay=16") == TIMED_OUT


async def test_each_revision_may_have_values_of_its_own(worker: Served) -> None:
    inject = json.dumps({"1205": {DIGITS: 25}, "2309": {DIGITS: 75}, "7": {DIGITS: 1}})
    _, body, _ = await worker.ask(
        "/v3/scores/testwiki/", params={"revids": "1205|2309|100", "inject": inject}
    )
    assert {name: one["revid"]["score"] for name, one in body["testwiki"]["scores"].items()} == {
        "1205": revid(0.75, 0.25),
        "2309": revid(0.25, 0.75),
        "100": revid(1.0, 0.0),
    }


async def test_a_form_may_inject(worker: Served) -> None:
    form = {"datasource.revision.text": json.dumps("Oaks are great. " * 10_000)}
    status, body, _ = await worker.ask("/v3/scores/enwiki/6/reverted", method="POST", data=form)
    assert status == 200
    assert "score" in body["enwiki"]["scores"]["6"]["reverted"]


async def test_a_stored_score_answers_for_nothing_that_is_injected(worker: Served) -> None:
    place = "enwiki/5/reverted"
    assert (await score(worker, "", place))["score"]["probability"]["true"] == 0.25
    text = quote(json.dumps("Oaks."))
    injected = await score(worker, f"datasource.revision.text={text}", place)
    assert injected["score"]["probability"]["true"] != 0.25
    assert (await score(worker, "", place))["score"]["probability"]["true"] == 0.25


async def test_features_stand_beside_a_score_that_is_stored(worker: Served) -> None:
    entry = await score(worker, "features", "enwiki/5/reverted")
    assert entry["features"]["feature.revision.user.is_anon"] is False
    assert entry["score"]["probability"]["true"] != 0.25


async def test_what_an_injected_value_breaks_is_an_error_of_its_revision_alone(worker: Served) -> None:
    inject = json.dumps({"6": {"datasource.revision.text": 7}})
    _, body, _ = await worker.ask(
        "/v3/scores/enwiki/", params={"revids": "6|7", "inject": inject, "features": ""}
    )
    failed, scored = (body["enwiki"]["scores"][rev_id]["reverted"] for rev_id in ("6", "7"))
    assert failed.keys() == {"error"}
    assert failed["error"]["type"] == "CaughtDependencyError"
    assert failed["error"]["message"].startswith("CaughtDependencyError: feature ")
    assert scored.keys() == {"score", "features"}


@pytest.mark.parametrize("start", ["/v1/scores", "/scores"])
async def test_version_1_injects(worker: Served, start: str) -> None:
    path = f"{start}/testwiki/revid/2342342"
    for body in (
        (await worker.ask(f"{path}?{DIGITS}=50"))[1],
        (await worker.ask(path, method="POST", data={DIGITS: "50"}))[1],
        (await worker.ask(path, params={"inject": json.dumps({"2342342": {DIGITS: 50}})}))[1],
    ):
        assert body == {"2342342": revid(0.5, 0.5)}


async def test_version_2_injects_and_shows_features_by_model(worker: Served) -> None:
    path = "/v2/scores/testwiki/revid"
    for body in (
        (await worker.ask(f"{path}/2342342?features&{DIGITS}=50"))[1],
        (await worker.ask(f"{path}/2342342", method="POST", data={DIGITS: "50", "features": ""}))[1],
        (await worker.ask(f"{path}?revids=2342342&features&{DIGITS}=50"))[1],
    ):
        assert body["scores"]["testwiki"]["revid"] == {
            "version": REVID.id.model_version,
            "scores": {"2342342": revid(0.5, 0.5)},
            "features": {"2342342": {"feature.delay": 0, DIGITS: 50}},
        }
