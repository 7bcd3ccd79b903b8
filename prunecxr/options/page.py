"""docs/options.md, made from the options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic.fields import FieldInfo

from prunecxr.options.declaration import TOP, Declaration
from prunecxr.options.help import admits, default_of
from prunecxr.options.sections import Section, sections

HEAD = """\
# Options

Each is a flag of the entry points (`--epochs=5`), a parameter of `mlflow run` (`-P epochs=5`), a key of the
recipe files under its section, and a logged param (`cfg/epochs`). Flags override the recipe, the recipe the
defaults. An entry point refuses what it does not take; `python -m entrypoints.NAME --help` lists what it does.

- A relative path on the command line is looked for in the folder that you call from, then in the project's (on Linux;
  elsewhere MLflow leaves no word of the former); `~` is your home. A relative path in a recipe is looked for in the
  folder that the command runs in, with `mlflow run` the project's.
- A recipe describes a pruning study or a localization study; its sections tell, or a line `kind: localization`.
- A recipe names an option once; `true` and `false` (or `yes` and `no`, for an option that is either) are no numbers.
- An option that has no effect beside others, as `momentum` with `optimizer: adam`, is refused.
"""


def options_page(models: Sequence[type[Section]], declarations: Sequence[Declaration[Any]]) -> str:
    """docs/options.md: what each entry point takes, and every option with its section, range, default and meaning.

    Args:
        models: the configurations of the kinds of study.
        declarations: the entry points, in the order of MLproject.
    """
    lines = HEAD.splitlines()
    lines += ["", "# What each entry point takes", "", "| entry point | its own | of a study |", "|---|---|---|"]
    lines += [_row(declaration) for declaration in declarations]
    for declaration in declarations:
        own = declaration.own.model_fields
        if own:
            lines += ["", f"## Only `{declaration.name}`", *_table(own)]
    for model in models:
        lines += ["", f"# {_sentence(model)}"]
        inner = sections(model)
        for section, part in {"": model, **inner}.items():
            fields = {name: field for name, field in part.model_fields.items() if name not in inner}
            title = f"## `{section}:` {_sentence(part)}" if section else "## Top level"
            lines += ["", title, *_table({name: field for name, field in fields.items() if not field.exclude})]
    return "\n".join(lines) + "\n"


def _row(declaration: Declaration[Any]) -> str:
    groups = declaration.groups()
    own = ", ".join(f"`{name}`" for name in groups.pop(""))
    whole = [section for section in groups if section in declaration.takes and section != TOP]
    parts = [f"`{name}`" for section, fields in groups.items() if section not in whole for name in fields]
    parts += [f"all of `{section}:`" for section in whole]
    return f"| `{declaration.name}` | {own} | {', '.join(parts)} |"


def _table(fields: dict[str, FieldInfo]) -> list[str]:
    lines = ["", "| option | default | admits | meaning |", "|---|---|---|---|"]
    for name, field in fields.items():
        default = "required" if field.is_required() else f"`{shown}`" if (shown := default_of(field)) else ""
        lines.append(f"| `{name}` | {default} | {admits(field)} | {_escape(field)} |")
    return lines


def _sentence(part: type[Section]) -> str:
    return (part.__doc__ or "").splitlines()[0]


def _escape(field: FieldInfo) -> str:
    return (field.description or "").replace("<", "&lt;")
