"""Recipes: YAML files of options, read, checked against a configuration, and written."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from prunecxr.errors import UserError
from prunecxr.options.loader import read_yaml, write_yaml
from prunecxr.options.sections import Chosen, Section, options, sections

MAX_BYTES = 1_000_000
KIND = "kind"  # the key of a recipe that names the kind of study


def read_recipe(path: Path) -> dict[str, Any]:
    """The content of a recipe file: a mapping of sections and top-level options, not yet validated.

    Raises:
        UserError: it cannot be read, or is no recipe; with the line where that shows.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        others = sorted(str(other) for other in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        hint = f"; there are {', '.join(others)}" if others else ""
        raise UserError(f"recipe {path}: no such file{hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"recipe {path}: cannot be read ({error})") from None
    if len(content) > MAX_BYTES:
        raise UserError(f"recipe {path}: larger than {MAX_BYTES:,} bytes, so it is no recipe")
    return _parse(text, f"recipe {path}")


def _parse(text: str, source: str) -> dict[str, Any]:
    try:
        content = read_yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        raise UserError(f"{source}{where}: is not valid YAML ({problem})") from None
    if not isinstance(content, dict):
        raise UserError(f"{source}: must be a mapping of options, like the files in recipes/")
    for place, part in (("", content), *((f" under {name}:", part) for name, part in content.items())):
        for name in part if isinstance(part, dict) else ():
            if not isinstance(name, str):
                raise UserError(f"{source}: {name!r}{place} is no name of an option")
    return content


def kind_of(content: Mapping[str, Any], models: Mapping[str, type[Section]], source: str = "recipe") -> str:
    """The kind of study that a recipe describes: its `kind:`, else the one that has most of what it names.

    Args:
        content: of the recipe.
        models: configuration by kind; of kinds that fit alike the first one is meant.
    Raises:
        UserError: there is no kind of that name.
    """
    named = content.get(KIND)
    if named is not None:
        if named not in models:
            raise UserError(f"{source}: kind: {str(named)[:80]!r} is not valid: there are {', '.join(models)}")
        return str(named)

    def foreign(kind: str) -> int:
        inner = sections(models[kind])
        top = {*models[kind].model_fields}
        names = [name for name in content if name not in top]
        for section, part in content.items():
            if section in inner and isinstance(part, dict):
                names += [name for name in part if name not in inner[section].model_fields]
        return len(names)

    return min(models, key=foreign)


def build_config(
    model: type[Chosen], recipe: Mapping[str, Any], given: Mapping[str, str], source: str = "recipe", *,
    logged: bool = False,
) -> Chosen:  # fmt: skip
    """A validated configuration: the recipe's values, overridden by those given on the command line.

    Args:
        model: of the configuration.
        recipe: nested content of a recipe file.
        given: option name -> text, as on the command line; empty texts are ignored.
        source: what to call the recipe in messages.
        logged: it was written by this tool, which wrote out options without effect, too.
    Raises:
        UserError: an unknown, mistyped, out-of-range or idle option, named with its place.
    """
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in recipe.items() if key != KIND}
    places = options(model)
    for name, text in given.items():
        if text == "":
            continue
        if name not in places:
            raise UserError(
                f"option {name}: a {model.kind or 'study'} study has no such option; {source} describes one"
            )
        section = places[name][0]
        target = merged if section is None else merged.setdefault(section, {})
        if target is None:
            target = merged[str(section)] = {}
        if not isinstance(target, dict):
            raise UserError(f"{source}: section {section} must hold options, one a line")
        target[name] = text
    try:
        config = model.model_validate({key: value for key, value in merged.items() if value is not None})
    except ValidationError as error:
        raise UserError(_explain(error, given, source, model)) from None
    _refuse_idle(config, {} if logged else recipe, given, source)
    return config.settled(given, source)


def _refuse_idle(config: Section, recipe: Mapping[str, Any], given: Mapping[str, str], source: str) -> None:
    """Raise a UserError for an option that was asked for, but has no effect. A default that is spelled out may stay."""
    for name, reason in config.idle().items():
        section = options(type(config))[name][0] or ""
        part, field = recipe.get(section), sections(type(config))[section].model_fields[name]
        written = isinstance(part, dict) and name in part and getattr(getattr(config, section), name) != field.default
        if given.get(name) or written:
            where = "" if given.get(name) else f"{source}: "
            raise UserError(f"{where}option {name}: has no effect, since {reason}; leave it out")


def _explain(error: ValidationError, given: Mapping[str, str], source: str, model: type[Section]) -> str:
    """The first validation failure as one line that names the option and what it admits."""
    places, inner = options(model), sections(model)
    failure = error.errors()[0]
    path = [str(part) for part in failure["loc"]]
    names = [part for part in path if part in places or part in inner]
    if failure["type"] == "extra_forbidden":
        section = places.get(path[-1], (None, ""))[0]
        if section is not None and path[0] != section:
            return f"{source}: option {path[-1]} belongs under {section}:"
        return f"{source}: unknown option {'.'.join(path)}{suggest(path[-1], [*places, *inner])}"
    message = failure["msg"].removeprefix("Value error, ")
    if path[:1] == ["search"]:
        return f"{source}: search: {message}"
    if not path:
        return f"{source}: {message}"
    name = names[-1] if names else path[-1]
    if failure["type"] == "missing":
        return f"option {name} is missing: give the {places[name][1]}"
    where = f"option {name}" if given.get(name) else f"{source}: option {'.'.join(path)}"
    value = failure["input"]
    shown = "" if isinstance(value, dict) else f" {str(value)[:80]!r}"
    message = message[:1].lower() + message[1:]
    return f"{where}:{shown} is not valid: {message} ({places.get(name, (None, name))[1]})"


def suggest(name: str, names: Sequence[str]) -> str:
    """A ' (did you mean ...?)' or an empty text."""
    close = difflib.get_close_matches(name, names, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def flatten(config: Section) -> dict[str, str]:
    """Every option that has an effect as text, by its flat name: what is logged as params."""
    idle = config.idle()
    return {name: text_of(value) for name, value in _leaves(config) if name not in idle}


def _leaves(model: BaseModel) -> Iterator[tuple[str, Any]]:
    for name, field in type(model).model_fields.items():
        if field.exclude:
            continue
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value)
        else:
            yield name, value


def text_of(value: Any) -> str:
    """An option's value as it is written on a command line."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(text_of(part) for part in value)
    if isinstance(value, dict):
        return ",".join(f"{key}:{target}" for key, target in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def to_recipe(config: Section) -> str:
    """The configuration as a recipe file that reads back as itself, without the options that have no effect."""
    content: dict[str, Any] = {KIND: config.kind} if config.kind else {}
    content |= config.model_dump(mode="json") | config.further_recipe()
    for name in config.idle():
        del content[options(type(config))[name][0] or ""][name]
    return write_yaml(content)
