"""What other workers ask: rows of the partitions that are held here, and where others lie."""

from msgspec import DecodeError
from starlette.requests import Request
from starlette.responses import Response

from app.api.endpoint import Handler, read_body
from app.cluster.node import Node
from app.cluster.peers import ASKS_MOST, CONTENT_TYPE, PATH, decode_asks, encode_replies
from app.metrics import Face
from schemas.errors import RequestInvalid

_BODY_BYTES = 1 << 16


class PeerFace:
    """The handler of `app.cluster.peers.PATH`. It answers by what is here, and asks nobody."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def post_routes(self) -> dict[str, tuple[Face, Handler]]:
        """Return path to face and handler of the routes that answer POST."""
        return {PATH: (Face.PEERS, self._look_up)}

    async def _look_up(self, request: Request) -> Response:
        body = await read_body(request, _BODY_BYTES)
        try:
            replies = [self._node.answer(ask) for ask in decode_asks(body)[:ASKS_MOST]]
        except (ValueError, DecodeError) as error:
            raise RequestInvalid(
                f"The body is no question of a worker ({error}). Other clients ask /scores or /pages."
            ) from error
        return Response(encode_replies(replies), media_type=CONTENT_TYPE)
