"""What other processes of the cluster ask: rows that are held here, where others lie, and scores."""

import json
from hmac import compare_digest

from msgspec import DecodeError
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from app.api.answers import Resources, answer
from app.api.endpoint import BODY_BYTES, Handler, read_body
from app.cluster import scoring
from app.cluster.peering import Peering
from app.cluster.peers import ASKS_MOST, CONTENT_TYPE, PATH, decode_asks, encode_replies
from app.cluster.scoring import Refusal, ScoreAsk, ScoreReply, decode_ask, encode_reply
from app.metrics import Face
from schemas.errors import AccessDenied, RequestInvalid, RevstreamError
from schemas.prediction import Injected, ScoredModel

_LOOK_UP_BYTES = 1 << 16
# What a client may inject, and some more for its quotes.
_SCORE_BYTES = 2 * BODY_BYTES


class PeerFace:
    """The handlers of `app.cluster.peers.PATH`, which asks nobody, and of `app.cluster.scoring.PATH`."""

    def __init__(self, peering: Peering, resources: Resources) -> None:
        self._peering = peering
        self._own = replace(resources, on_demand=peering.own)
        self._any = replace(resources, on_demand=peering.on_demand)
        self._counters = resources.metrics.faces[Face.PEERS]

    def post_routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler of the routes that answer POST."""
        return {PATH: (Face.PEERS, self._look_up), scoring.PATH: (Face.PEERS, self._score)}

    async def _look_up(self, request: Request) -> Response:
        body = await self._admitted(request, _LOOK_UP_BYTES)
        node = self._peering.node
        if node is None:
            raise RequestInvalid("All rows are here, and no worker asks another. Ask /scores or /pages.")
        try:
            replies = [node.answer(ask) for ask in decode_asks(body)[:ASKS_MOST]]
        except (ValueError, DecodeError) as error:
            raise _no_question(error) from error
        return Response(encode_replies(replies), media_type=CONTENT_TYPE)

    async def _score(self, request: Request) -> Response:
        body = await self._admitted(request, _SCORE_BYTES)
        try:
            ask = decode_ask(body)
            injected = None if ask.injected is None else json.loads(ask.injected)
        except (ValueError, DecodeError) as error:
            raise _no_question(error) from error
        try:
            reply = ScoreReply(await self._answers(ask, injected))
        except RevstreamError as error:
            reply = ScoreReply(refusal=Refusal(error.code, error.message, error.fields))
        return Response(encode_reply(reply), media_type=CONTENT_TYPE)

    async def _answers(self, ask: ScoreAsk, injected: Injected | None) -> list[ScoredModel | None]:
        """Answer as any client is answered: what has been stored or withdrawn meanwhile counts."""
        resources = self._own if ask.is_final else self._any
        found = {name: resources.catalogue.find(ask.wiki_id, name) for name in ask.model_names}
        models = {name: info for name, info in found.items() if info is not None}
        answers = await answer(
            resources,
            self._counters,
            ask.wiki_id,
            ask.rev_id,
            models,
            with_features=ask.with_features,
            injected=injected,
            with_attribution=ask.with_attribution,
        )
        return [answers.get(name) for name in ask.model_names]

    async def _admitted(self, request: Request, limit_bytes: int) -> bytes:
        shown = request.headers.get("authorization", "")
        if not compare_digest(shown.encode(), self._peering.authorization.encode()):
            raise AccessDenied(
                "Only processes of this cluster are answered here, which know the worker's token from the "
                "log. Other clients ask /scores or /pages."
            )
        return await read_body(request, limit_bytes)


def _no_question(error: Exception) -> RequestInvalid:
    return RequestInvalid(
        f"The body is no question of a worker ({error}). Other clients ask /scores or /pages."
    )
