"""Dates of revisions and accounts, read at less cost."""

import importlib
import re
from datetime import datetime
from typing import Any, Final

from models.engine.functions import of_revscoring

# What the longer of MediaWiki's two forms looks like; the shorter one cannot be read from it.
_LONG: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


def dates_rule(node: Any) -> Any:
    """Read the dates that revscoring makes of texts."""
    process: Any = getattr(node, "process", None)
    if type(process) is not of_revscoring("dependencies.util", "or_none"):
        return None
    if process.func is not importlib.import_module("mwtypes").Timestamp:
        return None
    datasource = of_revscoring("datasources.datasource", "Datasource")
    (text,) = node.dependencies
    return datasource(f"revstream.date({text})", ReadDate(process.func), depends_on=[text])


class ReadDate:
    """Makes the timestamp of a text.

    Args:
        timestamp: The type of it.
    """

    def __init__(self, timestamp: Any) -> None:
        self._timestamp = timestamp

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReadDate) and other._timestamp is self._timestamp

    def __hash__(self) -> int:
        return hash(self._timestamp)

    def __call__(self, text: Any) -> Any:
        """Return the timestamp, or None of None.

        Raises:
            ValueError: The text is no date.
        """
        if text is None:
            return None
        if type(text) is str and _LONG.fullmatch(text):
            try:
                return self._timestamp.from_datetime(datetime.fromisoformat(text[:-1]))
            except ValueError:
                # A leap second, or no date.
                pass
        return self._timestamp(text)
