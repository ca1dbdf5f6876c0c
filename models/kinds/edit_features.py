"""The contract "edit": what an edit changed and who made it, without knowledge of the wiki's language.

Counts are of what one side has more than the other, as bags: a word that moved did not change, and one that
was altered is both removed and added.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.inputs import Gaps, account_gaps, has_account
from models.kinds.wikitext_outline import Outline, outline
from models.manifest import FeatureSpec
from models.scoring import FeatureCache
from schemas.errors import ModelIncompatible, ParentNotFound, RevisionDeleted
from schemas.prediction import FeatureValue
from schemas.revision import Revision, RevisionUser

TRUSTED_GROUPS: Final = frozenset(
    {
        "autopatrolled",
        "autoreview",
        "autoreviewer",
        "bureaucrat",
        "editor",
        "extendedconfirmed",
        "interface-admin",
        "ipblock-exempt",
        "patroller",
        "reviewer",
        "rollbacker",
        "suppressredirect",
        "sysop",
        "templateeditor",
        "trusted",
        "uploader",
    }
)
"""Groups that an account is given by others, or earns by long work."""

TEMPORARY_ACCOUNT: Final = re.compile(r"~\d{4}-")
"""How names of temporary accounts begin, which stand for people without an account."""

_SECTION: Final = re.compile(r"/\*.*?\*/\s*")
# Scripts without blanks give one word per character; in all others a word ends at blanks, signs and marks.
_ALONE: Final = (
    "\u0e00-\u0edf\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_WORD: Final = re.compile(
    rf"[{_ALONE}]"
    rf"|[^\s\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\xbf\xd7\xf7\u2000-\u206f\u2e00-\u303f\uff00-\uff0f{_ALONE}]+"
)
_RUN: Final = re.compile(r"(.)\1*", re.DOTALL)


class Edit(Struct, frozen=True):
    """What the features of an edit are computed from.

    Attributes:
        user: The editor.
        comment: The edit summary.
        bytes_difference: By how much the text grew, in UTF-8.
        words_added: With how often each was added.
        words_removed: Likewise.
        elements_added: How many of each kind of element were added.
        elements_removed: Likewise.
    """

    user: RevisionUser
    comment: str
    bytes_difference: int
    words_added: Counter[str]
    words_removed: Counter[str]
    elements_added: Counter[str]
    elements_removed: Counter[str]


class _Feature(Struct, frozen=True):
    returns: str
    compute: Callable[[Edit], FeatureValue]
    is_of_account: bool = False
    """It reads groups."""


class EditFeatures:
    """Features of this contract for one model.

    Args:
        specs: Those that the model reads.

    Raises:
        ModelIncompatible: One is not of this contract, or returns something else.
    """

    def __init__(self, specs: tuple[FeatureSpec, ...]) -> None:
        for spec in specs:
            feature = FEATURES.get(spec.name)
            if feature is None or feature.returns != spec.returns:
                raise ModelIncompatible(
                    f"the model reads the feature {spec.name!r} as {spec.returns}, which the contract "
                    f'"edit" does not have; its features are {", ".join(FEATURES)}',
                    feature=spec.name,
                )
        self._specs = specs

    @property
    def is_planned(self) -> bool:
        """False: they are their own way to compute them."""
        return False

    @property
    def columns(self) -> int:
        """Number of values in a row."""
        return len(self._specs)

    def compute(self, revision: Revision, cache: FeatureCache) -> dict[str, FeatureValue]:
        """Compute the features of one revision, in the order of the model's input, by name.

        Raises:
            RevisionDeleted: The editor is hidden.
            ParentNotFound: The revision has no parent, or it came without the parent's text.
        """
        edit = cache.values.get(Edit)
        if edit is None:
            edit = cache.values[Edit] = edit_of(revision)
        lacks_groups = bool(account_gaps(revision) & Gaps.GROUPS)
        return {
            spec.name: spec.unknown_user_value
            if lacks_groups and FEATURES[spec.name].is_of_account and spec.unknown_user_value is not None
            else FEATURES[spec.name].compute(edit)
            for spec in self._specs
        }

    def missing(self, revision: Revision) -> tuple[str, ...]:
        """Return the names of the features that read what is not known of the editor's account."""
        if not account_gaps(revision) & Gaps.GROUPS:
            return ()
        return tuple(spec.name for spec in self._specs if FEATURES[spec.name].is_of_account)

    def row(self, values: dict[str, FeatureValue]) -> NDArray[np.float64]:
        """Return what was computed as float64[1, columns]; booleans are 0 and 1."""
        return np.array([[float(value) for value in values.values()]], dtype=np.float64)

    def by_name(self, values: dict[str, FeatureValue]) -> dict[str, FeatureValue]:
        """Return what was computed by name, as it is."""
        return values


def edit_of(revision: Revision) -> Edit:
    """Compare a revision with its parent.

    Raises:
        RevisionDeleted: The editor is hidden.
        ParentNotFound: The revision has no parent, or it came without the parent's text.
    """
    subject = f"revision {revision.rev_id} of {revision.wiki_id}"
    ids: dict[str, str | int] = {"wiki_id": revision.wiki_id, "rev_id": revision.rev_id}
    if revision.user is None:
        raise RevisionDeleted(
            f"the editor of {subject} is hidden, and the model reads who edited; it cannot be scored", **ids
        )
    if revision.parent_text is None:
        lack = (
            "is the first of its page"
            if revision.rev_parent_id is None
            else f"came without the text of its parent {revision.rev_parent_id}"
        )
        raise ParentNotFound(
            f"{subject} {lack}, and the model reads what changed; it cannot be scored", **ids
        )
    before, after = outline(revision.parent_text), outline(revision.text)
    words_added, words_removed = words_changed(before.prose, after.prose)
    return Edit(
        user=revision.user,
        comment=revision.comment,
        bytes_difference=_bytes(revision.text) - _bytes(revision.parent_text),
        words_added=words_added,
        words_removed=words_removed,
        elements_added=_kinds(after, before),
        elements_removed=_kinds(before, after),
    )


def words_changed(before: str, after: str) -> tuple[Counter[str], Counter[str]]:
    """Return the words that were added and removed, with how often each.

    Args:
        before: Prose, or pieces of prose that changed, one a line.
        after: Likewise.
    """
    # Lines that stayed cancel out anyway; leaving them out first is what makes a small edit cheap.
    old, new = Counter(before.split("\n")), Counter(after.split("\n"))
    removed, added = _words(old - new), _words(new - old)
    return added - removed, removed - added


def is_anonymous(user: RevisionUser) -> bool:
    """Tell whether an editor has no account of their own: an address, or a temporary account."""
    return not has_account(user) or TEMPORARY_ACCOUNT.match(user.user_text) is not None


def _words(lines: Counter[str]) -> Counter[str]:
    words: Counter[str] = Counter()
    for line, times in lines.items():
        for word in _WORD.findall(line):
            words[word] += times
    return words


def _kinds(one: Outline, other: Outline) -> Counter[str]:
    kinds: Counter[str] = Counter()
    for (kind, _), times in (one.elements - other.elements).items():
        kinds[kind] += times
    return kinds


def _bytes(text: str) -> int:
    # A lone surrogate has no UTF-8 form; it counts as the three bytes that its like takes.
    return len(text.encode("utf-8", "surrogatepass"))


def _summary(comment: str) -> str:
    return _SECTION.sub("", comment, count=1).strip()


def _longest_run(edit: Edit) -> int:
    return max((len(run.group()) for word in edit.words_added for run in _RUN.finditer(word)), default=0)


def _share(edit: Edit, is_counted: Callable[[str], bool]) -> float:
    characters = counted = 0
    for word, times in edit.words_added.items():
        characters += times * len(word)
        counted += times * sum(map(is_counted, word))
    return counted / (characters + 1)


def _repeated_share(edit: Edit) -> float:
    total = edit.words_added.total()
    return 1 - len(edit.words_added) / total if total else 0.0


def _element(kind: str) -> dict[str, _Feature]:
    return {
        f"edit.{kind}s_added": _Feature("int", lambda edit: edit.elements_added[kind]),
        f"edit.{kind}s_removed": _Feature("int", lambda edit: edit.elements_removed[kind]),
    }


FEATURES: Final[Mapping[str, _Feature]] = {
    "edit.user.is_anonymous": _Feature("bool", lambda edit: is_anonymous(edit.user)),
    "edit.user.is_trusted": _Feature(
        "bool", lambda edit: not TRUSTED_GROUPS.isdisjoint(edit.user.groups), is_of_account=True
    ),
    "edit.comment.names_section": _Feature("bool", lambda edit: _SECTION.match(edit.comment) is not None),
    "edit.comment.characters": _Feature("int", lambda edit: len(_summary(edit.comment))),
    "edit.comment.has_link": _Feature("bool", lambda edit: "[[" in edit.comment),
    "edit.bytes_added": _Feature("int", lambda edit: max(0, edit.bytes_difference)),
    "edit.bytes_removed": _Feature("int", lambda edit: max(0, -edit.bytes_difference)),
    "edit.words_added": _Feature("int", lambda edit: edit.words_added.total()),
    "edit.words_removed": _Feature("int", lambda edit: edit.words_removed.total()),
    "edit.words_added.capital_share": _Feature("float", lambda edit: _share(edit, str.isupper)),
    "edit.words_added.digit_share": _Feature("float", lambda edit: _share(edit, str.isdigit)),
    "edit.words_added.repeated_share": _Feature("float", _repeated_share),
    "edit.words_added.longest": _Feature("int", lambda edit: max(map(len, edit.words_added), default=0)),
    "edit.words_added.longest_run": _Feature("int", _longest_run),
    **_element("link"),
    **_element("reference"),
    **_element("external_link"),
    **_element("template"),
    **_element("media"),
    **_element("heading"),
    **_element("table"),
}
"""Feature by name, in the order of documentation."""
