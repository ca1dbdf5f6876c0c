"""What happens on the sample wiki, in order of time."""

import heapq
import random
from collections.abc import Callable

from batch.sample_birth import PageMaker
from batch.sample_edits import Article, Edit, Editor
from batch.sample_page import Content, SavedRevision, WikiPage
from batch.sample_site import SampleSite
from batch.sample_text import Composer
from batch.sample_users import DAY_SECONDS, Account, Population

# How busy each hour of the day is, in UTC; 1 on average.
_HOURS = (
    *(0.5, 0.4, 0.3, 0.3, 0.4, 0.5, 0.7, 0.9, 1.1, 1.2, 1.3, 1.3),
    *(1.3, 1.3, 1.3, 1.3, 1.4, 1.4, 1.4, 1.4, 1.4, 1.2, 0.9, 0.7),
)
_CANARIES = 5
_REVERT_DELAY_SECONDS = 1500
_UNREVERTED_SHARE = 0.12


class SampleHistory:
    """Decides by chance who does what when, and has the site do it.

    Memory grows with the pages, of which each keeps its current text, and not with the revisions.

    Args:
        site: The wiki.
        pages: Pages that people create; moves leave redirects besides.
        revisions: Revisions to make.
        seed: The same seed gives the same history.
        start_seconds: When it begins, Unix time.
        mean_gap_seconds: Average time between two actions.
        on_canary: Is called with the time from time to time.
    """

    def __init__(
        self,
        site: SampleSite,
        *,
        pages: int,
        revisions: int,
        seed: int,
        start_seconds: int,
        mean_gap_seconds: float,
        on_canary: Callable[[int], None],
    ) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - a reproducible sample, no secret
        titles: list[str] = []
        self._composer = Composer(self._rng, titles)
        self._editor = Editor(self._rng, self._composer)
        self.population = Population(self._rng, self._composer, max(40, pages // 4), start_seconds)
        self._site = site
        self._pages_left = pages
        self._pages = pages
        self._revisions = revisions
        self._now = start_seconds
        self._mean_gap_seconds = mean_gap_seconds
        self._on_canary = on_canary
        self._maker = PageMaker(self._rng, self._composer, titles, site=site, population=self.population)
        self._deleted: list[WikiPage] = []
        self._due: list[tuple[int, int]] = []
        self._last_spoilt: tuple[WikiPage, SavedRevision] | None = None

    @property
    def now_seconds(self) -> int:
        """What time it is in the history, Unix time."""
        return self._now

    def run(self) -> None:
        """Make all revisions, with all that happens between them."""
        actions = (
            *(self._move, self._hide_text, self._delete, self._redirect),
            *(self._hide_editor, self._hide_reverted, self._undelete, self._suppress),
        )
        canary_every = max(2, self._revisions // _CANARIES)
        # Their traces stay in memory, so their number follows the pages.
        action_count = max(2 * len(actions), self._pages // 12)
        action_every = max(2, self._revisions // (action_count + 1))
        steps = done = 0
        while self._site.revision_count < self._revisions:
            steps += 1
            if steps % canary_every == 0:
                self._on_canary(self._now)
            # The last revisions belong to pages that still have to be created.
            spare = self._revisions - self._site.revision_count - self._pages_left
            is_ready = len(self._maker.articles) > 4 and spare > 1
            if steps % action_every == 0 and is_ready and done < action_count:
                self._now += 1
                actions[done % len(actions)]()
                done += 1
            else:
                self._step()

    def _step(self) -> None:
        """Let time pass until the next thing, a revert that is due or anything else, and do it."""
        pace = _HOURS[self._now // 3600 % 24] / self._mean_gap_seconds
        following = self._now + 1 + int(self._rng.expovariate(pace))
        if self._due and self._due[0][0] <= following:
            due, page_id = heapq.heappop(self._due)
            self._now = max(self._now + 1, due)
            self._revert(self._site.pages[page_id])
            return
        self._now = following
        left = self._revisions - self._site.revision_count
        chance = self._rng.random()
        if self._pages_left > 0 and (
            len(self._maker.articles) < 4 or left <= self._pages_left or chance < 2 * self._pages_left / left
        ):
            self._pages_left -= 1
            author = self._author() if self._rng.random() < 0.3 else self.population.regular()
            self._maker.create(self._now, author)
        elif chance > 0.97 and self._maker.others:
            others = self._maker.others
            self._maker.change_other(others[int(self._rng.random() * len(others))], self._now)
        elif chance > 0.88:
            self._spoil()
        elif chance > 0.80:
            page = self._sound_article()
            self._site.edit(
                page, self._editor.by_bot(_article(page)), self._now, self.population.bot(), "bot"
            )
        else:
            page = self._sound_article()
            self._site.edit(
                page, self._editor.ordinary(_article(page)), self._now, self._author(), "ordinary"
            )

    def _sound_article(self) -> WikiPage:
        """Return an article that nobody has spoilt, rather an old one."""
        while True:
            page = self._maker.articles[int(len(self._maker.articles) * self._rng.random() ** 1.6)]
            if page.sound is None:
                return page
            if self._rng.random() < 0.02 and self._due:
                # On a very small wiki all may be spoilt: bring the next revert forward.
                _, page_id = heapq.heappop(self._due)
                self._revert(self._site.pages[page_id])

    def _author(self) -> Account:
        chance = self._rng.random()
        if chance < 0.2:
            return self.population.address()
        if chance < 0.28:
            return self.population.newcomer(self._now)
        return self.population.regular()

    def _spoil(self, page: WikiPage | None = None) -> WikiPage:
        """Have a vandal at an article, sometimes at one that is spoilt already."""
        chance = self._rng.random()
        if page is None:
            page = self._site.pages[self._due[0][1]] if self._due and chance < 0.1 else self._sound_article()
        before = page.revision
        edit = self._editor.vandalism(_article(page))
        if edit.text == before.content.text:
            edit = Edit(f"{edit.text} lol", edit.comment, "insult")
        chance = self._rng.random()
        if chance < 0.64:
            vandal = self.population.address()
        elif chance < 0.96:
            vandal = self.population.newcomer(self._now)
        else:
            vandal = self.population.regular()
        self._site.edit(page, edit, self._now, vandal, "vandalism")
        if page.sound is None and (edit.detail == "blanking" or self._rng.random() > _UNREVERTED_SHARE):
            page.sound, page.spoilt_rev_id = before, page.revision.rev_id
            delay = 20 + int(self._rng.expovariate(1 / _REVERT_DELAY_SECONDS))
            heapq.heappush(self._due, (self._now + delay, page.page_id))
        return page

    def _revert(self, page: WikiPage) -> None:
        """Restore the last sound revision of an article."""
        sound, spoilt = page.sound, page.revision
        if sound is None:
            return
        page.sound = None
        editor = self.population.patroller()
        vandal = spoilt.editor.user_text
        shown = f"[[Special:Contributions/{vandal}|{vandal}]]"
        method = self._composer.one(("rollback", "rollback", "undo", "manual"))
        if editor.is_bot or method == "rollback":
            method = "rollback"
            comment = f"Reverted edits by {shown} ([[User talk:{vandal}|talk]]) to last version by "
            comment += "a hidden user" if sound.hides_editor else sound.editor.user_text
        elif method == "undo" and page.spoilt_rev_id == spoilt.rev_id:
            comment = f"Undid revision {spoilt.rev_id} by {shown}"
        else:
            method, comment = "manual", "rvv"
        edit = Edit(sound.content.text, comment, f"reverted_by_{method}", is_minor=method == "rollback")
        self._last_spoilt = (page, spoilt)
        self._site.revert(
            page,
            self._now,
            editor,
            sound=sound,
            oldest_rev_id=page.spoilt_rev_id,
            edit=edit,
            method=method,
        )

    def _move(self) -> None:
        page = self._sound_article()
        self._site.move(
            page, self._maker.new_title(page.kind), self._now, self.population.regular(), "better name"
        )

    def _redirect(self) -> None:
        target = self._sound_article()
        title = f"{target.title} ({self._composer.one(('old name', 'alias', 'short form'))})"
        if not self._site.has(title):
            self._site.create(
                title,
                Content.of(f"#REDIRECT [[{target.title}]]"),
                self._now,
                self.population.regular(),
                comment=f"redirect to [[{target.title}]]",
                detail="redirect_created",
                redirect=target,
            )

    def _delete(self) -> None:
        # Rather a page that few have worked on: its revisions go with it.
        page = min((self._sound_article() for _ in range(4)), key=lambda page: page.revision_count)
        self._maker.forget(page)
        self._deleted.append(page)
        self._site.delete(page, self._now, self.population.admin(), "no sources, see the discussion")

    def _undelete(self) -> None:
        # The first stays deleted, so that the dump always lacks a page that the stream knows.
        if len(self._deleted) > 1:
            page = self._deleted.pop()
            self._maker.articles.append(page)
            self._site.undelete(page, self._now, self.population.admin(), "sources were found")

    def _hide_text(self) -> None:
        """Hide the text of vandalism while it is the current revision."""
        page = self._spoil(self._sound_article())
        self._now += 60
        self._site.hide(page, page.revision, self._now, self.population.admin(), content=True)

    def _hide_editor(self) -> None:
        page = self._sound_article()
        self._site.hide(page, page.revision, self._now, self.population.admin(), editor=True)

    def _hide_reverted(self) -> None:
        """Hide the text of vandalism after its revert, which the stream does not tell."""
        if self._last_spoilt is not None:
            page, revision = self._last_spoilt
            self._site.hide(page, revision, self._now, self.population.admin(), content=True, comment=True)

    def _suppress(self) -> None:
        """Hide all of a revision from administrators too, without saying who does it."""
        page = self._spoil(self._sound_article())
        self._now += DAY_SECONDS // 1000
        self._site.hide(page, page.revision, self._now, None, content=True, editor=True, comment=True)


def _article(page: WikiPage) -> Article:
    return Article(page.revision.content.text, page.kind, page.name)
