import re
from typing import Any

from models import resources
from models.engine.functions import function_key, of_revscoring

TOKENIZED = "features.wikitext.datasources.tokenized"


def in_types(*types: str) -> Any:
    return of_revscoring(TOKENIZED, "TokenIsInTypes")(set(types)).filter


def test_two_objects_that_read_the_same_are_one_function() -> None:
    assert function_key(in_types("word", "number")) == function_key(in_types("number", "word"))
    assert function_key(in_types("word")) != function_key(in_types("number"))


def test_a_pattern_is_told_by_its_text_and_its_flags() -> None:
    one, same, other = re.compile("a", re.IGNORECASE), re.compile("a", re.IGNORECASE), re.compile("a")
    assert function_key(one.match) == function_key(same.match)
    assert function_key(one.match) != function_key(other.match)
    assert function_key(one.match) != function_key(one.search)


def test_one_one_point_nought_and_true_are_different_constants() -> None:
    constant = resources.module("features.feature").Constant
    keys = {function_key(constant(value).process) for value in (1, 1.0, True)}
    assert len(keys) == 3


def test_a_function_that_is_not_known_is_equal_to_itself_alone() -> None:
    class Unknown:
        def check(self, word: str) -> bool:
            return bool(word)

    one, other = Unknown(), Unknown()
    assert function_key(one.check) == function_key(one.check)
    assert function_key(one.check) != function_key(other.check)


def test_filters_over_different_lists_are_one_function_where_they_keep_the_same() -> None:
    filters, source = of_revscoring("datasources.meta.filters", "filter"), resources.module("datasources")
    lists = [source.Datasource(name) for name in ("one", "other")]
    one, other = (filters(str.isupper, each) for each in lists)
    turned = filters(str.isupper, lists[0], inverse=True)
    assert function_key(one.process) == function_key(other.process)
    assert function_key(one.process) != function_key(turned.process)
