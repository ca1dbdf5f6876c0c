"""What a process remembers of the last texts of pages, so that an edit costs its change.

Nothing here is trusted: what was kept is used for a text that is equal to the one it was kept of, character
by character, and otherwise only as a draft to start from.
"""

from collections import OrderedDict, deque
from collections.abc import Hashable, Mapping
from typing import Any, Final

from msgspec import Struct

# An edit and its revert come in turns: the text of before the last edit is the one that comes back.
_TEXTS_OF_PAGE: Final = 3


class Kept(Struct, frozen=True):
    """What was computed of one text.

    Attributes:
        text: The text.
        values: By the keys of the plan.
    """

    text: str
    values: Mapping[Hashable, Any]


class PageMemory:
    """The last texts of pages, those used last; forgets the pages that were not seen for longest.

    Args:
        limit_chars: How many characters of text are remembered in all; what is kept of them takes up to some
            twenty bytes for each. 0 remembers nothing.
    """

    def __init__(self, limit_chars: int) -> None:
        self._limit = limit_chars
        self._pages: OrderedDict[Hashable, deque[Kept]] = OrderedDict()
        self._chars = 0

    def __len__(self) -> int:
        return len(self._pages)

    @property
    def chars(self) -> int:
        """Number of characters that are remembered now."""
        return self._chars

    def recall(self, page: Hashable) -> tuple[Kept, ...]:
        """Return what is remembered of a page, the newest first."""
        return tuple(self._pages.get(page, ()))

    def keep(self, page: Hashable, text: str, values: Mapping[Hashable, Any]) -> None:
        """Remember a text of a page. A text longer than the limit is not remembered."""
        if len(text) > self._limit:
            return
        texts = self._pages.setdefault(page, deque())
        self._pages.move_to_end(page)
        for known in texts:
            if known.text == text:
                texts.remove(known)
                self._chars -= len(text)
                break
        texts.appendleft(Kept(text, values))
        self._chars += len(text)
        if len(texts) > _TEXTS_OF_PAGE:
            self._chars -= len(texts.pop().text)
        while self._chars > self._limit:
            self._drop_oldest()

    def forget(self, page: Hashable) -> None:
        """Forget a page."""
        self._chars -= sum(len(kept.text) for kept in self._pages.pop(page, ()))

    def _drop_oldest(self) -> None:
        page, texts = next(iter(self._pages.items()))
        if len(self._pages) == 1 and len(texts) > 1:
            self._chars -= len(texts.pop().text)
        else:
            self.forget(page)
