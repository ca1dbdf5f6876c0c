"""Rule files: YAML in, rules out, and an error that names file, line, rule, cause and cure."""

import difflib
import re
from collections.abc import Iterable
from typing import Any, Final

from agents.rules.document import Document, Path, read_document
from agents.rules.javascript import Regex, compile_regex, is_regex
from agents.rules.match import Fields, PatternError, compile_alternatives, compile_match
from agents.rules.rule import USUAL_RETRY, Case, OutputKind, Retry, Rule, RuleStage, Target
from agents.rules.sample import Sample, parse_key
from agents.rules.shorthands import WORDS
from schemas.errors import ContentError, ModelError, RevstreamError, ScoringError, SettingsError

MAX_RULES: Final = 1000

_CASE_KEYS: Final = ("match", "match_not", "on", "sample", "models", "output", "output_stream", "tag_prefix")
_RULE_KEYS: Final = (
    "topic",
    "topics",
    "exclude_topics",
    *_CASE_KEYS,
    "cases",
    "concurrency",
    "retry",
    "stage",
)
# A case that has conditions of its own stands on its own; these are shared by cases that lack them.
_SHARED_KEYS: Final = ("sample", "models", "output", "output_stream", "tag_prefix")
_RETRY_KEYS: Final = ("limit", "delay_seconds", "factor", "ignore")
_SAMPLE_KEYS: Final = ("rate", "key")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")
_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*(@[A-Za-z0-9][A-Za-z0-9_.+-]*)?\Z")
_PREFIX: Final = re.compile(r"[^/]{1,100}\Z")
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}\Z")
_HINTS: Final = {
    "exec": "Name models instead: no requests are made. `revstream rules convert` reads ChangeProp's files",
    "retry_on": "Write retry, with limit, delay_seconds, factor and ignore",
    "retry_limit": "Write retry: {limit: …}",
    "retry_delay": "Write retry: {delay_seconds: …}, in seconds",
    "retry_factor": "Write retry: {factor: …}",
    "match_config": "Write match and match_not in the rule itself",
    "kafka_topic": "Write topics: […]",
}


def parse_rules(text: bytes | str, name: str, usual: Retry = USUAL_RETRY) -> tuple[Rule, ...]:
    """Return the rules of a file, in its order.

    Args:
        text: The file.
        name: Of the file, for messages.
        usual: The policy of rules that do not say it, or not all of it.

    Raises:
        SettingsError: Something in it is not understood; ``path``, ``line`` and ``rule`` say where.
    """
    document = read_document(text, name)
    root = _Place(document, (), None)
    content = root.mapping(document.value, "the file")
    for key in content:
        # Keys of this form hold what anchors point to.
        if key != "rules" and not key.startswith("x-"):
            raise root.at(key).unknown(key, ("rules",))
    if "rules" not in content:
        raise root.error("there is no key rules", "Write the rules under `rules:`, each by its name")
    named = root.at("rules").mapping(content["rules"], "rules")
    if not 1 <= len(named) <= MAX_RULES:
        raise root.at("rules").error(f"there are {len(named)} rules", f"Write from 1 to {MAX_RULES}")
    return tuple(_rule(_Place(document, ("rules", key), key), value, usual) for key, value in named.items())


class _Place:
    """A place in a file that a value is read from."""

    def __init__(self, document: Document, path: Path, rule: str | None) -> None:
        self._document = document
        self._path = path
        self._rule = rule

    @property
    def line(self) -> int:
        return self._document.line(self._path)

    @property
    def rule(self) -> str:
        return self._rule or ""

    def at(self, key: str | int) -> "_Place":
        return _Place(self._document, (*self._path, key), self._rule)

    def error(self, cause: str, cure: str) -> SettingsError:
        inside = [str(key) for key in self._path[2 if self._rule else 0 :]]
        what = f"{'.'.join(inside)}: " if inside else ""
        return self._document.error(self._path, f"{what}{cause}", cure, rule=self._rule)

    def unknown(self, key: str, known: Iterable[str]) -> SettingsError:
        near = difflib.get_close_matches(key, list(known), n=1)
        cure = _HINTS.get(key) or (f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known)}")
        return self.error("this key is unknown", cure)

    def mapping(self, value: Any, what: str, keys: Iterable[str] | None = None) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.error(f"{what} is no mapping", "Write keys with values below it")
        for key in value:
            if keys is not None and key not in keys:
                raise self.at(key).unknown(key, keys)
        return value

    def texts(self, value: Any, pattern: re.Pattern[str], what: str) -> tuple[str, ...]:
        """Return a text, or a list of one or more, as a tuple."""
        listed = value if isinstance(value, list) else [value]
        for one in listed:
            if not isinstance(one, str) or pattern.match(one) is None:
                raise self.error(f"{one!r} is no {what}", f"Write a {what}, or a list of them")
        if not listed or len(set(listed)) < len(listed):
            raise self.error("the list is empty, or repeats", f"Name each {what} once, or leave the key out")
        return tuple(listed)

    def number(self, value: Any, least: float, most: float, *, is_whole: bool = False) -> float:
        kinds = (int,) if is_whole else (int, float)
        if type(value) not in kinds or not least <= value <= most:
            kind = "a whole number" if is_whole else "a number"
            raise self.error(f"{value!r} is out of range", f"Write {kind} from {least:g} to {most:g}")
        return float(value)


def _rule(place: _Place, value: Any, usual: Retry) -> Rule:
    if _NAME.match(place.rule) is None:
        raise place.error("this is no name for a rule", "Use letters, digits, `_`, `.` and `-`, up to 100")
    content = place.mapping(value, "the rule", _RULE_KEYS)
    stage = content.get("stage", RuleStage.PRODUCTION)
    if stage not in tuple(RuleStage):
        raise place.at("stage").error(f"{stage!r} is no stage", f"Write one of {', '.join(RuleStage)}")
    excluded = content.get("exclude_topics")
    concurrency = content.get("concurrency")
    return Rule(
        name=place.rule,
        topics=_topics(place, content),
        exclude_topics=frozenset(
            () if excluded is None else place.at("exclude_topics").texts(excluded, _TOPIC, "topic name")
        ),
        cases=_cases(place, content),
        concurrency=None
        if concurrency is None
        else int(place.at("concurrency").number(concurrency, 1, 10_000, is_whole=True)),
        retry=_retry(place.at("retry"), content["retry"], usual) if "retry" in content else usual,
        stage=RuleStage(stage),
        line=place.line,
    )


def _topics(place: _Place, content: dict[str, Any]) -> tuple[str | Regex, ...]:
    given = [key for key in ("topics", "topic") if key in content]
    if len(given) != 1:
        cause = "both topic and topics are given" if given else "no topics are named"
        raise place.error(cause, "Write topics: a name, a /regular expression/, or a list of them")
    where, value = place.at(given[0]), content[given[0]]
    topics: list[str | Regex] = []
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str) and is_regex(one):
            try:
                topics.append(compile_regex(one))
            except ValueError as error:
                raise where.error(str(error), "Correct the expression") from error
        else:
            topics += where.texts(one, _TOPIC, "topic name")
    if not topics:
        raise where.error("no topics are named", "Name one at least")
    return tuple(topics)


def _cases(place: _Place, content: dict[str, Any]) -> tuple[Case, ...]:
    if "cases" not in content:
        return (_case(place, content),)
    for key in ("match", "match_not", "on"):
        if key in content:
            raise place.at(key).error(
                "beside cases this would not count", "Move it into each case, or leave cases out"
            )
    where, listed = place.at("cases"), content["cases"]
    if not isinstance(listed, list) or not listed:
        raise where.error("this is no list of cases", "Write a list, each with match, match_not or on")
    shared: dict[str, Any] = {key: content[key] for key in _SHARED_KEYS if key in content}
    _case(place, shared)
    return tuple(
        _case(where.at(index), shared | where.at(index).mapping(case, "the case", _CASE_KEYS))
        for index, case in enumerate(listed)
    )


def _case(place: _Place, content: dict[str, Any]) -> Case:
    models = content.get("models")
    return Case(
        match=_match(place.at("match"), content["match"]) if "match" in content else None,
        match_not=_match_not(place.at("match_not"), content["match_not"]) if "match_not" in content else (),
        on=_on(place.at("on"), content["on"]) if "on" in content else (),
        sample=_sample(place.at("sample"), content["sample"]) if "sample" in content else None,
        models=() if models is None else place.at("models").texts(models, _MODEL, "model name"),
        outputs=_outputs(place, content),
        tag_prefix=_tag_prefix(place, content),
    )


def _outputs(place: _Place, content: dict[str, Any]) -> tuple[Target, ...]:
    """Read ``output``: a word, a list of words, or words with streams; and the stream of a single word."""
    value = content.get("output")
    listed = [OutputKind.REVISION_SCORE] if value is None else [value] if isinstance(value, str) else value
    where = place.at("output")
    if not isinstance(listed, list | dict) or not listed:
        raise where.error(f"{value!r} is no output", f"Write some of {', '.join(OutputKind)}")
    for word in listed:
        if word not in tuple(OutputKind):
            raise where.error(f"{word!r} is no output", f"Write some of {', '.join(OutputKind)}")
    named: dict[str, Any] = {word: (where.at(word), None) for word in listed}
    if len(named) < len(listed):
        raise where.error("the list repeats", "Name each output once")
    if isinstance(listed, dict):
        named = {word: (where.at(word), stream) for word, stream in listed.items()}
    if (stream := content.get("output_stream")) is not None:
        if len(named) > 1 or isinstance(listed, dict):
            raise place.at("output_stream").error(
                "beside the streams of outputs it could mean any", "Write each stream after its output"
            )
        named = dict.fromkeys(named, (place.at("output_stream"), stream))
    return tuple(
        Target(OutputKind(word), None if stream is None else at.texts([stream], _TOPIC, "stream name")[0])
        for word, (at, stream) in named.items()
    )


def _tag_prefix(place: _Place, content: dict[str, Any]) -> str | None:
    prefix, models = content.get("tag_prefix"), content.get("models")
    if prefix is None:
        return None
    where = place.at("tag_prefix")
    if models is None or (isinstance(models, list) and len(models) != 1):
        raise where.error("tags of several models would overwrite each other", "Name one model beside it")
    return where.texts([prefix], _PREFIX, "prefix of tags")[0]


def _match(place: _Place, value: Any) -> Fields:
    try:
        return compile_match(value)
    except PatternError as error:
        raise _pattern_error(place, error) from error


def _match_not(place: _Place, value: Any) -> tuple[Fields, ...]:
    try:
        return compile_alternatives(value)
    except PatternError as error:
        raise _pattern_error(place, error) from error


def _pattern_error(place: _Place, error: PatternError) -> SettingsError:
    for key in re.findall(r"\[(\d+)\]|([^.\[\]]+)", error.path):
        place = place.at(int(key[0]) if key[0] else key[1])
    return place.error(str(error), "Correct the pattern")


def _on(place: _Place, value: Any) -> tuple[str, ...]:
    words = place.texts(value, re.compile(r"[a-z_]+\Z"), "word of ORES's")
    for word in words:
        if word not in WORDS:
            raise place.error(f"{word} is no word of ORES's", f"Known are {', '.join(WORDS)}")
    return words


def _sample(place: _Place, value: Any) -> Sample:
    content = place.mapping(value, "the sample", _SAMPLE_KEYS)
    if len(content) < len(_SAMPLE_KEYS):
        raise place.error("a sample needs a rate and a key", "Write sample: {rate: 0.1, key: page.page_id}")
    rate = place.at("rate").number(content["rate"], 0.0001, 1)
    try:
        return Sample(rate, parse_key(str(content["key"])))
    except ValueError as error:
        raise place.at("key").error(str(error), "Name what is hashed") from error


def _retry(place: _Place, value: Any, usual: Retry) -> Retry:
    content = place.mapping(value, "the retry policy", _RETRY_KEYS)
    ignore = content.get("ignore")
    codes = () if ignore is None else place.at("ignore").texts(ignore, re.compile(r"[a-z_]+\Z"), "error code")
    for code in codes:
        if code not in ERROR_CODES:
            raise place.at("ignore").error(
                f"{code} is no error of a revision", f"Known are {', '.join(sorted(ERROR_CODES))}"
            )
    return Retry(
        limit=int(place.at("limit").number(content.get("limit", usual.limit), 0, 100, is_whole=True)),
        delay_seconds=place.at("delay_seconds").number(
            content.get("delay_seconds", usual.delay_seconds), 0, 86_400
        ),
        factor=place.at("factor").number(content.get("factor", usual.factor), 1, 100),
        ignore=frozenset(codes),
    )


def _codes(*kinds: type[RevstreamError]) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for kind in kinds:
        found |= _codes(*kind.__subclasses__()) | ({kind.code} if "code" in vars(kind) else set())
    return found


ERROR_CODES: Final = _codes(ContentError, ModelError, ScoringError)
"""What a rule may ignore: what can be wrong with one revision."""
