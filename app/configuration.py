"""What a process reads of its rules and models: whole, checked, and with a name for what it says."""

import hashlib
from pathlib import Path

import msgspec
from msgspec import Struct

from agents.rules.book import RuleBook
from agents.rules.file import parse_rules
from agents.rules.rule import Rule
from app.catalogue import build_catalogue, open_store
from app.rules import read_rule_file, usual_retry
from app.settings import Settings
from schemas.catalogue import Catalogue


class Configuration(Struct, frozen=True):
    """Rules over models.

    Attributes:
        catalogue: The models of each wiki.
        rules: In the order of their file; None where the settings name none.
        sha256: Of the file of rules, and of which artefact answers where, in which stage: the same for
            processes that go by the same.
    """

    catalogue: Catalogue
    rules: tuple[Rule, ...] | None
    sha256: str

    def book(self) -> RuleBook | None:
        """Return the rules to go by, with all places free; None without rules."""
        return None if self.rules is None else RuleBook(self.rules, self.catalogue)


def read_configuration(settings: Settings, catalogue: Catalogue | None = None) -> Configuration:
    """Read rules and models as the settings name them.

    Args:
        settings: Of the process.
        catalogue: Where it was read just now.

    Raises:
        SettingsError: A file cannot be read or understood.
        ModelError: A model is absent, damaged or of another format.
    """
    if catalogue is None:
        catalogue = build_catalogue(settings, open_store(settings))
    told, rules = b"", None
    if settings.rules:
        path = Path(settings.rules).expanduser()
        told = read_rule_file(path)
        rules = parse_rules(told, str(path), usual_retry(settings))
    places = {
        f"{wiki_id} {name}": (info.artefact, info.id.model_sha512, info.stage)
        for answering in (catalogue.wikis, catalogue.versions)
        for wiki_id, models in answering.items()
        for name, info in models.items()
    }
    models = msgspec.json.encode((places, catalogue.aliases), order="deterministic")
    sha256 = hashlib.sha256(hashlib.sha256(told).digest() + models).hexdigest()
    return Configuration(catalogue, rules, sha256)
