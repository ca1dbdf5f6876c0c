"""Bringing models into the local folder and out of it, for the command line."""

import asyncio
import tempfile
from collections.abc import Callable, Iterable
from importlib.metadata import version as package_version
from pathlib import Path

import aiohttp
from msgspec import Struct
from msgspec.structs import replace

from app.catalogue import open_store
from app.published import BASE_URL, PublishedFile, PublishedModels
from app.settings import Settings
from models.artefact import read_manifest
from models.remote import Remote, open_remote
from models.stages import Stage, Stages
from models.staging import admit_artefact, take_over
from models.transfer import Copied, pull, push
from schemas.errors import ModelNotFound

_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=30, sock_read=60)
Tell = Callable[[Copied], None]


class PullOptions(Struct, frozen=True):
    """What holds for files from a published directory.

    Attributes:
        limit_bytes: Of one file.
        sha512: Expected of the file; what the directory states where empty.
        stopwords: NLTK's corpus; None where no model needs it.
    """

    limit_bytes: int
    sha512: str = ""
    stopwords: Path | None = None


def pull_artefacts(
    remote: Remote, names: Iterable[str], into: Path, *, limit_bytes: int, with_stages: bool, tell: Tell
) -> None:
    """Copy artefacts from a place into a folder and list them there.

    Args:
        remote: The place.
        names: ``name``, which means its newest version, or ``name@version``.
        into: Folder of artefacts.
        limit_bytes: Of one artefact.
        with_stages: Whether what the place says of their stages replaces what the folder says.
        tell: Hears of each.

    Raises:
        ModelError: One is not there, or is refused.
        SettingsError: A ``models.yaml`` is not understood.
    """
    known = remote.versions()
    theirs = remote.read_stages() if with_stages else Stages()
    for asked in names:
        name, _, version = asked.partition("@")
        versions = known.get(name, [])
        if not versions or (version and version not in versions):
            raise ModelNotFound(
                f"There is no {asked} at {remote.where}; known "
                f"{'versions' if versions else 'artefacts'}: {', '.join(versions or known) or 'none'}.",
                model_name=asked,
            )
        # Stages make sense with the versions that they speak of.
        staged = [one for one in theirs.entry(name).reaching(Stage.STAGING) if one in versions]
        for one in dict.fromkeys([*staged, version or versions[-1]]):
            copied = pull(remote, name, one, into, limit_bytes=limit_bytes)
            imported = read_manifest(into / name / one).imported
            wikis = [imported.wiki_id] if imported and imported.wiki_id else []
            admit_artefact(into, name, one, wikis=wikis)
            tell(copied)
        if name in theirs.models:
            take_over(into, name, theirs.models[name])


def push_artefacts(
    settings: Settings, names: Iterable[str], remote: Remote, *, with_stages: bool, tell: Tell
) -> None:
    """Copy artefacts to a place.

    Args:
        settings: Whose model folders hold them.
        names: ``name``, which means what answers by default, or ``name@version``.
        remote: The place.
        with_stages: Whether the place's ``models.yaml`` is to say of their stages what ours says.
        tell: Hears of each.

    Raises:
        ModelError: One is not here, or the place refuses it.
        SettingsError: A ``models.yaml`` is not understood.
    """
    store = open_store(settings)
    for asked in names:
        name = asked.partition("@")[0]
        copied = push(store.folder(asked), remote)
        if with_stages:
            entry = store.entry(name)
            if remote.folder is not None:
                take_over(remote.folder, name, entry)
            else:
                stages = remote.read_stages()
                remote.write_stages(replace(stages, models={**stages.models, name: entry}))
        tell(copied)


def pull_published(
    settings: Settings,
    names: Iterable[str],
    into: Path,
    *,
    url: str | None,
    options: PullOptions,
    tell: Tell,
) -> None:
    """Fetch model files from a published directory, import them and list them in a folder.

    Args:
        settings: For the User-Agent.
        names: ``enwiki-damaging``, which means its newest upload, or ``enwiki-damaging@20220214192144``.
        into: Folder of artefacts.
        url: Of the directory; Wikimedia's where None.
        options: What holds for the files.
        tell: Hears of each.

    Raises:
        ModelError: One is not there, differs from its sha512, or is refused.
    """
    # The reader of pickles is loaded by this verb, and by no process that serves.
    from models.importer import import_model  # noqa: PLC0415

    for name in names:
        with tempfile.TemporaryDirectory(prefix="revstream-pull-") as folder:
            file, path = asyncio.run(_fetch(settings, name, Path(folder), url or BASE_URL, options))
            # Imported aside, so that the folder sees a whole artefact and no version of it ever changes.
            aside = Path(folder) / "artefacts"
            manifest = import_model(
                path, aside, name=file.name, model_name=file.model_name, nltk_stopwords=options.stopwords
            )
            copied = pull(open_remote(str(aside)), manifest.name, manifest.model_version, into)
        admit_artefact(into, copied.name, copied.version, wikis=[file.wiki_id])
        tell(copied)


async def _fetch(
    settings: Settings, name: str, into: Path, url: str, options: PullOptions
) -> tuple[PublishedFile, Path]:
    agent = settings.user_agent if settings.mediawiki_contact else f"revstream/{package_version('revstream')}"
    async with aiohttp.ClientSession(
        timeout=_TIMEOUT, headers={"user-agent": agent}, trust_env=True
    ) as session:
        published = PublishedModels(session, url)
        file = await published.find(name)
        path = await published.download(file, into, sha512=options.sha512, limit_bytes=options.limit_bytes)
    return file, path
