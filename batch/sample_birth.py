"""How pages of the sample wiki come to be, and what becomes of those that are no articles."""

import json
import random

from batch.sample_edits import Edit
from batch.sample_page import Content, WikiPage
from batch.sample_site import SampleSite
from batch.sample_text import KINDS, Composer
from batch.sample_users import Account, Population

_LONG_EVERY = 60


class PageMaker:
    """Creates pages by chance: articles mostly, and talk, user, template and settings pages.

    Args:
        rng: Where all chance comes from.
        composer: Writes the pages.
        titles: Gets the title of each article, for links.
        site: Where the pages go.
        population: Who creates them.
    """

    def __init__(
        self,
        rng: random.Random,
        composer: Composer,
        titles: list[str],
        *,
        site: SampleSite,
        population: Population,
    ) -> None:
        self.articles: list[WikiPage] = []
        self.others: list[WikiPage] = []
        self._untalked: list[WikiPage] = []
        self._made = 0
        self._rng = rng
        self._composer = composer
        self._titles = titles
        self._site = site
        self._population = population

    def create(self, seconds: int, author: Account) -> None:
        """Create one page; the second and third are of the kinds that each wiki has once."""
        self._made += 1
        chance = self._rng.random()
        if self._made == 2:
            settings = {"version": 1, "limits": {"list": 50, "days": 30}, "beta": False}
            content = Content.of(json.dumps(settings, indent=4), "json")
            self._other("MediaWiki:Sample-settings.json", content, 8, seconds, self._population.admin())
        elif self._made == 3:
            content = Content.of("[{{{url}}} {{{title|}}}], {{{last|}}}<noinclude>Cites a page.</noinclude>")
            self._other("Template:Cite web", content, 10, seconds, author)
        elif self._made > 6 and chance < 0.12 and self._untalked:
            page = self._untalked.pop()
            post = self._composer.post(page.name, _signature(author))
            self._other(f"Talk:{page.title}", Content.of(f"== Sources ==\n{post}"), 1, seconds, author)
        elif self._made > 6 and chance < 0.15 and author.user_id is not None:
            self._user_page(seconds, author)
        else:
            self._article(seconds, author)

    def change_other(self, page: WikiPage, seconds: int) -> None:
        """Go on with a talk page, or change a page of another kind."""
        author = self._population.regular()
        text = page.revision.content.text
        if page.namespace_id == 1:
            post = self._composer.post(page.title.removeprefix("Talk:"), _signature(author))
            indent = ":" * self._composer.number(1, 4)
            edit = Edit(f"{text}\n{indent} {post}", "/* Sources */ re", "talk_post")
        elif page.revision.content.model == "json":
            settings = json.loads(text)
            settings["version"] += 1
            settings["limits"]["list"] = self._composer.number(10, 500)
            edit = Edit(json.dumps(settings, indent=4), "new limits", "settings_changed")
            author = self._population.admin()
        else:
            edit = Edit(f"{text}\n\n{self._composer.sentence('person', page.title)}", "", "page_changed")
        self._site.edit(page, edit, seconds, author, "ordinary")

    def new_title(self, kind: str) -> str:
        """Return a title that no page ever had, for an article of a kind."""
        title = name = self._composer.subject(kind)
        number = 1
        while self._site.has(title):
            number += 1
            title = f"{name} ({kind} {number})"
        return title

    def forget(self, article: WikiPage) -> None:
        """Take an article out of what may be edited and talked about."""
        self.articles.remove(article)
        if article in self._untalked:
            self._untalked.remove(article)

    def _article(self, seconds: int, author: Account) -> None:
        kind = self._composer.one(KINDS)
        name = self.new_title(kind)
        is_long = len(self._titles) % _LONG_EVERY == _LONG_EVERY // 2
        text = self._composer.article(kind, name, is_long=is_long)
        page = self._site.create(
            name, Content.of(text), seconds, author, kind=kind, name=name, comment=f"new article on {name}"
        )
        self.articles.append(page)
        self._untalked.append(page)
        self._titles.append(name)

    def _user_page(self, seconds: int, author: Account) -> None:
        title = f"User:{author.user_text}"
        if self._site.has(title):
            self._article(seconds, author)
            return
        text = f"I write about {self._composer.fill('{field} and {industry}')}. {{{{Babel|en}}}}"
        self._other(title, Content.of(text), 2, seconds, author)

    def _other(self, title: str, content: Content, namespace_id: int, seconds: int, author: Account) -> None:
        comment = f"created page with {content.size_bytes} bytes"
        self.others.append(
            self._site.create(title, content, seconds, author, namespace_id=namespace_id, comment=comment)
        )


def _signature(author: Account) -> str:
    return f"— [[User:{author.user_text}|{author.user_text}]]"
