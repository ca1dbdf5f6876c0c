"""The lines that a real worker logs: one for each event and request, with ids, and nothing of contents."""

import asyncio
import json
from pathlib import Path

from agents.embedded.log import Log
from tests.audit import records
from tests.integration.test_traces_run import EDIT, OLD, SECRETS, give, post, worker
from tests.mediawiki_api import MediaWikiApi, WikiRevision
from tests.pipelines import WIKI, edit
from tests.programs import ask
from tests.unit.test_withdrawals import act

OUTPUT = "mediawiki.revision_score_reverted"
BROKEN = b'{"$schema": "/mediawiki/page/change/1.3.0", "comment": "Moss", "performer": {"user_text": "Moss"}}'


def without_request_id(event: bytes) -> bytes:
    document = json.loads(event)
    del document["meta"]["request_id"]
    return json.dumps(document).encode()


async def test_events_and_requests_have_one_line_each_with_their_ids_and_no_contents(tmp_path: Path) -> None:
    folder = tmp_path / "worker"

    def run(wiki_url: str) -> list[dict[str, object]]:
        with worker(folder, wiki_url) as program:
            program.until_answered("/readyz")
            event = without_request_id(edit(EDIT))
            assert post(program, event, **{"x-request-id": "posted"}).status == 201
            program.until_answered(f"/scores/{WIKI}/{EDIT}")
            at = program.address
            stored = f"{at}/scores/{WIKI}/{EDIT}"
            assert ask(stored, headers={"x-request-id": "stored"}).status == 200
            missing = f"{at}/v3/scores/{WIKI}/{OLD}"
            assert ask(missing, headers={"x-request-id": "missing"}).status == 200
            assert ask(f"{at}/nothing?title=Moss", headers={"x-request-id": "nowhere"}).status == 404
            suppression = act("visibility_change", EDIT, minute=10, is_suppression=True)
            assert post(program, suppression, **{"x-request-id": "hiding"}).status == 201
            assert post(program, BROKEN, **{"x-request-id": "broken"}).status == 400
            give(folder, BROKEN)
            program.until(lambda: "dead_letter" in program.stderr and "withdrawn" in program.stderr)
            assert program.stop() == 0
            assert not [secret for secret in SECRETS if secret.decode() in program.stderr]
            return program.logged

    revisions = [
        WikiRevision(rev_id, f"moss grows {rev_id}.", parent, page_id=31, title="Talk:Moss")
        for rev_id, parent in ((EDIT - 1, 0), (EDIT, EDIT - 1), (OLD - 1, 0), (OLD, OLD - 1))
    ]
    async with MediaWikiApi(revisions).serving() as api:
        logged = await asyncio.to_thread(run, api.url)
    requests = {
        line["request_id"]: line for line in logged if line["event"] == "request" and line["request_id"]
    }
    assert {name: line["status"] for name, line in requests.items()} == {
        "posted": 201, "stored": 200, "missing": 200, "nowhere": 404, "hiding": 201, "broken": 400,
    }  # fmt: skip
    assert len([line for line in logged if line.get("request_id") == "stored"]) == 1
    events = [line for line in logged if line["event"] == "event"]
    assert sorted(str(line["outcome"]) for line in events) == ["dead_letter", "scored", "withdrawn"]
    (scored,) = (line for line in events if line["outcome"] == "scored")
    assert (scored["request_id"], scored["rev_id"], scored["wiki_id"]) == ("posted", EDIT, WIKI)
    log = Log(folder / "data" / "log.db")
    try:
        (output,) = (json.loads(each.value or b"") for _, each in records(log, OUTPUT))
    finally:
        log.close()
    assert output["meta"]["request_id"] == "posted"
