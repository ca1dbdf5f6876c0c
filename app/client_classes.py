"""Who may have how much scored, by the settings."""

from ipaddress import ip_network
from time import monotonic

from app.api.clients import ClientClass, Clients
from app.settings import Settings
from schemas.errors import SettingsError


def open_clients(settings: Settings) -> Clients:
    """Return who knows the clients of an API.

    Raises:
        SettingsError: A network cannot be read, or a token is empty or of two classes.
    """
    for network in settings.trusted_proxies:
        _check_network(network, "trusted_proxies")
    seen = set()
    for name, one in settings.client_classes.items():
        for network in one.networks:
            _check_network(network, "client_classes")
        for token in one.tokens:
            if not token or token in seen:
                what = "the token of another class as well" if token else "an empty token"
                raise SettingsError(
                    f"client_classes.{name} has {what}. Give each class tokens of its own, such as "
                    "`openssl rand -hex 32` makes.",
                    setting="client_classes",
                )
            seen.add(token)
    classes = {
        name: ClientClass(one.parallel, one.per_minute, one.tokens, one.networks)
        for name, one in settings.client_classes.items()
    }
    return Clients(classes, settings.trusted_proxies, monotonic)


def _check_network(text: str, setting: str) -> None:
    try:
        ip_network(text)
    except ValueError as error:
        raise SettingsError(
            f"{setting}: {error}. Write a network as 10.0.0.0/8, 2001:db8::/32, or a single address.",
            setting=setting,
        ) from error
