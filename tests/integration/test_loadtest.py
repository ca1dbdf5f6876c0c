"""``revstream loadtest`` against a real worker."""

import json
import subprocess
import sys
from pathlib import Path

from tests.integration.test_reload_run import until_all_is_done
from tests.programs import LIGHT_MODELS, Program

WORKER = ("run", LIGHT_MODELS, "--http-port=0", "--pace-events-per-second=0")


def loadtest(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "app", "loadtest", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=60, check=False)


def test_a_running_worker_is_asked_and_a_worse_one_is_told(tmp_path: Path) -> None:
    with Program(tmp_path / "worker", *WORKER) as worker:
        # What it deletes and hides is gone by then, and is not listed.
        until_all_is_done(worker)
        saved = tmp_path / "report.json"
        common = (f"--at={worker.address}", "--seconds=3", "--rate=100", "--json")
        first = loadtest(tmp_path, *common, f"--save={saved}")
        assert first.returncode == 0, first.stderr
        report = json.loads(first.stdout)
        assert json.loads(saved.read_text()) == report
        assert report["routes"].keys() == {"scores", "ores", "liftwing", "batch"}
        assert 200 < sum(route["requests"] for route in report["routes"].values()) < 400
        statuses = {name: [*route["statuses"]] for name, route in report["routes"].items()}
        assert all(seen == ["200"] for seen in statuses.values()), statuses

        for figures in report["routes"].values():
            figures["p50_ms"] = figures["p95_ms"] = 0.001
        saved.write_text(json.dumps(report))
        worse = loadtest(tmp_path, *common, f"--against={saved}")
        assert worse.returncode == 1
        assert "worse: scores p50_ms 0.001 -> " in worse.stderr
    nobody = loadtest(tmp_path, *common)
    assert nobody.returncode == 1
    assert "not_ready" in nobody.stderr
    assert worker.address in nobody.stderr
