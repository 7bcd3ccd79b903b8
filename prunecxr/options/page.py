"""docs/options.md, made from the options."""

from __future__ import annotations

from prunecxr.options.recipe import _text
from prunecxr.options.sections import Section, sections


def options_page(pruning: type[Section], localization: type[Section]) -> str:
    """docs/options.md: every option with its section, default and meaning (a test compares the two)."""
    lines = [
        "# Options",
        "",
        "Each is a flag of the entry points (`--epochs=5`), a parameter of `mlflow run` (`-P epochs=5`), a key of the",
        "recipe files under its section, and a logged param (`cfg/epochs`). Flags override the recipe, the recipe the",
        "defaults. Those of a pruning study come first, those of a localization study (`htl`) after them.",
        *_page_of(pruning),
        "",
        "# Options of `htl`",
        *_page_of(localization),
    ]
    return "\n".join(lines) + "\n"


def _page_of(model: type[Section]) -> list[str]:
    lines: list[str] = []
    inner = sections(model)
    for section, part in {"": model, **inner}.items():
        fields = {name: field for name, field in part.model_fields.items() if name not in inner and not field.exclude}
        title = f"## `{section}:` {(part.__doc__ or '').splitlines()[0]}" if section else "## Top level"
        lines += ["", title, "", "| option | default | meaning |", "|---|---|---|"]
        for name, field in fields.items():
            default = _text(field.default)
            lines.append(f"| `{name}` | {f'`{_shortened(default)}`' if default else ''} | {field.description} |")
    return lines


def _shortened(values: str) -> str:
    parts = values.split(",")
    return values if len(parts) <= 4 else f"{parts[0]},{parts[1]},...,{parts[-1]}"
