"""Artefacts for tests, written by the code that writes real ones."""

from pathlib import Path

import numpy as np

from models.artefact import Manifest, save_artefact
from schemas.prediction import ScoreKind


def write_artefact(
    folder: Path,
    name: str = "tiny-revid",
    *,
    version: str = "1.0.0",
    model_name: str = "revid",
    kind: ScoreKind = ScoreKind.BINARY,
    reads_content: bool = False,
) -> Path:
    """Write a model that needs no data, with one array, and return its folder.

    One that reads content makes nothing of it, and is scored in a process of the pool.
    """
    path = folder / name / version
    manifest = Manifest(
        name=name,
        model_name=model_name,
        model_version=version,
        kind=kind,
        labels=("false", "true"),
        scorer="conformance-revid",
        reads_content=reads_content,
        is_inline=not reads_content,
        card={"what": "A model for tests."},
        licence="Apache-2.0",
        owner="the tests",
    )
    save_artefact(path, manifest, {"unused": np.zeros(3)}, {})
    return path
