"""The walk through staging in README.md, taken step by step with kcat against a real broker."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.kafka_broker import KafkaBroker
from tests.programs import Program

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

STREAM = "staging.mediawiki.revision_score_reverted"


@pytest.fixture(scope="module")
def kcat() -> None:
    """Debian's kcat. Not there: skip, or fail where REQUIRE_KAFKA is set."""
    if shutil.which("kcat") is None:
        message = "no kcat: `make test` installs it, or install the package kcat"
        if os.environ.get("REQUIRE_KAFKA"):
            pytest.fail(message)
        pytest.skip(message)


def steps() -> tuple[str, str, str, str]:
    """Return the walk's blocks: the rules, the worker, the event, its score."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    walk = readme.split("### A walk through staging\n")[1].split("\n## ")[0]
    rules, worker, event, score = re.findall(r"```sh\n(.*?)```", walk, re.DOTALL)
    return rules, worker, event, score


def test_an_event_put_in_with_kcat_comes_out_scored_on_the_staging_stream(
    kcat: None, kafka_apart: KafkaBroker, tmp_path: Path
) -> None:
    rules, worker_line, put, see = steps()
    (tmp_path / "batch").symlink_to(ROOT / "batch")

    def shell(block: str) -> str:
        # The address is the test's own.
        script = re.sub(r"^export BROKER=.*$", "", block, flags=re.MULTILINE)
        return subprocess.run(
            ["bash", "-euc", script],
            cwd=tmp_path,
            env=os.environ | {"BROKER": kafka_apart.bootstrap},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout

    shell(rules)
    command, *arguments = shlex.split(worker_line.replace("$BROKER", kafka_apart.bootstrap))
    assert command == ".venv/bin/revstream"
    with Program(tmp_path, *arguments, "--http-port=0", "--log-format=json") as worker:
        worker.until_answered("/readyz")
        shell(put)
        worker.until(lambda: any(line.get("rev_id") == 1 for line in worker.logged))
        [line] = [line for line in worker.logged if line.get("rev_id") == 1]
        assert (line["event"], line["outcome"], line["codes"]) == ("event", "scored", {"reverted": "ok"})
        key, value = shell(see).splitlines()
        assert worker.stop() == 0
    event = json.loads(value)
    assert event["meta"]["stream"] == STREAM
    assert (event["rev_id"], event["page_id"]) == (1, 1)
    assert json.loads(key) == {"wiki_id": "samplewiki", "page_id": 1}
    assert event["scores"]["reverted"]["prediction"] in (["true"], ["false"])
