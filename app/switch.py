"""Switching a running system to a version of a model, once a snapshot of its scores is loaded."""

from datetime import UTC, datetime
from typing import Final

from app.catalogue import model_routes, open_store
from app.settings import Settings
from batch.snapshot import Snapshot
from batch.snapshot_verify import verify_snapshot
from models.stages import Stage
from models.staging import promote_artefact
from schemas.errors import SettingsError, SnapshotUnusable

_SHOWN: Final = 5


def check_switch(settings: Settings, snapshot: Snapshot, artefact: str) -> None:
    """See that a version can be switched to: before anything is loaded.

    1. The artefact is there, and answers on some wiki without being pinned to another version.
    2. The snapshot has its scores on each of these wikis, made by this very artefact.
    3. The snapshot is whole and sound.

    Args:
        settings: Name the folders of models.
        snapshot: Of its scores.
        artefact: ``name@version``.

    Raises:
        SettingsError: There is no version in the name, or nothing would change.
        ModelError: The artefact is not there, or damaged.
        SnapshotUnusable: The snapshot is another's, or not whole.
    """
    name, _, version = artefact.partition("@")
    if not version:
        raise SettingsError(f"{artefact} names no version. Name one: {artefact}@VERSION.", model_name=name)
    store = open_store(settings)
    sha512 = store.info(artefact).id.model_sha512  # 1
    model_name = store.manifest(artefact).model_name
    wikis = dict.fromkeys(store.entry(name).wikis, model_name)
    for wiki_id, models in model_routes(settings, store).items():
        wikis.update((wiki_id, asked) for asked, routed in models.items() if routed == name)
    if not wikis:
        raise SettingsError(
            f"{name} answers on no wiki, or the setting wikis names its version. Name the wikis in "
            "models.yaml, or leave the version out of the setting.",
            model_name=name,
        )
    scores = {(one.wiki_id, one.model) for one in snapshot.manifest.counts if not one.error_code}  # 2
    made = {
        (wiki_id, model.model_name): model.model_sha512
        for wiki_id, model in scores
        if model.model_version == version
    }
    lacking = sorted(wiki_id for wiki_id, asked in wikis.items() if made.get((wiki_id, asked)) != sha512)
    if lacking:
        raise SnapshotUnusable(
            f"The snapshot {snapshot.path} has no scores of {artefact} (sha512 {sha512[:16]}…) on "
            f"{', '.join(lacking[:_SHOWN])}. Backfill these with that artefact.",
            path=str(snapshot.path),
        )
    findings = verify_snapshot(snapshot.path)  # 3
    if findings:
        raise SnapshotUnusable(
            f"The snapshot {snapshot.path} is not sound ({findings[0].message}). See `revstream snapshot "
            "verify`, and make it anew.",
            path=str(snapshot.path),
        )


def promote_loaded(settings: Settings, artefact: str, *, by: str) -> bool:
    """Move a version to production; return whether it was not there.

    Raises:
        RevstreamError: As `models.staging.promote_artefact`.
    """
    if open_store(settings).stage(artefact) is Stage.PRODUCTION:
        return False
    promote_artefact(settings.model_folders, artefact, Stage.PRODUCTION, by=by, at=datetime.now(UTC))
    return True
