"""The names in a registry, a dict at the top of a module, without importing what its functions need.

Options and their help texts list methods, losses and data sets; a new entry of the dict is all that a new one takes.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import AfterValidator

PACKAGES = Path(__file__).resolve().parents[2]  # the folder that this package lies in


def names_in(registry: str) -> tuple[str, ...]:
    """The names in a registry, in its order.

    Args:
        registry: `package.module:DICT`; the dict itself where the module is loaded, else the keys that its source
            spells out.
    """
    module, _, variable = registry.partition(":")
    if module in sys.modules and hasattr(sys.modules[module], variable):
        return tuple(getattr(sys.modules[module], variable))
    return _keys_of(module, variable)


@functools.cache
def _keys_of(module: str, variable: str) -> tuple[str, ...]:
    path = PACKAGES.joinpath(*module.split(".")).with_suffix(".py")
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Dict(keys=keys)) if name == variable:
                return tuple(str(ast.literal_eval(key)) for key in keys if key is not None)
    raise LookupError(f"{module} spells out no dict {variable}")


def one_of(registry: str) -> AfterValidator:
    """A validator of texts: they must be names in the registry."""

    def check(name: str) -> str:
        if name not in names_in(registry):
            raise ValueError("there is none of that name")
        return name

    return AfterValidator(check)


def alternatives(names: Sequence[str]) -> str:
    """`a, b or c`."""
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
