"""What every face says of a prediction that was withdrawn, on a replica that follows the tables."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from app.api.on_demand import ScoreRequest
from schemas.keys import row_key
from schemas.prediction import PredictionRow, ScoredModel, Withdrawal
from tables.codec import encode_row
from tests.replica_log import PAGES_TOPIC, REVISIONS_TOPIC, MemoryLog
from tests.rows import REV_DT, binary, catalogue, row, stored
from tests.served import Served, served

WIKIS = catalogue({"enwiki": ("damaging", "revertrisk-language-agnostic")})
LATER = REV_DT + timedelta(days=1)
HIDDEN = Withdrawal(True, LATER, 9)
SHOWN = Withdrawal(False, LATER + timedelta(days=1), 10)
ERASED = Withdrawal(True, LATER, 9, erased_dt=LATER)
ROW = row(
    stored("damaging", binary(0.25)),
    stored("revertrisk-language-agnostic", binary(0.75)),
    page_id=7,
    rev_id=12345,
)
OTHER = replace(ROW, page_id=8, rev_id=12346)
LOST = (
    "The MW API does not have any info related to the rev-id provided as input (12345), therefore it is not "
    "possible to extract features properly. One possible cause is the deletion of the page related to the "
    "revision id. Please contact the ML-Team if you need more info."
)


class NeverAsked:
    """A scorer that must not be asked."""

    async def score(self, request: ScoreRequest, /) -> list[ScoredModel]:
        raise AssertionError(f"revision {request.rev_id} was asked for")


class Follows:
    """A server behind a log."""

    def __init__(self, server: Served, log: MemoryLog) -> None:
        self.ask = server.ask
        self._log = log

    def write(self, of_revision: PredictionRow | None, of_page: PredictionRow | None) -> None:
        """Write rows as a worker does."""
        for topic, held in ((REVISIONS_TOPIC, of_revision), (PAGES_TOPIC, of_page)):
            if held is not None:
                number = held.rev_id if topic == REVISIONS_TOPIC else held.page_id
                self._log.append(topic, row_key(held.wiki_id, number), encode_row(held))

    async def until_status(self, path: str, status: int) -> None:
        """Ask until the answer has a status; the log is polled a hundred times a second."""
        for _ in range(500):
            found, _body, _response = await self.ask(path)
            if found == status:
                return
        raise AssertionError(f"{path} never answered {status}")


@pytest.fixture
async def follows(tmp_path: Path) -> AsyncIterator[Follows]:
    log = MemoryLog()
    async with served(tmp_path, WIKIS, [ROW, OTHER], on_demand=NeverAsked(), log=log) as server:
        yield Follows(server, log)


def of_page(withdrawal: Withdrawal) -> tuple[None, PredictionRow]:
    return None, replace(ROW, withdrawal=withdrawal)


def of_revision(withdrawal: Withdrawal) -> tuple[PredictionRow, None]:
    return replace(ROW, withdrawal=withdrawal), None


def erased_page() -> tuple[PredictionRow, PredictionRow]:
    stone = replace(ROW, scores=(), withdrawal=Withdrawal(False, REV_DT, -1, erased_dt=LATER))
    return stone, replace(ROW, scores=(), withdrawal=ERASED)


def erased_revision() -> tuple[PredictionRow, PredictionRow]:
    stone = Withdrawal(False, REV_DT, -1, erased_dt=LATER)
    return replace(ROW, scores=(), withdrawal=ERASED), replace(ROW, scores=(), withdrawal=stone)


WAYS = {
    "page hidden": (of_page(HIDDEN), "page"),
    "page erased": (erased_page(), "page"),
    "revision hidden": (of_revision(HIDDEN), "revision"),
    "revision erased": (erased_revision(), "revision"),
}
every_way = pytest.mark.parametrize(("rows", "withdrawn"), WAYS.values(), ids=WAYS.keys())


@every_way
async def test_our_face_says_so_with_a_code_of_its_own_by_revision_and_by_page(
    follows: Follows, rows: tuple[PredictionRow | None, PredictionRow | None], withdrawn: str
) -> None:
    # Once before, so that a kept answer would show.
    assert (await follows.ask("/scores/enwiki/12345"))[0] == (await follows.ask("/pages/enwiki/7"))[0] == 200
    follows.write(*rows)
    for path, asked in (("/scores/enwiki/12345", {"rev_id": 12345}), ("/pages/enwiki/7", {"page_id": 7})):
        await follows.until_status(path, 410)
        for query in ("", "?provenance=1"):
            status, body, _ = await follows.ask(path + query)
            assert status == 410
            error = body["error"]
            assert error.pop("message").startswith("The prediction was withdrawn")
            assert error == {
                "code": "prediction_withdrawn",
                "wiki_id": "enwiki",
                "withdrawn": withdrawn,
                **asked,
            }
    assert (await follows.ask("/scores/enwiki/12346"))[0] == 200


@every_way
async def test_the_faces_of_ores_and_lift_wing_say_what_scoring_anew_would_say(
    follows: Follows, rows: tuple[PredictionRow | None, PredictionRow | None], withdrawn: str
) -> None:
    path = "/v3/scores/enwiki/12345/damaging"
    assert "score" in (await follows.ask(path))[1]["enwiki"]["scores"]["12345"]["damaging"]
    follows.write(*rows)
    await follows.until_status("/scores/enwiki/12345", 410)
    await follows.until_status("/pages/enwiki/7", 410)
    expected = {
        "page": ("RevisionNotFound", "RevisionNotFound: Could not find revision ({revision}:12345)"),
        "revision": ("TextDeleted", "TextDeleted: Text deleted (datasource.revision.text)"),
    }[withdrawn]
    for query in (path, "/v3/scores/enwiki?models=damaging&revids=12345|12346", path + "?features"):
        _, body, _ = await follows.ask(query)
        error = body["enwiki"]["scores"]["12345"]["damaging"]["error"]
        assert (error["type"], error["message"]) == expected
    _, body, _ = await follows.ask("/v3/scores/enwiki?models=damaging&revids=12345|12346")
    assert "score" in body["enwiki"]["scores"]["12346"]["damaging"]
    status, body, _ = await follows.ask(
        "/v1/models/enwiki-damaging:predict", method="POST", json={"rev_id": 12345}
    )
    assert (status, body) == (400, {"error": LOST})
    status, body, _ = await follows.ask(
        "/v1/models/revertrisk-language-agnostic:predict",
        method="POST",
        json={"rev_id": 12345, "lang": "en"},
    )
    assert status == 422
    assert ("revision_missing" if withdrawn == "page" else "revision_deleted") in body["detail"]


@pytest.mark.parametrize("rows", [of_page(HIDDEN), of_revision(HIDDEN)], ids=["page", "revision"])
async def test_what_was_only_hidden_is_shown_again(
    follows: Follows, rows: tuple[PredictionRow | None, PredictionRow | None]
) -> None:
    before = await follows.ask("/scores/enwiki/12345")
    follows.write(*rows)
    await follows.until_status("/scores/enwiki/12345", 410)
    revision, page = rows
    follows.write(
        None if revision is None else replace(revision, withdrawal=SHOWN),
        None if page is None else replace(page, withdrawal=SHOWN),
    )
    await follows.until_status("/scores/enwiki/12345", 200)
    assert (await follows.ask("/scores/enwiki/12345"))[1] == before[1]
    assert (await follows.ask("/pages/enwiki/7"))[0] == 200


async def test_what_was_erased_and_is_visible_again_is_as_if_it_had_never_been_scored(
    follows: Follows,
) -> None:
    stone, page = erased_page()
    shown = replace(SHOWN, erased_dt=LATER)
    follows.write(stone, replace(page, withdrawal=shown))
    await follows.until_status("/scores/enwiki/12345", 404)
    await follows.until_status("/pages/enwiki/7", 404)
    _, body, _ = await follows.ask("/scores/enwiki/12345")
    assert body["error"]["code"] == "prediction_not_found"
