"""Search for hyper-parameters: train what the recipe's `search:` section declares, and write the best recipe."""

from prunecxr import cli
from prunecxr.errors import UserError
from prunecxr.options.command_line import parse
from prunecxr.options.declaration import Declaration
from prunecxr.options.sections import Searchable
from prunecxr.studies.configure import configure
from prunecxr.studies.kinds import KINDS
from prunecxr.studies.search.options import TuneOptions

DECLARATION = Declaration(
    name="tune",
    summary="Search for hyper-parameters: trains what the recipe's section `search:` declares, writes the best recipe.",
    example="-P trials=12",
    own=TuneOptions,
    takes=("study", "description", "seeds", "data", "training", "execution"),
    recipe="recipes/tune-demo.yaml",
    kinds=KINDS,
    works_on=("pruning", "localization"),
)


def command() -> None:
    own, given = parse(DECLARATION)
    config = configure(given, DECLARATION)
    assert isinstance(config, Searchable)
    searched = [name for name in config.search if given[name]]
    if searched:
        raise UserError(f"option {searched[0]}: the search varies it; leave it out, or take it from search:")
    from prunecxr.studies.search.storage import check_database  # before anything else is opened
    from prunecxr.studies.search.tune import tune
    from prunecxr.tracking.store import open_store

    check_database(own.storage)
    tune(open_store(), config, own)


if __name__ == "__main__":
    cli.run(command)
