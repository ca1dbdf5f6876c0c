"""What the rules make of one event: which apply, with which models, to which streams. A pure decision."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from agents.rules.rule import Rule, RuleStage, Verdict
from schemas.catalogue import Catalogue, ModelInfo
from schemas.keys import PAGE_CHANGE_TOPIC
from schemas.revision_score import STREAM_PREFIX

_DATACENTRE: Final = re.compile(r"\A(?:eqiad|codfw)\.")


class Output(Struct, frozen=True):
    """One output event to send.

    Attributes:
        stream: That it goes to.
        models: Whose scores it tells, by their names in `Plan.models`; of different models always.
        ignore: Codes of failures that are left out.
    """

    stream: str
    models: tuple[str, ...]
    ignore: frozenset[str] = frozenset()


class Plan(Struct, frozen=True):
    """What to do about an event.

    Attributes:
        wiki_id: Of the event.
        verdicts: What each rule makes of it, in the order of the file.
        models: What to score with, each once, by its name on the wiki, or ``name@version`` where it is not
            the one that answers there. Empty where no rule takes the event, or its wiki has none of the
            models that are named.
        outputs: What to send, each once.
    """

    wiki_id: str
    verdicts: tuple[Verdict, ...]
    models: Mapping[str, ModelInfo]
    outputs: tuple[Output, ...]

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
    usual = catalogue.models(wiki_id)
    verdicts = tuple(rule.judge(topic, event) for rule in rules)
    models: dict[str, ModelInfo] = {}
    outputs: dict[Output, frozenset[str]] = {}
    for verdict in verdicts:
        case = verdict.case
        if case is None:
            continue
        asked = case.models or tuple(usual)
        found = [info for name in asked if (info := catalogue.find(wiki_id, name)) is not None]
        names = [_add(models, info, usual) for info in found]
        for output in _outputs(verdict.rule.stage, case.output_stream, dict(zip(names, found, strict=True))):
            # Of rules that send the same, one that wants to hear of a failure is enough.
            outputs[output] = outputs.get(output, verdict.rule.retry.ignore) & verdict.rule.retry.ignore
    told = tuple(replace(output, ignore=ignore) for output, ignore in outputs.items())
    return Plan(wiki_id, verdicts, models, told)


def source_topic(read_from: str, event: Any) -> str:
    """Return the topic that rules know an event by.

    It is the topic that the event was read from, without the prefix of a data centre. The topic that all
    sources of a worker flow into stands for the stream that the event names.
    """
    topic = _DATACENTRE.sub("", read_from)
    if topic == PAGE_CHANGE_TOPIC:
        meta = event.get("meta") if isinstance(event, dict) else None
        stream = (meta.get("stream") or meta.get("topic")) if isinstance(meta, dict) else None
        if isinstance(stream, str):
            return _DATACENTRE.sub("", stream)
    return topic


def wiki_of(event: Any) -> str:
    """Return the wiki that an event names, of either layout; empty where it names none."""
    found = (event.get("wiki_id") or event.get("database")) if isinstance(event, dict) else None
    return found if isinstance(found, str) else ""


def named_streams(rules: Sequence[Rule], catalogue: Catalogue) -> frozenset[str]:
    """Return every stream that the rules may send to."""
    streams = set()
    for rule in rules:
        for case in rule.cases:
            for wiki_id in catalogue.wikis:
                asked = case.models or tuple(catalogue.models(wiki_id))
                found = {name: info for name in asked if (info := catalogue.find(wiki_id, name)) is not None}
                streams |= {output.stream for output in _outputs(rule.stage, case.output_stream, found)}
    return frozenset(streams)


def _add(models: dict[str, ModelInfo], info: ModelInfo, usual: Mapping[str, ModelInfo]) -> str:
    name = info.id.model_name
    if name not in usual or usual[name].id != info.id:
        name = f"{name}@{info.id.model_version}"
    models[name] = info
    return name


def _outputs(stage: RuleStage, stream: str | None, infos: Mapping[str, ModelInfo]) -> list[Output]:
    """Return one event for all models where the rule names a stream, and otherwise one for each.

    Versions of one model cannot share an event: further ones have their own.
    """
    if stream is None:
        prefix = "" if stage is RuleStage.PRODUCTION else f"{stage}."
        return [
            Output(f"{prefix}{STREAM_PREFIX}{info.id.model_name}", (name,)) for name, info in infos.items()
        ]
    events: list[dict[str, str]] = []
    for name, info in infos.items():
        free = next((event for event in events if info.id.model_name not in event), None)
        if free is None:
            events.append(free := {})
        free[info.id.model_name] = name
    return [Output(stream, tuple(event.values())) for event in events]
