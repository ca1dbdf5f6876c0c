"""Questions to one wiki about revisions and users; halved where one of them spoils the rest."""

from collections.abc import Sequence

from agents.mediawiki_answer import Absent, Answer, Oversized, Unanswered, parse_part
from agents.mediawiki_client import Culprit, MediaWikiClient, Refused, Transient


class RevisionQueries:
    """Asks one wiki for revisions and users by id.

    Args:
        client: Of the wiki.
    """

    def __init__(self, client: MediaWikiClient) -> None:
        self._client = client

    async def ask(self, rev_ids: Sequence[int], user_ids: Sequence[int]) -> Answer:
        """Return what the wiki says of some revisions and users, in one query where it can be one.

        Args:
            rev_ids: At most 50, distinct.
            user_ids: At most 50, distinct.
        """
        answer = Answer({}, {})
        reason = "the wiki's answer leaves it out"
        try:
            await self._ask_parts(rev_ids, user_ids, answer)
        except (Transient, Refused) as error:
            reason = str(error)
        except Culprit as error:
            reason = str(error)
            for fewer_rev_ids, fewer_user_ids in _fewer(rev_ids, user_ids, answer):
                part = await self.ask(fewer_rev_ids, fewer_user_ids)
                answer.revisions.update(part.revisions)
                answer.users.update(part.users)
            if error.is_size and len(rev_ids) + len(user_ids) == 1:
                answer.revisions.update((rev_id, Oversized()) for rev_id in rev_ids)
                answer.users.update((user_id, Oversized()) for user_id in user_ids)
        for rev_id in rev_ids:
            answer.revisions.setdefault(rev_id, Unanswered(reason))
        for user_id in user_ids:
            answer.users.setdefault(user_id, Unanswered(reason))
        return answer

    async def _ask_parts(self, rev_ids: Sequence[int], user_ids: Sequence[int], answer: Answer) -> None:
        """Follow continuation until the wiki has told all; what came before a failure is kept."""
        parameters = _parameters(rev_ids, user_ids)
        is_single = len(rev_ids) + len(user_ids) == 1
        resume: dict[str, str] = {}
        while True:
            part = await self._client.send(parameters | resume, parse_part, is_single=is_single)
            known = len(answer.revisions) + len(answer.users)
            answer.revisions.update((rev_id, Absent()) for rev_id in part.absent_rev_ids)
            answer.revisions.update(part.revisions)
            answer.users.update(
                (user_id, Absent() if user.missing else user) for user_id, user in part.users.items()
            )
            if not part.resume:
                return
            if len(answer.revisions) + len(answer.users) == known:
                raise Transient(
                    "invalid_answer", f"{self._client.url} continues without telling anything new"
                )
            resume = part.resume


def _parameters(rev_ids: Sequence[int], user_ids: Sequence[int]) -> dict[str, str]:
    parameters = {"action": "query"}
    if rev_ids:
        parameters |= {
            "prop": "revisions",
            "revids": "|".join(map(str, rev_ids)),
            "rvslots": "main",
            "rvprop": "ids|timestamp|user|userid|comment|content|contentmodel",
        }
    if user_ids:
        parameters |= {
            "list": "users",
            "ususerids": "|".join(map(str, user_ids)),
            "usprop": "groups|registration",
        }
    return parameters


def _fewer(
    rev_ids: Sequence[int], user_ids: Sequence[int], answer: Answer
) -> list[tuple[Sequence[int], Sequence[int]]]:
    """Return smaller questions about what is not answered; none when there was but one thing to ask."""
    if len(rev_ids) + len(user_ids) == 1:
        return []
    open_rev_ids = [rev_id for rev_id in rev_ids if rev_id not in answer.revisions]
    open_user_ids = [user_id for user_id in user_ids if user_id not in answer.users]
    if open_user_ids and open_rev_ids:
        return [(open_rev_ids, ()), ((), open_user_ids)]
    middle_rev = (len(open_rev_ids) + 1) // 2
    middle_user = (len(open_user_ids) + 1) // 2
    questions = [
        (open_rev_ids[:middle_rev], open_user_ids[:middle_user]),
        (open_rev_ids[middle_rev:], open_user_ids[middle_user:]),
    ]
    return [question for question in questions if any(question)]
