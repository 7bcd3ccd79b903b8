"""A whole study: train, prune, evaluate, analyse, report. The main job."""

from prunecxr import cli
from prunecxr.options.command_line import parse_arguments
from prunecxr.studies.pruning.config import Config
from prunecxr.studies.pruning.configure import DEFAULT_RECIPE, configure


def command() -> None:
    given = parse_arguments(__doc__, {"recipe": f"YAML file with options; default {DEFAULT_RECIPE.name}"}, model=Config)
    config = configure(given)
    from prunecxr.studies.pruning.study import (
        run_study,  # torch and mlflow load only once the options are known to be good
    )
    from prunecxr.tracking.store import open_store

    run_study(open_store(), config)


if __name__ == "__main__":
    cli.run(command)
