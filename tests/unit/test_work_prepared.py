"""What a scoring process reads of a text before its parent is there changes no score."""

from msgspec.structs import replace

from models.store import PACKAGED_MODELS
from models.work import ArtefactWork, load_work
from tests.pool_work import revision

_LINE = "A line of words, with a [[link]] and a {{template|name=value}} and a full stop.\n"
_MODELS = ("enwiki-reverted",)


def _work() -> ArtefactWork:
    work = load_work([PACKAGED_MODELS], _MODELS)
    assert isinstance(work, ArtefactWork)
    return work


def test_scores_and_features_are_the_same_whether_or_not_a_text_was_prepared() -> None:
    prepared, plain = _work(), _work()
    for lines in range(1, 30, 4):
        parent = _LINE * lines + "what goes\n"
        text = _LINE * lines + f"what comes, ''in italics'' {lines}\n" * (lines % 3)
        whole = replace(revision(text, rev_id=lines, parent_text=parent), rev_parent_id=1, page_id=lines)
        prepared.prepare(replace(whole, parent_text=None, rev_parent_id=None), _MODELS)
        assert prepared(whole, _MODELS, True) == plain(whole, _MODELS, True)


def test_what_a_work_has_not_loaded_is_left_out_of_a_preparation() -> None:
    _work().prepare(revision("text"), ("enwiki-unknown",))
