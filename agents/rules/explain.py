"""Says in words what the rules make of an event, and why."""

from collections.abc import Iterator

from agents.rules.decide import Plan, Telling
from agents.rules.rule import Case, OutputKind, Verdict


def explain(plan: Plan, *, unscored: str = "", withdrawn: Telling | None = None) -> Iterator[str]:
    """Return a line for each rule, and what all of them come to.

    Args:
        plan: What the rules make of the event.
        unscored: Why it is not scored whatever the rules say; empty where that is not so.
        withdrawn: What is taken back by it; None where nothing is.
    """
    yield from map(explain_verdict, plan.verdicts)
    if unscored:
        yield f"Not scored, whatever the rules say: {unscored}."
    elif not plan.taken_by:
        yield "Not scored: no rule takes it."
    elif not plan.models:
        yield f"Not scored: {plan.wiki_id or 'its wiki'} has none of the models that the rules name."
    else:
        yield f"Scored with {', '.join(plan.models)}."
        for output in plan.outputs:
            yield f"Sent to {output.stream}: {', '.join(output.models)}."
    for output in () if withdrawn is None else withdrawn.outputs:
        yield f"Taken back on {output.stream}: {', '.join(output.models)}."


def explain_verdict(verdict: Verdict) -> str:
    """Return why a rule takes or leaves an event: of each case the first condition that failed."""
    rule, case = verdict.rule, verdict.case
    has_cases = len(rule.cases) > 1
    if case is not None:
        which = f" by case {(verdict.case_index or 0) + 1}" if has_cases else ""
        models = ", ".join(case.models) or "all models of the wiki"
        return f"{rule.name} takes it{which}: {models}{_told(case)}"
    reasons = (
        f"case {index}, {reason}" if has_cases else str(reason)
        for index, reason in enumerate(verdict.reasons, start=1)
    )
    return f"{rule.name} leaves it: {'; '.join(reasons)}"


def _told(case: Case) -> str:
    """Return what a case tells and where, as far as its rule says so."""
    kinds = [target.kind for target in case.outputs]
    said = "" if kinds == [OutputKind.REVISION_SCORE] else " as "
    return said + ",".join(
        (str(target.kind) if said else "") + (f" to {target.stream}" if target.stream else "")
        for target in case.outputs
    )
