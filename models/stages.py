"""Which versions of the models are at which stage, and how that changes: values and pure functions.

``models.stages_file`` keeps them in ``models.yaml`` beside the artefacts.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from schemas.errors import SettingsError

FORMAT_VERSION: Final = 1

ORES_ALIASES: Final[Mapping[str, str]] = {"item_quality": "itemquality", "wp10": "articlequality"}
"""The names under which ORES answered for models that have others since."""

_Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*\Z")]
_WikiId = Annotated[str, Meta(pattern=r"^[a-z0-9_-]+\Z")]
_Sha512 = Annotated[str, Meta(pattern=r"^([0-9a-f]{128})?\Z")]


class Stage(StrEnum):
    """How far a version has come, in the order in which it is promoted."""

    EXPERIMENTAL = "experimental"
    STAGING = "staging"
    PRODUCTION = "production"

    def reaches(self, other: "Stage") -> bool:
        """Tell whether this stage is the other or one after it."""
        return _ORDER.index(self) >= _ORDER.index(other)

    def next(self) -> "Stage":
        """Return the stage after this one; production stays."""
        return _ORDER[min(_ORDER.index(self) + 1, len(_ORDER) - 1)]


_ORDER: Final = tuple(Stage)


class VersionState(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where one version stands.

    Attributes:
        stage: Its stage.
        sha512: Of the artefact when it came to that stage: any other is refused. Empty where any will do:
            while it is experimental, or where the line was written by hand.
    """

    stage: Stage
    sha512: _Sha512 = ""


class Change(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename={"from_stage": "from"}
):
    """One move of one version.

    Attributes:
        at: When, aware.
        by: Who.
        version: Which.
        from_stage: Where it was; ``from`` in the file.
        to: Where it went.
        is_rollback: Whether it took back an earlier change.
    """

    at: Annotated[datetime, Meta(tz=True)]
    by: str
    version: _Name
    from_stage: Stage
    to: Stage
    is_rollback: bool = False


class ModelEntry(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is said of one model.

    Attributes:
        wikis: Where it answers, under the ``model_name`` of its manifest.
        versions: Version to state; one that is not listed is experimental.
        history: Changes, oldest first.
    """

    wikis: tuple[_WikiId, ...] = ()
    versions: dict[_Name, VersionState] = {}
    history: tuple[Change, ...] = ()

    def stage(self, version: str) -> Stage:
        """Return the stage of a version."""
        state = self.versions.get(version)
        return state.stage if state else Stage.EXPERIMENTAL

    def reaching(self, stage: Stage) -> list[str]:
        """Return the versions listed at this stage or after it, oldest first."""
        return newest_last(version for version, state in self.versions.items() if state.stage.reaches(stage))


class Stages(Struct, frozen=True, forbid_unknown_fields=True):
    """All that ``models.yaml`` says.

    Attributes:
        format_version: Of this layout.
        aliases: Other name to the name of a model as clients ask for it: ``wp10`` to ``articlequality``.
        models: By name of the artefact.
    """

    format_version: int = FORMAT_VERSION
    aliases: dict[_Name, _Name] = field(default_factory=lambda: dict(ORES_ALIASES))
    models: dict[_Name, ModelEntry] = {}

    def __post_init__(self) -> None:
        """Refuse what no reader could follow."""
        for alias, target in self.aliases.items():
            if target in self.aliases:
                raise ValueError(f"alias {alias!r} leads to {target!r}, which is an alias itself")

    def entry(self, name: str) -> ModelEntry:
        """Return what is said of a model; an empty entry for an unknown one."""
        return self.models.get(name) or ModelEntry()


def newest_last(versions: Iterable[str]) -> list[str]:
    """Return versions in natural order: ``0.10.0`` after ``0.9.0``."""
    return sorted(versions, key=_natural)


def adopt(present: Mapping[str, Mapping[str, str]]) -> Stages:
    """Return the stages of a folder that had none: all that it holds is in production, as it was in effect.

    Args:
        present: Name of the artefact to version to sha512.
    """
    return Stages(
        models={
            name: ModelEntry(
                versions={
                    version: VersionState(Stage.PRODUCTION, present[name][version])
                    for version in newest_last(present[name])
                }
            )
            for name in sorted(present)
        }
    )


def admit(stages: Stages, name: str, version: str, *, wikis: Iterable[str] = ()) -> Stages:
    """List an artefact that has come in: as experimental, unless the version is listed already.

    Args:
        stages: As they are.
        name: Of the artefact.
        version: Of the artefact.
        wikis: Where it would answer; added to those listed.
    """
    entry = stages.entry(name)
    state = entry.versions.get(version) or VersionState(Stage.EXPERIMENTAL)
    entry = replace(
        entry,
        wikis=tuple(dict.fromkeys((*entry.wikis, *wikis))),
        versions={**entry.versions, version: state},
    )
    return _with(stages, name, entry)


def promote(
    stages: Stages, name: str, version: str, to: Stage, *, sha512: str, by: str, at: datetime
) -> Stages:
    """Move a version to a stage and write down that it was moved.

    Args:
        stages: As they are.
        name: Of the artefact.
        version: Of the artefact.
        to: Any stage but the one that it is at; an earlier one takes it out of service.
        sha512: Of the artefact: beyond the experimental stage only this one is loaded as that version.
        by: Who does it.
        at: When, aware.

    Raises:
        SettingsError: The version is at that stage already.
    """
    entry = stages.entry(name)
    before = entry.stage(version)
    if before is to:
        raise SettingsError(
            f"{name}@{version} is at {to} already. Name another version or another stage with --to.",
            model_name=name,
        )
    return _with(stages, name, _moved(entry, Change(at, by, version, before, to), sha512))


def rollback(stages: Stages, name: str, *, by: str, at: datetime) -> tuple[Stages, Change]:
    """Take back the last change of a model that was not taken back yet.

    Args:
        stages: As they are.
        name: Of the artefact.
        by: Who does it.
        at: When, aware.

    Returns:
        The stages, and the change as it was written down.

    Raises:
        SettingsError: No change is left to take back, or the version is no longer where it was moved to.
    """
    entry = stages.entry(name)
    undone = _last_standing(entry.history)
    if undone is None:
        raise SettingsError(
            f"No promotion of {name} is left to take back. `revstream models show {name}` tells its history.",
            model_name=name,
        )
    if entry.stage(undone.version) is not undone.to:
        raise SettingsError(
            f"{name}@{undone.version} was last moved to {undone.to}, but models.yaml has it at "
            f"{entry.stage(undone.version)}: the file was edited by hand. Move it with `revstream models "
            "promote --to`.",
            model_name=name,
        )
    change = Change(at, by, undone.version, undone.to, undone.from_stage, is_rollback=True)
    return _with(stages, name, _moved(entry, change, entry.versions[undone.version].sha512)), change


def _last_standing(history: Iterable[Change]) -> Change | None:
    taken_back = 0
    for change in reversed(tuple(history)):
        if change.is_rollback:
            taken_back += 1
        elif taken_back:
            taken_back -= 1
        else:
            return change
    return None


def _moved(entry: ModelEntry, change: Change, sha512: str) -> ModelEntry:
    state = VersionState(change.to, "" if change.to is Stage.EXPERIMENTAL else sha512)
    return replace(
        entry,
        versions={**entry.versions, change.version: state},
        history=(*entry.history, change),
    )


def _with(stages: Stages, name: str, entry: ModelEntry) -> Stages:
    ordered = {version: entry.versions[version] for version in newest_last(entry.versions)}
    models = {**stages.models, name: replace(entry, versions=ordered)}
    return replace(stages, models=dict(sorted(models.items())))


def _natural(version: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"\d+|\D+", version)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]
