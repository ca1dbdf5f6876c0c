"""Compute features of the first releases of revscoring, with those releases, on edits that nobody made.

Each release reads its own functions; what it would ask a wiki for is given to it. Run it under an old
interpreter, once for each era, with the release and the deltas of its day unpacked where PYTHONPATH points::

    python3.6 -m venv era && era/bin/pip install mwparserfromhell==0.4.4 mwtypes==0.2.0 nltk==3.0.5 pytz
    era/bin/pip install mediawiki-utilities==0.4.18 yamlconf==0.2.7 more_itertools
    era/bin/pip install --no-deps --target RELEASE revscoring==0.6.7 deltas==0.3.3
    PYTHONPATH=.:RELEASE era/bin/python tests/golden/make_former_values.py OUT.json [stale] [MODEL…]

===============  ==============  ======================================================================
revscoring       deltas          of which models
===============  ==============  ======================================================================
0.6.7 (stale)    0.1.1           the first, of one module a feature; the wheel still carries them, and so
                                 the names of ``STALE`` choose them
0.3.0            0.3.0           those of 2015 with functions of a language
0.4.10           0.3.1           likewise, of July 2015
0.6.7            0.3.3           of the autumn of 2015
0.7.11           0.3.8           of 2016
===============  ==============  ======================================================================

Besides the models named, every feature that the modules of the release define is computed, and how it is
made is written down by names, so that a test can make it again.
"""

import importlib
import io
import json
import pickle
import pkgutil
import sys
import types
import warnings
import zlib
from pathlib import Path
from typing import Any

from tests.former_revisions import made_up

STALE = "stale"
_MODULES = ("diff", "parent_revision", "revision", "user", "page")
_FIRST = (
    *("badwords_added", "bytes_changed", "chars_added", "day_of_week_in_utc", "hour_of_day_in_utc"),
    *("is_content_namespace", "is_custom_comment", "is_mainspace", "is_previous_user_same"),
    *("is_section_comment", "longest_repeated_char_added", "longest_token_added", "markup_chars_added"),
    *("numeric_chars_added", "prev_badwords", "prev_words", "seconds_since_last_page_edit"),
    *("segments_added", "segments_removed", "symbolic_chars_added", "uppercase_chars_added"),
    *("user_age_in_seconds", "user_is_anon", "user_is_bot", "words_added", "words_removed"),
)
_MARKS = ("salak", "mal", "it", "stupid", "idiot", "suck")


class Dictionary:
    """Stands in for enchant's: knows two thirds of all words."""

    def __init__(self, tag: "Any" = None) -> None:
        self.tag = tag

    def __setstate__(self, state: "Any") -> None:
        self.tag = state.get("tag")

    def check(self, word: str) -> bool:
        return zlib.crc32(word.encode("utf-8", "surrogatepass")) % 3 > 0


class Unread:
    """Stands in for whatever is no feature; of a model the features are read from it."""

    def __init__(self, *args: "Any", **kwargs: "Any") -> None:
        pass

    def __setstate__(self, state: "Any") -> None:
        self.features = state.get("features") if isinstance(state, dict) else None


class Utility:
    """Stands in for a function of a language, which nobody computes."""

    dependencies = ()

    def __setstate__(self, state: "Any") -> None:
        self.name = state["name"]

    def __hash__(self) -> int:
        return hash(("utility", self.name))

    def __eq__(self, other: object) -> bool:
        return hash(self) == hash(other)


class Reader(pickle.Unpickler):
    """Reads revscoring's features and nothing else."""

    def find_class(self, module: str, name: str) -> "Any":
        if module == "revscoring.languages.language" and name == "LanguageUtility":
            return Utility
        if module.startswith(("revscoring.scor", "sklearn", "numpy", "revscoring.languages.language")):
            return Unread
        if module == "enchant":
            return Dictionary if name == "Dict" else Unread
        if module.startswith(("revscoring.", "nltk.stem.snowball")) or (module, name) in {
            ("re", "_compile"),
            ("copyreg", "_reconstructor"),
        }:
            return getattr(importlib.import_module(module), name)
        if module == "builtins" and name in {"getattr", "len", "int", "float", "bool", "set", "object"}:
            return getattr(importlib.import_module(module), name)
        return Unread


def prepare() -> None:
    """Let modules of the release be imported without their front page, enchant and what was renamed since."""
    enchant: Any = types.ModuleType("enchant")
    enchant.Dict = Dictionary
    sys.modules["enchant"] = enchant
    package: Any = types.ModuleType("revscoring")
    package.__path__ = [folder + "/revscoring" for folder in sys.path]
    package.__path__ = pkgutil.extend_path(package.__path__, "revscoring")
    sys.modules["revscoring"] = package
    languages: Any = types.ModuleType("revscoring.languages")
    languages.__path__ = [folder + "/languages" for folder in package.__path__]
    utility: Any = type("Placeholder", (), {"dependencies": ()})
    for name in ("is_badword", "is_misspelled", "is_informal_word", "is_stopword", "stem_word"):
        placeholder = utility()
        placeholder.name = name
        setattr(languages, name, placeholder)
    sys.modules["revscoring.languages"] = languages


def is_badword(word: str) -> bool:
    """Tell a made-up bad word."""
    return word.lower() in _MARKS


def features_of_release(*, is_stale: bool) -> "list[Any]":
    """Return the features that the modules of the release define."""
    if is_stale:
        return [getattr(importlib.import_module("revscoring.features." + name), name) for name in _FIRST]
    kind = importlib.import_module("revscoring.features.feature").Feature
    found = []
    for module in _MODULES:
        held = vars(importlib.import_module("revscoring.features." + module))
        found += [held[name] for name in sorted(held) if type(held[name]) is kind]
    unfit = ("informal", "infonoise", "page.age")
    return [feature for feature in found if not any(part in feature.name for part in unfit)]


def name_of(value: "Any") -> str:
    """Return the name of a dependency; modules of the first releases stand for what they define."""
    if isinstance(value, types.ModuleType):
        value = getattr(value, value.__name__.rpartition(".")[2])
    return value if isinstance(value, str) else value.name


def printed(value: "Any") -> str:
    """Return the name of a dependency with its kind in front."""
    if isinstance(value, types.ModuleType):
        value = getattr(value, value.__name__.rpartition(".")[2])
    if isinstance(value, str):
        return value
    kind = (
        "feature" if hasattr(value, "returns") else "datasource" if hasattr(value, "process") else "utility"
    )
    return f"{kind}.{value.name}"


def made_of(features: "list[Any]") -> "dict[str, Any]":
    """Return how features are made: name to type, function and names of what it reads."""
    made, waiting = {}, list(features)
    while waiting:
        node = waiting.pop()
        if isinstance(node, types.ModuleType):
            node = getattr(node, node.__name__.rpartition(".")[2])
        if isinstance(node, str) or not hasattr(node, "process"):
            continue
        function = f"{node.process.__module__}.{node.process.__name__}"
        returns = getattr(node, "returns", None)
        made[printed(node)] = [
            returns.__name__ if returns else None,
            function,
            [printed(need) for need in node.dependencies],
        ]
        waiting += node.dependencies
    return made


def timestamps(*, is_stale: bool) -> "Any":
    """Return the class that the release has for times."""
    module = importlib.import_module("mw" if is_stale else "revscoring.features.user")
    return lambda seconds: module.Timestamp(int(seconds))


class Of:
    """Holds what it is given, as the objects of a release hold what a wiki told."""

    def __init__(self, **held: "Any") -> None:
        vars(self).update(held)


def given(edit: "dict[str, Any]", stamp: "Any") -> "dict[str, Any]":
    """Return what the release would have asked a wiki for, by name."""
    parent = edit["parent"]
    at = stamp(edit["seconds"])
    user_id, user_text = edit["user"]
    size = len(edit["text"].encode("utf-8"))
    now = Of(
        user_id=user_id,
        user_text=user_text,
        timestamp=at,
        comment=edit["comment"],
        bytes=size,
        page_namespace=edit["namespace_id"],
    )
    before = Of(user_id=None, user_text=None, timestamp=None, comment=None, bytes=None)
    if parent:
        before = Of(
            user_id=parent["user"][0],
            user_text=parent["user"][1],
            timestamp=stamp(parent["seconds"]),
            bytes=len(parent["text"].encode("utf-8")),
        )
    registered = edit["registered"] if user_id else None
    account = Of(
        id=user_id or None,
        groups=edit["groups"] if user_id else [],
        registration=None if registered is None else stamp(registered),
    )
    namespaces = {number: Of(id=number, content=number == 0) for number in range(16)}
    return {
        "revision.text": edit["text"],
        "revision_text": edit["text"],
        "parent_revision.text": parent["text"] if parent else None,
        "previous_revision_text": parent["text"] if parent else None,
        "revision.metadata": now,
        "revision_metadata": now,
        "parent_revision.metadata": before if parent else None,
        "previous_revision_metadata": before,
        "user.info": account,
        "user_info": account,
        "site.namespace_map": namespaces,
        "namespaces": namespaces,
    }


def solved(node: "Any", values: "dict[Any, Any]") -> "Any":
    """Compute a feature or datasource as the release does: what prints one name is one."""
    if isinstance(node, types.ModuleType):
        node = getattr(node, node.__name__.rpartition(".")[2])
    kind = "feature" if hasattr(node, "returns") else "datasource"
    key = (kind, name_of(node))
    if key not in values:
        values[key] = node.process(*[solved(need, values) for need in node.dependencies])
    return values[key]


def rows(features: "list[Any]", edits: "list[Any]", stamp: "Any", is_bad: "Any") -> "list[Any]":
    """Compute features of each edit; a failure is told by its kind."""
    found = []
    for edit in edits:
        values = {("datasource", name): value for name, value in given(edit, stamp).items()}
        values["datasource", "is_badword"] = is_bad
        values["datasource", "is_misspelled"] = lambda word: not Dictionary().check(word)
        row = []
        for feature in features:
            try:
                row.append(solved(feature, values))
            except (ValueError, TypeError, AttributeError) as error:
                row.append(type(error).__name__)
        found.append(row)
    return found


def main(out: Path, paths: "list[str]") -> None:
    """Write the values of the release's own features and of models."""
    prepare()
    edits = made_up()
    is_stale = STALE in paths
    stamp = timestamps(is_stale=is_stale)
    features = features_of_release(is_stale=is_stale)
    document: Any = {
        "python": sys.version.split()[0],
        "made_of": made_of(features),
        "names": [printed(feature) for feature in features],
        "values": rows(features, edits, stamp, is_badword),
        "models": {},
    }
    for path in map(Path, paths):
        if path.name != STALE:
            features = Reader(io.BytesIO(path.read_bytes())).load().features
            document["models"][path.name] = rows(features, edits, stamp, lambda word: False)
    lines = [
        f"{json.dumps(key)}: {json.dumps(value, sort_keys=True)}" for key, value in sorted(document.items())
    ]
    out.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(out, len(document["names"]), "features", len(document["models"]), "models", len(edits), "edits")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(100000)
    main(Path(sys.argv[1]), sys.argv[2:])
