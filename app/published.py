"""Wikimedia's published directory of model files, over HTTP.

The directory is laid out as ``<model>/<wiki>/<time of upload>/model.bin``, for one kind ``model.bz2``, with
listings as web servers make them. What arrives is a file of bytes and nothing more: it is checked against
its sha512 and left to the importer.
"""

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import aiohttp
from msgspec import Struct
from yarl import URL

from models.stages import newest_last
from schemas.errors import ModelCorrupt, ModelNotFound, ModelRefused, ModelUnavailable, SettingsError

BASE_URL: Final = "https://analytics.wikimedia.org/published/wmf-ml-models/"
DEFAULT_LIMIT_BYTES: Final = 1 << 30
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_LISTING_LIMIT_BYTES: Final = 4 << 20
_PIECE_BYTES: Final = 1 << 18
_REDIRECTS_MOST: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_ABSENT: Final = frozenset({404, 410})
# Models of Wikidata lie among those that the same servers run for Wikipedias.
_OTHER_FOLDERS: Final = {"itemquality": "articlequality", "itemtopic": "articletopic"}
_NAME: Final = re.compile(r"([a-z0-9_]+)-([a-z0-9_-]+)(?:@([0-9]{8,14}))?")
_UPLOADED: Final = re.compile(r"[0-9]{8,14}/")
_MODEL_FILE: Final = re.compile(r"[A-Za-z0-9_.-]+\.(?:bin|model|bz2|pkl)")
_SUMS: Final = re.compile(r".*(?:sha512|sha512sums?)(?:\.txt)?", re.IGNORECASE)
_SUM: Final = re.compile(r"^\\?([0-9a-fA-F]{128})(?:[ \t]+\*?(\S+))?[ \t]*$", re.MULTILINE)


class PublishedFile(Struct, frozen=True):
    """A model file in the directory.

    Attributes:
        name: Of the artefact it becomes, ``enwiki-damaging``.
        wiki_id: Of the wiki it was made for.
        model_name: As clients ask for it.
        uploaded: Folder of the upload, digits of a time.
        url: Where it is.
        sha512: As the directory states it; empty where it states none.
    """

    name: str
    wiki_id: str
    model_name: str
    uploaded: str
    url: str
    sha512: str


class PublishedModels:
    """The directory, asked by an HTTP client.

    Args:
        session: Of the client; its timeouts and its User-Agent hold.
        base_url: Of the directory. Plain ``http`` is taken from this machine alone.

    Raises:
        SettingsError: The address is none of these.
    """

    def __init__(self, session: aiohttp.ClientSession, base_url: str = BASE_URL) -> None:
        base = URL(base_url.rstrip("/") + "/")
        if base.scheme != "https" and not (base.scheme == "http" and base.host in _LOOPBACK):
            raise SettingsError(
                f"{base_url} is no https address, so that anybody on the way could change a model. "
                "Name one that begins with https://."
            )
        self._session = session
        self._base = base

    async def find(self, name: str) -> PublishedFile:
        """Return the newest file of a model, or the one of an upload.

        Args:
            name: ``enwiki-damaging``, ``enwiki-damaging@20220214192144``.

        Raises:
            ModelNotFound: There is none of that name.
            ModelUnavailable: The server does not answer.
        """
        match = _NAME.fullmatch(name)
        if match is None:
            raise ModelNotFound(
                f"{name!r} names no published model. Write it as enwiki-damaging, or with the time of an "
                "upload as enwiki-damaging@20220214192144.",
                model_name=name,
            )
        wiki_id, model_name, uploaded = match.groups()
        folder, links = await self._model_folder(wiki_id, model_name)
        uploads = newest_last(link[:-1] for link in links if _UPLOADED.fullmatch(link))
        if not uploads or (uploaded and uploaded not in uploads):
            raise ModelNotFound(
                f"{folder} holds no upload {uploaded or 'at all'}; there are: "
                f"{', '.join(uploads) or 'none'}.",
                model_name=name,
            )
        uploaded = uploaded or uploads[-1]
        folder /= f"{uploaded}/"
        links = await self._links(folder)
        files = [link for link in links if _MODEL_FILE.fullmatch(link)]
        if len(files) != 1:
            raise ModelNotFound(
                f"{folder} holds {', '.join(links) or 'nothing'}, and one model file was expected. Fetch the "
                "right one by hand and run `revstream models import`.",
                model_name=name,
            )
        sums = [link for link in links if _SUMS.fullmatch(link)]
        return PublishedFile(
            name=f"{wiki_id}-{model_name}",
            wiki_id=wiki_id,
            model_name=model_name,
            uploaded=uploaded,
            url=str(folder / files[0]),
            sha512=await self._stated(folder, sums, files[0]),
        )

    async def download(
        self, file: PublishedFile, into: Path, *, sha512: str = "", limit_bytes: int = DEFAULT_LIMIT_BYTES
    ) -> Path:
        """Fetch a file, and keep it only where it is the one that was meant.

        Args:
            file: As `find` gave it.
            into: Folder that nothing else reads.
            sha512: What to expect; what the directory states where empty.
            limit_bytes: Of the file.

        Returns:
            Its path.

        Raises:
            ModelNotFound: It is gone.
            ModelCorrupt: It differs from its sha512.
            ModelRefused: It is larger than the limit, or there is no sha512 to check it against.
            ModelUnavailable: The server does not answer.
        """
        path = into / URL(file.url).name
        found = hashlib.sha512()
        async with self._get(URL(file.url)) as response:
            if (response.content_length or 0) > limit_bytes:
                raise _too_large(file.url, limit_bytes)
            with path.open("wb") as target:
                async for piece in _pieces(response, limit_bytes):
                    found.update(piece)
                    target.write(piece)
        expected = (sha512 or file.sha512).lower()
        if found.hexdigest() == expected:
            return path
        path.unlink()
        if not expected:
            raise ModelRefused(
                f"{file.url} comes without a sha512, so nothing tells whether it is the right file. It has "
                f"sha512 {found.hexdigest()}; if that is the one you trust, name it with --sha512.",
                path=file.url,
            )
        raise ModelCorrupt(
            f"{file.url} has sha512 {found.hexdigest()[:16]}…, and {expected[:16]}… was expected: it was "
            "changed, or broken on the way. Try again; if it stays so, do not use it.",
            path=file.url,
        )

    async def _model_folder(self, wiki_id: str, model_name: str) -> tuple[URL, list[str]]:
        other = _OTHER_FOLDERS.get(model_name)
        folder = self._base / f"{model_name}/{wiki_id}/"
        try:
            return folder, await self._links(folder)
        except ModelNotFound:
            if other is None:
                raise
        folder = self._base / f"{other}/{wiki_id}/"
        return folder, await self._links(folder)

    async def _stated(self, folder: URL, sums: list[str], file: str) -> str:
        """Return the sha512 that the directory states of a file; empty where it states none."""
        for link in sums:
            async with self._get(folder / link) as response:
                text = b"".join([piece async for piece in _pieces(response, _LISTING_LIMIT_BYTES)])
            stated = _SUM.findall(text.decode(errors="replace"))
            for sha512, name in stated:
                if name.removeprefix("./") == file or (not name and link.startswith(file.partition(".")[0])):
                    return str(sha512)
        return ""

    async def _links(self, folder: URL) -> list[str]:
        async with self._get(folder) as response:
            text = b"".join([piece async for piece in _pieces(response, _LISTING_LIMIT_BYTES)])
        listing = _Listing()
        listing.feed(text.decode(errors="replace"))
        return listing.links

    @asynccontextmanager
    async def _get(self, url: URL) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield a good answer, after redirects that stay on the host and never leave https.

        Raises:
            ModelNotFound: The server says that there is none.
            ModelRefused: It leads elsewhere.
            ModelUnavailable: It does not answer, or with an error.
        """
        asked = url
        for _ in range(_REDIRECTS_MOST + 1):
            try:
                async with self._session.get(
                    url, allow_redirects=False, headers={"accept-encoding": "identity"}
                ) as response:
                    if response.status not in _REDIRECTS:
                        _require_good(response, asked)
                        yield response
                        return
                    target = url.join(URL(response.headers.get("location", "")))
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                raise ModelUnavailable(
                    f"{asked} cannot be reached: {str(error) or type(error).__name__}. Check the network and "
                    "the address, or try again later.",
                    path=str(asked),
                ) from error
            if target.host != url.host or (target.scheme != "https" and target.origin() != url.origin()):
                raise ModelRefused(
                    f"{asked} leads to {target}, which is another host or not https. Name the right address "
                    "with --from if you trust that one.",
                    path=str(asked),
                )
            url = target
        raise ModelUnavailable(f"{asked} leads from one address to the next without end.", path=str(asked))


class _Listing(HTMLParser):
    """The names that a web server's listing of a folder links to; folders end with a slash."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        target = dict(attrs).get("href") or ""
        if tag == "a" and re.fullmatch(r"(?:\./)?[A-Za-z0-9_][A-Za-z0-9_.-]*/?", target):
            self.links.append(target.removeprefix("./"))


async def _pieces(response: aiohttp.ClientResponse, limit_bytes: int) -> AsyncIterator[bytes]:
    taken = 0
    async for piece in response.content.iter_chunked(_PIECE_BYTES):
        taken += len(piece)
        if taken > limit_bytes:
            raise _too_large(str(response.url), limit_bytes)
        yield piece


def _require_good(response: aiohttp.ClientResponse, asked: URL) -> None:
    if response.status in _ABSENT:
        raise ModelNotFound(f"There is no {asked}. Correct the name or the address.", path=str(asked))
    if response.status != 200:
        raise ModelUnavailable(
            f"{asked} answers {response.status} {response.reason}. Try again later.", path=str(asked)
        )


def _too_large(url: str, limit_bytes: int) -> ModelRefused:
    return ModelRefused(
        f"{url} is larger than {limit_bytes >> 20} MiB. Allow more with --limit-mb if you trust it.", path=url
    )
