"""One revscoring model behind KServe, as Lift Wing does it; run by the Python of that environment.

``python -m tests.bench.kserve_server NAME MODEL_FILE API_URL PORT`` serves ``POST /v1/models/NAME:predict``.
Before it scores, it asks the wiki for the revision, then for its parent and its editor at once, and lets
revscoring's own extractor work on the three answers. Nothing of ours is imported.
"""

import asyncio
import importlib
import pickle
import sys
from pathlib import Path
from typing import Any

import aiohttp

kserve: Any = importlib.import_module("kserve")
extracting: Any = importlib.import_module("revscoring.extractors.api.extractor")

_PROPERTIES = "ids|user|timestamp|userid|comment|size|contentmodel|content"
# Lift Wing waits for 5; a busy machine shall not count as a failure.
_TIMEOUT_SECONDS = 60.0


class RevscoringModel(kserve.Model):  # type: ignore[misc]  # KServe is not in our environment
    """A model file that was made here, with the wiki that its revisions are of."""

    def __init__(self, name: str, file: Path, api_url: str) -> None:
        super().__init__(name)
        self.model: Any = pickle.loads(file.read_bytes())
        self._api_url = api_url
        self._session: aiohttp.ClientSession | None = None
        self.ready = True

    async def preprocess(self, payload: dict[str, Any], headers: Any = None) -> dict[str, Any]:
        """Return the features of a revision."""
        rev_id = payload["rev_id"]
        known = extracting.MWAPICache()
        document, row = await self._revision(rev_id)
        known.add_revisions_batch_doc([rev_id], document)
        tasks = []
        if row["userid"]:
            tasks.append(self._user(known, row))
        if row["parentid"]:
            tasks.append(self._parent(known, row))
        await asyncio.gather(*tasks)
        extractor = extracting.Extractor(None)
        return {"values": list(extractor.extract(rev_id, self.model.features, http_cache=known))}

    def predict(self, payload: dict[str, Any], headers: Any = None) -> dict[str, Any]:
        """Return the score."""
        score: dict[str, Any] = self.model.score(payload["values"])
        probability = {str(label).lower(): value for label, value in score["probability"].items()}
        return {"prediction": score["prediction"], "probability": probability}

    async def _parent(self, known: Any, row: dict[str, Any]) -> None:
        document, _ = await self._revision(row["parentid"])
        known.add_revisions_batch_doc([row["parentid"]], document)

    async def _user(self, known: Any, row: dict[str, Any]) -> None:
        found = await self._ask(list="users", ususerids=row["userid"], usprop="groups|registration")
        known.add_users_batch_doc([row["user"]], found)

    async def _revision(self, rev_id: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what the wiki says, in the older format that revscoring reads, and the revision in it."""
        found = await self._ask(prop="revisions", revids=rev_id, rvslots="main", rvprop=_PROPERTIES)
        (page,) = found["query"]["pages"]
        (row,) = page["revisions"]
        row["slots"]["main"]["*"] = row["slots"]["main"].pop("content")
        return {"query": {"pages": {str(page["pageid"]): page}}}, row

    async def _ask(self, **parameters: Any) -> dict[str, Any]:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS))
        query = {"action": "query", "format": "json", "formatversion": "2", **parameters}
        async with self._session.get(self._api_url, params=query) as response:
            answer: dict[str, Any] = await response.json()
            return answer


if __name__ == "__main__":
    model = RevscoringModel(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
    kserve.ModelServer(http_port=int(sys.argv[4]), workers=1, enable_grpc=False).start([model])
