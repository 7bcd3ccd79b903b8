"""The options of a pruning study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

from pydantic import Field

from prunecxr.errors import UserError
from prunecxr.options.recipe import suggest
from prunecxr.options.sections import (
    AnalysisOptions,
    CompressionOptions,
    DataOptions,
    ExecutionOptions,
    Searchable,
    TrainingOptions,
)
from prunecxr.options.types import NAME, Seeds, parse_seeds


class Config(Searchable):
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

    def settled(self, given: Mapping[str, str], source: str) -> Self:
        """The configuration with only those models to register that the study makes, and nothing idle to search.

        Sparsities on the command line may leave out some that a recipe, or the default, would register: those are just
        not registered.
        """
        super().settled(given, source)
        chosen = self.compression
        extra = [k for k in chosen.register_sparsities if k not in chosen.sparsities]
        asked = given.get("register_sparsities") or not given.get("sparsities")
        if extra and asked and "register_sparsities" in chosen.model_fields_set:
            where = "" if given.get("register_sparsities") else f"{source}: "
            raise UserError(f"{where}option register_sparsities: {extra[0]:g} is not among the sparsities of the study")
        kept = tuple(k for k in chosen.register_sparsities if k in chosen.sparsities)
        return self.model_copy(update={"compression": chosen.model_copy(update={"register_sparsities": kept})})


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
