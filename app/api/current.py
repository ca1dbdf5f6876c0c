"""The read API of a process whose models and rules change while it answers."""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from agents.rules.book import RuleBook
from schemas.catalogue import Catalogue


class MakeApi(Protocol):
    """Makes the application over some models and rules."""

    def __call__(self, *, catalogue: Catalogue, rules: RuleBook | None) -> ASGIApp:
        """Return it."""
        ...


class CurrentApi:
    """An ASGI application that is the one made last. A request ends with the one that it began with.

    Args:
        make: Makes it.
        catalogue: The models of each wiki.
        rules: Which events are scored with which models; None without.
    """

    def __init__(self, make: MakeApi, catalogue: Catalogue, rules: RuleBook | None) -> None:
        self._make = make
        self._api: Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]
        self.switch(self.made(catalogue, rules))

    def made(self, catalogue: Catalogue, rules: RuleBook | None) -> ASGIApp:
        """Return the application over other models and rules; it does not answer yet."""
        return self._make(catalogue=catalogue, rules=rules)

    def switch(self, api: ASGIApp) -> None:
        """Have another application answer from the next request on."""
        # Every application of ours is a coroutine function; the name stands for any awaitable.
        self._api = api  # type: ignore[assignment]  # see above

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        """Answer one request."""
        return self._api(scope, receive, send)
