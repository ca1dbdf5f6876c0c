"""Who we say we are to a wiki."""

from schemas.errors import SettingsError


def require_contact(user_agent: str) -> str:
    """Return the User-Agent header if it names a contact, as Wikimedia's policy asks.

    Args:
        user_agent: Such as ``revstream/0.1 (https://example.org/bot; bot@example.org)``.

    Raises:
        SettingsError: It is empty, is no header value, or holds neither a mail address nor a URL.
    """
    if not user_agent.strip():
        raise SettingsError(
            "the User-Agent is empty, and Wikimedia refuses clients that do not say who they are: "
            "set it to a name and a contact, such as 'my-tool/1.0 (mailto:me@example.org)'"
        )
    if not (user_agent.isascii() and user_agent.isprintable()):
        raise SettingsError(
            f"the User-Agent {user_agent!r} cannot be sent as a header: keep to printable ASCII on one line"
        )
    if "@" not in user_agent and "://" not in user_agent:
        raise SettingsError(
            f"the User-Agent {user_agent!r} names no contact, and Wikimedia blocks such clients without "
            "notice: add a mail address or the URL of a page that tells how to reach you"
        )
    return user_agent
