"""Compute the features of published models with the release of revscoring that they were made with.

The feature graph of a model file is read by a closed list of names; its estimator is not read at all. Run it
under an old interpreter, with the inputs that today's tests use. ::

    python -m tests.feature_revisions ../shared > inputs.json
    python3.6 -m venv era && era/bin/pip install numpy scipy scikit-learn==0.19.1 deltas==0.4.6
    era/bin/pip install mwparserfromhell==0.5.4 nltk==3.6.7 pywikibase mwtypes mwapi mmh3 more_itertools
    era/bin/pip install yamlconf docopt requests pytz flashtext tabulate stopit mwbase textstat==0.4.1
    era/bin/pip install --no-deps revscoring==2.2.5 editquality==0.5.1
    era/bin/python tests/golden/make_feature_values.py inputs.json tests/golden/features MODEL…

Releases: 2.2.5 for the models of 2018, 2.2.2 for Wikidata, 2.3.0 for draft quality, 1.1.0 for
arwiki.reverted, and 2.11.1 with deltas 0.7.0 on Python 3.7 for nlwiki. The dictionary is made up
(``is_in_dictionary`` of ``tests.feature_revisions``), and NLTK finds its stop words by NLTK_DATA. The
functions of item quality of 2017 are in no release; their values were computed with the source of that day
put in the place of ``articlequality.feature_lists.wikidatawiki``.
"""

import bz2
import importlib
import io
import json
import pickle
import sys
import types
import warnings
import zlib
from pathlib import Path
from typing import Any

_PACKAGES = ("revscoring", "editquality", "articlequality", "draftquality", "deltas", "mwtypes", "enchant")
_MODULES = ("mwparserfromhell.nodes", "nltk.stem.snowball")
_NAMES = {
    ("re", "_compile"),
    ("copyreg", "_reconstructor"),
    ("collections", "OrderedDict"),
    ("collections", "defaultdict"),
    ("statistics", "mean"),
    ("_codecs", "encode"),
}
_BUILTINS = {
    *("len", "sum", "max", "min", "getattr", "set", "frozenset", "object"),
    *("int", "float", "bool", "str", "list", "dict", "tuple"),
}


class Dictionary:
    """Stands in for enchant's: knows two thirds of all words."""

    def __init__(self, tag: "Any" = None) -> None:
        self.tag = tag

    def __setstate__(self, state: "Any") -> None:
        self.tag = state.get("tag")

    def check(self, word: str) -> bool:
        return zlib.crc32(word.encode("utf-8", "surrogatepass")) % 3 > 0


class Unread:
    """Stands in for whatever belongs to the estimator."""

    def __init__(self, *args: "Any", **kwargs: "Any") -> None:
        pass

    def __setstate__(self, state: "Any") -> None:
        pass


class Reader(pickle.Unpickler):
    """Reads revscoring's features and nothing else."""

    def find_class(self, module: str, name: str) -> "Any":
        is_ours = module.partition(".")[0] in _PACKAGES or module.startswith(_MODULES)
        if is_ours or (module, name) in _NAMES or (module == "builtins" and name in _BUILTINS):
            return getattr(importlib.import_module(module), name)
        return Unread


def stand_in_for_enchant() -> None:
    """Put a made-up dictionary in the place of enchant's."""
    enchant: Any = types.ModuleType("enchant")
    enchant.Dict = enchant.Broker = enchant.ProviderDesc = Dictionary
    enchant.errors = types.ModuleType("enchant.errors")
    enchant.errors.DictNotFoundError = enchant.DictNotFoundError = type("DictNotFoundError", (Exception,), {})
    enchant.utils = types.ModuleType("enchant.utils")
    enchant.utils.UTF16EnchantStr = enchant.utils.EnchantStr = type("EnchantStr", (str,), {})
    for module in (enchant, enchant.errors, enchant.utils):
        sys.modules[module.__name__] = module


def read(path: Path) -> "Any":
    """Read a model without its estimator."""
    data = path.read_bytes()
    return Reader(io.BytesIO(bz2.decompress(data) if path.suffix == ".bz2" else data)).load()


def values(features: "Any", inputs: "Any") -> "list[list[Any]]":
    """Compute features of each of the inputs; a failure is told by its text."""
    mwtypes = importlib.import_module("mwtypes")
    datasource = importlib.import_module("revscoring.datasources").Datasource
    solve = importlib.import_module("revscoring.dependencies").solve
    rows = []
    for given in inputs:
        cache = {}
        for name, value in given.items():
            is_date = isinstance(value, dict)
            key = datasource(name.partition(".")[2])
            cache[key] = mwtypes.Timestamp(value["date"]) if is_date else value
        row = []
        for feature in features:
            try:
                row.append(solve(feature, cache=cache))
            except Exception as error:
                first_line = str(error).partition("\n")[0]
                row.append(f"{type(error).__name__}: {first_line[:100]}")
        rows.append(row)
    return rows


def main(inputs_path: Path, folder: Path, paths: "list[Path]") -> None:
    """Write the values of each model."""
    stand_in_for_enchant()
    inputs = json.loads(inputs_path.read_text())
    for path in paths:
        features = read(path).features
        rows = values(features, inputs["items" if "wikidatawiki" in path.name else "edits"])
        head = {
            "revscoring": importlib.import_module("revscoring").__version__,
            "deltas": importlib.import_module("deltas.about").__version__,
            "python": sys.version.split()[0],
            "names": [feature.name for feature in features],
        }
        start = json.dumps(head, sort_keys=True)[:-1]
        lines = ",\n".join(json.dumps(row) for row in rows)
        (folder / f"{path.name}.json").write_text(f'{start},\n"values": [\n{lines}\n]}}\n')
        print(path.name, head["revscoring"], len(rows), "revisions")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(100_000)
    main(Path(sys.argv[1]), Path(sys.argv[2]), [Path(argument) for argument in sys.argv[3:]])
