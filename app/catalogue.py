"""Which artefact answers on which wiki under which name, from the settings and the folders of artefacts."""

import functools
from pathlib import Path

from msgspec.structs import replace

from app.settings import Settings
from app.settings_fields import DEFAULT_WIKIS
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


def model_routes(settings: Settings, store: ModelStore) -> dict[str, dict[str, str]]:
    """Return wiki id to model name to artefact, as ``store`` takes it.

    The setting ``wikis``, where it is given, says it all. Otherwise the default counts, and what each
    ``models.yaml`` adds to it or puts in its place. In both cases ``models.yaml`` alone decides which version
    of an artefact answers, unless the setting names one (``enwiki-damaging@0.6.0``) or another stage
    (``enwiki-damaging@staging``).

    Args:
        settings: Of the process.
        store: Over the folders of the settings.

    Raises:
        SettingsError: A ``models.yaml`` is not understood, or sends two models to one place.
        ModelError: A manifest cannot be read.
    """
    routes = {wiki_id: dict(wiki.models) for wiki_id, wiki in settings.wikis.items()}
    if settings.wikis == DEFAULT_WIKIS:
        for wiki_id, models in store.routes().items():
            routes.setdefault(wiki_id, {}).update(models)
    return routes


def build_catalogue(settings: Settings, store: ModelStore) -> Catalogue:
    """Return the models of each wiki by the name that clients use, without loading their arrays.

    Artefacts are named with their version, so that all processes of a worker go on loading the same one
    when another is promoted.

    Args:
        settings: Whose ``wikis`` name the artefacts.
        store: Where they are.

    Raises:
        ModelError: An artefact is absent, damaged or of another format.
        SettingsError: A ``models.yaml`` is not understood, or sends two models to one place.
    """

    @functools.cache
    def info(artefact: str) -> ModelInfo:
        return replace(store.info(artefact), stage=store.stage(artefact).value)

    wikis: dict[str, dict[str, ModelInfo]] = {}
    versions: dict[str, dict[str, ModelInfo]] = {}
    for wiki_id, models in model_routes(settings, store).items():
        wikis[wiki_id], versions[wiki_id] = {}, {}
        for model_name, artefact in models.items():
            name = artefact.partition("@")[0]
            chosen = f"{name}@{store.folder(artefact).name}"
            wikis[wiki_id][model_name] = _named(info(chosen), model_name)
            # Who names a version in the settings wants that one.
            for version in store.live_versions(name) if artefact == name else ():
                other = f"{name}@{version}"
                if other != chosen:
                    versions[wiki_id][f"{model_name}@{version}"] = _named(info(other), model_name)
    return Catalogue(wikis, store.aliases(), {wiki_id: more for wiki_id, more in versions.items() if more})


def _named(info: ModelInfo, model_name: str) -> ModelInfo:
    return replace(info, id=replace(info.id, model_name=model_name))
