"""What all endpoints share."""

import gc
import time
import weakref

import pytest
from starlette.requests import Request

from app.api.endpoint import endpoint
from app.api.errors import ours
from app.metrics import Face, Metrics
from schemas.errors import Overloaded


def _admit() -> None:
    raise Overloaded("Too much waits already.", retry_after_seconds=3)


@pytest.mark.parametrize("is_gathered", [True, False])
async def test_a_refusal_leaves_nothing_to_the_garbage_collector(is_gathered: bool) -> None:
    told: list[weakref.ref[Overloaded]] = []

    async def refuse(_: Request) -> None:
        gathered = []
        try:
            _admit()
        except Overloaded as error:
            told.append(weakref.ref(error))
            if not is_gathered:
                raise
            gathered.append(error)
        raise gathered[0]

    counters = Metrics().faces[Face.ORES]
    handle = endpoint(
        refuse,  # type: ignore[arg-type]  # it answers nothing
        counters=counters,
        envelope=ours,
        headers={},
        clock=time.perf_counter,
    )
    gc.collect()
    gc.disable()
    try:
        response = await handle(Request({"type": "http", "method": "GET", "path": "/", "headers": []}))
        assert [each() for each in told] == [None]
    finally:
        gc.enable()
    assert (response.status_code, response.headers["retry-after"]) == (503, "3")
