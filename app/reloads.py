"""Reading rules and models anew in a running process: whole, or not at all."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Final, Protocol

import structlog
from msgspec import Struct
from msgspec.structs import replace

from app.configuration import Configuration
from schemas.errors import NotReady, ReloadRefused, RevstreamError

_HASH_BYTES: Final = 6

_log = structlog.get_logger("revstream.reload")


class Reloaded(Struct, frozen=True):
    """What is in force after a reload.

    Attributes:
        config_sha256: Of rules and models.
        is_changed: Whether anything was different before.
        models_added: Artefacts that answer now and did not before, sorted.
        models_removed: Those that did and do not any more, sorted.
        rules: How many there are.
        seconds: That it took.
    """

    config_sha256: str
    is_changed: bool
    models_added: tuple[str, ...]
    models_removed: tuple[str, ...]
    rules: int
    seconds: float


class ReloadStatus(Struct, frozen=True):
    """How reloads went.

    Attributes:
        applied: How many put in force what they read, changed or not.
        refused: How many left all as it was.
        was_successful: Whether the last one was; True before the first.
        applied_dt: When what is in force was read last.
        config_hash: First 48 bits of its sha256, which a float holds.
    """

    applied: int
    refused: int
    was_successful: bool
    applied_dt: datetime
    config_hash: int


class Reloading(Protocol):
    """Has what is on the disk put in force: in this process, or in all of a server."""

    async def reload(self) -> Reloaded:
        """Put in force what is on the disk.

        Raises:
            ReloadRefused: It cannot be; what was in force still is.
            NotReady: Not now.
        """
        ...


class Reloads:
    """Has a process go by what is on the disk by now.

    Args:
        read: Reads and checks the whole of it, in a thread.
        current: What is in force.
        take_over: Puts another configuration in force; raises before anything has changed.

    Attributes:
        current: As above.
    """

    def __init__(
        self,
        read: Callable[[], Configuration],
        current: Configuration,
        take_over: Callable[[Configuration], Awaitable[None]],
    ) -> None:
        self.current = current
        self._read = read
        self._take_over = take_over
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[Reloaded]] = set()
        self._status = before_reload(current)

    async def reload(self) -> Reloaded:
        """Put in force what is on the disk. One at a time; goes on where the caller does not wait.

        Raises:
            ReloadRefused: It cannot be; what was in force still is.
            NotReady: Not now.
        """
        task = asyncio.create_task(self._reload())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    def on_signal(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have SIGHUP reload. Who forked this process may have it blocked, so that none comes before."""

        def heard() -> None:
            task = loop.create_task(self._reload())
            self._tasks.add(task)
            task.add_done_callback(self._done)

        loop.add_signal_handler(signal.SIGHUP, heard)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGHUP,))

    def status(self) -> ReloadStatus:
        """Return how reloads went."""
        return self._status

    async def stop(self) -> None:
        """End what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[Reloaded]) -> None:
        self._tasks.discard(task)
        # It was logged.
        if not task.cancelled():
            task.exception()

    async def _reload(self) -> Reloaded:
        async with self._turn:
            began = monotonic()
            try:
                reloaded = await self._apply(began)
            except Exception as error:
                self._status = after_reload(self._status, None)
                known = isinstance(error, RevstreamError)
                told = error.message if isinstance(error, RevstreamError) else repr(error)
                code = error.code if isinstance(error, RevstreamError) else "internal_error"
                _log.warning("configuration_refused", code=code, reason=told, exc_info=not known)
                if not known or isinstance(error, NotReady | ReloadRefused):
                    raise
                raise ReloadRefused(
                    f"What was in force still is: {told}", cause=code, **_others(error)
                ) from error
            self._status = after_reload(self._status, self.current)
            _log.info(
                "configuration_applied",
                config_sha256=reloaded.config_sha256,
                is_changed=reloaded.is_changed,
                models_added=reloaded.models_added,
                models_removed=reloaded.models_removed,
                rules=reloaded.rules,
                seconds=round(reloaded.seconds, 3),
            )
            return reloaded

    async def _apply(self, began: float) -> Reloaded:
        new, old = await asyncio.to_thread(self._read), self.current
        if new.sha256 != old.sha256:
            await self._take_over(new)
            self.current = new
        before, after = (set(one.catalogue.artefacts()) for one in (old, new))
        return Reloaded(
            config_sha256=new.sha256,
            is_changed=new.sha256 != old.sha256,
            models_added=tuple(sorted(after - before)),
            models_removed=tuple(sorted(before - after)),
            rules=len(new.rules or ()),
            seconds=monotonic() - began,
        )


class GroupReloads:
    """A `Reloading` for a server of several processes, asked of one of them.

    Args:
        own: Of the process that is asked.
        tell_others: Has all reload.
    """

    def __init__(self, own: Reloads, tell_others: Callable[[], None]) -> None:
        self._own = own
        self._tell_others = tell_others

    async def reload(self) -> Reloaded:
        """Reload here, and have the others follow; see `Reloads.reload`."""
        try:
            return await self._own.reload()
        finally:
            # Also of what is refused: who counts for all counts it.
            self._tell_others()


def before_reload(current: Configuration) -> ReloadStatus:
    """Return the status of a process that has just started."""
    return ReloadStatus(0, 0, was_successful=True, applied_dt=datetime.now(UTC), config_hash=_hash(current))


def after_reload(status: ReloadStatus, applied: Configuration | None) -> ReloadStatus:
    """Return the status after one more reload; None was applied where it was refused."""
    if applied is None:
        return replace(status, refused=status.refused + 1, was_successful=False)
    return ReloadStatus(
        status.applied + 1,
        status.refused,
        was_successful=True,
        applied_dt=datetime.now(UTC),
        config_hash=_hash(applied),
    )


def _hash(configuration: Configuration) -> int:
    return int.from_bytes(bytes.fromhex(configuration.sha256)[:_HASH_BYTES], "big")


def _others(error: Exception) -> dict[str, str | int | float | None]:
    return dict(error.fields) if isinstance(error, RevstreamError) else {}
