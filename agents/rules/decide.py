"""What the rules make of one event: which apply, with which models, to which streams. A pure decision."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from agents.rules.rule import Case, OutputKind, Rule, RuleStage, Verdict
from agents.source_topics import stream_of
from schemas.catalogue import Catalogue, ModelInfo
from schemas.keys import PAGE_CHANGE_TOPIC
from schemas.page_change import PageChangeKind
from schemas.page_prediction import page_prediction_stream
from schemas.prediction import ScoreKind
from schemas.revision_score import STREAM_PREFIX
from schemas.weighted_tags import WEIGHTED_TAGS_STREAM, tag_prefix

_KINDS_OF_EDITS: Final = (PageChangeKind.EDIT, PageChangeKind.CREATE)


class Output(Struct, frozen=True):
    """One output event to send.

    Attributes:
        stream: That it goes to.
        models: Whose scores it tells, by their names in `Plan.models`; of different models always.
        ignore: Codes of failures that are left out.
        kind: What is told.
        tag_prefixes: Of weighted tags: the prefix of each model's, each once.
    """

    stream: str
    models: tuple[str, ...]
    ignore: frozenset[str] = frozenset()
    kind: OutputKind = OutputKind.REVISION_SCORE
    tag_prefixes: tuple[str, ...] = ()


class Telling(Struct, frozen=True):
    """What to send about models.

    Attributes:
        models: By the name that the outputs know them by.
        outputs: Each once.
    """

    models: Mapping[str, ModelInfo]
    outputs: tuple[Output, ...]

    def of_pages(self) -> "Telling":
        """Return what is told of pages: all but the scores of revisions."""
        kept = tuple(each for each in self.outputs if each.kind is not OutputKind.REVISION_SCORE)
        return replace(self, outputs=kept)


class Plan(Struct, frozen=True):
    """What to do about an event.

    Attributes:
        wiki_id: Of the event.
        verdicts: What each rule makes of it, in the order of the file.
        models: What to score with, each once, by its name on the wiki, or ``name@version`` where it is not
            the one that answers there. Empty where no rule takes the event, or its wiki has none of the
            models that are named.
        outputs: What to send, each once.
        event: As JSON gives it.
        topic: As `source_topic` returns it.
    """

    wiki_id: str
    verdicts: tuple[Verdict, ...]
    models: Mapping[str, ModelInfo]
    outputs: tuple[Output, ...]
    event: Any = None
    topic: str = ""

    @property
    def catalogue(self) -> Catalogue:
        """Return the models of the event as a catalogue, by which the kind of the change is decided."""
        return Catalogue({self.wiki_id: self.models} if self.models else {})

    @property
    def taken_by(self) -> tuple[Rule, ...]:
        """Return the rules that take the event."""
        return tuple(verdict.rule for verdict in self.verdicts if verdict.case_index is not None)


def plan(
    event: Any,
    topic: str,
    rules: Sequence[Rule],
    catalogue: Catalogue,
    *,
    wiki_id: str | None = None,
) -> Plan:
    """Decide what the rules make of an event.

    A model is scored with once, however many rules name it, and its score goes to the streams of each.

    Args:
        event: As JSON gives it.
        topic: As `source_topic` returns it.
        rules: In the order of their file.
        catalogue: The models of each wiki.
        wiki_id: Of the event; its ``wiki_id`` or ``database`` if None.
    """
    if wiki_id is None:
        wiki_id = wiki_of(event)
    verdicts = tuple(rule.judge(topic, event) for rule in rules)
    told = _gather(_taken(verdicts), catalogue, wiki_id)
    return Plan(wiki_id, verdicts, told.models, told.outputs, event, topic)


def when_restored(decided: Plan, rules: Sequence[Rule], catalogue: Catalogue) -> Telling:
    """Return what is told of a page where an event shows its predictions again.

    The rules that took its edits seldom take an undeletion. So they are asked about the event as it is, and
    as though it were an edit or a creation.
    """
    forms = [decided.event]
    if isinstance(decided.event, dict):
        forms += [decided.event | {"page_change_kind": kind} for kind in _KINDS_OF_EDITS]
    verdicts = [rule.judge(decided.topic, form) for form in forms for rule in rules]
    return _gather(_taken(verdicts), catalogue, decided.wiki_id).of_pages()


def every_output(rules: Sequence[Rule], catalogue: Catalogue, wiki_id: str) -> Telling:
    """Return all that the rules may ever tell of the pages and revisions of a wiki."""
    return _gather(((rule, case) for rule in rules for case in rule.cases), catalogue, wiki_id)


def source_topic(read_from: str, event: Any) -> str:
    """Return the topic that rules know an event by.

    It is the topic that the event was read from, without the prefix of a data centre. The topic that all
    sources of a worker flow into stands for the stream that the event names.
    """
    topic = stream_of(read_from)
    if topic == PAGE_CHANGE_TOPIC:
        meta = event.get("meta") if isinstance(event, dict) else None
        stream = (meta.get("stream") or meta.get("topic")) if isinstance(meta, dict) else None
        if isinstance(stream, str):
            return stream_of(stream)
    return topic


def wiki_of(event: Any) -> str:
    """Return the wiki that an event names, of either layout; empty where it names none."""
    found = (event.get("wiki_id") or event.get("database")) if isinstance(event, dict) else None
    return found if isinstance(found, str) else ""


def named_streams(rules: Sequence[Rule], catalogue: Catalogue) -> Mapping[str, OutputKind]:
    """Return every stream that the rules may send to, with what it tells, sorted by name."""
    told = (every_output(rules, catalogue, wiki_id) for wiki_id in catalogue.wikis)
    return dict(sorted((output.stream, output.kind) for each in told for output in each.outputs))


def _taken(verdicts: Iterable[Verdict]) -> Iterable[tuple[Rule, Case]]:
    return ((verdict.rule, verdict.case) for verdict in verdicts if verdict.case is not None)


def _gather(cases: Iterable[tuple[Rule, Case]], catalogue: Catalogue, wiki_id: str) -> Telling:
    usual = catalogue.models(wiki_id)
    models: dict[str, ModelInfo] = {}
    outputs: dict[Output, frozenset[str]] = {}
    for rule, case in cases:
        asked = case.models or tuple(usual)
        found = [info for name in asked if (info := catalogue.find(wiki_id, name)) is not None]
        names = [_add(models, info, usual) for info in found]
        for output in _outputs(rule.stage, case, dict(zip(names, found, strict=True))):
            # Of rules that send the same, one that wants to hear of a failure is enough.
            outputs[output] = outputs.get(output, rule.retry.ignore) & rule.retry.ignore
    told = (replace(output, ignore=ignore) for output, ignore in outputs.items())
    return Telling(models, _with_tags_joined(told))


def _add(models: dict[str, ModelInfo], info: ModelInfo, usual: Mapping[str, ModelInfo]) -> str:
    name = info.id.model_name
    if name not in usual or usual[name].id != info.id:
        name = f"{name}@{info.id.model_version}"
    models[name] = info
    return name


def _outputs(stage: RuleStage, case: Case, infos: Mapping[str, ModelInfo]) -> list[Output]:
    """Return what a case tells of some models, by the name that a plan knows each by."""
    prefix = "" if stage is RuleStage.PRODUCTION else f"{stage}."
    found: list[Output] = []
    for target in case.outputs:
        kind, stream = target.kind, target.stream
        if kind is OutputKind.WEIGHTED_TAGS:
            # Whether a thing is so or not is no topic to find pages by.
            tagged = {name: info for name, info in infos.items() if info.kind is not ScoreKind.BINARY}
            prefixes = (case.tag_prefix or tag_prefix(info.id.model_name) for info in tagged.values())
            if tagged:
                place = stream or prefix + WEIGHTED_TAGS_STREAM
                found.append(Output(place, tuple(tagged), kind=kind, tag_prefixes=tuple(prefixes)))
        elif kind is OutputKind.PAGE_PREDICTION:
            found += [
                Output(stream or prefix + page_prediction_stream(info.id.model_name), (name,), kind=kind)
                for name, info in infos.items()
            ]
        elif stream is None:
            found += [
                Output(f"{prefix}{STREAM_PREFIX}{info.id.model_name}", (name,))
                for name, info in infos.items()
            ]
        else:
            found += [Output(stream, models) for models in _shared_events(infos)]
    return found


def _shared_events(infos: Mapping[str, ModelInfo]) -> list[tuple[str, ...]]:
    """Return which models share an event: all, but versions of one model have events of their own."""
    events: list[dict[str, str]] = []
    for name, info in infos.items():
        free = next((event for event in events if info.id.model_name not in event), None)
        if free is None:
            events.append(free := {})
        free[info.id.model_name] = name
    return [tuple(event.values()) for event in events]


def _with_tags_joined(outputs: Iterable[Output]) -> tuple[Output, ...]:
    """Return outputs of which those of tags for one stream are one; of a prefix the first model speaks.

    Of two events of tags at one moment the later takes the place of the earlier.
    """
    joined: dict[tuple[OutputKind, str, tuple[str, ...]], Output] = {}
    for output in outputs:
        if output.kind is not OutputKind.WEIGHTED_TAGS:
            joined[output.kind, output.stream, output.models] = output
            continue
        key = output.kind, output.stream, ()
        speakers: dict[str, str] = {}
        for each in (joined.get(key, output), output):
            for prefix, name in zip(each.tag_prefixes, each.models, strict=True):
                speakers.setdefault(prefix, name)
        joined[key] = replace(output, models=tuple(speakers.values()), tag_prefixes=tuple(speakers))
    return tuple(joined.values())
