"""A made-up dictionary in the place of all that are installed."""

from types import SimpleNamespace
from typing import Any

import pytest

from models.resources import LazyDictionary
from tests.feature_revisions import is_in_dictionary

_MADE_UP = SimpleNamespace(check=is_in_dictionary)


def make_up_dictionaries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every language look words up in the made-up dictionary.

    What a language took hold of before, as French does of its ``check`` when it is imported, looks
    them up there as well.
    """

    def keep(dictionary: LazyDictionary, opened: Any) -> None:
        vars(dictionary)["_opened"] = opened

    monkeypatch.setattr(LazyDictionary, "_opened", property(lambda _: _MADE_UP, keep), raising=False)
