"""Answers kept for as long as what they were made from stays the same."""

import asyncio
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Memo(Generic[Key, Value]):
    """A bounded map that forgets what was not asked for lately, in constant time.

    It holds two generations. New and wanted entries go to the younger; when that is full, it becomes the
    elder and the elder is dropped. So an entry lives for at least as many others as a generation holds.

    Args:
        size: Entries per generation.
        keep_seconds: After that time the younger generation becomes the elder in any case, so that nothing is
            kept for twice as long without being asked for. Needs a running loop; None to keep it.
    """

    def __init__(self, size: int, *, keep_seconds: float | None = None) -> None:
        self._size = size
        self._keep_seconds = keep_seconds
        self._ageing: asyncio.TimerHandle | None = None
        self._young: dict[Key, Value] = {}
        self._old: dict[Key, Value] = {}

    def get(self, key: Key) -> Value | None:
        """Return what is kept under a key; None where it was never kept, or is forgotten."""
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: Key, value: Value) -> None:
        """Keep a value, which is not None, under a key."""
        if len(self._young) >= self._size:
            self._old, self._young = self._young, {}
        self._young[key] = value
        if self._keep_seconds is not None and self._ageing is None:
            self._ageing = asyncio.get_running_loop().call_later(self._keep_seconds, self._age)

    def forget(self, key: Key) -> None:
        """Forget what is kept under a key, if anything is."""
        self._young.pop(key, None)
        self._old.pop(key, None)

    def _age(self) -> None:
        self._old, self._young = self._young, {}
        self._ageing = None
        if self._keep_seconds is not None and self._old:
            self._ageing = asyncio.get_running_loop().call_later(self._keep_seconds, self._age)

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
