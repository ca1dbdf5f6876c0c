"""YAML as plain values, with the line of each; safe to read from anyone.

Only the safe loader's syntax is used, and nothing is built but mappings, lists, texts, numbers, booleans and
null. Words are those of YAML 1.2: ``no``, ``on`` and ``2026-11-01`` are texts. Repeated keys are refused.
"""

import re
from typing import Any, Final

import yaml
from msgspec import Struct

from schemas.errors import SettingsError

MAX_BYTES: Final = 1 << 20
MAX_NODES: Final = 100_000
MAX_DEPTH: Final = 64

Path = tuple[str | int, ...]

_TAG: Final = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """The safe loader with the words of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as PyYAML has it


for _name, _words, _first in (
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)\Z", "tTfF"),
    ("int", r"(?:[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+)\Z", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:0|[1-9][0-9]*)?(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]\.|[0-9][eE][-+]?[0-9]+)\Z",
        "-+.0123456789",
    ),
    ("null", r"(?:~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
    ("merge", r"<<\Z", "<"),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(_words), list(_first))


class Document(Struct, frozen=True):
    """What a file says.

    Attributes:
        name: Of the file, for messages.
        value: Its content.
        lines: Line of each key and element, from 1, by its path.
    """

    name: str
    value: Any
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """Return the line of a path, or of the nearest place around it that has one."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def error(self, path: Path, cause: str, cure: str, *, rule: str | None = None) -> SettingsError:
        """Return the error that tells file, line, rule, cause and cure."""
        line = self.line(path)
        place = f"{self.name} line {line}{f', rule {rule}' if rule else ''}"
        return SettingsError(
            f"{place}: {cause}. {cure}{'' if cure.endswith('?') else '.'}",
            path=self.name,
            line=line,
            rule=rule,
        )


def read_document(text: bytes | str, name: str) -> Document:
    """Return the content of a YAML file.

    Args:
        text: The file.
        name: Of the file, for messages.

    Raises:
        SettingsError: It is not YAML, not UTF-8, too large, or has something that no rule file needs.
    """
    document = Document(name, None, {(): 1})
    if len(text) > MAX_BYTES:
        raise document.error((), f"the file is larger than {MAX_BYTES} bytes", "Split it")
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        # The loader is the safe one, and builds nothing here: it gives the syntax tree.
        root = yaml.compose(decoded, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        lines: dict[Path, int] = {(): mark.line + 1 if mark is not None else 1}
        raise Document(name, None, lines).error(
            (), f"this is not YAML: {error.problem or error.context}", "Correct the syntax"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        cause = str(error).partition("\n")[0]
        raise document.error((), f"this is not YAML: {cause}", "Write it in UTF-8") from error
    except RecursionError as error:
        raise document.error((), "it is nested too deeply", "Flatten it") from error
    builder = _Builder(name)
    value = None if root is None else builder.build(root, (), ())
    return Document(name, value, builder.lines)


class _Dumper(yaml.SafeDumper):
    """Quotes what either version of YAML would not take for a text; writes no aliases."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as PyYAML has it
        first: [
            *yaml.SafeDumper.yaml_implicit_resolvers.get(first, []),
            *_Loader.yaml_implicit_resolvers.get(first, []),
        ]
        for first in {*yaml.SafeDumper.yaml_implicit_resolvers, *_Loader.yaml_implicit_resolvers}
    }

    def ignore_aliases(self, data: Any) -> bool:
        """Write out everything."""
        return True


def write_document(value: Any) -> str:
    """Return plain values as YAML that `read_document` gives back."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Builder:
    """Makes plain values of the syntax tree."""

    def __init__(self, name: str) -> None:
        self.lines: dict[Path, int] = {(): 1}
        self._name = name
        self._count = 0

    def build(self, node: yaml.Node, path: Path, around: tuple[int, ...]) -> Any:
        self._count += 1
        if self._count > MAX_NODES:
            raise self._error(
                node, f"it holds more than {MAX_NODES} values once its aliases are filled in", "Split it"
            )
        if len(around) > MAX_DEPTH or id(node) in around:
            raise self._error(node, "it is nested too deeply, or holds itself", "Flatten it")
        if isinstance(node, yaml.MappingNode):
            self._check_tag(node, "map")
            return self._build_mapping(node, path, (*around, id(node)))
        if isinstance(node, yaml.SequenceNode):
            self._check_tag(node, "seq")
            values = []
            for index, element in enumerate(node.value):
                self.lines[*path, index] = element.start_mark.line + 1
                values.append(self.build(element, (*path, index), (*around, id(node))))
            return values
        return self._scalar(node)

    def _build_mapping(self, node: yaml.MappingNode, path: Path, around: tuple[int, ...]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: list[yaml.Node] = []
        for key, value in node.value:
            if key.tag == f"{_TAG}merge":
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
                continue
            name = self._key(key)
            if name in values:
                raise self._error(key, f"the key {name} is given twice", "Keep one of them")
            self.lines[*path, name] = key.start_mark.line + 1
            values[name] = self.build(value, (*path, name), around)
        for other in merged:
            if not isinstance(other, yaml.MappingNode):
                raise self._error(
                    other, "<< takes a mapping or a list of them", "Name an anchor of a mapping"
                )
            for name, value in self.build(other, path, around).items():
                values.setdefault(name, value)
        return values

    def _key(self, key: yaml.Node) -> str:
        if not isinstance(key, yaml.ScalarNode) or key.tag not in {f"{_TAG}str", f"{_TAG}int"}:
            raise self._error(key, f"the key {_text(key)} is no text", "Put it between quotes")
        return str(key.value)

    def _scalar(self, node: yaml.Node) -> Any:
        text = str(node.value)
        match node.tag.removeprefix(_TAG):
            case "str":
                return text
            case "null":
                return None
            case "bool" if text.lower() in {"true", "false"}:
                return text.lower() == "true"
            case "int" | "float" as kind:
                try:
                    return int(text, 0) if kind == "int" else float(text)
                except ValueError:
                    pass
        raise self._error(
            node, f"{_text(node)} has the type {node.tag}", "Write a text, a number or true and false"
        )

    def _check_tag(self, node: yaml.Node, kind: str) -> None:
        if node.tag != _TAG + kind:
            raise self._error(node, f"{node.tag} is a type that rules do not have", "Leave the tag out")

    def _error(self, node: yaml.Node, cause: str, cure: str) -> SettingsError:
        return Document(self._name, None, {(): node.start_mark.line + 1}).error((), cause, cure)


def _text(node: yaml.Node) -> str:
    return repr(node.value) if isinstance(node, yaml.ScalarNode) else "with a mapping or a list"
