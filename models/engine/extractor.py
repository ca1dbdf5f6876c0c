"""The features of a revision for several models at once."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from models import inputs
from models.engine.dates import dates_rule
from models.engine.document import Document
from models.engine.fallbacks import FALLBACKS
from models.engine.former_nodes import former_nodes_rule
from models.engine.former_rules import FormerRules
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


class _Planned(NamedTuple):
    """How the features of several sets are computed.

    Attributes:
        plan: Of all that they compute, what they have in common once.
        places: Of each set's values among those of the plan.
    """

    plan: Plan
    places: tuple[slice, ...]


class Extractor:
    """Computes features at the cost of what changed in a page.

    One plan is made for each set of models that is asked for, and sets that are equal are computed once. What
    a plan of several sets raises keeps none but those from their values that raise alone, and for these
    revscoring's own solver says what is wrong.

    Args:
        pages: What is remembered between revisions.
    """

    def __init__(self, pages: PageMemory | None = None) -> None:
        self.pages = PageMemory(PAGE_CHARS) if pages is None else pages
        self._plans: dict[tuple[tuple[FeatureSet, ...], inputs.Gaps], _Planned] = {}
        self._equal: dict[Hashable, FeatureSet] = {}
        self._first: dict[FeatureSet, FeatureSet] = {}

    def extract(self, sets: Sequence[FeatureSet], revision: Revision) -> dict[FeatureSet, Outcome]:
        """Compute the features of several models.

        Args:
            sets: Features of each model.
            revision: What to compute them of.

        Returns:
            By set, the values, or the error that says why there are none. Not to be changed: equal sets
            share them.
        """
        outcomes: dict[FeatureSet, Outcome] = {}
        able: list[FeatureSet] = []
        roots: dict[str, Any] = {}
        for features in dict.fromkeys(map(self._first_equal, sets)):
            asked = features.roots_of(revision)
            try:
                # What a revision lacks is told by the names that are asked for: of fewer, nothing else is.
                if not asked <= roots.keys():
                    roots |= inputs.values(revision, asked)
                able.append(features)
            except RevstreamError as error:
                outcomes[features] = error
        if able:
            outcomes |= self._computed(tuple(able), revision, roots)
        return {features: outcomes[self._first_equal(features)] for features in sets}

    def _first_equal(self, features: FeatureSet) -> FeatureSet:
        if features not in self._first:
            self._first[features] = self._equal.setdefault(features.key, features)
        return self._first[features]

    def _computed(
        self, sets: tuple[FeatureSet, ...], revision: Revision, roots: Mapping[str, Any]
    ) -> dict[FeatureSet, Outcome]:
        gaps = inputs.account_gaps(revision)
        planned = self._plan(sets, gaps)
        try:
            values = self._run(planned.plan, revision, roots)
        except Exception:
            FALLBACKS.count("plan")
            if len(sets) == 1:
                return {sets[0]: sets[0].solve(revision)}
            alone = (self._computed((features,), revision, roots) for features in sets)
            return {features: outcome for one in alone for features, outcome in one.items()}
        outcomes: dict[FeatureSet, Outcome] = {}
        plain: dict[int, bool] = {}
        for features, place in zip(sets, planned.places, strict=True):
            raw = values[place]
            at = place.start
            if at not in plain:
                plain[at] = features.is_plain(raw, gaps)
            outcomes[features] = features.checked(raw, revision, is_plain=plain[at])
        return outcomes

    def _run(self, plan: Plan, revision: Revision, roots: Mapping[str, Any]) -> Sequence[Any]:
        page = (revision.wiki_id, revision.page_id, plan)
        kept = self.pages.recall(page)
        text = roots.get(TEXT)
        values, worth_keeping = plan.run(
            roots,
            of_parent=_of(kept, roots.get(PARENT_TEXT)),
            of_text=_of(kept, text),
            of_page=kept[0].values if kept else {},
        )
        if text is not None and worth_keeping:
            for value in worth_keeping.values():
                if isinstance(value, Document):
                    value.is_kept = True
            self.pages.keep(page, text, worth_keeping)
        return values

    def _plan(self, sets: tuple[FeatureSet, ...], gaps: inputs.Gaps) -> _Planned:
        planned = self._plans.get((sets, gaps))
        if planned is None:
            features: list[Any] = []
            places: dict[Hashable, slice] = {}
            for each in sets:
                asked = [bound.feature for bound in each.asked(gaps)]
                if each.asked_key(gaps) not in places:
                    places[each.asked_key(gaps)] = slice(len(features), len(features) + len(asked))
                    features += asked
            plan = Plan(features, rules(features))
            planned = _Planned(plan, tuple(places[each.asked_key(gaps)] for each in sets))
            self._plans[sets, gaps] = planned
        return planned


def rules(features: Sequence[Any]) -> tuple[Rule, ...]:
    """Return all rules, for a plan of some features."""
    common = (wikibase_rule, vectors_rule, CountingRules(), nodes_rule, tokens_rule, dates_rule)
    return (former_nodes_rule, FormerRules(features), *common)


def _of(kept: Sequence[Kept], text: str | None) -> Mapping[Any, Any]:
    if text is None:
        return {}
    return next((each.values for each in kept if each.text == text), {})
