"""The command line of an entry point: flags in, its own options checked, those of the study as texts out."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic.fields import FieldInfo

from prunecxr.errors import UserError
from prunecxr.options.declaration import Declaration, Own
from prunecxr.options.help import help_page
from prunecxr.options.paths import expanded, from_caller, made_for_caller
from prunecxr.options.recipe import build_config
from prunecxr.options.types import Place, details_of

FLAG = re.compile(r"--([A-Za-z]\w*(?:-\w+)*)(?:=(.*))?", re.DOTALL)


def parse(declaration: Declaration[Own], argv: Sequence[str] | None = None) -> tuple[Own, dict[str, str]]:
    """Read a command line: `--name value` or `--name=value`; an option without text counts as not given.

    Args:
        declaration: what the entry point takes.
        argv: the arguments; default those of the process.
    Returns:
        The entry point's own options, checked; and by name the texts of the study's options, and of `recipe`, that it
        takes, empty where they were not given.
    Raises:
        UserError: an option that it does not take, or one that is there twice, without value, or not valid.
        SystemExit: help was asked for, and given.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if {"-h", "--help"} & {*arguments}:
        print(help_page(declaration))
        raise SystemExit(0)
    options = declaration.options()
    given = dict.fromkeys(options, "")
    for name, text in _pairs(arguments, options):
        if name not in options:
            raise declaration.refusal(name)
        if given[name]:
            raise UserError(f"option {name}: is there twice")
        given[name] = _locate(name, options[name], text.strip(), declaration)
    own = {name: given.pop(name) for name in declaration.own.model_fields}
    return build_config(declaration.own, {}, own, f"options of {declaration.name}"), given


def _pairs(arguments: Sequence[str], options: Mapping[str, FieldInfo]) -> list[tuple[str, str]]:
    """Names and values. What follows a name is its value, even if it begins with dashes as `-1:0` does."""
    pairs: list[tuple[str, str]] = []
    rest = list(arguments)
    while rest:
        token = rest.pop(0)
        flag = FLAG.fullmatch(token)
        if flag is None:
            bare = re.match(r"(\w+)=", token)
            hint = f"; write --{token[:80]}" if bare and bare[1] in options else ""
            raise UserError(f"{token[:80]!r} is no option: options are written --name=value{hint}")
        name, text = flag[1], flag[2]
        if text is None:
            following = FLAG.fullmatch(rest[0]) if rest else None
            if name in options and (not rest or (following and following[1] in options)):
                raise UserError(f"option {name}: lacks its value; write --{name}=VALUE")
            text = rest.pop(0) if rest else ""
        pairs.append((name, text))
    return pairs


def _locate(name: str, field: FieldInfo, text: str, declaration: Declaration[Any]) -> str:
    """The text of an option; of one that names files, with these where the user has them."""
    place = place_of(field)
    if place is None or not text or (name == "recipe" and text == declaration.recipe):
        return text
    try:
        if place.made:
            return str(made_for_caller(text))
        if place.otherwise:
            return _file_or_name(text)
        if place.many and "," in text and not expanded(text).exists():
            return ",".join(str(from_caller(part.strip())) for part in text.split(",") if part.strip())
        return str(from_caller(text))
    except ValueError as error:
        raise UserError(f"option {name}: {error}") from None


def _file_or_name(text: str) -> str:
    if "://" in text or text.startswith(("models:", "runs:")):
        return text
    try:
        path = from_caller(text)
    except ValueError:
        if text.startswith("~"):
            raise
        return text
    return str(path) if path.is_file() or text.startswith("~") else text


def place_of(field: FieldInfo) -> Place | None:
    """What an option of files says about them; None: it names none."""
    return next((detail for detail in details_of(field) if isinstance(detail, Place)), None)
