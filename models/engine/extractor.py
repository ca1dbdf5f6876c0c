"""The features of a revision for several models at once."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from models import inputs
from models.engine.document import Document
from models.engine.fallbacks import FALLBACKS
from models.engine.nodes import nodes_rule
from models.engine.pages import Kept, PageMemory
from models.engine.plan import PARENT_TEXT, TEXT, Plan
from models.engine.rules import CountingRules, Rule, tokens_rule
from models.engine.vectors import vectors_rule
from models.engine.wikibase import wikibase_rule
from models.features.feature_set import FeatureSet, Outcome
from schemas.errors import RevstreamError
from schemas.revision import Revision

PAGE_CHARS: Final = 4_000_000
"""How many characters of pages a process remembers unless told otherwise."""


class Extractor:
    """Computes features at the cost of what changed in a page.

    One plan is made for each set of models that is asked for. Whatever a plan raises, the revision's
    features are computed anew by revscoring's own solver, which says what is wrong with which of them.

    Args:
        pages: What is remembered between revisions.
    """

    def __init__(self, pages: PageMemory | None = None) -> None:
        self.pages = PageMemory(PAGE_CHARS) if pages is None else pages
        self._plans: dict[tuple[tuple[FeatureSet, ...], bool], Plan] = {}

    def extract(self, sets: Sequence[FeatureSet], revision: Revision) -> dict[FeatureSet, Outcome]:
        """Compute the features of several models.

        Args:
            sets: Features of each model.
            revision: What to compute them of.

        Returns:
            By set, the values, or the error that says why there are none.
        """
        outcomes: dict[FeatureSet, Outcome] = {}
        able: list[FeatureSet] = []
        roots: dict[str, Any] = {}
        for features in dict.fromkeys(sets):
            try:
                roots |= inputs.values(revision, features.roots_of(revision))
                able.append(features)
            except RevstreamError as error:
                outcomes[features] = error
        if able:
            outcomes |= self._run(tuple(able), revision, roots)
        return outcomes

    def _run(
        self, sets: tuple[FeatureSet, ...], revision: Revision, roots: Mapping[str, Any]
    ) -> dict[FeatureSet, Outcome]:
        plan = self._plan(sets, revision)
        page = (revision.wiki_id, revision.page_id, plan)
        kept = self.pages.recall(page)
        try:
            values, worth_keeping = plan.run(
                roots,
                of_parent=_of(kept, roots.get(PARENT_TEXT)),
                of_text=_of(kept, roots.get(TEXT)),
                of_page=kept[0].values if kept else {},
            )
        except Exception:
            FALLBACKS.count("plan")
            return {features: features.solve(revision) for features in sets}
        text = roots.get(TEXT)
        if text is not None and worth_keeping:
            for value in worth_keeping.values():
                if isinstance(value, Document):
                    value.is_kept = True
            self.pages.keep(page, text, worth_keeping)
        outcomes: dict[FeatureSet, Outcome] = {}
        place = 0
        for features in sets:
            count = len(features.computed_of(revision))
            outcomes[features] = features.checked(values[place : place + count], revision)
            place += count
        return outcomes

    def _plan(self, sets: tuple[FeatureSet, ...], revision: Revision) -> Plan:
        key = (sets, inputs.is_account_unknown(revision))
        plan = self._plans.get(key)
        if plan is None:
            features = [bound.feature for each in sets for bound in each.computed_of(revision)]
            plan = self._plans[key] = Plan(features, rules())
        return plan


def rules() -> tuple[Rule, ...]:
    """Return all rules, for one plan."""
    return (wikibase_rule, vectors_rule, CountingRules(), nodes_rule, tokens_rule)


def _of(kept: Sequence[Kept], text: str | None) -> Mapping[Any, Any]:
    if text is None:
        return {}
    return next((each.values for each in kept if each.text == text), {})
