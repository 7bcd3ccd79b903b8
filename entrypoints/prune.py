"""Prune and evaluate one trained network: a seed run, a registered model, or a network that was trained elsewhere."""

from prunecxr import cli
from prunecxr.errors import UserError
from prunecxr.options.command_line import parse
from prunecxr.options.declaration import Declaration
from prunecxr.studies.kinds import KINDS
from prunecxr.studies.pruning.options import PruneOptions

DECLARATION = Declaration(
    name="prune",
    summary="Prune and evaluate one trained network: a seed run's, a registered model, or one trained elsewhere (with "
    "its architecture; study, description and recipe are those of its new study).",
    example="-P run=8ad6bc0468604fa6a4b1c9c7a6d28cf9",
    own=PruneOptions,
    takes=("study", "description", "data", "architecture", "compression", "execution"),
    recipe="",
    kinds=KINDS,
    works_on=("pruning", "localization"),
)


def command() -> None:
    own, given = parse(DECLARATION)
    if bool(own.run) == bool(own.model):
        raise UserError("give one of the options run (id of a seed run) and model (models:/ URI, or a file)")
    from prunecxr.studies.commands import prune
    from prunecxr.tracking.store import open_store

    prune(open_store(), own, given)


if __name__ == "__main__":
    cli.run(command)
