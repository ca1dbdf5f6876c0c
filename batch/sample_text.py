"""Articles about things that do not exist, composed by chance."""

import random
import re
from collections.abc import Sequence

from batch.sample_words import (
    CATEGORIES,
    DISH_KINDS,
    DISH_WORDS,
    EPITHETS,
    FILLS,
    FIRST_NAMES,
    GENUS_HEADS,
    GENUS_TAILS,
    INFOBOX_FIELDS,
    LEADS,
    MISSPELLINGS,
    PLACE_HEADS,
    PLACE_TAILS,
    SECTIONS,
    SENTENCES,
    SHIP_WORDS,
    TALK_POSTS,
    WEBSITES,
)

KINDS = ("settlement", "person", "species", "ship", "dish")
# Sentences of an article: most are short.
_LENGTHS = ((0.55, 3, 12), (0.9, 12, 40), (1.0, 40, 110))
# These are articles of 20 to 60 kB.
_LONG = (200, 520)
_SENTENCES_A_SECTION = 9
_A_BEFORE_VOWEL = re.compile(r"\b([Aa]) (?=[aeiouAEIOU])")


class Composer:
    """Composes names, sentences and whole articles.

    Args:
        rng: Where all chance comes from.
        titles: Articles to link to; may grow while the composer is used.
    """

    def __init__(self, rng: random.Random, titles: Sequence[str]) -> None:
        self._rng = rng
        self._titles = titles

    def one(self, choices: Sequence[str]) -> str:
        """Return one of several."""
        return choices[int(self._rng.random() * len(choices))]

    def number(self, low: int, high: int) -> int:
        """Return a number in [low, high)."""
        return low + int(self._rng.random() * (high - low))

    def place(self) -> str:
        """Return the name of a place."""
        return self.one(PLACE_HEADS) + self.one(PLACE_TAILS)

    def person(self) -> str:
        """Return the name of a person."""
        return f"{self.one(FIRST_NAMES)} {self.place()}"

    def subject(self, kind: str) -> str:
        """Return a name for a new article of a kind."""
        if kind == "settlement":
            return self.place()
        if kind == "person":
            return self.person()
        if kind == "species":
            return f"{self.one(GENUS_HEADS)}{self.one(GENUS_TAILS)} {self.one(EPITHETS)}"
        if kind == "ship":
            return f"MV {self.one(SHIP_WORDS)} {self.place()}"
        return f"{self.place()} {self.one(DISH_WORDS)} {self.one(DISH_KINDS)}"

    def fill(self, template: str, name: str = "") -> str:
        """Replace the fields of a template by chance; ``{name}`` by the name."""
        return _A_BEFORE_VOWEL.sub(r"\1n ", template.format_map(_Fields(self, name)))

    def sentence(self, kind: str, name: str) -> str:
        """Return one sentence that fits an article of a kind."""
        stock = SENTENCES["any"] if self._rng.random() < 0.4 else SENTENCES[kind]
        return self.fill(self.one(stock), name)

    def misspelt(self, sentence: str) -> str:
        """Return the sentence with one word misspelt, if it has one that people misspell."""
        words = [word for word in MISSPELLINGS if f" {word} " in sentence]
        if not words:
            return sentence
        word = self.one(words)
        return sentence.replace(f" {word} ", f" {MISSPELLINGS[word]} ", 1)

    def reference(self) -> str:
        """Return a footnote that cites a page of the web."""
        site, number = self.one(WEBSITES), self.number(100, 99999)
        title = self.fill("The {adj} {building} of {place}").rstrip(".")
        date = f"{self.number(2005, 2025)}-{self.number(1, 13):02}-{self.number(1, 29):02}"
        person = self.person().split()
        return (
            f"<ref>{{{{cite web|url=https://{site}/{number}|title={title}|last={person[1]}|first={person[0]}"
            f"|date={date}}}}}</ref>"
        )

    def paragraph(self, kind: str, name: str, sentences: int) -> str:
        """Return some sentences on one line, a third of them with a footnote or a misspelling."""
        written = []
        for _ in range(sentences):
            sentence = self.sentence(kind, name)
            chance = self._rng.random()
            if chance < 0.22:
                sentence += self.reference()
            elif chance < 0.30:
                sentence = self.misspelt(sentence)
            written.append(sentence)
        return " ".join(written)

    def section(self, kind: str, name: str, title: str, sentences: int) -> str:
        """Return a section with its heading, in paragraphs of up to five sentences."""
        parts = [f"== {title} =="]
        while sentences > 0:
            parts.append(self.paragraph(kind, name, min(sentences, 5)))
            sentences -= 5
        chance = self._rng.random()
        if chance < 0.12:
            parts.append("\n".join(self.list_item() for _ in range(self.number(3, 7))))
        elif chance < 0.20:
            parts.append(self.table())
        return "\n\n".join(parts)

    def list_item(self) -> str:
        """Return one line of a list."""
        return self.fill("* [[{link}]], {adj} {building} of {year}")

    def table_row(self) -> str:
        """Return one row of a table."""
        return self.fill("|-\n| {year} || {number} || {percent} %")

    def table(self) -> str:
        """Return a table of three columns."""
        rows = "\n".join(self.table_row() for _ in range(self.number(2, 6)))
        return f'{{| class="wikitable"\n! Year !! Number !! Share\n{rows}\n|}}'

    def article(self, kind: str, name: str, *, is_long: bool = False) -> str:
        """Return a whole article, of 20 to 60 kB where it is to be long."""
        chance = self._rng.random()
        low, high = next((low, high) for share, low, high in _LENGTHS if chance < share)
        sentences = self.number(*_LONG) if is_long else self.number(low, high)
        fields = "\n".join(f"| {field} = {self.fill(value)}" for field, value in INFOBOX_FIELDS[kind])
        parts = [f"{{{{Infobox {kind}\n| name = {name}\n{fields}\n}}}}"] if self._rng.random() < 0.8 else []
        lead = self.fill(self.one(LEADS[kind]), name)
        parts.append(f"{lead} {self.paragraph(kind, name, 2)}")
        titles = list(SECTIONS[kind])
        self._rng.shuffle(titles)
        while sentences > 0 and titles:
            # The last heading takes what is left, so that long articles have long sections.
            share = min(sentences, max(_SENTENCES_A_SECTION, sentences // len(titles)))
            parts.append(self.section(kind, name, titles.pop(), share))
            sentences -= share
        parts.append("== References ==\n{{reflist}}")
        parts.append(
            "\n".join(f"[[Category:{category}]]" for category in self._rng.sample(CATEGORIES[kind], 2))
        )
        return "\n\n".join(parts)

    def post(self, name: str, signature: str) -> str:
        """Return a signed contribution to a talk page."""
        return f"{self.fill(self.one(TALK_POSTS), name)} {signature}"

    def link(self) -> str:
        """Return the title of an article, or of one that nobody has written yet."""
        if self._titles and self._rng.random() < 0.8:
            return self.one(self._titles)
        return self.place()


class _Fields(dict[str, str]):
    """Gives each field of a template a new value each time it is asked for."""

    def __init__(self, composer: Composer, name: str) -> None:
        super().__init__(name=name)
        self._composer = composer

    def __missing__(self, field: str) -> str:
        composer = self._composer
        stock = FILLS.get(field)
        if stock is not None:
            return composer.one(stock)
        match field:
            case "link":
                return composer.link()
            case "person":
                return composer.person()
            case "place":
                return composer.place()
            case _:
                low, high = _NUMBERS[field]
                return str(composer.number(low, high))


_NUMBERS = {
    "year": (1780, 1965),
    "later": (1965, 2021),
    "day": (1, 29),
    "small": (2, 60),
    "percent": (3, 80),
    "number": (100, 5000),
    "bignumber": (5000, 90000),
}
