"""A suppressed revision: no answer of any face, no line of the log and no kept answer tells its score."""

import gc
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from app.api.memo import Memo
from schemas.keys import row_key
from schemas.prediction import Withdrawal
from tables.codec import encode_row
from tests.replica_log import PAGES_TOPIC, REVISIONS_TOPIC, MemoryLog
from tests.rows import REV_DT, binary, catalogue, row, stored
from tests.scorers import FAILURES
from tests.served import Served, served

LATER = REV_DT + timedelta(days=1)
MODELS = ("damaging", "revertrisk-language-agnostic", "revertrisk-multilingual")
TELLTALE = 0.8125318
ROW = row(*(stored(name, binary(TELLTALE)) for name in MODELS), rev_id=12345, page_id=7)
BODY = {"rev_id": 12345}
BY_LANG = {"rev_id": 12345, "lang": "en"}
TENSOR = {"inputs": [{"name": "input", "shape": [1], "datatype": "BYTES", "data": ['{"rev_id": 12345}']}]}
ASKED: list[tuple[str, Any]] = [
    ("/scores/enwiki/12345", None),
    ("/scores/enwiki/12345?provenance=1", None),
    ("/pages/enwiki/7", None),
    ("/pages/enwiki/7?provenance=1", None),
    ("/v3/scores/enwiki/12345", None),
    ("/v3/scores/enwiki/12345/damaging?format=json", None),
    ("/v3/scores/enwiki/?revids=12345|1&models=damaging", None),
    ("/v2/scores/enwiki/damaging/12345", None),
    ("/v1/scores/enwiki/damaging/12345", None),
    ("/v1/models/enwiki-damaging:predict", BODY),
    ("/v1/models/enwiki-damaging:predict", {"instances": [BODY, {"rev_id": 1}]}),
    ("/v2/models/enwiki-damaging/infer", TENSOR),
    ("/v1/models/revertrisk-language-agnostic:predict", BY_LANG),
    ("/v1/models/revertrisk-language-agnostic:predict", {"instances": [BY_LANG]}),
    ("/v1/models/revertrisk-multilingual:predict", BY_LANG),
]


class Refuses:
    """A scorer whose wiki hides the revision."""

    async def score(self, _: Any, /) -> Any:
        raise FAILURES[410]


async def told(running: Served) -> list[str]:
    found = []
    for path, body in ASKED:
        method = "GET" if body is None else "POST"
        async with running.session.request(method, running.url + path, json=body) as response:
            found.append(await response.text() + str(response.headers))
    return found


def kept() -> list[str]:
    return [repr(memo.__dict__) for memo in gc.get_objects() if isinstance(memo, Memo)]


async def test_a_suppressed_score_is_told_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = MemoryLog()
    async with served(
        tmp_path, catalogue({"enwiki": MODELS}), [ROW], on_demand=Refuses(), log=log
    ) as running:
        before = await told(running)
        assert all("8125318" in text for text in before)
        assert any("8125318" in text for text in kept())
        capsys.readouterr()
        hidden = Withdrawal(True, LATER, 9, erased_dt=LATER)
        stone = Withdrawal(False, REV_DT, -1, erased_dt=LATER)
        for topic, number, withdrawal in ((REVISIONS_TOPIC, 12345, hidden), (PAGES_TOPIC, 7, stone)):
            erased = replace(ROW, scores=(), withdrawal=withdrawal)
            log.append(topic, row_key("enwiki", number), encode_row(erased))
        for _ in range(500):
            if (await running.ask("/scores/enwiki/12345"))[0] == 410:
                break
        after = await told(running)
    for (path, _), text in zip(ASKED, after, strict=True):
        assert "8125318" not in text, path
        assert "0.1874682" not in text, path
    assert not any("8125318" in text for text in kept())
    printed = capsys.readouterr()
    assert "8125318" not in printed.out + printed.err
