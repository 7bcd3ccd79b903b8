"""Search for hyper-parameters: train what the recipe's `search:` section declares, and write the best recipe."""

from prunecxr import cli
from prunecxr.config import parse_arguments
from prunecxr.errors import UserError
from prunecxr.pipeline.options import DEFAULT_TUNE_RECIPE, configure

OWN = {
    "trials": "trials of the whole search, all commands together; default 40",
    "workers": "processes of this host that search at the same time; default 1",
    "timeout": "seconds after which no further trial starts; default none",
    "storage": "URL of a database that several hosts share; default a file in workdir",
}


def command() -> None:
    given = parse_arguments(__doc__, {"recipe": f"YAML file; default {DEFAULT_TUNE_RECIPE.name}"} | OWN)
    own = {name: given.pop(name) for name in OWN}
    given["recipe"] = given["recipe"] or str(DEFAULT_TUNE_RECIPE)
    config = configure(given)
    searched = [name for name in config.search if given[name]]
    if searched:
        raise UserError(f"option {searched[0]}: the search varies it; leave it out, or take it from search:")
    from prunecxr.pipeline.tune import tune
    from prunecxr.tracking.store import open_store

    tune(open_store(), config, own)


if __name__ == "__main__":
    cli.run(command)
