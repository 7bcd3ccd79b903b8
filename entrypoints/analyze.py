"""Analyse a study's variants: forgettability, pairs of classes, PIEs, and the report."""

from prunecxr import cli
from prunecxr.errors import UserError
from prunecxr.options.command_line import parse
from prunecxr.options.declaration import Declaration
from prunecxr.studies.kinds import KINDS
from prunecxr.studies.pruning.options import PopulationOption

GALLERY = (
    "dataset", "images", "labels", "id_column", "subject_column", "ignore_columns", "metadata", "metadata_table",
    "label_map", "image_size",
)  # fmt: skip

DECLARATION = Declaration(
    name="analyze",
    summary="Analyse a study's variants: forgettability, pairs of classes, PIEs, and the report. The data options find "
    "the images of the report's gallery; seeds and sparsities say what the study should hold.",
    example="-P study=demo",
    own=PopulationOption,
    takes=("study", "seeds", "method", "sparsities", "analysis", *GALLERY),
    recipe="",
    kinds=KINDS,
    works_on=("pruning", "localization"),
)


def command() -> None:
    own, given = parse(DECLARATION)
    if not given["study"] and not given["recipe"]:
        raise UserError("option study is missing: give the name of the study to analyse")
    from prunecxr.studies.commands import analyze
    from prunecxr.tracking.store import open_store

    analyze(open_store(), given, own.population)


if __name__ == "__main__":
    cli.run(command)
