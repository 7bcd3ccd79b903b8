"""Check a data set and build its image cache: every fault of labels and images shows here, before any training."""

from prunecxr import cli
from prunecxr.options.command_line import parse
from prunecxr.options.declaration import Declaration, Nothing
from prunecxr.studies.configure import configure
from prunecxr.studies.kinds import KINDS

DECLARATION = Declaration(
    name="data",
    summary="Check a data set and build its image cache: every fault of labels and images shows before any training.",
    example="-P recipe=recipes/csv-example.yaml -P images=xrays -P labels=tables",
    own=Nothing,
    takes=("study", "data", "workers", "workdir"),
    recipe="recipes/demo.yaml",
    kinds=KINDS,
    works_on=("pruning", "localization"),
)


def command() -> None:
    _, given = parse(DECLARATION)
    config = configure(given, DECLARATION)
    from prunecxr.studies.commands import check_data
    from prunecxr.tracking.store import open_store

    check_data(open_store(), config)


if __name__ == "__main__":
    cli.run(command)
