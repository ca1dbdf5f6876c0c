"""Addresses of a wiki's own pages, where its host is known."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from app.settings import Settings

_API: Final = "api.php"
_INDEX: Final = "index.php"


class WikiLinks(Struct, frozen=True):
    """Leads from ids to the wiki.

    Attributes:
        indexes: wiki id to the address of its ``index.php``.
    """

    indexes: Mapping[str, str] = {}

    def diff(self, wiki_id: str, rev_id: int) -> str | None:
        """Return where the wiki shows what a revision changed; None where the wiki is not known."""
        index = self.indexes.get(wiki_id)
        return None if index is None else f"{index}?diff={rev_id}"

    def page(self, wiki_id: str, page_id: int) -> str | None:
        """Return where the wiki shows a page."""
        index = self.indexes.get(wiki_id)
        return None if index is None else f"{index}?curid={page_id}"


NO_LINKS: Final = WikiLinks()


def links_of(settings: Settings) -> WikiLinks:
    """Return the links that the settings allow: to wikis whose host they name."""
    template = settings.mediawiki_url
    if not template.startswith(("https://", "http://")) or not template.endswith(_API):
        return WikiLinks()
    template = template.removesuffix(_API) + _INDEX
    return WikiLinks(
        {
            wiki_id: template.replace("{domain}", quote(wiki.domain, safe=".:-"))
            for wiki_id, wiki in settings.wikis.items()
            if wiki.domain
        }
    )
