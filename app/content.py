"""Opens the source of texts that the settings name."""

from pathlib import Path
from typing import Final

from agents.content import WikiSource
from agents.mediawiki import MediaWikiSettings, MediaWikiSource
from agents.mediawiki_client import ClientLimits, Observe
from app.settings import Settings
from app.settings_fields import MEDIAWIKI, SAMPLE
from batch.local_source import DumpRevisionSource
from schemas.errors import SettingsError

INDEX_FOLDER: Final = "content-index"


def open_content(
    settings: Settings, *, kind: str | None = None, observe: Observe | None = None
) -> WikiSource:
    """Return the source of texts, unconnected: nothing is read before the first call.

    Args:
        settings: Of the process.
        kind: ``sample``, ``mediawiki`` or the path of a dump; what the settings come to where None.
        observe: Hears the outcome and the seconds of each query to a wiki.

    Raises:
        SettingsError: A wiki is to be asked and no contact is set, or the dump does not exist.
    """
    kind = kind or settings.content_kind
    if kind == MEDIAWIKI:
        wiki_settings = mediawiki_settings(settings)
        if observe is None:
            return MediaWikiSource(wiki_settings)
        return MediaWikiSource(wiki_settings, observe=observe)
    path = _sample() if kind == SAMPLE else Path(kind).expanduser()
    if not path.is_file():
        raise SettingsError(
            f"content is {kind}, and there is no such file. Name an XML dump, `mediawiki` or `auto`.",
            setting="content",
            path=str(path),
        )
    return DumpRevisionSource(
        path, cache_dir=settings.data_dir / INDEX_FOLDER, max_text_bytes=settings.max_text_bytes
    )


def mediawiki_settings(settings: Settings) -> MediaWikiSettings:
    """Return how wikis are reached and how hard they are asked."""
    return MediaWikiSettings(
        user_agent=settings.user_agent,
        url_template=settings.mediawiki_url,
        domains={wiki_id: wiki.domain for wiki_id, wiki in settings.wikis.items() if wiki.domain},
        request_timeout_seconds=settings.mediawiki_timeout_seconds,
        max_text_bytes=settings.max_text_bytes,
        limits=ClientLimits(max_attempts=settings.mediawiki_max_attempts),
    )


def _sample() -> Path:
    from batch.sample_wiki import BUNDLED  # noqa: PLC0415 - the generator of the sample takes a while to import

    return BUNDLED.dump
