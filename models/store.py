"""Folders that hold artefacts, and how an artefact becomes a scorer.

Light by design: the parent of the pool verifies models through ``info`` and never imports revscoring,
scikit-learn, scipy or nltk; a child imports what its models need in ``load``.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path

from msgspec.structs import replace

from models import vectors
from models.artefact import ARRAYS, MANIFEST, Artefact, is_name, open_artefact, read_manifest
from models.kinds import SCORERS as KINDS
from models.manifest import Manifest
from models.scoring import Scorer
from models.stages import ORES_ALIASES, ModelEntry, Stage, Stages, newest_last
from models.stages_file import STAGES_FILE, read_stages
from schemas.catalogue import ModelInfo
from schemas.errors import ModelCorrupt, ModelIncompatible, ModelNotFound, SettingsError

PACKAGED_MODELS: Path = Path(__file__).parent / "artefacts"
"""The artefacts that come with revstream."""

SCORERS: Mapping[str, str] = {
    "revscoring": "models.revscoring_scorer",
    "fasttext-langid": "models.langid",
    "conformance-revid": "models.conformance",
    **KINDS,
}
"""Module by the scorer that a manifest names. Each has ``load(artefact) -> Scorer``."""


class ModelStore:
    """Artefacts by name, and the stages of their versions.

    An artefact is asked for as ``name``, ``name@version`` or ``name@stage``. A name alone means the newest
    version in production, in natural order (``0.10.0`` after ``0.9.0``); a stage means the newest at just
    that stage. A folder says in ``models.yaml`` what is at which stage; where it has none, all that it holds
    is in production.

    Stages are read once, so that a store gives the same answers for as long as it lives.

    Args:
        folders: Searched in order, so that a user's artefact hides a packaged one of the same name. Folders
            that do not exist are passed over.
        least_stage: A name alone means versions at this stage as well.
    """

    def __init__(self, folders: Sequence[Path], *, least_stage: Stage = Stage.PRODUCTION) -> None:
        self._folders = tuple(folders)
        self._least_stage = least_stage
        self._stages: dict[Path, Stages | None] = {}

    def names(self) -> list[str]:
        """Return the names of all artefacts, sorted, without versions."""
        return sorted(
            {path.name for folder in self._folders for path in _subfolders(folder) if _versions(path)}
        )

    def versions(self, name: str) -> list[str]:
        """Return the versions of an artefact over all folders, oldest first; empty for an unknown name."""
        found = (
            {version for folder in self._folders for version in _versions(folder / name)}
            if is_name(name)
            else ()
        )
        return newest_last(found)

    def stage(self, artefact: str) -> Stage:
        """Return the stage of an artefact.

        Raises:
            ModelNotFound: There is no such artefact.
            SettingsError: A ``models.yaml`` is not understood.
        """
        return self._stage(self.folder(artefact))

    def live_versions(self, name: str) -> list[str]:
        """Return the versions that answer, oldest first: the last by default, others when asked for.

        In a folder without ``models.yaml`` only the newest answers.

        Raises:
            SettingsError: A ``models.yaml`` is not understood.
        """
        for folder in self._folders:
            stages = self._stages_of(folder)
            if stages is None:
                live = newest_last(_versions(folder / name))[-1:] if is_name(name) else []
            else:
                live = stages.entry(name).reaching(self._least_stage)
            if live:
                return live
        return []

    def entry(self, name: str) -> ModelEntry:
        """Return what the first ``models.yaml`` that lists a model says of it; an empty entry if none does.

        Raises:
            SettingsError: A ``models.yaml`` is not understood.
        """
        found = (stages.models[name] for stages in self._all_stages() if name in stages.models)
        return next(found, ModelEntry())

    def aliases(self) -> dict[str, str]:
        """Return other name to name of a model as clients ask for it; earlier folders win.

        Raises:
            SettingsError: A ``models.yaml`` is not understood.
        """
        told: list[Mapping[str, str]] = [stages.aliases for stages in self._all_stages()] or [ORES_ALIASES]
        return {alias: target for aliases in reversed(told) for alias, target in aliases.items()}

    def routes(self) -> dict[str, dict[str, str]]:
        """Return wiki id to model name to artefact, for all models that a ``models.yaml`` sends to a wiki.

        Raises:
            SettingsError: Two models would answer on one wiki under one name, or a ``models.yaml`` is not
                understood.
            ModelError: The manifest of a model cannot be read.
        """
        routes: dict[str, dict[str, str]] = {}
        for name in sorted({name for stages in self._all_stages() for name in stages.models}):
            wikis = self.entry(name).wikis
            if not wikis or not self.live_versions(name):
                continue
            model_name = self.manifest(name).model_name
            for wiki_id in wikis:
                other = routes.setdefault(wiki_id, {}).setdefault(model_name, name)
                if other != name:
                    raise SettingsError(
                        f"models.yaml has both {other} and {name} answer on {wiki_id} as {model_name}. Take "
                        f"{wiki_id} from the wikis of one of them, or take that one out of production.",
                        model_name=model_name,
                        wiki_id=wiki_id,
                    )
        return routes

    def manifest(self, artefact: str) -> Manifest:
        """Return the manifest of an artefact; its other files are not looked at.

        Raises:
            ModelError: There is no such artefact, or its manifest cannot be read.
        """
        return read_manifest(self.folder(artefact))

    def info(self, artefact: str) -> ModelInfo:
        """Verify an artefact and return what there is to know of it.

        Raises:
            ModelNotFound: There is no such artefact.
            ModelFileMissing: One of its files is not there.
            ModelCorrupt: One of its files differs from its sha512.
            ModelIncompatible: It is of a format or a kind that is not known here.
            ResourceMissing: A package that carries one of its files is not installed.
        """
        opened = self.open(artefact)
        _scorer_module(opened)
        return replace(opened.manifest.info(), artefact=artefact)

    def load(self, artefact: str) -> Scorer:
        """Verify an artefact and make its scorer, importing what that needs.

        Raises:
            ModelError: As ``info``; also where a feature cannot be bound, or a dictionary is not installed.
        """
        opened = self.open(artefact)
        module = import_module(_scorer_module(opened))
        vectors.look_in([*(folder / vectors.VECTORS for folder in self._folders), *vectors.FOLDERS])
        scorer: Scorer = module.load(opened)
        scorer.info = replace(scorer.info, artefact=artefact)
        return scorer

    def open(self, artefact: str) -> Artefact:
        """Verify an artefact and return it as it is on disk.

        Raises:
            ModelError: As ``info``.
        """
        folder = self.folder(artefact)
        opened = open_artefact(folder)
        manifest = opened.manifest
        if (manifest.name, manifest.model_version) != (folder.parent.name, folder.name):
            raise ModelCorrupt(
                f"{folder} holds artefact {manifest.name!r} version {manifest.model_version!r}; rename the "
                "folders to <name>/<version>",
                path=str(folder),
            )
        stages = self._stages_of(folder.parent.parent)
        state = stages.entry(manifest.name).versions.get(folder.name) if stages else None
        if state and state.sha512 not in {"", manifest.sha512}:
            raise ModelCorrupt(
                f"{folder} has sha512 {manifest.sha512[:16]}…, but came to {state.stage} with "
                f"{state.sha512[:16]}…, says {STAGES_FILE}: it was replaced since. Restore it, or move it to "
                "another stage and back if the new one is wanted",
                path=str(folder),
            )
        return opened

    def folder(self, artefact: str) -> Path:
        """Return the folder of an artefact.

        Raises:
            ModelNotFound: There is none.
            SettingsError: A ``models.yaml`` is not understood.
        """
        name, _, version = artefact.partition("@")
        if is_name(name) and (is_name(version) or "@" not in artefact):
            for folder in self._folders:
                version_chosen = self._choose(folder, name, version)
                if version_chosen is not None:
                    return folder / name / version_chosen
        raise self._not_found(artefact)

    def _choose(self, folder: Path, name: str, asked: str) -> str | None:
        """Return the version that a folder gives for what stands after the ``@``; None for none."""
        present = _versions(folder / name)
        if asked in present:
            return asked
        stages = self._stages_of(folder)
        if asked in tuple(Stage):
            listed = present if stages is None else stages.entry(name).versions
            at_stage = [version for version in listed if self._stage(folder / name / version) == asked]
        elif asked:
            return None
        else:
            at_stage = present if stages is None else stages.entry(name).reaching(self._least_stage)
        if not at_stage:
            return None
        newest = newest_last(at_stage)[-1]
        if newest not in present:
            raise ModelNotFound(
                f"{folder / STAGES_FILE} has {name}@{newest} in {self._stage(folder / name / newest)}, but "
                "the folder does not hold it. Pull it, or roll it back",
                model_name=name,
            )
        return newest

    def _not_found(self, artefact: str) -> ModelNotFound:
        name, _, asked = artefact.partition("@")
        versions_known = self.versions(name)
        places = ", ".join(str(folder) for folder in self._folders) or "no folder"
        if versions_known and (not asked or asked in tuple(Stage)):
            return ModelNotFound(
                f"no version of {name!r} in {places} is at {asked or self._least_stage}; there are: "
                f"{', '.join(versions_known)}. Run revstream models promote, or name one as {name}@VERSION",
                model_name=artefact,
            )
        known = versions_known or self.names()
        return ModelNotFound(
            f"there is no artefact {artefact!r} in {places}; known "
            f"{'versions' if versions_known else 'artefacts'}: {', '.join(known) or 'none'}. Name one of "
            "these, or the folder that holds yours",
            model_name=artefact,
        )

    def _stage(self, artefact_folder: Path) -> Stage:
        stages = self._stages_of(artefact_folder.parent.parent)
        if stages is None:
            return Stage.PRODUCTION
        return stages.entry(artefact_folder.parent.name).stage(artefact_folder.name)

    def _stages_of(self, folder: Path) -> Stages | None:
        if folder not in self._stages:
            self._stages[folder] = read_stages(folder)
        return self._stages[folder]

    def _all_stages(self) -> Iterator[Stages]:
        for folder in self._folders:
            stages = self._stages_of(folder)
            if stages is not None:
                yield stages


def _scorer_module(opened: Artefact) -> str:
    module = SCORERS.get(opened.manifest.scorer)
    if module is None:
        raise ModelIncompatible(
            f"artefact {opened.manifest.name!r} asks for the scorer {opened.manifest.scorer!r}, but this "
            f"revstream has {', '.join(SCORERS)}; install the revstream that wrote it",
            path=opened.manifest.name,
        )
    return module


def _subfolders(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if path.is_dir() and is_name(path.name))


def _versions(folder: Path) -> list[str]:
    # A folder that lost its manifest still counts, so that the error names the file and not the artefact.
    return [
        path.name
        for path in _subfolders(folder)
        if any((path / file).is_file() for file in (MANIFEST, ARRAYS))
    ]
