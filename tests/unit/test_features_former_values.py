"""Features of the first releases.

The judges are those releases themselves (``tests/golden/make_former_values.py``).
"""

import json

import pytest

from tests.former_features import BADWORDS, GOLDEN, TRAINED, of_release
from tests.former_revisions import made_up
from tests.former_roots import values_of_made_up

EDITS = made_up()


@pytest.fixture(autouse=True)
def _made_up_badwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Turkish have the bad words that the judge had."""
    monkeypatch.setattr("models.features.former_words._badwords", lambda _language: BADWORDS)


@pytest.mark.parametrize("release", sorted(TRAINED))
def test_a_feature_has_the_value_that_its_release_computed(release: str) -> None:
    golden = json.loads((GOLDEN / f"{release}.json").read_text())
    names, objects = of_release(release)
    differences: dict[str, int] = {}
    for edit, row in zip(EDITS, golden["values"], strict=True):
        expected = dict(zip(golden["names"], row, strict=True))
        for name, value in zip(names, values_of_made_up(objects, edit), strict=True):
            if (value, type(value)) != (expected[name], type(expected[name])):
                differences[name] = differences.get(name, 0) + 1
    assert differences == {}
