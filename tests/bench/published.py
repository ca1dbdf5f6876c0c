"""What the published models cost: to import them all, and to keep many of them in one process.

``python -m tests.bench.published FOLDER_OF_MODEL_FILES`` prints JSON. Each part runs in a process of its own.
The baseline of loading is the same process with revscoring and the store imported, and no model. Models whose
dictionaries or packages are not installed here are counted, and their errors are named.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from tests.bench.report import emit, peak_rss_bytes


def import_all(folder: Path, into: Path) -> dict[str, Any]:
    """Import every file of a folder."""
    from models.importer import import_model

    files = sorted(path for path in folder.iterdir() if ".model" in path.name)
    longest = 0.0
    began = time.monotonic()
    for file in files:
        one = time.monotonic()
        import_model(file, into)
        longest = max(longest, time.monotonic() - one)
    return {
        "files": len(files),
        "seconds": time.monotonic() - began,
        "cpu_seconds": time.process_time(),
        "longest_seconds": longest,
        "peak_rss_bytes": peak_rss_bytes(),
    }


def load_all(folder: Path) -> dict[str, Any]:
    """Load every artefact of a folder."""
    from models import resources
    from models.store import ModelStore
    from schemas.errors import ModelError

    for name in ("features.wikitext", "features.temporal", "features.wikibase", "dependencies"):
        resources.module(name)
    store = ModelStore([folder])
    artefacts = [f"{name}@{version}" for name in store.names() for version in store.versions(name)]
    bare = psutil.Process().memory_info().rss
    scorers, refused = [], {}
    began, cpu = time.monotonic(), time.process_time()
    for artefact in artefacts:
        try:
            scorers.append(store.load(artefact))
        except ModelError as error:
            refused[artefact] = f"{error.code}: {error.message}"
    return {
        "loaded": len(scorers),
        "seconds": time.monotonic() - began,
        "cpu_seconds": time.process_time() - cpu,
        "rss_above_bare_bytes": psutil.Process().memory_info().rss - bare,
        "bare_rss_bytes": bare,
        "refused": refused,
    }


def _apart(part: str, *arguments: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.published", "--part", part, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, timeout=600)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def main() -> None:
    """Run both parts, and print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("into", type=Path, nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("--part", choices=("import", "load"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part == "import":
        print(json.dumps(import_all(given.folder, given.into)))
    elif given.part == "load":
        print(json.dumps(load_all(given.folder)))
    else:
        with tempfile.TemporaryDirectory() as into:
            imported = _apart("import", given.folder, Path(into))
            emit("published", {"import": imported, "load": _apart("load", Path(into))})


if __name__ == "__main__":
    main()
