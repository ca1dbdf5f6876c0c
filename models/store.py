"""Folders that hold artefacts, and how an artefact becomes a scorer.

Light by design: the parent of the pool verifies models through ``info`` and never imports revscoring,
scikit-learn, scipy or nltk; a child imports what its models need in ``load``.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path

from msgspec.structs import replace

from models.artefact import ARRAYS, MANIFEST, Artefact, is_name, open_artefact
from models.scoring import Scorer
from schemas.catalogue import ModelInfo
from schemas.errors import ModelCorrupt, ModelIncompatible, ModelNotFound

PACKAGED_MODELS: Path = Path(__file__).parent / "artefacts"
"""The artefacts that come with revstream."""

SCORERS: Mapping[str, str] = {
    "revscoring": "models.revscoring_scorer",
    "fasttext-langid": "models.langid",
    "conformance-revid": "models.conformance",
}
"""Module by the scorer that a manifest names. Each has ``load(artefact) -> Scorer``."""


class ModelStore:
    """Artefacts by name.

    An artefact may be asked for as ``name@version``; without it the newest version counts, in natural order
    (``0.10.0`` after ``0.9.0``).

    Args:
        folders: Searched in order, so that a user's artefact hides a packaged one of the same name. Folders
            that do not exist are passed over.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)

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
        return sorted(found, key=_natural)

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
        return opened

    def folder(self, artefact: str) -> Path:
        """Return the folder of an artefact.

        Raises:
            ModelNotFound: There is none.
        """
        name, _, version = artefact.partition("@")
        if is_name(name) and (is_name(version) or "@" not in artefact):
            for folder in self._folders:
                versions = _versions(folder / name)
                if version in versions or (versions and not version):
                    return folder / name / (version or max(versions, key=_natural))
        versions_known = self.versions(name) if version else []
        known = versions_known or self.names()
        places = ", ".join(str(folder) for folder in self._folders) or "no folder"
        raise ModelNotFound(
            f"there is no artefact {artefact!r} in {places}; known "
            f"{'versions' if versions_known else 'artefacts'}: {', '.join(known) or 'none'}. Name one of "
            "these, or the folder that holds yours",
            model_name=artefact,
        )


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


def _natural(version: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"\d+|\D+", version)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]
