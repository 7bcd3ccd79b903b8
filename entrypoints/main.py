"""A whole pruning study: train, prune, evaluate, analyse, report. The main job."""

from prunecxr import cli
from prunecxr.options.command_line import parse
from prunecxr.options.declaration import Declaration, Nothing
from prunecxr.studies.configure import configure
from prunecxr.studies.kinds import KINDS
from prunecxr.studies.pruning.config import Config

DECLARATION = Declaration(
    name="main",
    summary="A whole pruning study: trains, prunes, evaluates, analyses what is not done yet, and writes the report.",
    example="-P recipe=recipes/csv-example.yaml -P images=xrays -P labels=tables",
    own=Nothing,
    takes=("study", "description", "seeds", "data", "training", "compression", "analysis", "execution"),
    recipe="recipes/demo.yaml",
    kinds=KINDS,
)


def command() -> None:
    _, given = parse(DECLARATION)
    config = configure(given, DECLARATION)
    assert isinstance(config, Config)
    from prunecxr.studies.pruning.study import run_study  # torch and mlflow load once the options are known to be good
    from prunecxr.tracking.store import open_store

    run_study(open_store(), config)


if __name__ == "__main__":
    cli.run(command)
