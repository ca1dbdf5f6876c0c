"""Two models over whole histories, and over single revisions as a service meets them."""

import json
import statistics
import time
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from models.scoring import score_revision
from schemas.revision import Revision
from tests.bench.engine_models import ReferenceModel
from tests.bench.engine_ways import Answer, Tally, in_chunks, ms, naive, ours, warm
from tests.histories import edited

Models = Sequence[ReferenceModel]


def backfill(models: Models, revisions: Sequence[Revision], *, sample: int, rounds: int) -> dict[str, Any]:
    """Score a history in dump order; the naive ways score a sample of it, a part in each round.

    Each round begins with nothing remembered but the plan, words included. The sample is every so manieth
    revision in the order of what they cost us, so that the first ones of pages weigh in it as they do in the
    whole. Ratios are of the same revisions.

    Args:
        models: Two.
        revisions: All of them, in memory: nobody's reading is counted.
        sample: How many the naive ways score in all.
        rounds: How many times we score all.
    """
    tally = Tally()
    names = [model.names for model in models]
    everything = frozenset(range(len(revisions)))
    places: list[int] = []
    of_all: list[float] = []
    found: list[dict[int, Answer]] = []
    n1: dict[int, Answer] = {}
    n2: dict[int, Answer] = {}
    for number in range(rounds):
        extractor = warm(models, _short(revisions[0]))
        answers, spent, count = in_chunks(models, revisions, extractor, frozenset(places) or everything)
        if not places:
            step = max(1, count // sample)
            by_cost = sorted((answer.seconds, place) for place, answer in answers.items())
            places = [place for _, place in by_cost[step // 2 :: step]]
        found.append({place: answers[place] for place in places})
        of_all.append(spent / count)
        for place in places[number::rounds]:
            n1[place] = naive(models, revisions[place], is_shared=False)
            n2[place] = naive(models, revisions[place], is_shared=True)
    for place in places:
        for answers in found:
            tally.compare(answers[place], n1[place], names)
    our = statistics.mean(statistics.median(each[place].seconds for each in found) for place in places)
    return {
        "revisions": len(revisions),
        "revisions_sampled": len(places),
        "mean_chars": round(statistics.mean(len(revision.text) for revision in revisions)),
        "rounds": rounds,
        **_compared({"ours": [our], "n1": [_mean(n1.values())], "n2": [_mean(n2.values())]}, "ours"),
        "ours_cpu_ms_of_all": ms(of_all),
        "revisions_per_cpu_second": round(1 / statistics.median(of_all)),
        **tally.figures(),
    }


def online(models: Models, page: str, *, edits: int, rounds: int) -> dict[str, Any]:
    """Score single edits of a page: never seen before, and right after its parent.

    The vocabulary is warm: another page of the same words was scored before.

    Args:
        models: Two.
        page: Text of the parent of the first edit.
        edits: How many are scored.
        rounds: How often each is scored by us; the naive ways score each once.
    """
    tally = Tally()
    names = [model.names for model in models]
    revisions = list(edited([page], edits=edits))[1:]
    seconds: dict[str, list[float]] = {"unknown": [], "known": [], "n1": [], "n2": []}
    stateless = warm(models, replace(revisions[0], page_id=7), page_chars=0)
    stateful = warm(models, replace(revisions[0], page_id=7), page_chars=10 * len(page) + 1_000)
    for revision in revisions:
        theirs = naive(models, revision, is_shared=False)
        seconds["n1"].append(theirs.seconds)
        seconds["n2"].append(naive(models, revision, is_shared=True).seconds)
        unknown, known = [], []
        for number in range(rounds):
            page_id = revision.rev_id * 10 + number
            answer = ours(models, replace(revision, page_id=page_id), stateless)
            unknown.append(answer.seconds)
            tally.compare(answer, theirs, names)
            ours(models, _parent(revision, page_id), stateful)
            answer = ours(models, replace(revision, page_id=page_id), stateful)
            known.append(answer.seconds)
            tally.compare(answer, theirs, names)
        seconds["unknown"].append(statistics.median(unknown))
        seconds["known"].append(statistics.median(known))
    return {
        "chars": len(page),
        "edits": len(revisions),
        "never_seen": _compared(seconds, "unknown"),
        "parent_held": _compared(seconds, "known"),
        **tally.figures(),
    }


def service(models: Models, revisions: Sequence[Revision]) -> dict[str, Any]:
    """Score per request as model servers do: a request for each model, nothing kept between requests.

    This stands in for KServe with revscoring behind it: texts come in the body of the request as JSON, the
    answer is written as JSON, and what a server adds around that is left out. Ours gets one request for
    both models and keeps what a scoring process keeps.
    """
    requests = [
        json.dumps({"place": place, "text": each.text, "parent_text": each.parent_text}).encode()
        for place, each in enumerate(revisions)
    ]
    extractor = warm(models, _short(revisions[0]))
    scorers = [model.scorer for model in models]
    per_request, our_seconds = [], []
    for request in requests:
        began = time.process_time()
        for model in models:
            revision = _asked(request, revisions)
            values = model.solve(model.cache(revision))
            json.dumps({"probability": model.probabilities(values)})
        between = time.process_time()
        told = score_revision(scorers, _asked(request, revisions), extractor)
        json.dumps([str(each.outcome) for each in told])
        per_request.append(between - began)
        our_seconds.append(time.process_time() - between)
    return {
        "is_stand_in_for_kserve": True,
        "revisions": len(revisions),
        "per_request_cpu_ms": round(statistics.mean(per_request) * 1e3, 3),
        "ours_cpu_ms": round(statistics.mean(our_seconds) * 1e3, 3),
        "times_faster": round(sum(per_request) / sum(our_seconds), 2),
    }


def prediction(models: Models, revision: Revision, rounds: int) -> dict[str, Any]:
    """Predict from one row of features, scaling included, beside revscoring's ``Model.score``."""
    tally = Tally()
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for model in models:
        values = model.solve(model.cache(revision))
        row = model.features.row(values)
        for _ in range(rounds):
            began = time.process_time()
            for _ in range(20):
                told = model.scorer.answers(row)
            between = time.process_time()
            expected = model.probabilities(values)
            seconds["theirs"].append(time.process_time() - between)
            seconds["ours"].append((between - began) / 20)
            by_label = dict(zip(model.scorer.info.labels, told.probabilities[0].tolist(), strict=True))
            tally.compare(Answer([], [by_label], 0), Answer([], [expected], 0), [])
    ratio = statistics.median(seconds["theirs"]) / statistics.median(seconds["ours"])
    return {
        "ours_cpu_ms": ms(seconds["ours"]),
        "model_score_cpu_ms": ms(seconds["theirs"]),
        "times_faster": round(ratio, 2),
        **tally.figures(),
    }


def _compared(seconds: dict[str, list[float]], which: str) -> dict[str, Any]:
    found = seconds[which]
    ratios = {
        way: statistics.median(theirs / our for theirs, our in zip(seconds[way], found, strict=True))
        for way in ("n1", "n2")
    }
    return {
        "ours_cpu_ms": ms(found),
        "n1_cpu_ms": ms(seconds["n1"]),
        "n2_cpu_ms": ms(seconds["n2"]),
        "times_n1": round(ratios["n1"], 2),
        "times_n2": round(ratios["n2"], 2),
    }


def _mean(answers: Iterable[Answer]) -> float:
    return statistics.mean(answer.seconds for answer in answers)


def _short(revision: Revision) -> Revision:
    return replace(revision, page_id=1 << 40, text="A word.", parent_text="A word", rev_parent_id=1)


def _parent(revision: Revision, page_id: int) -> Revision:
    assert revision.parent_text is not None
    return replace(
        revision,
        page_id=page_id,
        rev_id=revision.rev_id - 1,
        text=revision.parent_text,
        rev_parent_id=None,
        parent_text=None,
        parent_dt=None,
    )


def _asked(request: bytes, revisions: Sequence[Revision]) -> Revision:
    body = json.loads(request)
    revision: Revision = revisions[body["place"]]
    return replace(revision, text=body["text"], parent_text=body["parent_text"])
