"""What differs between two models, by their manifests."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from models.manifest import Manifest

_SHOWN_CHARACTERS: Final = 60
# Features are compared as a set; the others would differ always, or are told in the heading.
_APART: Final = frozenset({"features", "format_version", "name", "model_version", "stage"})


class Change(Struct, frozen=True):
    """One value that differs.

    Attributes:
        path: Keys joined by dots.
        before: In the first manifest; None where it has no such value.
        after: In the second.
    """

    path: str
    before: Any
    after: Any


class Difference(Struct, frozen=True):
    """What differs between two models.

    Attributes:
        first: ``name@version``.
        second: ``name@version``.
        features_removed: Read by the first alone, sorted.
        features_added: Read by the second alone, sorted.
        features_kept: Number of those that both read.
        is_order_changed: Whether the features that both read come in another order.
        changes: By part of the manifest: ``estimator``, ``statistics``, ``labels``, ``files`` …; parts that
            are the same are left out.
    """

    first: str
    second: str
    features_removed: tuple[str, ...]
    features_added: tuple[str, ...]
    features_kept: int
    is_order_changed: bool
    changes: Mapping[str, tuple[Change, ...]]


def compare(first: Manifest, second: Manifest) -> Difference:
    """Return what differs between two manifests."""
    names = [feature.name for feature in first.features]
    others = [feature.name for feature in second.features]
    kept = set(names) & set(others)
    before, after = (_parts(manifest) for manifest in (first, second))
    changes = {part: tuple(_changes(before.get(part), after.get(part))) for part in {**before, **after}}
    return Difference(
        first=f"{first.name}@{first.model_version}",
        second=f"{second.name}@{second.model_version}",
        features_removed=tuple(sorted(set(names) - kept)),
        features_added=tuple(sorted(set(others) - kept)),
        features_kept=len(kept),
        is_order_changed=[name for name in names if name in kept]
        != [name for name in others if name in kept],
        changes={part: found for part, found in changes.items() if found},
    )


def as_lines(difference: Difference) -> Iterator[str]:
    """Yield a difference as lines of text; long values are cut short."""
    yield f"--- {difference.first}"
    yield f"+++ {difference.second}"
    yield (
        f"features: {len(difference.features_removed)} removed, {len(difference.features_added)} added, "
        f"{difference.features_kept} kept{', in another order' if difference.is_order_changed else ''}"
    )
    yield from (f"  - {name}" for name in difference.features_removed)
    yield from (f"  + {name}" for name in difference.features_added)
    for part, changes in difference.changes.items():
        yield f"{part}:"
        for change in changes:
            path = f"{change.path}: " if change.path else ""
            yield f"  {path}{_shown(change.before)} → {_shown(change.after)}"


def _parts(manifest: Manifest) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(manifest, str_keys=True)
    return {part: value for part, value in document.items() if part not in _APART}


def _changes(before: Any, after: Any, path: str = "") -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            yield from _changes(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
    elif before != after:
        yield Change(path, before, after)


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"
