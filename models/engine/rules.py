"""Nodes of revscoring's graph that count lists of a text, taken from the analysis of the text instead.

A rule gives for one node an equal one that costs less, or None. See ``models.engine.plan`` for how they are
applied, and ``models.engine.analysis`` for what these rest on.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from models import resources
from models.engine.analysis import Analysis
from models.engine.chains import SEGMENTS, TEXTS, Chain, chain_of
from models.engine.document import Analysed, Change, Document
from models.engine.functions import of_revscoring
from models.engine.segments import segments
from models.engine.tokens import tokenizer

Rule = Callable[[Any], Any]

_AGGREGATES: Final = "features.meta.aggregators"
_SIGNS: Final = {"positive": 1, "negative": -1}


class CountingRules:
    """The rules of one plan, which collect what its features count.

    Segments, and matches that may reach over lines, are counted apart from all else: the latter in whole
    texts.
    """

    def __init__(self) -> None:
        self.in_blocks = Analysis()
        self.in_whole = Analysis("whole", lambda text: [text])
        self.in_segments = Analysis("segments", segments)

    def __call__(self, node: Any) -> Any:
        """Return an equal node that costs less, or None."""
        return self._aggregate(node) or self._table(node) or self._delta(node) or self._longest_run(node)

    def _aggregate(self, node: Any) -> Any:
        if type(node) is not of_revscoring(_AGGREGATES, "AggregatorsScalar"):
            return None
        below = node.dependencies[0]
        chain = chain_of(below)
        if chain is None:
            return self._figure(node, below) if node.func is sum else None
        analysis = self._analysis_of(chain)
        if node.func is len:
            reader: Any = ReadSum(analysis.length(chain), node.returns)
        elif node.func is sum and chain.gives_lengths:
            reader = ReadSum(analysis.total(chain), node.returns)
        elif node.func is max and chain.gives_lengths:
            reader = ReadMaximum(analysis.greatest(chain), node.returns)
        else:
            return None
        return feature_like(node, reader, document_of(analysis, chain.text))

    def _table(self, node: Any) -> Any:
        chain = _chain_of_table(node)
        if chain is None:
            return None
        analysis = self._analysis_of(chain)
        return source(str(node), ReadTable(analysis.table(chain)), document_of(analysis, chain.text))

    def _delta(self, node: Any) -> Any:
        found = self._change_of(node)
        if found is None:
            return None
        place, is_share, change = found
        reader = ReadProportions(place) if is_share else ReadDelta(place)
        return source(str(node), reader, change)

    def _figure(self, node: Any, below: Any) -> Any:
        """Find the sum of the values of a change, of all or of those of one sign."""
        sign = 0
        filters = "datasources.meta.filters"
        for name, its_sign in _SIGNS.items():
            if type(below) is of_revscoring(filters, name):
                sign, below = its_sign, below.dependencies[0]
                break
        if type(below) is not of_revscoring("datasources.meta.dicts", "values"):
            return None
        found = self._change_of(below.dependencies[0])
        if found is None:
            return None
        place, is_share, change = found
        return feature_like(node, ReadFigure(place, sign, node.returns, is_share=is_share), change)

    def _change_of(self, node: Any) -> tuple[int, bool, Any] | None:
        """Find the table that a node compares between parent and revision.

        Returns:
            Its place, whether the node gives proportions, and the node of the change.
        """
        frequencies = "datasources.meta.frequencies"
        if type(node) is of_revscoring(frequencies, "prop_delta"):
            table, delta = node.dependencies
            found = self._change_of(delta) if type(delta) is of_revscoring(frequencies, "delta") else None
            if found is None or str(delta.dependencies[0]) != str(table):
                return None
            return found[0], True, found[2]
        if type(node) is not of_revscoring(frequencies, "delta"):
            return None
        before, after = (_chain_of_table(table) for table in node.dependencies)
        if before is None or after is None or before.key != after.key:
            return None
        analysis = self._analysis_of(after)
        documents = document_of(analysis, before.text), document_of(analysis, after.text)
        change = source(f"change({documents[0]}, {documents[1]})", compare, *documents)
        return analysis.table(after), False, change

    def _longest_run(self, node: Any) -> Any:
        chars = "features.wikitext.features.chars"
        if getattr(node, "process", None) is not of_revscoring(chars, "_process_longest_repeated_char"):
            return None
        text = node.dependencies[0]
        if str(text) not in TEXTS:
            return None
        reader = ReadRun(self.in_blocks.longest_run(), node.returns)
        return feature_like(node, reader, document_of(self.in_blocks, text))

    def _analysis_of(self, chain: Chain) -> Analysis:
        if chain.base is SEGMENTS:
            return self.in_segments
        reaches_over_lines = not isinstance(chain.base, str) and not chain.base.splits_at_lines
        return self.in_whole if reaches_over_lines else self.in_blocks


def tokens_rule(node: Any) -> Any:
    """Split texts into deltas' tokens at less cost, for whoever reads the list itself."""
    if getattr(node, "process", None) is not of_revscoring(
        "features.wikitext.datasources.tokenized", "_process_tokens"
    ):
        return None
    return source(f"tokens({node.dependencies[0]})", Tokens(), node.dependencies[0])


class Tokens:
    """Splits a text into deltas' tokens. Those who read the list may change it."""

    is_lasting: Final = False

    def __call__(self, text: str | None) -> list[Any]:
        """Return the tokens."""
        split = tokenizer()
        known: dict[str, Any] = {}
        tokens = []
        for value in split.split(text or ""):
            token = known.get(value)
            if token is None:
                token = known[value] = split.token(value)
            tokens.append(token)
        return tokens


class Analyse:
    """Analyses a text; of the text before it in the page, only what changed."""

    takes_before: Final = True

    def __init__(self, analysis: Analysed) -> None:
        self.analysis = analysis

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Analyse) and other.analysis is self.analysis

    def __hash__(self) -> int:
        return id(self.analysis)

    def __call__(self, text: str | None, before: Document | None = None) -> Document:
        """Return the analysis of a text."""
        return Document(self.analysis, text, before)


def compare(before: Document, after: Document) -> Change:
    """Return what changed between two texts."""
    return after.change_from(before)


class ReadSum:
    """Reads a sum of a document, as the type of its feature."""

    def __init__(self, place: int, returns: Any) -> None:
        self._place = place
        self._returns = returns

    def __call__(self, document: Document) -> Any:
        """Return the sum."""
        return self._returns(document.sums[self._place])


class ReadMaximum:
    """Reads a maximum of a document, as the type of its feature."""

    def __init__(self, place: int, returns: Any) -> None:
        self._place = place
        self._returns = returns

    def __call__(self, document: Document) -> Any:
        """Return the maximum."""
        return self._returns(document.maxima[self._place])


class ReadRun(ReadMaximum):
    """Reads the length of the longest run; an empty text counts as one of 1."""

    def __call__(self, document: Document) -> Any:
        """Return the length."""
        return document.maxima[self._place] or 1


class ReadTable:
    """Reads a table of a document."""

    def __init__(self, place: int) -> None:
        self._place = place

    def __call__(self, document: Document) -> dict[str, int]:
        """Return the table, in the order of the text."""
        return document.table(self._place)


class ReadDelta:
    """Reads by how much the counts of a table changed."""

    def __init__(self, place: int) -> None:
        self._place = place

    def __call__(self, change: Change) -> dict[str, int]:
        """Return the differences, in revscoring's order."""
        return change.delta(self._place)


class ReadProportions(ReadDelta):
    """Reads by which part of what was there the counts of a table changed."""

    def __call__(self, change: Change) -> Any:
        """Return the proportions, in revscoring's order."""
        return change.proportions(self._place)


class ReadFigure:
    """Reads the sum of what changed in a table.

    Args:
        place: Of the table.
        sign: 0 for all, 1 for what became more, -1 for what became less.
        returns: The type of the feature.
        is_share: Whether proportions are added up.
    """

    def __init__(self, place: int, sign: int, returns: Any, *, is_share: bool) -> None:
        self._place = place
        self._figure = (sign if sign >= 0 else 2) + (3 if is_share else 0)
        self._returns = returns

    def __call__(self, change: Change) -> Any:
        """Return the sum."""
        figures = change.figures()
        return self._returns(figures[self._place][self._figure] if figures else 0)

    def together(self, readers: Sequence["ReadFigure"]) -> Callable[[Change], Sequence[Any]]:
        """Return what reads several of them, see ``models.engine.program``."""
        asked = [(each._place, each._figure, each._returns) for each in readers]
        unchanged = [returns(0) for _, _, returns in asked]

        def read(change: Change) -> Sequence[Any]:
            figures = change.figures()
            return [returns(figures[place][at]) for place, at, returns in asked] if figures else unchanged

        return read


def document_of(analysis: Analysed, text: Any) -> Any:
    """Return the node of a text's analysis."""
    return source(f"{analysis.unit}({text})", Analyse(analysis), text)


def _chain_of_table(node: Any) -> Chain | None:
    if type(node) is not of_revscoring("datasources.meta.frequencies", "table"):
        return None
    return chain_of(node.dependencies[0])


def source(name: str, process: Any, *below: Any) -> Any:
    """Return a datasource of ours over some nodes."""
    return resources.module("datasources").Datasource(f"revstream.{name}", process, depends_on=list(below))


def feature_like(node: Any, process: Any, below: Any) -> Any:
    """Return a feature that prints like another, and gives values of the same type."""
    return resources.module("features.feature").Feature(
        f"revstream.{node.name}", process, returns=node.returns, depends_on=[below]
    )
