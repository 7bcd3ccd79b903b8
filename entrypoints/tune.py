"""Search for hyper-parameters: train what the recipe's `search:` section declares, and write the best recipe."""

from prunecxr import cli
from prunecxr.errors import UserError
from prunecxr.options.command_line import parse_arguments
from prunecxr.options.recipe import build_config
from prunecxr.options.sections import options
from prunecxr.studies.pruning.config import Config
from prunecxr.studies.pruning.configure import DEFAULT_TUNE_RECIPE, configure
from prunecxr.studies.search.options import TuneOptions

OWN = {name: text for name, (_, text) in options(TuneOptions).items()}


def command() -> None:
    given = parse_arguments(__doc__, {"recipe": f"YAML file; default {DEFAULT_TUNE_RECIPE.name}"} | OWN, model=Config)
    asked = build_config(TuneOptions, {}, {name: given.pop(name) for name in OWN}, "options of tune")
    given["recipe"] = given["recipe"] or str(DEFAULT_TUNE_RECIPE)
    config = configure(given)
    searched = [name for name in config.search if given[name]]
    if searched:
        raise UserError(f"option {searched[0]}: the search varies it; leave it out, or take it from search:")
    from prunecxr.studies.search.tune import tune
    from prunecxr.tracking.store import open_store

    tune(open_store(), config, asked)


if __name__ == "__main__":
    cli.run(command)
