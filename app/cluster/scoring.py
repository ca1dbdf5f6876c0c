"""Questions for scores that are not stored, to the one worker that is responsible for a revision."""

from collections.abc import Mapping
from typing import Final

import aiohttp
from msgspec import DecodeError, Struct
from msgspec.msgpack import Decoder, Encoder

from app.cluster.addresses import without_token
from models.trace import carried_headers
from schemas.errors import NotReady, OwnerUnavailable, RevstreamError
from schemas.prediction import ScoredModel

PATH: Final = "/peers/score"
_CONNECT_SECONDS: Final = 0.5
# Longer than anything may take there: its own limits speak first.
_ANSWER_SECONDS: Final = 180.0
_WAITING_MOST: Final = 1000
_KEEP_ALIVE_SECONDS: Final = 20.0


class ScoreAsk(Struct, frozen=True, array_like=True):
    """A question for the scores of one revision.

    Attributes:
        wiki_id: Database name.
        rev_id: In [0, 2**63).
        model_names: As the catalogue finds them.
        with_features: Whether the features are wanted as well.
        injected: What is read in the place of what is computed, as JSON; None for nothing.
        is_final: Whether who is asked answers himself, whoever he thinks is responsible.
        with_attribution: Whether features and what moved the scores are wanted.
    """

    wiki_id: str
    rev_id: int
    model_names: tuple[str, ...]
    with_features: bool = False
    injected: str | None = None
    is_final: bool = False
    with_attribution: bool = False


class Refusal(Struct, frozen=True, array_like=True):
    """An error of the typed tree, as it travels."""

    code: str
    message: str
    fields: Mapping[str, str | int | float] = {}


class ScoreReply(Struct, frozen=True, array_like=True):
    """The answer to a `ScoreAsk`.

    Attributes:
        scored: One for each name, None where there is no such model; None as a whole beside a refusal.
        refusal: Why nothing can be said.
    """

    scored: list[ScoredModel | None] | None = None
    refusal: Refusal | None = None


encode_ask: Final = Encoder().encode
decode_ask: Final = Decoder(ScoreAsk).decode
encode_reply: Final = Encoder().encode
decode_reply: Final = Decoder(ScoreReply).decode


def _kinds(kind: type[RevstreamError] = RevstreamError) -> dict[str, type[RevstreamError]]:
    found = {kind.code: kind} if "code" in vars(kind) else {}
    for child in kind.__subclasses__():
        found = _kinds(child) | found
    return found


_KINDS: Final = _kinds()


class ScoringPeers:
    """A client of workers' `PATH`. Use it on one loop."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._waiting = 0
        self.asked = {"answered": 0, "failed": 0}

    async def ask(self, address: str, ask: ScoreAsk) -> list[ScoredModel | None]:
        """Ask a worker, and wait until it has scored.

        Args:
            address: As it advertises itself.
            ask: The question.

        Returns:
            One for each name; None where it has no such model.

        Raises:
            OwnerUnavailable: It is not there, or went away meanwhile: another may be asked.
            RevstreamError: What it refused with.
        """
        if self._waiting >= _WAITING_MOST:
            raise NotReady(
                f"{_WAITING_MOST} questions wait for scores already. What is stored is answered all the "
                "same; for this one come again in a few seconds."
            )
        self._waiting += 1
        try:
            reply = decode_reply(await self._post(address, encode_ask(ask)))
        except (aiohttp.ClientError, TimeoutError, OSError, DecodeError) as error:
            self.asked["failed"] += 1
            raise OwnerUnavailable(
                f"The worker at {without_token(address)}, which is to score revision {ask.rev_id} of "
                f"{ask.wiki_id}, does not answer ({type(error).__name__}). Ask again in a few seconds.",
                wiki_id=ask.wiki_id,
                rev_id=ask.rev_id,
            ) from error
        finally:
            self._waiting -= 1
        self.asked["answered"] += 1
        if reply.refusal is not None:
            kind = _KINDS.get(reply.refusal.code, RevstreamError)
            raise kind(reply.refusal.message, **reply.refusal.fields)
        return reply.scored or []

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, address: str, body: bytes) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # Whoever waits for a score holds a connection.
                connector=aiohttp.TCPConnector(limit=_WAITING_MOST, keepalive_timeout=_KEEP_ALIVE_SECONDS),
                timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS, sock_connect=_CONNECT_SECONDS),
                headers={"content-type": "application/msgpack"},
            )
        try:
            return await self._post_once(self._session, address, body)
        except aiohttp.ServerDisconnectedError:
            # The other side closed a connection that had been idle. What it works on is worked on once.
            return await self._post_once(self._session, address, body)

    async def _post_once(self, session: aiohttp.ClientSession, address: str, body: bytes) -> bytes:
        asking = session.post(address.rstrip("/") + PATH, data=body, headers=carried_headers())
        async with asking as response:
            response.raise_for_status()
            return await response.read()
