"""Says whether a worker would start on this machine, and how to cure what keeps it from it."""

import resource
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

from app.catalogue import model_routes, open_store
from app.doctor_machine import (
    available_memory_bytes,
    check_dictionaries,
    check_interpreter,
    check_memory,
    check_nltk_data,
    check_open_files,
    check_packages,
)
from app.doctor_state import (
    check_data_dir,
    check_kafka,
    check_kafka_login,
    check_lock,
    check_log,
    check_port,
    check_stores,
    is_locked,
)
from app.findings import Finding, broken, is_broken, ok, warning
from app.kafka_access import kafka_access
from app.rules import read_rules
from app.settings import Settings, WikiSettings
from app.tracing import require_tracing
from models.dictionary_origins import other_dictionaries
from models.store import ModelStore
from schemas.errors import (
    ModelCorrupt,
    ModelFileMissing,
    ModelIncompatible,
    ModelNotFound,
    ResourceMissing,
    RevstreamError,
    SettingsError,
)

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_CURES: Final[dict[type[RevstreamError], str]] = {
    ModelNotFound: "Correct wikis, or name the folder of the artefact in model_folders.",
    ModelFileMissing: "Install revstream again, or copy the artefact anew.",
    ModelCorrupt: "Copy the artefact anew; if you changed it on purpose, train it under another version.",
    ModelIncompatible: "Install the packages that the model asks for, or a version of it for this revstream.",
    ResourceMissing: "make dictionaries",
}


def diagnose(settings: Settings) -> tuple[Finding, ...]:
    """Run every check. Nothing is changed on the machine.

    Args:
        settings: Of the worker that would start.

    Returns:
        The findings, those of the machine first.
    """
    store = open_store(settings)
    routes = {wiki_id: WikiSettings(models) for wiki_id, models in model_routes(settings, store).items()}
    return (
        check_interpreter(tuple(sys.version_info[:3]), sys.implementation.name),
        *check_packages(metadata.requires("revstream") or ()),
        check_dictionaries(),
        check_nltk_data(_nltk_folders()),
        check_open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        check_memory(available_memory_bytes()),
        check_data_dir(settings.data_dir),
        *_state(settings),
        check_port(settings.http_host, settings.http_port),
        check_contact(settings),
        check_rules(settings),
        check_intake(settings),
        check_traces(settings),
        *check_models(routes, store),
    )


def check_contact(settings: Settings) -> Finding:
    """Check that a contact is set where a wiki's API or Wikimedia's streams would be asked."""
    if not settings.asks_wikimedia:
        return ok("contact", "not needed: Wikimedia is not asked")
    try:
        return ok("contact", settings.user_agent)
    except SettingsError as error:
        return broken("contact", "Wikimedia is to be asked, and no contact is set.", error.message)


def check_rules(settings: Settings) -> Finding:
    """Check that the file of rules is understood, where the settings name one."""
    if not settings.rules:
        return ok("rules", "none: every new revision is scored by all models of its wiki")
    try:
        rules = read_rules(Path(settings.rules).expanduser())
    except SettingsError as error:
        cure = f"Correct it until `revstream rules check {settings.rules}` is content."
        return broken("rules", error.message, cure)
    return ok("rules", f"{len(rules)} in {settings.rules}")


def check_intake(settings: Settings) -> Finding:
    """Check who may post events: a port that anyone reaches is worth a word."""
    if settings.intake != "open":
        return ok("intake", {"off": "off", "token": "for those who have the token"}[settings.intake])
    if settings.http_host in _LOOPBACK:
        return ok("intake", "open to all of this machine")
    return warning(
        "intake",
        f"Whoever reaches {settings.http_host} may post events, and has revstream ask the wikis they name.",
        "Set intake to token, or let only the wikis' servers reach the port.",
    )


def check_traces(settings: Settings) -> Finding:
    """Check that what sends traces is installed, where they are to be sent."""
    if settings.traces == "off":
        return ok("traces", "none are sent")
    try:
        require_tracing(settings)
    except SettingsError as error:
        return broken("traces", "Traces are to be sent, and cannot be.", error.message)
    return ok("traces", "sent by OTLP over HTTP")


def check_models(wikis: Mapping[str, WikiSettings], store: ModelStore) -> tuple[Finding, ...]:
    """Check that every artefact that a wiki names loads: files, hashes, packages, resources.

    Args:
        wikis: Of the settings.
        store: Where artefacts lie.
    """
    names = sorted({artefact for wiki in wikis.values() for artefact in wiki.models.values()})
    return tuple(check_model(name, store) for name in names)


def check_model(name: str, store: ModelStore) -> Finding:
    """Check that one artefact loads, and reads the dictionaries that it was made with.

    Args:
        name: Of the artefact.
        store: Where it lies.
    """
    try:
        store.load(name)
    except RevstreamError as error:
        cure = _CURES.get(type(error), "See the message.")
        return broken(f"model {name}", f"{error.code}: {error.message}", cure)
    others = other_dictionaries(name, store.manifest(name).environment.dictionaries)
    if others:
        cure = "Install the dictionaries that it was made with, or train it anew."
        return warning(f"model {name}", "; ".join(others), cure)
    return ok(f"model {name}", "verified and loaded")


def _state(settings: Settings) -> tuple[Finding, ...]:
    lock = check_lock(settings.lock_path)
    if is_locked(settings.lock_path):
        stores: tuple[Finding, ...] = (
            warning("stores", "Not looked at: a worker has them open.", "Stop it and run this again."),
        )
    else:
        stores = check_stores(settings.data_dir)
    engine = (check_log(settings.log_path),) if settings.is_embedded else _kafka(settings)
    return (lock, *engine, *stores)


def _kafka(settings: Settings) -> tuple[Finding, ...]:
    try:
        access = kafka_access(settings)
    except SettingsError as error:
        return (broken("broker login", error.message, "Correct the settings."),)
    reached = check_kafka(settings.kafka_addresses)
    if access.security_protocol == "PLAINTEXT" or is_broken(reached):
        return reached
    return (*reached, check_kafka_login(access, settings.kafka_addresses))


def _nltk_folders() -> list[Path]:
    import nltk.data  # noqa: PLC0415 - half a second that `--help` does without

    return [Path(folder) for folder in nltk.data.path]
