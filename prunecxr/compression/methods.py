"""Methods of compression: a criterion and a scope, read from a text such as `magnitude` or `random@layer`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from prunecxr.compression.criteria import CRITERIA
from prunecxr.compression.scopes import SCOPES
from prunecxr.errors import UserError

USUAL_SCOPE = "global"


@dataclass(frozen=True)
class Method:
    """How networks are pruned; two methods are equal if they prune alike.

    Attributes:
        criterion: a name in `CRITERIA`.
        scope: a name in `SCOPES`.
    """

    criterion: str
    scope: str = USUAL_SCOPE

    def __post_init__(self) -> None:
        """Raise a UserError for an unknown criterion or scope; it lists the known ones."""
        for what, name, registry in (("scope", self.scope, SCOPES), ("criterion", self.criterion, CRITERIA)):
            if name not in registry:
                raise UserError(f"option method: unknown {what} {name!r}; there are {', '.join(registry)}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The method that a text names; the scope may be left out where it is `global`."""
        criterion, at, scope = text.partition("@")
        return cls(criterion, scope if at else USUAL_SCOPE)

    def __str__(self) -> str:
        """The canonical text: `magnitude`, `magnitude@layer`."""
        return self.criterion if self.scope == USUAL_SCOPE else f"{self.criterion}@{self.scope}"

    @property
    def slug(self) -> str:
        """The text for run names and aliases, which admit letters, digits, `_` and `-`."""
        return str(self).replace("@", "-")


def canonical_method(text: str) -> str:
    """The one text of a method: `magnitude@global` is `magnitude`.

    A text that names no method here is returned as it is: imported predictions keep the name that their own method has,
    and what prunes checks the name with `Method.parse`.
    """
    try:
        return str(Method.parse(text))
    except UserError:
        return text
