"""A localization study: train U-Nets, prune them, find hard-to-learn images (HTLs), fine-tune on these, compare."""

from prunecxr import cli
from prunecxr.options.command_line import parse_arguments
from prunecxr.studies.localization.config import HtlConfig
from prunecxr.studies.pruning.configure import DEFAULT_HTL_RECIPE, configure


def command() -> None:
    own = {"recipe": f"YAML file with options; default {DEFAULT_HTL_RECIPE.name}"}
    given = parse_arguments(__doc__, own, model=HtlConfig)
    config = configure(given, HtlConfig, DEFAULT_HTL_RECIPE)
    from prunecxr.studies.localization.study import (
        run_htl,  # torch and mlflow load only once the options are known to be good
    )
    from prunecxr.tracking.store import open_store

    run_htl(open_store(), config)


if __name__ == "__main__":
    cli.run(command)
