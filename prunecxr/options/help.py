"""--help of an entry point: its options by section, each with what it admits and its default."""

from __future__ import annotations

import shutil
import textwrap
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from prunecxr.options.declaration import TOP, Declaration
from prunecxr.options.recipe import text_of
from prunecxr.options.registries import alternatives
from prunecxr.options.sections import sections
from prunecxr.options.types import details_of

INDENT = 24


def help_page(declaration: Declaration[Any]) -> str:
    """The text of --help."""
    width = min(shutil.get_terminal_size().columns, 120)
    example = f" {declaration.example}" if declaration.example else ""
    lines = [
        *textwrap.wrap(declaration.summary, width),
        "",
        f"    mlflow run . --env-manager local -e {declaration.name}{example}",
    ]
    if declaration.takes:
        lines += ["", "Defaults hold where the recipe does not say otherwise. Options and recipes: docs/options.md"]
    titles = _titles(declaration)
    for section, fields in declaration.groups().items():
        if fields:
            lines += ["", *textwrap.wrap(titles.get(section, ""), width)]
        for name, field in fields.items():
            lines += _entry(name, field, width)
    return "\n".join(lines)


def _titles(declaration: Declaration[Any]) -> dict[str, str]:
    titles = {"": f"Options of {declaration.name}", TOP: "Study"}
    for model in declaration.models().values():
        for section, part in sections(model).items():
            titles.setdefault(section, f"{section}: {(part.__doc__ or '').splitlines()[0]}")
    return titles


def _entry(name: str, field: FieldInfo, width: int) -> list[str]:
    default = "required" if field.is_required() else f"default {shown}" if (shown := default_of(field)) else ""
    notes = [admits(field), default]
    text = " ".join([field.description or "", *([f"[{'; '.join(filter(None, notes))}]"] if any(notes) else [])])
    flag = f"  --{name}"
    first = flag if len(flag) < INDENT - 1 else ""
    wrapped = textwrap.wrap(text, width, initial_indent=first.ljust(INDENT), subsequent_indent=" " * INDENT)
    return wrapped if first else [flag, *wrapped]


def default_of(field: FieldInfo) -> str:
    """An option's default as text, long lists shortened; empty: it has none."""
    if isinstance(field.default, bool):
        return str(field.default).lower()
    parts = [] if field.default in (None, PydanticUndefined) else text_of(field.default).split(",")
    return ",".join(parts) if len(parts) <= 4 else f"{parts[0]},{parts[1]},...,{parts[-1]}"


def admits(field: FieldInfo) -> str:
    """The values that an option's type and bounds admit, in words; empty where its help text says it all."""
    kind: Any = field.annotation
    if get_origin(kind) in (Union, UnionType):
        kind = next(part for part in get_args(kind) if part is not NoneType)
    if get_origin(kind) is Literal:
        return alternatives([str(value) for value in get_args(kind)])
    if kind is bool:
        return "true or false"
    bounds = {side: getattr(entry, side) for entry in details_of(field) for side in ("ge", "gt", "le", "lt")
              if getattr(entry, side, None) is not None}  # fmt: skip
    low = f"{bounds['ge']:,}" if "ge" in bounds else f"above {bounds['gt']:,}" if "gt" in bounds else ""
    high = f"{bounds['le']:,}" if "le" in bounds else f"below {bounds['lt']:,}" if "lt" in bounds else ""
    return f"{low} to {high}" if low and high else low
