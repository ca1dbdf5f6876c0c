"""Features of the first releases, made anew by the names that the judge wrote down."""

import json
from pathlib import Path
from typing import Any

from models.features import catalogue
from models.features.definitions import Definition
from models.features.describe import describe
from models.features.former_edits import Origin
from models.features.rebuild import Rebuilder
from models.pickles import Global, Instance

GOLDEN = Path(__file__).resolve().parent / "golden" / "former"
TURKISH = "revscoring.languages.turkish"
# When the models of each release were trained, as their files say, seconds since 1970.
TRAINED = {
    "first": None,
    "revscoring-0.3.0": None,
    "revscoring-0.4.10": 1_437_000_000.0,
    "revscoring-0.6.7": 1_443_983_469.0,
    "revscoring-0.7.11": 1_455_000_000.0,
}
BADWORDS = frozenset({"salak", "mal", "it", "stupid", "idiot", "suck"})
KINDS = {
    "feature": Global("revscoring.features.feature", "Feature"),
    "datasource": Global("revscoring.datasources.datasource", "Datasource"),
    "utility": Global("revscoring.languages.language", "LanguageUtility"),
}


def rebuilt(features: list[Any], origin: Origin) -> tuple[list[Any], tuple[Definition, ...]]:
    """Bind features to our own functions, by way of what an artefact keeps."""
    positions, definitions = describe(features, catalogue.known(), origin=origin)
    rebuilder = Rebuilder(definitions, catalogue.installed)
    return [rebuilder.feature(position) for position in positions], definitions


def pickled(made_of: dict[str, Any], printed: str, made: dict[str, Instance]) -> Instance:
    """Make what the reader of pickles gives for a feature or datasource of the first releases."""
    if printed in made:
        return made[printed]
    kind, _, name = printed.partition(".")
    returns, function, needs = made_of.get(printed, (None, "revscoring.dependent.not_implemented", []))
    module, _, attribute = function.rpartition(".")
    instance = made[printed] = Instance(KINDS[kind])
    instance.state = {"name": name, "process": Global(module, attribute), "calls": 0}
    # Plain text names what the caller gives, "session".
    instance.state["dependencies"] = [pickled(made_of, need, made) if "." in need else need for need in needs]
    if returns:
        instance.state["returns"] = Global("builtins", returns)
    return instance


def of_release(release: str) -> tuple[list[str], list[Any]]:
    """Return the names of the features that a release defines, and the features of our own functions."""
    golden = json.loads((GOLDEN / f"{release}.json").read_text())
    made: dict[str, Instance] = {}
    names = [name for name in golden["names"] if "misspellings" not in name]
    features = [pickled(golden["made_of"], name, made) for name in names]
    objects, _ = rebuilt(features, Origin(TURKISH, TRAINED[release]))
    return names, objects
