"""Features of the first releases.

The judges are those releases themselves (``tests/golden/make_former_values.py``).
"""

import json
from pathlib import Path
from typing import Any

import pytest

from models.features import catalogue
from models.features.definitions import Definition
from models.features.describe import describe
from models.features.former_edits import Origin
from models.features.rebuild import Rebuilder
from models.pickles import Global, Instance
from tests.former_revisions import made_up
from tests.former_roots import values_of_made_up

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "former"
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
EDITS = made_up()
KINDS = {
    "feature": Global("revscoring.features.feature", "Feature"),
    "datasource": Global("revscoring.datasources.datasource", "Datasource"),
    "utility": Global("revscoring.languages.language", "LanguageUtility"),
}


@pytest.fixture(autouse=True)
def _made_up_badwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Turkish have the bad words that the judge had."""
    monkeypatch.setattr("models.features.former_words._badwords", lambda _language: BADWORDS)


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


@pytest.mark.parametrize("release", sorted(TRAINED))
def test_a_feature_has_the_value_that_its_release_computed(release: str) -> None:
    golden = json.loads((GOLDEN / f"{release}.json").read_text())
    made: dict[str, Instance] = {}
    names = [name for name in golden["names"] if "misspellings" not in name]
    features = [pickled(golden["made_of"], name, made) for name in names]
    objects, _ = rebuilt(features, Origin(TURKISH, TRAINED[release]))
    differences: dict[str, int] = {}
    for edit, row in zip(EDITS, golden["values"], strict=True):
        expected = dict(zip(golden["names"], row, strict=True))
        for name, value in zip(names, values_of_made_up(objects, edit), strict=True):
            if (value, type(value)) != (expected[name], type(expected[name])):
                differences[name] = differences.get(name, 0) + 1
    assert differences == {}
