"""What tells a scoring process of users."""

from schemas.revision import RevisionUser


def nobody_known() -> "Unknown":
    """Return what knows of nobody more than the dump says."""
    return Unknown()


class Unknown:
    """Knows of an account its name and nothing else; of an address there is nothing more to know."""

    def __call__(self, user_id: int | None, user_text: str) -> RevisionUser:
        """Return a user."""
        return RevisionUser(user_id, user_text, is_known=user_id is None)
