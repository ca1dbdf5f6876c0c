"""Composition root: settings, command line, logging, metrics and the read API.

``faust -A app worker`` finds the Faust app as the attribute ``app``, which is composed from the settings when
it is first asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.stream_app import StreamApp

    app: StreamApp


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from app.run import faust_app  # noqa: PLC0415 - composing opens files and a port

    composed = faust_app()
    globals()["app"] = composed
    return composed
