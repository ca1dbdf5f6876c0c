"""Who sends a request, and how much may be scored for him."""

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network
from time import monotonic
from typing import Any, Final

from msgspec import Struct
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from app.api.on_demand import OnDemand, ScoreRequest
from schemas.errors import Overloaded, TooManyRequests
from schemas.prediction import ScoredModel
from schemas.secret import Secret

# Of one request; so many share a query of the wiki, and few hold up who comes after.
_AT_ONCE: Final = 8
_ROOM_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.05
_MINUTE_SECONDS: Final = 60.0
_KEPT_MOST: Final = 10_000
# A household or a server has so many addresses of version 6.
_PREFIX_BITS: Final = 64
OTHERS: Final = "default"
"""The class of who is in no other."""

_current: ContextVar["Client | None"] = ContextVar("client", default=None)


class ClientClass(Struct, frozen=True):
    """What a client of some class may have scored. What is stored is answered without counting.

    Attributes:
        parallel: Requests at a time; 0 is any number.
        per_minute: Revisions a minute; 0 is any number.
        tokens: Of those in it.
        networks: Addresses of those in it.
    """

    parallel: int = 0
    per_minute: int = 0
    tokens: Sequence[Secret] = ()
    networks: Sequence[str] = ()


class _Account:
    """What one client has scored now, and in this minute."""

    __slots__ = ("began", "parallel", "used")

    def __init__(self, now: float) -> None:
        self.parallel = 0
        self.used = 0
        self.began = now


class Client:
    """The sender of one request.

    Attributes:
        is_exempt: Whether nothing is counted: it warms the cache, which ORES lets anybody do.
        is_held: Whether the request is one of those at a time.
        turns: Of its revisions, so that a request for many leaves room between them for others.
        under_way: Revisions that wait for their score now.
        was_scored: Whether a revision was scored for it.
    """

    __slots__ = (
        "_account",
        "_clients",
        "_limits",
        "_was_counted",
        "is_exempt",
        "is_held",
        "turns",
        "under_way",
        "was_scored",
    )

    def __init__(self, clients: "Clients", limits: ClientClass, account: Callable[[], _Account]) -> None:
        self._clients = clients
        self._limits = limits
        self._account = account
        self.is_exempt = False
        self.is_held = False
        self._was_counted = False
        self.turns = asyncio.Semaphore(_AT_ONCE)
        self.under_way = 0
        self.was_scored = False

    def count(self) -> None:
        """Count one revision that has to be scored.

        Raises:
            TooManyRequests: The client has as much scored as it may; ``retry_after_seconds`` says when to
                come again.
        """
        if self.is_exempt:
            return
        self._was_counted = True
        limits, account = self._limits, self._account()
        left_seconds = self._left_seconds(account)
        if limits.parallel and not self.is_held and account.parallel >= limits.parallel:
            self._clients.refused["parallel"] += 1
            raise TooManyRequests(
                f"{limits.parallel} requests of this client are being scored already. Wait for an answer "
                "before you send the next one.",
                retry_after_seconds=1,
            )
        if limits.per_minute and account.used >= limits.per_minute:
            self._clients.refused["minute"] += 1
            raise TooManyRequests(
                f"{limits.per_minute} revisions were scored for this client within a minute. Come again when "
                "it is over.",
                retry_after_seconds=max(1, math.ceil(left_seconds)),
            )
        account.used += 1
        if not self.is_held:
            account.parallel += 1
            self.is_held = True

    def release(self) -> None:
        """Hear that the request is answered."""
        if self.is_held:
            self._account().parallel -= 1
            self.is_held = False

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the RateLimit headers of the IETF's draft 10; none where nothing was counted or limited."""
        limits = self._limits
        if not self._was_counted or not (limits.parallel or limits.per_minute):
            return []
        account = self._account()
        left_seconds = self._left_seconds(account)
        policies, left = [], []
        if limits.parallel:
            policies.append(f'"parallel";q={limits.parallel};qu="concurrent-requests"')
            # This request is over with its answer.
            others = account.parallel - self.is_held
            left.append(f'"parallel";r={max(0, limits.parallel - others)}')
        if limits.per_minute:
            policies.append(f'"minute";q={limits.per_minute};w={_MINUTE_SECONDS:g}')
            remaining = max(0, limits.per_minute - account.used)
            left.append(f'"minute";r={remaining};t={max(1, math.ceil(left_seconds))}')
        return [
            (b"ratelimit-policy", ", ".join(policies).encode()),
            (b"ratelimit", ", ".join(left).encode()),
        ]

    def _left_seconds(self, account: _Account) -> float:
        """Return how long the minute of an account lasts, and begin the next where it is over."""
        now = self._clients.clock()
        if now - account.began >= _MINUTE_SECONDS:
            account.began, account.used = now, 0
        return _MINUTE_SECONDS - (now - account.began)


class Clients:
    """Knows clients by token or address.

    Args:
        classes: By name; `OTHERS` is for who is in no other, and without it there is no limit for them.
        trusted_proxies: Networks whose word on the address of a client, in ``X-Client-IP``, is believed.
        clock: Seconds.

    Attributes:
        refused: How many revisions were not scored, by the limit that stood against it.
    """

    def __init__(
        self, classes: Mapping[str, ClientClass], trusted_proxies: Iterable[str], clock: Callable[[], float]
    ) -> None:
        self.clock = clock
        self.refused = {"parallel": 0, "minute": 0}
        self._classes = dict(classes)
        self._others = self._classes.get(OTHERS, ClientClass())
        self._proxies = [ip_network(one) for one in trusted_proxies]
        self._networks = [
            (ip_network(network), name) for name, one in classes.items() for network in one.networks
        ]
        self._tokens = [(token, name) for name, one in classes.items() for token in one.tokens]
        self._accounts: dict[tuple[str, object], _Account] = {}

    def of(self, scope: Scope) -> Client:
        """Return the sender of a request."""
        headers = Headers(scope=scope)
        return self._by_token(headers.get("authorization", "")) or self._by_address(scope, headers)

    def _by_token(self, authorization: str) -> Client | None:
        scheme, _, text = authorization.partition(" ")
        if not self._tokens or scheme.lower() != "bearer":
            return None
        given = text.strip().encode()
        # All are compared, so that the time tells nothing.
        names = [(number, name) for number, (token, name) in enumerate(self._tokens) if token.matches(given)]
        return self._client(names[0][1], names[0][0]) if names else None

    def _by_address(self, scope: Scope, headers: Headers) -> Client:
        peer = (scope.get("client") or ("", 0))[0]
        address = _parsed(peer)
        if address is not None and any(address in proxy for proxy in self._proxies):
            address = _parsed(headers.get("x-client-ip", "").strip()) or address
        if address is None:
            return self._client(OTHERS, peer)
        for network, name in self._networks:
            if address in network:
                return self._client(name, _household(address))
        return self._client(OTHERS, _household(address))

    def _client(self, name: str, who: object) -> Client:
        key = (name, who)
        return Client(self, self._classes.get(name, self._others), lambda: self._account(key))

    def _account(self, key: tuple[str, object]) -> _Account:
        account = self._accounts.get(key)
        if account is None:
            if len(self._accounts) >= _KEPT_MOST:
                self._forget_idle()
            account = self._accounts[key] = _Account(self.clock())
        return account

    def _forget_idle(self) -> None:
        """Make room: of those who have nothing scored now, the older half goes."""
        idle = [key for key, account in self._accounts.items() if not account.parallel]
        for key in idle[: len(idle) // 2 + 1]:
            del self._accounts[key]


class ClientLimits:
    """An ASGI application that knows, in all that it calls, who sends the request.

    Args:
        app: What answers.
        clients: Know who sends it.
    """

    def __init__(self, app: Callable[[Scope, Receive, Send], Any], clients: Clients) -> None:
        self._app = app
        self._clients = clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what was counted goes into the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = self._clients.of(scope)

        async def send_with_limits(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *client.headers()]
            await send(message)

        known = _current.set(client)
        try:
            await self._app(scope, receive, send_with_limits)
        finally:
            _current.reset(known)
            client.release()


def exempt() -> None:
    """Count nothing more of the request that is being answered: it warms the cache."""
    client = _current.get()
    if client is not None:
        client.is_exempt = True


class LimitedOnDemand:
    """An `app.api.on_demand.OnDemand` that counts what is scored for the sender of a request.

    A request is refused as a whole or not at all: while some of its revisions are scored, those for which
    there is no room wait for it.

    Args:
        inner: Scores.
    """

    def __init__(self, inner: OnDemand) -> None:
        self._inner = inner

    async def score(self, request: ScoreRequest, /) -> list[ScoredModel]:
        """Return a score or a failure for each model, see `app.api.on_demand.OnDemand`.

        Raises:
            TooManyRequests: The client has as much scored as it may.
        """
        client = _current.get()
        if client is None:
            return await self._inner.score(request)
        client.count()
        async with client.turns:
            give_up = monotonic() + _ROOM_SECONDS
            while True:
                client.under_way += 1
                try:
                    scored = await self._inner.score(request)
                except Overloaded:
                    is_begun = client.was_scored or client.under_way > 1
                    if not is_begun or monotonic() > give_up:
                        raise
                else:
                    client.was_scored = True
                    return scored
                finally:
                    client.under_way -= 1
                await asyncio.sleep(_POLL_SECONDS)


def _parsed(text: str) -> Any:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _household(address: Any) -> object:
    """Return what addresses of one household have in common."""
    if isinstance(address, IPv6Address):
        return IPv6Network((address, _PREFIX_BITS), strict=False)
    return address
