"""`revstream snapshot load`: sends the rows of a snapshot to a running worker, as fast as it takes them."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from functools import lru_cache, partial
from time import monotonic
from typing import Any, Final

import aiohttp
import msgspec
from msgspec import Struct

from app.api.loading import LoadPlace, LoadPlan
from app.api.loads import PATH
from app.api.reload import PATH as RELOAD_PATH
from app.loads import PARTITIONERS
from batch.loaded_records import LoadRecord, load_records
from batch.snapshot import Snapshot
from schemas.errors import AccessDenied, EngineError, NotReady, RequestInvalid, RevstreamError
from schemas.keys import page_topic_key
from schemas.loaded import CONTENT_TYPE, FORMAT_VERSION
from schemas.secret import Secret

# Records that are sent and not in the tables yet: they lie in the log, and in the worker's memory.
_RECORDS_AHEAD: Final = 64
_POSTS_AT_ONCE: Final = 4
_POLL_SECONDS: Final = 0.05
_PAUSE_SECONDS: Final = 0.5
_ANSWER_SECONDS: Final = 60.0
# Models may take as long to load.
_RELOAD_SECONDS: Final = 150.0

_decode_refusal = msgspec.json.Decoder(dict[str, Any]).decode
_decode_plan = msgspec.json.Decoder(LoadPlan).decode
_decode_place = msgspec.json.Decoder(LoadPlace).decode


class LoadProgress(Struct, frozen=True):
    """How far a load is.

    Attributes:
        rows: Revisions to load; more than there are where several models tell of one.
        sent: Revisions that are in the log.
        seconds: Since its beginning.
        is_done: Whether all are in the tables.
    """

    rows: int
    sent: int
    seconds: float
    is_done: bool = False


class LoadClient:
    """Loads one snapshot into one running system.

    Args:
        url: Of a worker: ``http://127.0.0.1:8090``.
        token: That it wants to be shown; empty where it wants none.
        patience_seconds: So long nothing may move before the load is given up.
        tell: Hears how far it is, some times a second.
    """

    def __init__(
        self, url: str, *, token: Secret, patience_seconds: float, tell: Callable[[LoadProgress], None]
    ) -> None:
        self._root = url.rstrip("/")
        self._url = self._root + PATH
        shown = token.reveal() if token else ""
        self._headers = {"authorization": f"Bearer {shown}"} if shown else {}
        self._patience_seconds = patience_seconds
        self._tell = tell
        self._moved = 0.0
        self._done: Mapping[int, int] = {}
        self._last: dict[int, int] = {}
        self._waiting: set[tuple[int, int]] = set()
        self._sent = 0

    async def load(self, snapshot: Snapshot, *, with_errors: bool = False) -> LoadProgress:
        """Load a snapshot; return once all of its rows are in the tables. Idempotent.

        Args:
            snapshot: To load.
            with_errors: Whether failures are taken along.

        Raises:
            EngineError: The worker does not answer, or nothing moves; it says what is missing.
            RequestInvalid: The worker does not take such rows.
            AccessDenied: The worker wants another token.
            SnapshotUnusable: A file is damaged. What came before it is loaded.
        """
        began = self._moved = monotonic()
        files = [file for file in snapshot.manifest.files if with_errors or not file.is_errors]
        rows = sum(file.rows for file in files)

        def progress(*, is_done: bool = False) -> LoadProgress:
            return LoadProgress(rows, self._sent, monotonic() - began, is_done)

        timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
        async with aiohttp.ClientSession(headers=self._headers, timeout=timeout) as session:
            plan = await self._patiently(partial(self._plan, session))
            records = load_records(snapshot, _home(plan), with_errors=with_errors)
            await self._send_all(session, records, lambda: self._tell(progress()))
            while self._left():
                await self._look(session)
                self._tell(progress())
        done = progress(is_done=True)
        self._tell(done)
        return done

    async def reload(self) -> None:
        """Have the worker serve what models.yaml says by now; return once it does.

        Raises:
            EngineError: It does not answer.
            RequestInvalid: It refuses.
        """
        self._moved = monotonic()
        timeout = aiohttp.ClientTimeout(total=_RELOAD_SECONDS)
        async with aiohttp.ClientSession(headers=self._headers, timeout=timeout) as session:
            await self._patiently(partial(self._reload, session))

    async def _reload(self, session: aiohttp.ClientSession) -> None:
        async with session.post(self._root + RELOAD_PATH) as response:
            await _answer(response)

    async def _send_all(
        self, session: aiohttp.ClientSession, records: Iterator[LoadRecord], tell: Callable[[], None]
    ) -> None:
        """Send all records, some at once, and no more ahead of the tables than they can soon take."""
        sending: set[asyncio.Task[None]] = set()
        try:
            for record in records:
                while len(sending) >= _POSTS_AT_ONCE:
                    done, sending = await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
                while self._left() + len(sending) >= _RECORDS_AHEAD:
                    await self._look(session)
                sending.add(asyncio.create_task(self._send(session, record)))
                tell()
            await asyncio.gather(*sending)
        finally:
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)

    async def _send(self, session: aiohttp.ClientSession, record: LoadRecord) -> None:
        place = await self._patiently(partial(self._post, session, record))
        self._waiting.add((place.partition, place.offset))
        self._sent += record.rows

    def _left(self) -> int:
        """Return how many records are in the log, and not in the tables as far as we know."""
        return len(self._waiting)

    async def _look(self, session: aiohttp.ClientSession) -> None:
        """Ask how far the tables are, and wait where they are no further."""
        plan = await self._patiently(partial(self._plan, session))
        before = len(self._waiting)
        self._waiting = {
            (partition, offset)
            for partition, offset in self._waiting
            if plan.done.get(partition, 0) <= offset
        }
        if len(self._waiting) < before:
            self._moved = monotonic()
            return
        if monotonic() - self._moved > self._patience_seconds:
            partitions = sorted({partition for partition, _ in self._waiting})
            raise EngineError(
                f"For {self._patience_seconds:g} s nothing was taken into the tables; {len(self._waiting)} "
                f"records are in the log and not in the tables, of partitions {partitions}. See the workers' "
                "logs. They are taken in once a worker holds these partitions; run the load again to see "
                "that all is there."
            )
        await asyncio.sleep(_POLL_SECONDS)

    async def _patiently(self, ask: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Ask until there is an answer: a worker may be starting anew, or have no room."""
        while True:
            try:
                answer = await ask()
            except (aiohttp.ClientError, TimeoutError, OSError, NotReady) as error:
                if monotonic() - self._moved > self._patience_seconds:
                    told = error.message if isinstance(error, NotReady) else f"{type(error).__name__} {error}"
                    raise EngineError(
                        f"{self._url} did not do what it was asked for {self._patience_seconds:g} s: {told}. "
                        f"{self._sent} revisions were sent. Start a worker there, and run the load again: "
                        "what is there already changes nothing."
                    ) from error
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return answer

    async def _plan(self, session: aiohttp.ClientSession) -> LoadPlan:
        async with session.get(self._url) as response:
            plan = _decode_plan(await _answer(response))
        if plan.format_version != FORMAT_VERSION or plan.partitioner not in PARTITIONERS:
            raise RequestInvalid(
                f"{self._url} reads records of format {plan.format_version}, cut by {plan.partitioner}, and "
                f"this version writes format {FORMAT_VERSION}. Load with the version of the worker."
            )
        return plan

    async def _post(self, session: aiohttp.ClientSession, record: LoadRecord) -> LoadPlace:
        url = f"{self._url}?partition={record.partition}"
        headers = {"content-type": CONTENT_TYPE}
        async with session.post(url, data=record.record, headers=headers) as response:
            place = _decode_place(await _answer(response))
        self._moved = monotonic()
        return place


async def _answer(response: aiohttp.ClientResponse) -> bytes:
    """Return the body of an answer.

    Raises:
        NotReady: The worker has no room, or its log fails for now.
        RevstreamError: It refuses.
    """
    body = await response.read()
    if response.status < 300:
        return body
    try:
        told = str(_decode_refusal(body)["error"]["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        told = f"status {response.status}"
    if response.status in {429, 500, 502, 503, 504}:
        raise NotReady(told)
    kind: type[RevstreamError] = AccessDenied if response.status in {401, 403} else RequestInvalid
    raise kind(f"{response.url.origin()} refuses: {told}")


def _home(plan: LoadPlan) -> Callable[[str, int], int]:
    cut = PARTITIONERS[plan.partitioner]

    @lru_cache(maxsize=1)
    def home(wiki_id: str, page_id: int) -> int:
        return cut(page_topic_key(wiki_id, page_id), plan.partitions)

    return home
