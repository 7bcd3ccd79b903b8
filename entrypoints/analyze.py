"""Analyse a study's variants: forgettability, pairs of classes, PIEs, and the report."""

from prunecxr import cli
from prunecxr.errors import UserError
from prunecxr.options.command_line import parse_arguments
from prunecxr.studies.pruning.config import Config


def command() -> None:
    own = {
        "recipe": "YAML file with options; default those of the study",
        "study": "name of the study; required unless the recipe names it",
        "population": "key of the population, where a study holds several; default the newest",
    }
    given = parse_arguments(__doc__, own, model=Config)
    population = given.pop("population")
    if not given["study"] and not given["recipe"]:
        raise UserError("option study is missing: give the name of the study to analyse")
    from prunecxr.studies.pruning.analyze import analyze
    from prunecxr.tracking.store import open_store

    analyze(open_store(), given, population or None)


if __name__ == "__main__":
    cli.run(command)
