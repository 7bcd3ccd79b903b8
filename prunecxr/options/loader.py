"""YAML as recipes need it: plain values alone, each name once, and within limits that no honest recipe meets.

PyYAML's own safe loader lets a second key replace the first, reads `yes` as a number's 1, `0777` as 511 and `-1:0` as
-60, and follows aliases into gigabytes. Words here mean what they mean in YAML 1.2's core schema: `true` and `false`
alone are booleans, numbers are decimal, everything else is text.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import BaseConstructor, ConstructorError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

MAX_DEPTH = 20  # levels of nesting; a recipe has four
MAX_NODES = 20_000  # values, aliases counted with all that they stand for
MAX_DIGITS = 40  # of a number

_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_INT = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(
    r"[-+]?(?:(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))\Z|\.(?:nan|NaN)\Z"
)
_TAG = "tag:yaml.org,2002:"


class _Words(BaseResolver):
    """Which words without quotes are more than text."""


for _name, _pattern, _first in (
    ("null", _NULL, ["~", "n", "N", ""]),
    ("bool", _BOOL, list("tTfF")),
    ("int", _INT, list("-+0123456789")),
    ("float", _FLOAT, list("-+.0123456789")),
):
    _Words.add_implicit_resolver(_TAG + _name, _pattern, _first)


class _Loader(Reader, Scanner, Parser, Composer, BaseConstructor, _Words):
    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseConstructor.__init__(self)
        _Words.__init__(self)
        self._depth = 0
        self._sizes: dict[int, int] = {}  # of the nodes that are complete, by identity

    def compose_node(self, parent: Node | None, index: Any) -> Node:
        """The next node, refused where it is too deep or, with its aliases, too large."""
        mark = self.peek_event().start_mark
        if self._depth == MAX_DEPTH:
            raise ConstructorError(None, None, f"is nested more than {MAX_DEPTH} levels deep", mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        size = self._sizes.setdefault(id(node), 1 + sum(self._sizes[id(part)] for part in _parts(node)))
        if size > MAX_NODES:
            raise ConstructorError(None, None, f"holds more than {MAX_NODES} values", mark)
        return node

    def _mapping(self, node: MappingNode) -> dict[Any, Any]:
        content: dict[Any, Any] = {}
        lines: dict[Any, int] = {}
        for key_node, value_node in node.value:
            key, mark = self.construct_object(key_node, deep=True), key_node.start_mark
            if isinstance(key, (list, dict)):
                raise ConstructorError(None, None, "a name is a list or a mapping", mark)
            if key in lines:
                raise ConstructorError(None, None, f"{key_node.value} is there twice, first on line {lines[key]}", mark)
            lines[key] = mark.line + 1
            content[key] = self.construct_object(value_node, deep=True)
        return content

    def _list(self, node: SequenceNode) -> list[Any]:
        return [self.construct_object(part, deep=True) for part in node.value]

    def _scalar(self, node: ScalarNode) -> Any:
        word, kind = str(self.construct_scalar(node)), node.tag.removeprefix(_TAG)
        if kind == "str":
            return word
        if not _PATTERNS[kind].match(word):
            raise ConstructorError(None, None, f"{word[:80]!r} is no {kind}", node.start_mark)
        if kind in ("int", "float") and len(word) > MAX_DIGITS:
            raise ConstructorError(None, None, f"a number of {len(word):,} digits", node.start_mark)
        return _VALUES[kind](word)

    def _refuse(self, node: Node) -> Any:
        raise ConstructorError(None, None, f"the tag {node.tag[:80]!r} has no place in a recipe", node.start_mark)


_PATTERNS = {"null": _NULL, "bool": _BOOL, "int": _INT, "float": _FLOAT}
_VALUES: dict[str, Any] = {
    "null": lambda _: None,
    "bool": lambda word: word.lower() == "true",
    "int": int,
    "float": lambda word: float(re.sub(r"\.(?=[inI])", "", word, count=1, flags=re.IGNORECASE)),
}
_Loader.add_constructor(_TAG + "map", _Loader._mapping)
_Loader.add_constructor(_TAG + "seq", _Loader._list)
for _name in ("str", *_PATTERNS):
    _Loader.add_constructor(_TAG + _name, _Loader._scalar)
_Loader.add_constructor(None, _Loader._refuse)


class _Dumper(yaml.SafeDumper):
    """Quotes what the loader above would take for something else than text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own name)
        first: [*yaml.SafeDumper.yaml_implicit_resolvers.get(first, []), *_Words.yaml_implicit_resolvers.get(first, [])]
        for first in {*yaml.SafeDumper.yaml_implicit_resolvers, *_Words.yaml_implicit_resolvers}
    }


def _text(dumper: _Dumper, text: str) -> Node:
    """In double quotes where other styles would fold what Unicode, too, takes for the end of a line."""
    style = '"' if re.search("[\x85\u2028\u2029\ufeff]", text) else None
    return dumper.represent_scalar(_TAG + "str", text, style=style)


_Dumper.add_representer(str, _text)


def _parts(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []


def read_yaml(text: str) -> Any:
    """The content of one YAML document.

    Raises:
        yaml.YAMLError: it is none, names something twice, or is beyond the limits; see its `problem` and
            `problem_mark`.
    """
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def write_yaml(content: Any) -> str:
    """A YAML document that `read_yaml` reads back the same."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
