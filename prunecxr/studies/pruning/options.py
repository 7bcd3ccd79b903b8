"""The options of single commands on pruning studies, beside those of the study."""

from __future__ import annotations

from pydantic import Field

from prunecxr.options.sections import Section
from prunecxr.options.types import InputPath, NameOrPath, Seed


class SeedOption(Section):
    """Which seed is trained."""

    seed: Seed = Field(description="seed")


class VariantOption(Section):
    """Which variant is registered."""

    run: str = Field(description="id of a variant run")


class PopulationOption(Section):
    """Which variants of a study are analysed."""

    population: str | None = Field(
        None, description="key of the population, where a study holds several; default the newest"
    )


class PruneOptions(Section):
    """Which network is pruned."""

    run: str = Field("", description="id of the seed run")
    model: NameOrPath = Field(
        "", description="instead of run: models:/<name>@<alias>, models:/<name>/<version>, or a file with a state dict"
    )
    seed: Seed | None = Field(
        None, description="of a network that was trained elsewhere: the seed that it counts as; default 0"
    )
    train_labels: InputPath | None = Field(
        None, description="of such a network: label table of its training images, or their class counts (class,count)"
    )


class ImportOptions(Section):
    """Which predictions are imported."""

    predictions: InputPath = Field(
        description="folder of files named *seed-<seed>_prune-<sparsity>.pkl, .parquet or .csv"
    )
    labels: InputPath = Field(description="label table of the test images")
    train_labels: InputPath | None = Field(
        None, description="label table of the training images, or their class counts (a CSV file: class,count)"
    )
