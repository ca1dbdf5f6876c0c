"""What a process that serves loads: the versions of the stages, and nothing by way of a pickle."""

import ast
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from batch.sample_wiki import BUNDLED
from models.stages import Stage
from models.staging import admit_artefact, promote_artefact, rollback_model
from models.store import PACKAGED_MODELS, ModelStore
from schemas.decode import decode_event
from schemas.page_change import PageChange
from tests.artefacts import write_artefact
from tests.conftest import ROOT
from tests.integration.test_run import assert_stopped_cleanly, revisions_to_score, sample_lines
from tests.programs import Program

NAME = "tiny-revid"
# All that a scoring process gets from its parent as a pickle: which function loads the artefacts, and where.
FROM_THE_PARENT = {"functools.partial", "models.work.load_work", "pathlib.PosixPath"}
_HARMLESS = {"dumps", "PicklingError"}
UNPICKLERS = {"cloudpickle", "dill", "jsonpickle", "shelve"}
HOOK = """
import os, sys

_told = os.open(os.environ["TELL_UNPICKLED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def _hear(event, arguments):
    if event == "pickle.find_class":
        os.write(_told, f"{os.getpid()} unpickled {arguments[0]}.{arguments[1]}\\n".encode())
    elif event == "import":
        os.write(_told, f"{os.getpid()} imported {arguments[0]}\\n".encode())


sys.addaudithook(_hear)
"""


class Told:
    """A hook in a program and in all that it starts, which tells what is unpickled and imported."""

    def __init__(self, folder: Path) -> None:
        (folder / "hook").mkdir()
        (folder / "hook" / "sitecustomize.py").write_text(HOOK)
        self._path = folder / "told"
        self.environment = {"PYTHONPATH": str(folder / "hook"), "TELL_UNPICKLED": str(self._path)}

    def lines(self) -> Iterator[tuple[int, str, str]]:
        for line in self._path.read_text().splitlines():
            pid, what, name = line.split(" ", 2)
            yield int(pid), what, name

    def by_process(self, what: str) -> dict[int, set[str]]:
        told: dict[int, set[str]] = {}
        for pid, said, name in self.lines():
            names = told.setdefault(pid, set())
            if said == what:
                names.add(name)
        return told


def promote(folder: Path, version: str) -> None:
    promote_artefact([folder], f"{NAME}@{version}", Stage.PRODUCTION, by="tests", at=datetime.now(UTC))


def served_by_a_fresh_worker(folder: Path, models: Path) -> tuple[str, str]:
    """Start a worker, let it score some of the sample, and return version and hash in the row it wrote."""
    wikis = json.dumps({"samplewiki": {"models": {"revid": NAME}}})
    lines = sample_lines(10)
    folder.mkdir()
    (folder / "events.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    arguments = (
        "run",
        "--source=events.jsonl",
        f"--content={BUNDLED.dump}",
        "--http-port=0",
        "--pace-events-per-second=0",
        f"--model-folders={models}",
        f"--wikis={wikis}",
    )
    rev_id = revisions_to_score(lines)[0]
    with Program(folder, *arguments) as program:
        answer = program.until_answered(f"/scores/samplewiki/{rev_id}?provenance=1")
        score = answer.document["scores"]["revid"]
        listed = program.get("/v3/scores/samplewiki").document["samplewiki"]["models"]["revid"]["version"]
        assert listed == score["model_version"]
        assert program.stop() == 0
        assert_stopped_cleanly(program)
    return score["model_version"], score["provenance"]["model_sha512"]


def test_promote_and_rollback_change_what_a_fresh_worker_serves_and_writes(tmp_path: Path) -> None:
    models = tmp_path / "models"
    hashes = {}
    for version in ("1", "2"):
        write_artefact(models, NAME, version=version)
        admit_artefact(models, NAME, version)
        hashes[version] = ModelStore([models]).info(f"{NAME}@{version}").id.model_sha512
    promote(models, "1")
    assert served_by_a_fresh_worker(tmp_path / "first", models) == ("1", hashes["1"])
    promote(models, "2")
    assert served_by_a_fresh_worker(tmp_path / "second", models) == ("2", hashes["2"])
    rollback_model([models], NAME, by="tests", at=datetime.now(UTC))
    assert served_by_a_fresh_worker(tmp_path / "third", models) == ("1", hashes["1"])


def test_the_hook_of_these_tests_hears_every_way_to_unpickle(tmp_path: Path) -> None:
    told = Told(tmp_path)
    program = (
        "import io, pickle, joblib, numpy as np\n"
        "data = pickle.dumps(io.StringIO)\n"
        "pickle.loads(data); pickle.load(io.BytesIO(data)); pickle._loads(data)\n"
        "kept = io.BytesIO(); joblib.dump(io.StringIO, kept); kept.seek(0); joblib.load(kept)\n"
        "kept = io.BytesIO(); np.save(kept, np.array([io.StringIO], object)); kept.seek(0)\n"
        "np.load(kept, allow_pickle=True)\n"
    )
    subprocess.run([sys.executable, "-c", program], env=os.environ | told.environment, check=True)
    heard = Counter(name for _, what, name in told.lines() if what == "unpickled")
    assert heard["_io.StringIO"] == 5


@pytest.mark.slow
def test_nothing_is_unpickled_while_all_packaged_models_are_loaded_and_score(tmp_path: Path) -> None:
    told = Told(tmp_path)
    packaged = ModelStore([PACKAGED_MODELS]).names()
    wikis = json.dumps(
        {"samplewiki": {"models": {f"m{number}": name for number, name in enumerate(packaged)}}}
    )
    rev_id = next(
        change.revision.rev_id
        for change in map(decode_event, sample_lines(20))
        if isinstance(change, PageChange) and change.page_change_kind.value == "edit"
    )
    place = f"--data-dir={tmp_path / 'data'}"
    run = ("run", place, "--http-port=0", "--pace-events-per-second=0", f"--wikis={wikis}")
    with Program(tmp_path / "run", *run, environment=told.environment) as worker:
        found = worker.until_answered(f"/v3/scores/samplewiki/{rev_id}").document
        scores = found["samplewiki"]["scores"][str(rev_id)]
        assert len(scores) == len(packaged)
        assert all("score" in score for score in scores.values()), scores
        serve = ("serve", place, "--http-port=0", f"--wikis={wikis}")
        with Program(tmp_path / "serve", *serve, environment=told.environment) as replica:
            replica.until_answered(f"/v3/scores/samplewiki/{rev_id}")
            served = replica.process.pid
            assert replica.stop() == 0
        ran = worker.process.pid
        assert worker.stop() == 0
    unpickled = told.by_process("unpickled")
    assert {served, ran} < unpickled.keys(), "the hook was not in the processes"
    assert unpickled[served] == unpickled[ran] == set()
    assert set().union(*unpickled.values()) == FROM_THE_PARENT
    imported = set().union(*told.by_process("imported").values())
    assert "models.store" in imported
    assert not {name for name in imported if name.partition(".")[0] in UNPICKLERS}
    assert not {name for name in imported if name.startswith("models.importer")}


def uses_of_pickle(path: Path) -> Iterator[str]:
    """Yield what a module does that could read a pickle."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (
                    name.name for name in names if name.name.partition(".")[0] in {*UNPICKLERS, "joblib"}
                )
            case ast.ImportFrom(module=str(module), names=names):
                if module.partition(".")[0] in {*UNPICKLERS, "joblib", "pickle", "_pickle"}:
                    yield from (f"{module}.{name.name}" for name in names)
            case ast.Attribute(value=ast.Name(id="pickle" | "_pickle"), attr=attr) if attr not in _HARMLESS:
                yield f"pickle.{attr}"
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="np" | "numpy"), attr="load"), keywords=keywords
            ):
                given = {keyword.arg: keyword.value for keyword in keywords}
                allowed = given.get("allow_pickle")
                if not (isinstance(allowed, ast.Constant) and allowed.value is False):
                    yield "numpy.load"
            case ast.keyword(arg="allow_pickle", value=ast.Constant(value=True)):
                yield "allow_pickle=True"


def test_the_code_unpickles_in_one_place_which_reads_its_own_parent() -> None:
    found = {
        (path.relative_to(ROOT).as_posix(), use)
        for package in ("agents", "app", "batch", "models", "schemas", "tables")
        for path in (ROOT / package).rglob("*.py")
        for use in uses_of_pickle(path)
    }
    assert found == {("models/pool_worker.py", "pickle.loads")}


@pytest.mark.parametrize(
    "source",
    [
        "import joblib",
        "from pickle import loads",
        "import pickle\npickle.Unpickler",
        "import numpy as np\nnp.load('x')",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import dill.source",
    ],
)
def test_the_search_for_such_places_finds_them(tmp_path: Path, source: str) -> None:
    (tmp_path / "module.py").write_text(source)
    assert list(uses_of_pickle(tmp_path / "module.py"))
