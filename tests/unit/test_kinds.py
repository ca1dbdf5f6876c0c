"""The conformance kit over every packaged model and one model of each kind; and what is said without them."""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp

import pytest

from models.artefact import open_artefact
from models.kinds import SCORERS
from models.kinds.conformance_kit import Check, Subject, yield_checks
from models.pool import Work
from models.scoring import Scorer, score_revision
from models.store import PACKAGED_MODELS, ModelStore
from models.work import load_work
from schemas.prediction import ScoredModel
from schemas.revision import Revision
from tests.kinds import KINDS, REVISIONS, is_installed, write_kind

PACKAGED = ModelStore([PACKAGED_MODELS]).names()
CHECKS = [
    check.name
    for check in yield_checks(Subject(load=None, make_work=None, artefact="", revisions=()))  # type: ignore[arg-type] # names only
]


def load_folder(folder: Path) -> Scorer:
    artefact = open_artefact(folder)
    scorer: Scorer = import_module(SCORERS[artefact.manifest.scorer]).load(artefact)
    return scorer


def folder_work(folder: Path) -> Work:
    scorer = load_folder(folder)

    def work(revision: Revision, artefacts: tuple[str, ...], with_features: bool) -> list[ScoredModel]:
        return score_revision([scorer] * len(artefacts), revision, with_features=with_features)

    return work


@cache
def _folder() -> Path:
    return Path(mkdtemp(prefix="kinds-"))


@pytest.fixture(scope="session", autouse=True)
def _clean() -> Iterator[None]:
    yield
    import shutil

    shutil.rmtree(_folder(), ignore_errors=True)


@cache
def _written(kind: str) -> Path:
    return write_kind(_folder(), kind)


def _packaged_subject(name: str) -> Subject:
    manifest = ModelStore([PACKAGED_MODELS]).open(name).manifest
    return Subject(
        load=lambda: ModelStore([PACKAGED_MODELS]).load(name),
        make_work=partial(load_work, [PACKAGED_MODELS], [name]),
        artefact=name,
        revisions=REVISIONS,
        content_models=manifest.content_models,
        feature_names=[feature.name for feature in manifest.features],
    )


def _subject(kind: str) -> Subject:
    folder = _written(kind)
    manifest = open_artefact(folder).manifest
    return Subject(
        load=partial(load_folder, folder),
        make_work=partial(folder_work, folder),
        artefact=manifest.name,
        revisions=REVISIONS,
        content_models=manifest.content_models,
        feature_names=[feature.name for feature in manifest.features],
    )


def _named(subject: Subject, name: str) -> Check:
    return next(check for check in yield_checks(subject) if check.name == name)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", PACKAGED)
def test_a_packaged_model_holds_to_the_protocol(name: str, check: str) -> None:
    if name == "langid":
        pytest.importorskip("fasttext", reason="the extra `fasttext` is not installed")
    _named(_packaged_subject(name), check).run()


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_each_kind_holds_to_the_protocol(kind: str, check: str) -> None:
    if not is_installed(kind):
        pytest.skip(f"the extra `kinds`, which runs {kind}, is not installed")
    _named(_subject(kind), check).run()


@pytest.mark.parametrize(
    ("kind", "module"), [("lightgbm", "lightgbm"), ("xgboost", "xgboost"), ("onnx", "onnxruntime")]
)
def test_without_its_package_a_model_says_which_extra_to_install(
    kind: str, module: str, tmp_path: Path
) -> None:
    folder = write_kind(tmp_path, kind, b"never read")
    program = (
        f"import sys\nsys.modules[{module!r}] = None\n"
        "from pathlib import Path\n"
        "from models.artefact import open_artefact\n"
        "from models.kinds.tabular import load\n"
        f"artefact = open_artefact(Path({str(folder)!r}))\n"
        "try:\n    load(artefact)\n"
        "except Exception as error:\n    print(error.code, error.message)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("resource_missing")
    assert "pip install 'revstream[kinds]'" in done.stdout


def test_loading_one_kind_imports_no_library_of_another() -> None:
    folder = _written("linear")
    program = (
        "import sys\nfrom pathlib import Path\nfrom models.artefact import open_artefact\n"
        "from models.kinds.tabular import load\n"
        f"load(open_artefact(Path({str(folder)!r})))\n"
        "heavy = {'sklearn', 'scipy', 'revscoring', 'lightgbm', 'xgboost', 'onnxruntime', 'fasttext'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
