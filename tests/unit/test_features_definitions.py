"""Definitions: from inert objects of a model file to revscoring's own, with nothing else ever looked up."""

from typing import Any

import msgspec
import pytest

from models import resources, stand_ins
from models.features import catalogue, kinds
from models.features.binder import FeatureBinder
from models.features.definitions import KNOWN, REFUSED, Definition, fingerprints
from models.features.describe import describe
from models.features.mirror import Mirror
from models.pickles import Global, Instance
from schemas.errors import ModelCorrupt, ModelIncompatible

FEATURE = "revscoring.features.feature"
SOURCES = "revscoring.datasources"
FLOAT, INT = Global("builtins", "float"), Global("builtins", "int")
TEXT = Instance(
    Global(f"{SOURCES}.datasource", "Datasource"),
    state={
        "name": "revision.text",
        "process": Global("revscoring.dependencies.dependent", "not_implemented"),
        "dependencies": [],
        "calls": 3,
    },
)


def made(path: str, name: str, needs: list[Any], method: str = "process", **state: Any) -> Instance:
    """Make what the reader of pickles gives for a feature or datasource."""
    module, _, kind = path.rpartition(".")
    instance = Instance(Global(module, kind))
    own = Instance(Global("builtins", "getattr"), (instance, method))
    instance.state = {"name": name, "process": own, "dependencies": needs, "calls": 0, **state}
    return instance


def pattern(text: str, flags: int = 34) -> Instance:
    return Instance(Global("re", "_compile"), (text, flags))


def matches(text: str, name: str = "german.badwords.revision.matches") -> Instance:
    return made(
        f"{SOURCES}.meta.extractors.regex",
        name,
        [TEXT],
        group_re=pattern(rf"(\b)({text})(\b)"),
        exclude_re=None,
    )


def counted(needed: Instance, name: str = "") -> Instance:
    return made(
        "revscoring.features.meta.aggregators.AggregatorsScalar",
        name or f"len(<datasource.{needed.state['name']}>)",
        [needed],
        returns=FLOAT,
        func=Global("builtins", "len"),
    )


def bound(feature: Instance, *more: Instance) -> list[Any]:
    positions, definitions = describe([feature, *more], catalogue.known())
    # As the manifest keeps them.
    definitions = msgspec.json.decode(msgspec.json.encode(definitions), type=tuple[Definition, ...])
    binder = FeatureBinder(lambda _: frozenset(), definitions)
    return [binder.bind(definitions[position].name, position) for position in positions]


def solved(feature: Any, text: str, cache: dict[Any, Any] | None = None) -> Any:
    cache = {} if cache is None else cache
    cache[resources.module("datasources").Datasource("revision.text")] = text
    return resources.module("dependencies").solve(feature.feature, cache=cache)


def test_a_word_list_is_the_one_that_the_model_was_trained_with() -> None:
    [feature] = bound(counted(matches("eiche|ulme")))
    assert feature.returns == "float"
    assert feature.roots == {"datasource.revision.text"}
    assert solved(feature, "Eiche, Ulme und Esche") == 2.0


def test_two_models_with_two_lists_under_one_name_do_not_mix_in_one_cache() -> None:
    one, other = bound(counted(matches("eiche")))[0], bound(counted(matches("ulme|esche")))[0]
    cache: dict[Any, Any] = {}
    text = "Eiche, Ulme und Esche"
    assert [solved(feature, text, cache) for feature in (one, other, one)] == [1.0, 2.0, 1.0]


def test_equal_definitions_of_two_models_are_one_object() -> None:
    one, other = (bound(counted(matches("linde")))[0] for _ in range(2))
    assert one.feature is other.feature


def test_of_two_parts_with_one_name_the_first_answers_for_both() -> None:
    first, second = counted(matches("eiche"), "wiki.trees"), counted(matches("ulme|esche"), "wiki.trees")
    assert [solved(feature, "Eiche, Ulme und Esche") for feature in bound(first, second)] == [1.0, 1.0]


def test_what_revscoring_defines_alike_is_named_and_not_described() -> None:
    words = Mirror().of(resources.module("features.wikitext").revision.datasources.words)
    positions, definitions = describe([counted(words)], catalogue.known())
    assert definitions[positions[0]] == Definition(
        KNOWN, "feature.len(<datasource.wikitext.revision.words>)", returns="float"
    )
    assert len(definitions) == 1


def test_what_only_has_the_name_of_something_known_is_described() -> None:
    impostor = matches("eiche", "wikitext.revision.words")
    _, definitions = describe([counted(impostor)], catalogue.known())
    assert KNOWN not in {definition.kind for definition in definitions}
    assert solved(bound(counted(impostor))[0], "Eiche und Esche") == 1.0


def test_everything_installed_describes_itself_and_is_found_again() -> None:
    known = catalogue.known()
    assert len(known) > 500
    objects = catalogue.installed()
    for fingerprint, name in known.items():
        (position,), definitions = describe([Mirror().of(objects[name])])
        assert fingerprints(definitions)[position] == fingerprint


def test_operators_and_numbers_are_revscorings_own() -> None:
    one = made(f"{FEATURE}.Constant", "1", [], "_process", value=1, returns=INT)
    plus = made(f"{FEATURE}.add", "(trees + 1)", [counted(matches("eiche")), one], "operate", returns=FLOAT)
    log = made(f"{FEATURE}.log", "log((trees + 1))", [plus], "_process", returns=FLOAT)
    [feature] = bound(log)
    assert isinstance(feature.feature, resources.module("features.feature").log)
    assert solved(feature, "Eiche") == 0.6931471805599453


def test_dictionaries_stemmers_and_stop_words_are_named_by_language() -> None:
    words = Mirror().of(resources.module("features.wikitext").revision.datasources.words)
    stemmer = Instance(Global("nltk.stem.snowball", "GermanStemmer"), state={"stopwords": set()})
    stem = Instance(Global("builtins", "getattr"), (stemmer, "stem"))
    stems = made(f"{SOURCES}.meta.mappers.map", "german.stemmed.revision.stems", [words], apply=stem)
    dictionary = Instance(Global("enchant", "Dict"), state={"tag": "de", "provider": None})
    check = Instance(Global("builtins", "getattr"), (dictionary, "check"))
    path = "revscoring.languages.features.dictionary.datasources.dict_splitter"
    split = made(path, "german.dictionary.revision.dict_split", [words], dictionary_check=check)
    stopwords = Instance(
        Global("revscoring.languages.features.stopwords.stopwords", "WordIsInStopwordSet"),
        state={"stopword_set": {"und", "die"}},
    )
    kept = made(f"{SOURCES}.meta.filters.filter", "kept", [words], include=stopwords, inverse=True)
    _, definitions = describe([stems, split, kept], catalogue.known())
    by_name = {definition.name: definition.arguments for definition in definitions}
    assert by_name["datasource.german.stemmed.revision.stems"]["apply"]["of"] == {"stemmer": "german"}
    check_of = by_name["datasource.german.dictionary.revision.dict_split"]["dictionary_check"]
    assert check_of == {"method": "check", "of": {"dictionary": "de"}}
    [feature] = bound(counted(kept))
    assert solved(feature, "Die Eichen und Linden") == 2.0
    [feature] = bound(counted(stems))
    assert solved(feature, "Eichen") == 1.0


def test_a_word_list_of_before_release_1_2_is_read_with_todays_groups() -> None:
    source = matches("")
    source.state["group_re"] = pattern(r"\b((eiche)n?|ulme)\b")
    del source.state["exclude_re"]
    assert solved(bound(counted(source))[0], "Eichen, Ulme und Esche") == 2.0
    source.state["group_re"] = pattern(r"\b((e)iche\2)\b")
    with pytest.raises(ModelIncompatible, match="counts the groups"):
        bound(counted(source))


def mapped(apply: Any, method: str = "process", **more: Any) -> Instance:
    return counted(made(f"{SOURCES}.meta.mappers.map", "x", [TEXT], method, apply=apply, **more))


def of_kind(path: str, **state: Any) -> Instance:
    return counted(made(path, "x", [TEXT], **state))


PARSED = "revscoring.features.wikitext.datasources.parsed.execute_method"
DIFF = "revscoring.features.wikibase.datasources.diff.dict_diff_field"
AGGREGATE = "revscoring.features.meta.aggregators.AggregatorsScalar"
LENGTH, SYSTEM = Global("builtins", "len"), Global("os", "system")
HOSTILE: list[tuple[Any, str]] = [
    (made("os.system", "x", [TEXT], returns=FLOAT), "os.system"),
    (mapped(SYSTEM), "os.system"),
    (mapped(Global("builtins", "eval")), "builtins.eval"),
    (mapped(Global("revscoring.utilities.util", "os")), "revscoring.utilities"),
    (mapped(Instance(SYSTEM, ("true",))), "os.system"),
    (mapped(LENGTH, "__reduce__"), "__reduce__"),
    (mapped(LENGTH, extra=1), "extra"),
    (mapped(Instance(Global("builtins", "getattr"), (TEXT, "__init__"))), "__init__"),
    (of_kind(PARSED, method_name="__class__", args=None, kwargs=None), "__class__"),
    (of_kind(DIFF, field_name="__class__"), "__class__"),
    (made(AGGREGATE, "x", [TEXT], returns=SYSTEM, func=LENGTH), "no number"),
    (counted(Instance(SYSTEM, ("true",), state={"name": "y"})), "os.system"),
    (counted(matches("(")), "regular expression"),
]


@pytest.mark.parametrize(("feature", "told"), HOSTILE)
def test_nothing_outside_revscoring_is_ever_looked_up(feature: Instance, told: str) -> None:
    with pytest.raises(ModelIncompatible, match="the model reads") as refusal:
        bound(feature)
    assert told in refusal.value.message


def test_a_feature_that_rests_on_itself_or_on_too_much_is_refused() -> None:
    loop = made(f"{FEATURE}.log", "log(x)", [], "_process", returns=FLOAT)
    loop.state["dependencies"] = [loop]
    with pytest.raises(ModelIncompatible, match="rests on itself"):
        bound(loop)
    deep = counted(matches("eiche"))
    for number in range(300):
        deep = made(f"{FEATURE}.log", f"log{number}", [deep], "_process", returns=FLOAT)
    with pytest.raises(ModelIncompatible, match="more parts"):
        bound(deep)


@pytest.mark.parametrize(
    "definition",
    [
        Definition("builtins.object", "feature.x", "float"),
        Definition(
            "revscoring.features.feature.Feature", "feature.x", "float", {"name": "os.system"}, {}, ()
        ),
        Definition("revscoring.features.feature.Feature", "feature.x", "float", {"unknown": 1}, {}, ()),
        Definition("revscoring.features.feature.Constant", "feature.x", "float", None, {"__class__": 1}, ()),
        Definition(KNOWN, "feature.no.such.thing", "float"),
        Definition(REFUSED, "feature.x", arguments={"reason": "it is too old"}),
        Definition(
            "revscoring.features.feature.Feature",
            "feature.x",
            "float",
            {"name": "revscoring.features.wikitext.features.chars._process_longest_repeated_char"},
            {},
            (),
        ),
    ],
)
def test_a_manifest_that_was_tampered_with_looks_nothing_up_either(definition: Definition) -> None:
    binder = FeatureBinder(lambda _: frozenset(), [definition])
    with pytest.raises(ModelIncompatible, match=r"reads 'feature\.x', which cannot be computed here"):
        binder.bind("feature.x", 0)


def test_a_manifest_without_definitions_is_told_so() -> None:
    with pytest.raises(ModelIncompatible, match="carries no definitions"):
        FeatureBinder(lambda _: frozenset()).bind("feature.x", 3)
    with pytest.raises(ModelIncompatible, match="no definition 3"):
        FeatureBinder(lambda _: frozenset(), [Definition("root", "datasource.x")]).bind("feature.x", 3)


@pytest.mark.parametrize("on", [0, 1, -1, 99])
def test_a_definition_that_does_not_rest_on_earlier_ones_is_corrupt(on: int) -> None:
    definition = Definition("revscoring.features.feature.log", "feature.x", "float", None, {}, (on,))
    with pytest.raises(ModelCorrupt, match="rests on a later one"):
        FeatureBinder(lambda _: frozenset(), [definition])


def test_functions_of_a_package_that_was_renamed_are_found_under_its_name_of_today() -> None:
    if not stand_ins.is_installed("articlequality"):
        pytest.skip("the package articlequality is not installed")
    listed = resources.feature_list("articlequality", "enwiki")
    name = f"wikiclass.feature_lists.enwiki.{listed.get_images.__name__}"
    assert kinds.named(name) is listed.get_images
