"""Check a data set and build its image cache: every fault of labels and images shows here, before any training."""

from prunecxr import cli
from prunecxr.config import parse_arguments
from prunecxr.pipeline.options import DEFAULT_RECIPE, configure


def command() -> None:
    given = parse_arguments(__doc__, {"recipe": f"YAML file with options; default {DEFAULT_RECIPE.name}"})
    config = configure(given)
    from prunecxr.pipeline.data import check_data
    from prunecxr.tracking.store import open_store

    check_data(open_store(), config)


if __name__ == "__main__":
    cli.run(command)
