"""Check a data set and build its image cache: every fault of labels and images shows here, before any training."""

from prunecxr import cli
from prunecxr.options.command_line import parse_arguments
from prunecxr.studies.pruning.config import Config
from prunecxr.studies.pruning.configure import DEFAULT_RECIPE, configure


def command() -> None:
    given = parse_arguments(__doc__, {"recipe": f"YAML file with options; default {DEFAULT_RECIPE.name}"}, model=Config)
    config = configure(given)
    from prunecxr.studies.pruning.check import check_data
    from prunecxr.tracking.store import open_store

    check_data(open_store(), config)


if __name__ == "__main__":
    cli.run(command)
