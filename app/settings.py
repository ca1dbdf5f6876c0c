"""The one settings object: where its values come from, and what is refused.

A value comes from, weakest first: the default, the file (TOML), the environment (``REVSTREAM_*``), a flag.
"""

import difflib
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from app.settings_fields import EMBEDDED_SCHEME, ClientSettings, Settings, WikiSettings
from schemas.errors import SettingsError
from schemas.secret import Secret

__all__ = [
    "CONFIG_VARIABLE",
    "SETTINGS",
    "ClientSettings",
    "Setting",
    "Settings",
    "WikiSettings",
    "load_settings",
]

ENVIRONMENT_PREFIX: Final = "REVSTREAM_"
CONFIG_VARIABLE: Final = "REVSTREAM_CONFIG"
CONFIG_NAME: Final = "revstream.toml"
# Read by the command line and by the tests; neither is a setting.
NOT_SETTINGS: Final = frozenset({CONFIG_VARIABLE, "REVSTREAM_SHARED"})


class Setting(Struct, frozen=True):
    """One row of the table of settings.

    Attributes:
        name: As the file and ``Settings`` call it.
        kind: What a reader calls its type: ``text``, ``path``, ``number`` …
        choices: The values allowed; empty where it is not a choice.
        default: As one would write it; empty text where it is empty.
        help: One or two sentences.
    """

    name: str
    kind: str
    choices: tuple[str, ...]
    default: str
    help: str

    @property
    def variable(self) -> str:
        """Return the name of its environment variable."""
        return ENVIRONMENT_PREFIX + self.name.upper()

    @property
    def is_secret(self) -> bool:
        """Whether it holds what must not be shown."""
        return self.kind in {"secret", _CLASSES}

    @property
    def flag(self) -> str:
        """Return its flag on the command line, which secrets do not have."""
        return "--" + self.name.replace("_", "-")


_FIELD_TYPES: Final[dict[str, Any]] = {
    name: hint
    for name, hint in get_type_hints(Settings, include_extras=True).items()
    if name in Settings.__struct_fields__
}
_KINDS: Final[dict[Any, str]] = {
    str: "text",
    Path: "path",
    Secret: "secret",
    int: "whole number",
    float: "number",
    tuple: "list",
    dict: "table",
}
_CLASSES: Final = "table with secrets"


def _setting(name: str) -> Setting:
    base, *metas = get_args(_FIELD_TYPES[name])
    origin = get_origin(base)
    default = getattr(_DEFAULTS, name)
    if origin is dict:
        shown = "; ".join(f"{key}: {row.shown}" for key, row in default.items())
    elif origin is tuple:
        shown = ",".join(map(str, default))
    else:
        shown = f"{default:.12g}" if isinstance(default, float) else str(default)
    return Setting(
        name=name,
        kind="choice" if origin is Literal else _kind(base, origin),
        choices=get_args(base) if origin is Literal else (),
        default=shown,
        help=next(meta.description for meta in metas if meta.description),
    )


def _kind(base: Any, origin: Any) -> str:
    holds_secrets = origin is dict and get_args(base)[1] is ClientSettings
    return _CLASSES if holds_secrets else _KINDS[origin or base]


_DEFAULTS: Final = Settings()
SETTINGS: Final[tuple[Setting, ...]] = tuple(_setting(name) for name in Settings.__struct_fields__)
_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}
_BY_VARIABLE: Final = {setting.variable: setting for setting in SETTINGS}


def load_settings(
    *,
    flags: Mapping[str, str | None] | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    config: Path | None = None,
) -> Settings:
    """Read the settings from the file, the environment and the flags, the later the stronger.

    Args:
        flags: Setting name to text as typed; None values count as not given. Secrets have no flag: other
            users of a machine see the command lines of its processes.
        environ: The environment; the process's own where None.
        cwd: Folder that relative paths and ``revstream.toml`` are found in; the working directory where None.
        config: The file; ``REVSTREAM_CONFIG`` or ``revstream.toml``, where it exists, if None.

    Returns:
        The settings, with paths made absolute.

    Raises:
        SettingsError: A file is absent or broken, a key is unknown, or a value does not fit.
    """
    environ = os.environ if environ is None else environ
    cwd = (cwd or Path.cwd()).absolute()
    given: dict[str, str] = {name: text for name, text in (flags or {}).items() if text is not None}
    values = _from_file(_config_path(config, environ, cwd))
    values |= _from_environment(environ)
    values |= _convert(
        {name: _parse(name, text, _BY_NAME[name].flag) for name, text in given.items()},
        lambda name: _BY_NAME[name].flag,
        is_text=True,
    )
    settings = Settings(**values)
    path = settings.broker.removeprefix(EMBEDDED_SCHEME) if settings.is_embedded else ""
    return msgspec.structs.replace(
        settings,
        data_dir=cwd / settings.data_dir.expanduser(),
        model_folders=tuple(cwd / folder.expanduser() for folder in settings.model_folders),
        broker=f"{EMBEDDED_SCHEME}{cwd / Path(path).expanduser()}" if path else settings.broker,
    )


def _config_path(config: Path | None, environ: Mapping[str, str], cwd: Path) -> Path | None:
    named = config or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    if named is None:
        path = cwd / CONFIG_NAME
        return path if path.exists() else None
    return cwd / named.expanduser()


def _from_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"The settings file {path} cannot be read: {reason}. Correct it, or name another with --config.",
            path=str(path),
        ) from error
    _refuse_unknown(table, _BY_NAME, f"{path}: unknown setting")
    return _convert(table, lambda _: str(path))


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    given = {
        variable: text
        for variable, text in environ.items()
        if variable.startswith(ENVIRONMENT_PREFIX) and variable not in NOT_SETTINGS
    }
    _refuse_unknown(given, _BY_VARIABLE, "Unknown environment variable")
    texts = {_BY_VARIABLE[variable].name: text for variable, text in given.items()}
    return _convert(
        {name: _parse(name, text, _BY_NAME[name].variable) for name, text in texts.items()},
        lambda name: _BY_NAME[name].variable,
        is_text=True,
    )


def _parse(name: str, text: str, origin: str) -> Any:
    # Tables are JSON; lists are JSON or names with commas between them.
    kind = _BY_NAME[name].kind
    if kind in {"table", _CLASSES} or (kind == "list" and text.lstrip().startswith("[")):
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise SettingsError(f"{origin} is no JSON: {error}.", setting=name) from error
    if kind == "list":
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _refuse_unknown(given: Iterable[str], known: Iterable[str], what: str) -> None:
    known = tuple(known)
    unknown = sorted(set(given) - set(known))
    if not unknown:
        return
    name = unknown[0]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.75)
    hint = f"Did you mean {' or '.join(near)}?" if near else "README.md lists the settings."
    raise SettingsError(f"{what} {', '.join(unknown)}. {hint}", setting=name)


def _convert(
    given: Mapping[str, Any], origin_of: Callable[[str], str], *, is_text: bool = False
) -> dict[str, Any]:
    values = {}
    for name, value in given.items():
        # One field at a time, so that the error tells the setting and where in it: `$.wikis[...].models`.
        one = msgspec.defstruct("Settings", [(name, _FIELD_TYPES[name])], forbid_unknown_fields=True)
        try:
            values[name] = getattr(
                msgspec.convert({name: value}, one, strict=not is_text, dec_hook=_own_type), name
            )
        except msgspec.ValidationError as error:
            choices = _BY_NAME[name].choices
            allowed = f" It is one of {', '.join(choices)}." if choices else ""
            raise SettingsError(
                f"{origin_of(name)}: {error}.{allowed} {_BY_NAME[name].help}", setting=name
            ) from error
    return values


def _own_type(kind: type, value: Any) -> Any:
    if kind is Secret:
        if isinstance(value, str):
            return Secret(value)
        raise ValueError("Expected a text")
    if kind is Path and isinstance(value, str) and value and "\0" not in value:
        return Path(value)
    raise ValueError("Expected a path")
