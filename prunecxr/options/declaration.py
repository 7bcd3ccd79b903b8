"""What an entry point takes: which sections of a study's options, which single ones, which of its own.

The parser, --help and docs/options.md follow from it, and MLproject is checked against it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from pydantic import Field, create_model
from pydantic.fields import FieldInfo

from prunecxr.errors import UserError
from prunecxr.options.recipe import suggest
from prunecxr.options.sections import Section, sections
from prunecxr.options.types import InputPath

Own = TypeVar("Own", bound=Section)
TOP = "study"  # the group of the options that stand in no section of a recipe


class Nothing(Section):
    """No options but those of a study."""


def load_model(address: str) -> type[Section]:
    """The configuration model at `package.module:Class`."""
    return cast(type[Section], load(address))


def load(address: str) -> Any:
    """What stands at `package.module`, or at `package.module:name`."""
    module, _, name = address.partition(":")
    loaded = importlib.import_module(module)
    return getattr(loaded, name) if name else loaded


@dataclass(frozen=True)
class Declaration(Generic[Own]):
    """An entry point and its options.

    Attributes:
        name: of the entry point.
        summary: what it does, a sentence.
        example: options of a typical call, as on the command line of `mlflow run`.
        own: the options that it alone has.
        takes: names of a study's sections, and of single options, that it takes.
        recipe: the file of the project that is read where none is given; "": the study's or run's; None: it reads none.
        kinds: address of the configuration of every kind of study, by name.
        works_on: those kinds that it works on.
    """

    name: str
    summary: str
    example: str
    own: type[Own]
    takes: tuple[str, ...]
    recipe: str | None
    kinds: Mapping[str, str]
    works_on: tuple[str, ...] = ("pruning",)

    def models(self) -> dict[str, type[Section]]:
        """Configuration by kind of study, of those that it works on."""
        return {kind: load_model(self.kinds[kind]) for kind in self.works_on}

    def groups(self) -> dict[str, dict[str, FieldInfo]]:
        """The options that it takes by name, in groups: its own under "", then those of a study by section.

        An option of its own hides a study's of the same name.
        """
        groups = {"": {**self._recipe_option(), **self.own.model_fields}}
        for model in self.models().values():
            for section, part in {TOP: model, **sections(model)}.items():
                for name, field in _fields(part).items():
                    taken = name in self.takes or (section in self.takes and section != TOP)
                    if taken and not any(name in group for group in groups.values()):
                        groups.setdefault(section, {})[name] = field
        return groups

    def options(self) -> dict[str, FieldInfo]:
        """The options that it takes, by name."""
        return {name: field for group in self.groups().values() for name, field in group.items()}

    def refusal(self, name: str) -> UserError:
        """Why an option is not taken: it does not exist, or belongs to another part of a study."""
        hint = suggest(name, list(self.options()))
        for kind, address in self.kinds.items():
            model = load_model(address)
            for section, part in {TOP: model, **sections(model)}.items():
                if name in _fields(part):
                    where = "a study as a whole" if section == TOP else f"{section} ({_sentence(part, kind)})"
                    return UserError(f"option {name}: {self.name} does not take it; it belongs to {where}{hint}")
        return UserError(f"unknown option {name[:80]}{hint}; --help lists the options of {self.name}")

    def _recipe_option(self) -> dict[str, FieldInfo]:
        if self.recipe is None:
            return {}
        default = self.recipe or "that of the study or run, if it has one"
        text = Field(None, description=f"YAML file with options; default {default}")
        return dict(create_model("Recipe", recipe=(InputPath | None, text)).model_fields)


def _fields(part: type[Section]) -> dict[str, FieldInfo]:
    """The options that stand in a part of a configuration itself."""
    inner = sections(part)
    return {name: field for name, field in part.model_fields.items() if name not in inner and not field.exclude}


def _sentence(part: type[Section], kind: str) -> str:
    """The first line of the section's documentation, for the inside of a sentence."""
    line = (part.__doc__ or "").splitlines()[0].rstrip(".").partition(";")[0]
    return line[:1].lower() + line[1:] + (f", {kind} studies" if kind != "pruning" else "")
