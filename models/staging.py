"""Changing the stages of the artefacts in a folder: what a command does to ``models.yaml``."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from models.artefact import read_manifest
from models.stages import Change, ModelEntry, Stage, Stages, admit, adopt, newest_last, promote, rollback
from models.stages_file import change_stages
from models.store import ModelStore
from schemas.errors import ModelError, ModelNotFound, SettingsError


def admit_artefact(folder: Path, name: str, version: str, *, wikis: Iterable[str] = ()) -> Stages:
    """List an artefact that has come into a folder, as experimental.

    Where the folder has no ``models.yaml`` yet, what it held before is listed as in production: that is how
    it was served until now.

    Args:
        folder: Of artefacts.
        name: Of the artefact.
        version: Of the artefact.
        wikis: Where it would answer.

    Returns:
        What the file says now.

    Raises:
        SettingsError: The file is not understood.
        StoreLocked: Another process holds it.
    """

    def change(stages: Stages | None) -> Stages:
        if stages is None:
            stages = adopt(_present(folder, without=(name, version)))
        return admit(stages, name, version, wikis=wikis)

    return change_stages(folder, change)


def take_over(folder: Path, name: str, entry: ModelEntry) -> Stages:
    """Let a folder say of a model what another place says of it.

    Args:
        folder: Of artefacts.
        name: Of the artefact.
        entry: What the other place says.

    Returns:
        What the file says now.

    Raises:
        SettingsError: The file is not understood.
        StoreLocked: Another process holds it.
    """

    def change(stages: Stages | None) -> Stages:
        stages = adopt(_present(folder)) if stages is None else stages
        return replace(stages, models=dict(sorted({**stages.models, name: entry}.items())))

    return change_stages(folder, change)


def promote_artefact(
    folders: Iterable[Path], artefact: str, to: Stage | None, *, by: str, at: datetime
) -> Change:
    """Move a version to a stage, after it was loaded once to see that it can be served.

    1. Find the version: the one named, else the newest.
    2. Load it, unless it goes back to the experimental stage.
    3. Change the file of its folder.

    Args:
        folders: Those that may be changed, in the order in which they are searched.
        artefact: ``name`` or ``name@version``.
        to: The next stage where None.
        by: Who does it.
        at: When, aware.

    Returns:
        The change.

    Raises:
        ModelError: There is no such artefact, or it cannot be loaded.
        SettingsError: It is at that stage already, or the file is not understood.
        StoreLocked: Another process holds the file.
    """
    name, _, version = artefact.partition("@")
    folder = _home(folders, name, version)  # 1
    store = ModelStore([folder])
    version = version or newest_last(store.versions(name))[-1]
    chosen = f"{name}@{version}"
    to = to or store.stage(chosen).next()
    sha512 = "" if to is Stage.EXPERIMENTAL else store.load(chosen).info.id.model_sha512  # 2

    def change(stages: Stages | None) -> Stages:
        if stages is None:
            stages = adopt(_present(folder))
        return promote(stages, name, version, to, sha512=sha512, by=by, at=at)

    return change_stages(folder, change).entry(name).history[-1]  # 3


def rollback_model(folders: Iterable[Path], name: str, *, by: str, at: datetime) -> Change:
    """Take back the last promotion of a model.

    Args:
        folders: Those that may be changed, in the order in which they are searched.
        name: Of the artefact.
        by: Who does it.
        at: When, aware.

    Returns:
        The change.

    Raises:
        ModelNotFound: No folder holds the model.
        SettingsError: Nothing is left to take back, or the file is not understood.
        StoreLocked: Another process holds the file.
    """
    folder = _home(folders, name, "")
    return (
        change_stages(folder, lambda stages: rollback(stages or Stages(), name, by=by, at=at)[0])
        .entry(name)
        .history[-1]
    )


def _home(folders: Iterable[Path], name: str, version: str) -> Path:
    """Return the first folder that holds an artefact."""
    folders = tuple(folders)
    if not folders:
        raise SettingsError(
            "No folder of models is set, and the packaged models stay as they are. Name one with "
            "--model-folders.",
            setting="model_folders",
        )
    for folder in folders:
        versions = ModelStore([folder]).versions(name)
        if version in versions or (versions and not version):
            return folder
    artefact = f"{name}@{version}" if version else name
    raise ModelNotFound(
        f"There is no {artefact} in {', '.join(map(str, folders))}. `revstream models list` tells what there "
        "is; packaged models stay as they are.",
        model_name=artefact,
    )


def _present(folder: Path, without: tuple[str, str] | None = None) -> dict[str, dict[str, str]]:
    """Return name to version to sha512 of what a folder holds; no sha512 for what cannot be read."""
    store = ModelStore([folder])
    present: dict[str, dict[str, str]] = {}
    for name in store.names():
        for version in store.versions(name):
            if (name, version) == without:
                continue
            try:
                sha512 = read_manifest(folder / name / version).sha512
            except ModelError:
                sha512 = ""
            present.setdefault(name, {})[version] = sha512
    return present
