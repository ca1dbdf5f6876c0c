import pytest

from models import resources
from models.dictionary_origins import other_dictionaries


@pytest.fixture(autouse=True)
def _opened(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = {"en_US": "hunspell (enchant 2.3.3)", "ar": "aspell (enchant 2.3.3)"}
    monkeypatch.setattr(resources, "dictionaries_read", lambda: opened)


@pytest.mark.parametrize("record", ["hunspell (enchant 2.3.3)", "hunspell", "myspell"])
def test_the_dictionary_it_was_made_with_is_not_told(record: str) -> None:
    assert other_dictionaries("enwiki-damaging", {"en_US": record}) == []


@pytest.mark.parametrize("record", ["hunspell (enchant 1.6.0)", "aspell", "aspell (enchant 2.3.3)", ""])
def test_another_provider_or_version_is_told_with_both(record: str) -> None:
    [told] = other_dictionaries("enwiki-damaging", {"en_US": record})
    assert "'enwiki-damaging'" in told
    assert f"en_US of {record}" in told
    assert "hunspell (enchant 2.3.3) is installed" in told


def test_a_dictionary_that_nothing_opened_is_not_told() -> None:
    assert other_dictionaries("nlwiki-wp10", {"nl": "aspell"}) == []
    assert len(other_dictionaries("arwiki", {"ar": "hunspell", "en_US": "aspell", "nl": "aspell"})) == 2
