"""Which artefact answers on which wiki under which name, from the settings and the folders of artefacts."""

from pathlib import Path

import msgspec

from app.settings import Settings
from models.store import PACKAGED_MODELS, ModelStore
from schemas.catalogue import Catalogue, ModelInfo
from schemas.errors import SettingsError


def model_folders(settings: Settings) -> tuple[Path, ...]:
    """Return the folders of artefacts as they are searched: those of the settings, then the packaged.

    Raises:
        SettingsError: A folder does not exist, so that a packaged model would answer for one of the user's.
    """
    for folder in settings.model_folders:
        if not folder.is_dir():
            raise SettingsError(
                f"model_folders names {folder}, and there is no such folder. Correct the path, or leave it "
                "out.",
                setting="model_folders",
                path=str(folder),
            )
    return (*settings.model_folders, PACKAGED_MODELS)


def open_store(settings: Settings) -> ModelStore:
    """Return the store over all folders of artefacts. Reads no artefact yet."""
    return ModelStore(model_folders(settings))


def build_catalogue(settings: Settings, store: ModelStore) -> Catalogue:
    """Return the models of each wiki by the name that clients use, without loading their arrays.

    Args:
        settings: Whose ``wikis`` name the artefacts.
        store: Where they are.

    Raises:
        ModelError: An artefact is absent, damaged or of another format.
    """
    found: dict[str, ModelInfo] = {}
    wikis: dict[str, dict[str, ModelInfo]] = {}
    for wiki_id, wiki in settings.wikis.items():
        wikis[wiki_id] = {}
        for model_name, artefact in wiki.models.items():
            if artefact not in found:
                found[artefact] = store.info(artefact)
            info = found[artefact]
            wikis[wiki_id][model_name] = msgspec.structs.replace(
                info, id=msgspec.structs.replace(info.id, model_name=model_name)
            )
    return Catalogue(wikis)
