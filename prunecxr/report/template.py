"""Templates -> HTML: every text is escaped, and a value that a template lacks is an error."""

from __future__ import annotations

import base64
import functools
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

FOLDER = Path(__file__).with_name("templates")


def fill(name: str, **values: Any) -> str:
    """The text of a template in which `values` have taken their places."""
    return _environment().get_template(name).render(values)


def data_uri(kind: str, content: bytes) -> Markup:
    """Bytes as an address that holds them.

    Args:
        kind: of image: `png`, `svg+xml`.
    """
    return Markup(f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}")


def _inline(name: str) -> Markup:
    """A style sheet or script of our own, as it stands."""
    return Markup((FOLDER / name).read_text(encoding="utf-8"))


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= {"inline": _inline, "data_uri": data_uri}
    return environment
