"""What people do to the text of an article, well or ill meant."""

import random
import re
from collections.abc import Callable

from msgspec import Struct

from batch.sample_text import Composer
from batch.sample_words import (
    CATEGORIES,
    INSULTS,
    KEYBOARD,
    MISSPELLINGS,
    SECTIONS,
    SHOUTS,
    SYNONYMS,
    VANDAL_COMMENTS,
)

_NUMBER = re.compile(r"(?<![\w/=.-])\d{2,5}(?![\w/=.-])")
_CITE_DATE = re.compile(r"\|date=(\d{4}-\d\d-\d\d)\}\}")
_PLAIN_WORD = re.compile(r"(?<= )[a-z]{6,}(?= )")


class Article(Struct, frozen=True):
    """What an edit starts from: the text and what it is about."""

    text: str
    kind: str
    name: str


class Edit(Struct, frozen=True):
    """A new text.

    Attributes:
        text: All of it.
        comment: Edit summary, may be empty.
        detail: What was done, ``sentence_added`` …
        is_minor: Marked as minor.
    """

    text: str
    comment: str
    detail: str
    is_minor: bool = False


class Editor:
    """Makes edits by chance.

    Args:
        rng: Where all chance comes from.
        composer: Writes what is added.
    """

    def __init__(self, rng: random.Random, composer: Composer) -> None:
        self._rng = rng
        self._composer = composer
        self._ordinary: tuple[tuple[float, Callable[[Article], Edit | None]], ...] = (
            (0.24, self._sentence),
            (0.40, self._reference),
            (0.52, self._typo),
            (0.62, self._number),
            (0.66, self._section_move),
            (0.72, self._section),
            (0.77, self._list_item),
            (0.81, self._table_row),
            (0.85, self._category),
            (0.91, self._link),
            (0.97, self._synonym),
            (1.00, self._shorter),
        )
        self._vandalism: tuple[tuple[float, Callable[[Article], Edit | None]], ...] = (
            (0.30, self._insult),
            (0.44, self._blanking),
            (0.54, self._section_blanking),
            (0.68, self._repeated),
            (0.80, self._nonsense),
            (0.92, self._shouting),
            (1.00, self._replaced),
        )

    def ordinary(self, article: Article) -> Edit:
        """Return an edit that improves the article, or at least means to."""
        return self._chosen(self._ordinary, article) or self._sentence(article)

    def vandalism(self, article: Article) -> Edit:
        """Return an edit that spoils it."""
        return self._chosen(self._vandalism, article) or self._insult(article)

    def by_bot(self, article: Article) -> Edit:
        """Return an edit of the kind that programs make."""
        dated = _CITE_DATE.sub(r"|date=\1|access-date=\1}}", article.text, count=3)
        if dated != article.text and self._rng.random() < 0.6:
            return Edit(dated, "Bot: adding access dates to citations", "bot_citation", is_minor=True)
        if "{{reflist}}" in article.text:
            text = article.text.replace("{{reflist}}", "{{reflist|30em}}", 1)
            return Edit(text, "Bot: setting the width of the reference list", "bot_format", is_minor=True)
        category = self._composer.one(CATEGORIES[article.kind])
        text = f"{article.text}\n[[Category:{category}]]"
        return Edit(text, f"Bot: adding [[Category:{category}]]", "bot_category", is_minor=True)

    def _chosen(
        self, stock: tuple[tuple[float, Callable[[Article], Edit | None]], ...], article: Article
    ) -> Edit | None:
        chance = self._rng.random()
        edit = next(make for share, make in stock if chance < share)(article)
        return edit if edit is not None and edit.text != article.text else None

    def _prose(self, lines: list[str]) -> int | None:
        """Return the number of a line that holds sentences."""
        numbers = [
            number for number, line in enumerate(lines) if line and (line[0].isalpha() or line[0] == "'")
        ]
        return numbers[int(self._rng.random() * len(numbers))] if numbers else None

    def _heading(self, text: str) -> str:
        """Return a summary that names a section, as the edit link of a section leaves it."""
        headings = re.findall(r"^== (.+) ==$", text, re.MULTILINE)
        return f"/* {self._composer.one(headings)} */" if headings and self._rng.random() < 0.6 else ""

    def _sentence(self, article: Article) -> Edit:
        sentence = self._composer.sentence(article.kind, article.name)
        if self._rng.random() < 0.12:
            sentence = self._composer.misspelt(sentence)
        lines = article.text.split("\n")
        number = self._prose(lines)
        if number is None:
            lines.append(sentence)
        else:
            lines[number] += f" {sentence}"
        comment = (
            f"{self._heading(article.text)} {self._composer.one(('', 'more', 'expanded', 'added detail'))}"
        )
        return Edit("\n".join(lines), comment.strip(), "sentence_added")

    def _reference(self, article: Article) -> Edit | None:
        lines = article.text.split("\n")
        number = self._prose(lines)
        if number is None or ". " not in lines[number]:
            return None
        sentences = lines[number].split(". ")
        place = int(self._rng.random() * (len(sentences) - 1))
        head, tail = ". ".join(sentences[: place + 1]), ". ".join(sentences[place + 1 :])
        lines[number] = f"{head}.{self._composer.reference()} {tail}"
        return Edit("\n".join(lines), "added a reference", "reference_added")

    def _typo(self, article: Article) -> Edit | None:
        for right, wrong in MISSPELLINGS.items():
            if f" {wrong} " in article.text:
                text = article.text.replace(f" {wrong} ", f" {right} ", 1)
                return Edit(text, f"typo: {wrong} → {right}", "typo_fixed", is_minor=True)
        return None

    def _number(self, article: Article) -> Edit | None:
        found = list(_NUMBER.finditer(article.text))
        if not found:
            return None
        match = found[int(self._rng.random() * len(found))]
        changed = str(int(match[0]) + self._composer.number(1, 10))
        text = article.text[: match.start()] + changed + article.text[match.end() :]
        return Edit(text, "according to the latest figures", "number_changed")

    def _sections(self, article: Article) -> list[str]:
        return article.text.split("\n\n== ")

    def _section_move(self, article: Article) -> Edit | None:
        sections = self._sections(article)
        if len(sections) < 4:
            return None
        # Neither the lead nor the references change their place.
        place = self._composer.number(1, len(sections) - 2)
        sections[place], sections[place + 1] = sections[place + 1], sections[place]
        return Edit("\n\n== ".join(sections), "moved a section", "section_moved")

    def _section(self, article: Article) -> Edit | None:
        sections = self._sections(article)
        missing = [title for title in SECTIONS[article.kind] if f"== {title} ==" not in article.text]
        if not missing or len(sections) < 2:
            return None
        title = self._composer.one(missing)
        written = self._composer.section(article.kind, article.name, title, self._composer.number(2, 7))
        sections.insert(len(sections) - 1, written.removeprefix("== "))
        return Edit("\n\n== ".join(sections), f"/* {title} */ new section", "section_added")

    def _list_item(self, article: Article) -> Edit | None:
        place = article.text.find("\n* ")
        if place < 0:
            return None
        text = f"{article.text[:place]}\n{self._composer.list_item()}{article.text[place:]}"
        return Edit(text, "one more", "list_item_added")

    def _table_row(self, article: Article) -> Edit | None:
        place = article.text.find("\n|}")
        if place < 0:
            return None
        text = f"{article.text[:place]}\n{self._composer.table_row()}{article.text[place:]}"
        return Edit(text, "new figures", "table_row_added")

    def _category(self, article: Article) -> Edit | None:
        missing = [name for name in CATEGORIES[article.kind] if f"[[Category:{name}]]" not in article.text]
        if not missing:
            return None
        name = self._composer.one(missing)
        return Edit(
            f"{article.text}\n[[Category:{name}]]", f"+[[Category:{name}]]", "category_added", is_minor=True
        )

    def _link(self, article: Article) -> Edit | None:
        lines = article.text.split("\n")
        number = self._prose(lines)
        words = [] if number is None else list(_PLAIN_WORD.finditer(lines[number]))
        if number is None or not words:
            return None
        match = words[int(self._rng.random() * len(words))]
        lines[number] = f"{lines[number][: match.start()]}[[{match[0]}]]{lines[number][match.end() :]}"
        return Edit("\n".join(lines), "link", "link_added", is_minor=True)

    def _synonym(self, article: Article) -> Edit | None:
        for plain, other in SYNONYMS.items():
            if f" {plain} " in article.text:
                text = article.text.replace(f" {plain} ", f" {other} ", 1)
                return Edit(text, "copyedit", "wording_changed", is_minor=self._rng.random() < 0.5)
        return None

    def _shorter(self, article: Article) -> Edit | None:
        lines = article.text.split("\n")
        number = self._prose(lines)
        if number is None or lines[number].count(". ") < 2:
            return None
        lines[number] = lines[number].rpartition(". ")[0] + "."
        return Edit("\n".join(lines), "removed what has no source", "sentence_removed")

    def _spoilt(self, article: Article, insertion: str, detail: str) -> Edit:
        lines = article.text.split("\n")
        number = self._prose(lines)
        if number is None:
            lines.append(insertion)
        elif self._rng.random() < 0.5:
            lines[number] += f" {insertion}"
        else:
            lines.insert(number, insertion)
        return Edit("\n".join(lines), self._composer.one(VANDAL_COMMENTS), detail)

    def _insult(self, article: Article) -> Edit:
        return self._spoilt(article, self._composer.fill(self._composer.one(INSULTS), article.name), "insult")

    def _blanking(self, article: Article) -> Edit | None:
        text = "" if self._rng.random() < 0.5 else self._composer.one(("lol", "hi", "deleted haha", "nope"))
        return Edit(text, self._composer.one(VANDAL_COMMENTS), "blanking")

    def _section_blanking(self, article: Article) -> Edit | None:
        sections = self._sections(article)
        if len(sections) < 3:
            return None
        del sections[self._composer.number(1, len(sections))]
        return Edit("\n\n== ".join(sections), self._composer.one(VANDAL_COMMENTS), "section_blanking")

    def _repeated(self, article: Article) -> Edit:
        run = self._composer.one("abehlosxyz!?") * self._composer.number(9, 90)
        return self._spoilt(
            article, f"{self._composer.one(('', 'n', 'he', 'w', 'l'))}{run}", "repeated_characters"
        )

    def _nonsense(self, article: Article) -> Edit:
        words = (
            "".join(self._composer.one(KEYBOARD) for _ in range(self._composer.number(1, 5)))
            for _ in range(4)
        )
        return self._spoilt(article, " ".join(words), "nonsense")

    def _shouting(self, article: Article) -> Edit:
        shout = f"{self._composer.one(SHOUTS)} {article.name.upper()} {self._composer.one(SHOUTS)}!!!!"
        return self._spoilt(article, shout, "shouting")

    def _replaced(self, article: Article) -> Edit | None:
        other = self._composer.one(("Bob", "my dog", "Mr Poopy", "your mum", "nobody", "Justin"))
        return Edit(
            article.text.replace(article.name, other), self._composer.one(VANDAL_COMMENTS), "name_replaced"
        )
