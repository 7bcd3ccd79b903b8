"""The options of a pruning study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, PlainValidator

from prunecxr.errors import UserError
from prunecxr.options.recipe import suggest
from prunecxr.options.sections import (
    AnalysisOptions,
    CompressionOptions,
    DataOptions,
    Section,
    ExecutionOptions,
    TrainingOptions,
    sections,
)
from prunecxr.options.space import Domain, parse_space
from prunecxr.options.types import NAME, Seeds, parse_seeds


def _parse_search(value: Any) -> dict[str, Domain]:
    elsewhere = {name for part in sections(Config).values() for name in part.model_fields}
    return parse_space(value, TrainingOptions, elsewhere)


class Config(Section):
    """A whole pruning study."""

    kind: ClassVar[str] = "pruning"

    study: str = Field("study", pattern=NAME, description="name: letters, digits, _ - . and space")
    description: str = Field("", description="what the study is for; shown in the MLflow UI")
    seeds: Seeds = Field(parse_seeds(30), description="0-29, 0,3,7 or a count")
    data: DataOptions = DataOptions()
    training: TrainingOptions = TrainingOptions()
    compression: CompressionOptions = CompressionOptions()
    analysis: AnalysisOptions = AnalysisOptions()
    execution: ExecutionOptions = ExecutionOptions()
    # Excluded: no option of a study, only what `tune` varies.
    search: Annotated[dict[str, Domain], PlainValidator(_parse_search)] = Field({}, exclude=True)

    def settled(self, given: Mapping[str, str], source: str) -> Self:
        """The configuration with only those models to register that the study makes, and nothing idle to search.

        Sparsities on the command line may leave out some that a recipe, or the default, would register: those are just
        not registered.
        """
        for name, reason in self.idle().items():
            if name in self.search and not {"optimizer", "schedule"} & {*self.search}:
                raise UserError(f"{source}: search: option {name}: has no effect, since {reason}; leave it out")
        chosen = self.compression
        extra = [k for k in chosen.register_sparsities if k not in chosen.sparsities]
        asked = given.get("register_sparsities") or not given.get("sparsities")
        if extra and asked and "register_sparsities" in chosen.model_fields_set:
            where = "" if given.get("register_sparsities") else f"{source}: "
            raise UserError(f"{where}option register_sparsities: {extra[0]:g} is not among the sparsities of the study")
        kept = tuple(k for k in chosen.register_sparsities if k in chosen.sparsities)
        return self.model_copy(update={"compression": chosen.model_copy(update={"register_sparsities": kept})})

    def further_recipe(self) -> dict[str, Any]:
        """The `search:` section, where there is one."""
        return {"search": {name: domain.written() for name, domain in self.search.items()}} if self.search else {}


def highlighted_pair(options: AnalysisOptions, classes: Sequence[str], study: str) -> tuple[str, str] | None:
    """The pair of classes to be marked in figures, if one is named.

    Raises:
        UserError: it is not among the classes of the study.
    """
    if not options.highlight:
        return None
    for name in options.highlight:
        if name not in classes:
            raise UserError(f"option highlight: study {study!r} has no class {name!r}{suggest(name, classes)}")
    first, second = options.highlight
    return first, second
