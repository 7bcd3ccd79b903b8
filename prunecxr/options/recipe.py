"""Recipes: YAML files of options, read, checked against a configuration, and written."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from prunecxr.errors import UserError
from prunecxr.options.sections import Chosen, Section, options, sections


def read_recipe(path: Path) -> dict[str, Any]:
    """The content of a recipe file: a mapping of sections and top-level options, not yet validated."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        known = sorted(str(other) for other in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        hint = f"; there are {', '.join(known)}" if known else ""
        raise UserError(f"recipe {path}: no such file{hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"recipe {path}: cannot be read ({error})") from None
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"recipe {path}{where}: is not valid YAML ({getattr(error, 'problem', error)})") from None
    if not isinstance(content, dict):
        raise UserError(f"recipe {path}: must be a mapping of options, like the files in recipes/")
    return content


def build_config(model: type[Chosen], recipe: dict[str, Any], given: dict[str, str], source: str = "recipe") -> Chosen:
    """A validated configuration: the recipe's values, overridden by those given on the command line.

    Args:
        model: of the configuration.
        recipe: nested content of a recipe file.
        given: option name -> text, as on the command line; empty texts are ignored.
        source: what to call the recipe in messages.
    Raises:
        UserError: an unknown, mistyped or out-of-range option, named with its place.
    """
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in recipe.items()}
    known = options(model)
    for name, text in given.items():
        if text == "":
            continue
        section = known[name][0]
        target = merged if section is None else merged.setdefault(section, {})
        if not isinstance(target, dict):
            raise UserError(f"{source}: section {section} must hold options, one a line")
        target[name] = text
    try:
        config = model.model_validate({key: value for key, value in merged.items() if value is not None})
    except ValidationError as error:
        raise UserError(_explain(error, given, source, model)) from None
    return config.settled(given, source)


def _explain(error: ValidationError, given: dict[str, str], source: str, model: type[Section]) -> str:
    """The first validation failure as one line that names the option and what it admits."""
    known, inner = options(model), sections(model)
    failure = error.errors()[0]
    path = [str(part) for part in failure["loc"]]
    names = [part for part in path if part in known or part in inner]
    if failure["type"] == "extra_forbidden":
        section = known.get(path[-1], (None, ""))[0]
        if section is not None and path[0] != section:
            return f"{source}: option {path[-1]} belongs under {section}:"
        return f"{source}: unknown option {'.'.join(path)}{suggest(path[-1], [*known, *inner])}"
    message = failure["msg"].removeprefix("Value error, ")
    if path[:1] == ["search"]:
        return f"{source}: search: {message}"
    if not path:
        return f"{source}: {message}"
    name = names[-1] if names else path[-1]
    where = f"option {name}" if given.get(name) else f"{source}: option {'.'.join(path)}"
    value = failure["input"]
    shown = "" if isinstance(value, dict) else f" {str(value)[:80]!r}"
    message = message[:1].lower() + message[1:]
    return f"{where}:{shown} is not valid: {message} ({known.get(name, (None, name))[1]})"


def suggest(name: str, known: Sequence[str]) -> str:
    """A ' (did you mean ...?)' or an empty text."""
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def flatten(config: Section) -> dict[str, str]:
    """Every option as text, by its flat name: what is logged as params."""
    return {name: _text(value) for name, value in _leaves(config)}


def _leaves(model: BaseModel) -> Iterator[tuple[str, Any]]:
    for name, field in type(model).model_fields.items():
        if field.exclude:
            continue
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value)
        else:
            yield name, value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(_text(part) for part in value)
    if isinstance(value, dict):
        return ",".join(f"{key}:{target}" for key, target in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def to_recipe(config: Section) -> str:
    """The configuration as a recipe file that reads back as itself."""
    content = config.model_dump(mode="json")
    content |= config.further_recipe()
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
