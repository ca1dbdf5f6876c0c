"""Reads what others run by: Lift Wing's values for ChangeProp, ChangeProp's configuration, ORES's precache.

What has a meaning here becomes a rule, and what has none is told.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from agents.rules.document import Document, Path, read_document, write_document
from agents.rules.file import parse_rules
from agents.rules.rule import OutputKind, Rule
from schemas.keys import REVISION_CREATE_TOPIC

_PREDICT: Final = re.compile(r"/v1/models/(?:\{+[^{}]*\}+-)?([A-Za-z0-9_.-]+):predict")
_ORES: Final = re.compile(r"/sys/ores\b|/v[23]/precache\b")
_KEPT: Final = ("topic", "topics", "exclude_topics", "concurrency")
_MEANINGLESS: Final = {
    "exec": "requests to other services; models score here",
    "namespace": "where a model server runs; models score here",
    "uri": "the address of model servers; models score here",
    "message_wiki_selector": "the event's own wiki chooses among the models of a name",
    "match_config_need_quotes": "quoting for Helm",
    "limiters": "a limit on failing requests",
    "timeout": "a limit on requests; scoring has limits of its own among the settings",
    "retry_on": "errors here say themselves whether a repetition may help",
    "report": "every failure is logged",
    "decode_results": "answers of requests",
    "consumer_batch_size": "events are handled one by one",
}
_ERRORS_OF_STATUS: Final[Mapping[str, tuple[str, ...]]] = {
    "403": ("revision_deleted", "revision_suppressed"),
    "404": ("revision_not_found",),
}
# Statuses that only requests to caches and their purging give.
_ERRORLESS: Final = frozenset({"412"})
# What the servers send is in none of these files; streams are those that the models have by their names.
_PAGE_LEVEL: Final[Mapping[str, str | list[str]]] = {
    "article-country": [OutputKind.PAGE_PREDICTION.value, OutputKind.WEIGHTED_TAGS.value],
    "outlink-topic-model": OutputKind.PAGE_PREDICTION.value,
    "revertrisk-language-agnostic": OutputKind.PAGE_PREDICTION.value,
    "revertrisk-multilingual": OutputKind.PAGE_PREDICTION.value,
    "revertrisk-wikidata": OutputKind.PAGE_PREDICTION.value,
}


class Note(Struct, frozen=True):
    """Something that is not carried over as it was.

    Attributes:
        line: In the file that was read.
        rule: That it belongs to; empty for the file.
        what: It, and why.
    """

    line: int
    rule: str
    what: str

    def __str__(self) -> str:
        return f"line {self.line}{f', rule {self.rule}' if self.rule else ''}: {self.what}"


class Conversion(Struct, frozen=True):
    """What became of a file.

    Attributes:
        text: A rule file with the rules that score; empty where there are none.
        rules: What it says.
        others: Rules that ask other services for other things. Their conditions are understood; here they
            would do nothing.
        notes: What has no meaning here, or another, in the order of the file.
    """

    text: str
    rules: tuple[Rule, ...]
    others: tuple[Rule, ...]
    notes: tuple[Note, ...]


def convert(text: bytes | str, name: str) -> Conversion:
    """Convert a file of one of the three kinds, told by what is in it.

    Args:
        text: The file.
        name: Of the file, for messages.

    Raises:
        SettingsError: It is of no such kind, or a condition in it has no meaning.
    """
    document = read_document(text, name)
    converter = _Converter(document)
    liftwing = ("main_app", "changeprop", "liftwing")
    if isinstance(_value(document.value, (*liftwing, "models")), dict):
        converter.convert_liftwing(liftwing)
    elif isinstance(_value(document.value, ("scoring_contexts",)), dict):
        converter.convert_ores()
    else:
        for path in _find_templates(document.value, ()):
            converter.convert_changeprop(path)
    if not converter.scoring and not converter.others:
        raise document.error(
            (),
            "there are no rules of Lift Wing (main_app.changeprop.liftwing.models), of ChangeProp "
            "(templates of sys/kafka.js) or of ORES (scoring_contexts)",
            "Name such a file",
        )
    return converter.result()


class _Converter:
    """Gathers rules and notes of one document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._notes: list[Note] = []
        self.scoring: dict[str, Any] = {}
        self.others: dict[str, Any] = {}

    def result(self) -> Conversion:
        name = self._document.name
        text = write_document({"rules": self.scoring}) if self.scoring else ""
        others = write_document({"rules": self.others}) if self.others else ""
        return Conversion(
            text,
            parse_rules(text, f"{name} (converted)") if text else (),
            parse_rules(others, f"{name} (converted)") if others else (),
            tuple(sorted(self._notes, key=lambda note: note.line)),
        )

    def _note(self, path: Path, what: str, rule: str = "") -> None:
        self._notes.append(Note(self._document.line(path), rule, what))

    def _drop(self, path: Path, rule: str = "", why: str | None = None) -> None:
        key = str(path[-1])
        self._note(path, f"{key} has no meaning here: {why or _MEANINGLESS.get(key, 'unknown')}", rule)

    # Lift Wing

    def convert_liftwing(self, root: Path) -> None:
        content = _value(self._document.value, root)
        for key in content:
            if key != "models":
                self._drop((*root, key))
        stage = _value(self._document.value, ("main_app", "site"))
        for model_name, value in _mapping(content["models"]).items():
            path, spec = (*root, "models", model_name), _mapping(value)
            conditions = _mapping(spec.get("match_config"))
            self.scoring[model_name] = {
                "topics": [spec.get("kafka_topic")],
                **_chosen(conditions, ("match", "match_not", "cases")),
                "models": [model_name],
                **({"output": _PAGE_LEVEL[model_name]} if model_name in _PAGE_LEVEL else {}),
                **_chosen(spec, ("concurrency",)),
                **({"stage": "staging"} if stage == "staging" else {}),
            }
            for key in spec:
                if key not in {"match_config", "kafka_topic", "concurrency"}:
                    self._drop((*path, key), model_name)
            for key in conditions:
                if key not in {"match", "match_not", "cases"}:
                    self._drop((*path, "match_config", key), model_name)

    # ORES

    def convert_ores(self) -> None:
        for wiki_id, context in _mapping(self._document.value["scoring_contexts"]).items():
            for model_name, spec in _mapping(_mapping(context).get("precache")).items():
                # It listens to revision-create alone, and the words say which of them.
                self.scoring[f"{wiki_id}-{model_name}"] = {
                    "topics": [REVISION_CREATE_TOPIC],
                    "match": {"database": wiki_id},
                    "on": _mapping(spec).get("on"),
                    "models": [model_name],
                }

    # ChangeProp

    def convert_changeprop(self, root: Path) -> None:
        options = _value(self._document.value, root[:-1])
        others = [key for key in options if key != root[-1]]
        if others:
            self._note(root[:-1], f"{', '.join(others)}: settings of ChangeProp and of its Kafka client")
        for rule_name, spec in _value(self._document.value, root).items():
            self._convert_rule(str(rule_name), _mapping(spec), (*root, rule_name))

    def _convert_rule(self, name: str, spec: dict[str, Any], path: Path) -> None:
        rule = _chosen(spec, _KEPT)
        requests = [str(uri) for uri in _find_uris(spec)]
        models = sorted({found[1] for uri in requests if (found := _PREDICT.search(uri)) is not None})
        if models:
            rule["models"] = models
        if "cases" in spec:
            rule["cases"] = [
                self._case(name, _mapping(case), (*path, "cases", index))
                for index, case in enumerate(spec["cases"] if isinstance(spec["cases"], list) else ())
            ]
        else:
            rule |= self._case(name, spec, path)
        retry = self._retry(name, spec, path)
        if retry:
            rule["retry"] = retry
        handled = {*_KEPT, "cases", "sample", "ignore", "retry_limit", "retry_delay", "retry_factor", "exec"}
        handled |= set() if "cases" in spec else {"match", "match_not"}
        for key in spec:
            if key in {"match", "match_not"} and "cases" in spec:
                self._drop((*path, key), name, "beside cases ChangeProp does not look at it")
            elif key not in handled:
                self._drop((*path, key), name)
        if models or any(_ORES.search(uri) for uri in requests):
            self.scoring[name] = rule
        else:
            self.others[name] = rule
            self._note(path, "asks no model for scores: left out", name)

    def _case(self, name: str, spec: dict[str, Any], path: Path) -> dict[str, Any]:
        case = _chosen(spec, ("match", "match_not"))
        if "sample" in spec:
            sample = _mapping(spec["sample"])
            case["sample"] = {"rate": sample.get("rate"), "key": sample.get("hash_template")}
        if "exec" in spec:
            self._drop((*path, "exec"), name)
        return case

    def _retry(self, name: str, spec: dict[str, Any], path: Path) -> dict[str, Any]:
        retry: dict[str, Any] = {}
        if "retry_limit" in spec:
            retry["limit"] = spec["retry_limit"]
        if "retry_delay" in spec:
            delay = spec["retry_delay"]
            retry["delay_seconds"] = delay / 1000 if isinstance(delay, int | float) else delay
        if "retry_factor" in spec:
            retry["factor"] = spec["retry_factor"]
        statuses = _mapping(spec.get("ignore")).get("status", [])
        codes: list[str] = []
        for status in map(str, statuses if isinstance(statuses, list) else [statuses]):
            if status in _ERRORS_OF_STATUS:
                codes += _ERRORS_OF_STATUS[status]
            elif status not in _ERRORLESS:
                self._drop((*path, "ignore"), name, f"to ignore {status} would lose scores silently")
        if codes:
            retry["ignore"] = list(dict.fromkeys(codes))
        return retry


def _find_templates(value: Any, path: Path) -> Iterator[Path]:
    """Find the mappings of rules: ``templates`` whose entries name topics. Each once, aliases or not."""
    seen: set[str] = set()
    stack: list[tuple[Any, Path]] = [(value, path)]
    while stack:
        inside, at = stack.pop()
        if isinstance(inside, dict):
            rules = inside.get("templates")
            if isinstance(rules, dict) and any(
                {"topic", "topics"} & _mapping(one).keys() for one in rules.values()
            ):
                key = repr(sorted(rules))
                if key not in seen:
                    seen.add(key)
                    yield (*at, "templates")
                continue
            stack += [(one, (*at, key)) for key, one in inside.items()]
        elif isinstance(inside, list):
            stack += [(one, (*at, index)) for index, one in enumerate(inside)]


def _find_uris(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, inside in value.items():
            if key == "uri" and isinstance(inside, str):
                yield inside
            elif key not in {"match", "match_not"}:
                yield from _find_uris(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from _find_uris(inside)


def _value(value: Any, path: Path) -> Any:
    for key in path:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value


def _chosen(spec: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: spec[key] for key in keys if key in spec}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
