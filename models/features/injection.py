"""Values that a client puts in the place of computed ones, by printed name, as ORES's ``inject`` does."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from models.features.catalogue import with_needs
from models.features.definitions import canonical, printed_name
from schemas.prediction import Injected


class Injectable:
    """Everything that some features rest on, themselves included, by printed name.

    Args:
        features: revscoring's objects.
    """

    def __init__(self, features: Iterable[Any]) -> None:
        self._dependents: defaultdict[str, list[Any]] = defaultdict(list)
        for dependent in with_needs(features):
            self._dependents[printed_name(dependent)].append(dependent)

    def known(self, injected: Injected) -> dict[Any, Any]:
        """Return what revscoring's solver is to find in its cache; names of nothing here are disregarded."""
        return {
            dependent: value
            for name, value in injected.items()
            for dependent in self._dependents.get(canonical(name), ())
        }
