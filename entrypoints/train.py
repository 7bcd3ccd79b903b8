"""Train and register the network of one seed."""

from prunecxr import cli
from prunecxr.options.command_line import parse
from prunecxr.options.declaration import Declaration
from prunecxr.studies.configure import configure
from prunecxr.studies.kinds import KINDS
from prunecxr.studies.pruning.options import SeedOption

DECLARATION = Declaration(
    name="train",
    summary="Train and register the network of one seed of a study.",
    example="-P seed=7",
    own=SeedOption,
    takes=("study", "description", "data", "training", "execution"),
    recipe="recipes/demo.yaml",
    kinds=KINDS,
    works_on=("pruning", "localization"),
)


def command() -> None:
    own, given = parse(DECLARATION)
    config = configure(given, DECLARATION)
    from prunecxr.studies.commands import train
    from prunecxr.tracking.store import open_store

    train(open_store(), config, own.seed)


if __name__ == "__main__":
    cli.run(command)
