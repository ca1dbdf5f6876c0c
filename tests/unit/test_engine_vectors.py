"""Means of word vectors from counts of words, against revscoring's own over a list of vectors."""

import bz2
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models import resources, vectors
from models.engine.fallbacks import FALLBACKS
from models.engine.plan import Plan
from models.engine.rules import CountingRules
from models.engine.vectors import mean_of, vectors_rule

FILE = "enwiki-20200501-learned_vectors.50_cell.10k.kv"
SIZE = 50
TINY = np.float32(1e-45)
LARGEST = np.finfo(np.float32).max
NASTY = (
    [[0.0], [-0.0]],
    [[1e-45], [-1e-45]],
    [[1e-45], [1.0], [3.4e38]],
    [[3.4028235e38]] * 3,
    [[-3.4028235e38], [3.4028235e38], [1e-45]],
    [[1.1754944e-38], [1e-40]],
    [[0.1], [0.2], [0.3]],
    [[1 / 3], [-1 / 3 + 1e-8]],
    [[1e-7, 3.0], [5e-9, 1e9], [2.5e-8, -1e9]],
    [[16777217.0], [0.5], [2**-27]],
)


def plainly(found: NDArray[np.float32]) -> Any:
    """Return what revscoring makes of a list of vectors."""
    datasource = resources.module("datasources").Datasource("found")
    mean = resources.module("features.meta.aggregators").mean(datasource, vector=True)
    return mean.process(found)


def times_of(found: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.arange(1, len(found) + 1, dtype=np.float64)


def bits(values: Any) -> list[str]:
    return [float(value).hex() for value in values]


@pytest.mark.parametrize("rows", NASTY, ids=str)
def test_a_mean_is_rounded_once_as_revscoring_rounds_it(rows: list[list[float]]) -> None:
    found = np.array(rows, dtype=np.float32)
    times = times_of(found)
    mean = mean_of(found, times)
    assert mean is not None
    assert all(type(value) is float for value in mean)
    assert bits(mean) == bits(plainly(np.repeat(found, times.astype(int), axis=0)))


def test_means_over_every_size_of_value_are_the_same() -> None:
    random = np.random.default_rng(5)
    for _ in range(20):
        found = random.integers(0, 2**32, (30, 6), dtype=np.uint32).view(np.float32)
        found = np.where(np.isfinite(found), found, np.float32(1))
        times = random.integers(1, 5, 30).astype(np.float64)
        mean = mean_of(found, times)
        assert mean is not None
        assert bits(mean) == bits(plainly(np.repeat(found, times.astype(int), axis=0)))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_value_that_is_not_finite_is_left_to_revscoring(value: float) -> None:
    assert mean_of(np.array([[1.0, value]], dtype=np.float32), np.ones(1)) is None


def words() -> list[str]:
    """Return some 3,000 words, those of an English text among them."""
    known = ["the", "of", "and", "a", "to", "in", "is", "was", "he", "for", "it", "with", "as"]
    return known + [f"w{number}" for number in range(3000)]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    vectors.look_in([tmp_path])
    yield tmp_path
    vectors.look_in(vectors.FOLDERS)


def convert(folder: Path, values: NDArray[np.float32], names: list[str]) -> None:
    rows = (name.encode() + b" " + row.tobytes() for name, row in zip(names, values, strict=True))
    (folder / "v.bin").write_bytes(f"{len(names)} {values.shape[1]}\n".encode() + b"".join(rows))
    made = vectors.convert_vectors(folder / "v.bin", folder)
    made.rename(folder / f"{FILE}{vectors.ENDING}")
    vectors.look_in([folder, folder])
    vectors.look_in([folder])


def topic_features(process: Any = None) -> list[Any]:
    """Return what the feature list of enwiki's topic models holds of vectors."""
    wikitext = resources.module("features.wikitext")
    lower = resources.module("datasources.meta.mappers").lower_case(wikitext.revision.datasources.words)
    looked_up = resources.module("datasources").Datasource(
        "revision.text.en_vectors", process or vectors.vectorizer("enwiki"), depends_on=[lower]
    )
    mean = resources.module("features.meta.aggregators").mean
    return [mean(looked_up, vector=True, name="revision.text.en_vectors_mean")]


def naively(features: list[Any], text: str) -> Any:
    datasource = resources.module("datasources").Datasource
    cache = {datasource("revision.text"): text}
    return next(iter(resources.module("dependencies").solve(features, cache=cache)))


def plans(features: list[Any]) -> list[Plan]:
    return [Plan(features, [vectors_rule]), Plan(features, [vectors_rule, CountingRules()])]


TEXTS = (
    "",
    "nothing known",
    "The the THE İ of OF w1 w1 w2999 [[w5|w6]] {{w7}}",
    "w1 " * 5000,
    "日本語 of العربية عربي ǅ and ß ẞ",
    "\ud800 the \x00 of",
)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: str(len(text)))
def test_a_text_has_the_mean_that_revscoring_gives(folder: Path, text: str) -> None:
    names = words()
    convert(folder, np.random.default_rng(1).standard_normal((len(names), SIZE), dtype=np.float32), names)
    features = topic_features()
    expected = naively(features, text)
    for plan in plans(features):
        got = plan.run({"datasource.revision.text": text})[0][0]
        assert bits(got) == bits(expected)
        assert len(got) == SIZE


def test_real_articles_have_the_means_that_revscoring_gives(folder: Path, shared: Path) -> None:
    dump = bz2.decompress((shared / "data/dumps/enwiki-pages-articles1-shortened.xml.bz2").read_bytes())
    texts = re.findall(r"<text [^>]*>([^<]{2000,9000})</text>", dump.decode())[:6]
    assert len(texts) == 6
    names = sorted({word.lower() for text in texts for word in re.findall(r"[^\W\d_]{2,}", text)})[::2]
    values = np.random.default_rng(2).standard_normal((len(names), SIZE), dtype=np.float32)
    values[::7] *= np.float32(1e-30)
    values[::11, 3] = TINY
    values[::13, 4] = LARGEST
    convert(folder, values, names)
    features = topic_features()
    ours = plans(features)
    for text in texts:
        expected = bits(naively(features, text))
        for plan in ours:
            assert bits(plan.run({"datasource.revision.text": text})[0][0]) == expected


def test_vectors_that_are_not_finite_give_revscorings_value_and_are_counted(folder: Path) -> None:
    values = np.array([[1.0, np.inf], [2.0, 3.0]], dtype=np.float32)
    convert(folder, values, ["of", "the"])
    features = topic_features()
    before = FALLBACKS.counts["vectors"]
    for plan in plans(features):
        got = plan.run({"datasource.revision.text": "of the the"})[0][0]
        assert bits(got) == bits(naively(features, "of the the"))
    assert FALLBACKS.counts["vectors"] == before + 2


def test_words_of_claims_have_the_mean_that_revscoring_gives(folder: Path) -> None:
    convert(folder, np.array([[0.1, 7.0], [0.7, -3.0]], dtype=np.float32), ["P31", "Q5"])
    datasource = resources.module("datasources").Datasource
    claims = datasource("claims")
    listed = datasource("words", vectors.words_of_claims, depends_on=[claims])
    looked_up = datasource("vectors", vectors.vectorizer("enwiki"), depends_on=[listed])
    mean = resources.module("features.meta.aggregators").mean(looked_up, vector=True)
    instead = vectors_rule(mean)
    for held in ({("P31", "Q5"), ("P31", "Q6"), ("P5", "x")}, set(), {("P9", "y")}):
        cache = {claims: held}
        solve = resources.module("dependencies").solve
        assert bits(solve(instead, cache=dict(cache))) == bits(solve(mean, cache=dict(cache)))


def test_other_means_are_left_alone() -> None:
    aggregators = resources.module("features.meta.aggregators")
    unknown = topic_features(lambda found: [[1.0]])[0]
    assert vectors_rule(unknown) is None
    known = topic_features()[0].dependencies[0]
    assert vectors_rule(aggregators.sum(known, vector=True)) is None
    assert vectors_rule(aggregators.mean(known, vector=True, returns=np.float64)) is None
    assert vectors_rule(aggregators.mean(known)) is None
    assert vectors_rule(aggregators.mean(known, vector=True)) is not None
