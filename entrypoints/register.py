"""Register a variant's model: rebuilt from its seed's weights, checked, packed."""

from prunecxr import cli
from prunecxr.options.command_line import parse
from prunecxr.options.declaration import Declaration
from prunecxr.studies.kinds import KINDS
from prunecxr.studies.pruning.options import VariantOption

DECLARATION = Declaration(
    name="register",
    summary="Register a variant's model: rebuilt from its seed's weights, checked, packed.",
    example="-P run=03315e45cff540e49c4883cc663aaf92",
    own=VariantOption,
    takes=(),
    recipe=None,
    kinds=KINDS,
)


def command() -> None:
    own, _ = parse(DECLARATION)
    from prunecxr.studies.commands import register
    from prunecxr.tracking.store import open_store

    register(open_store(), own.run)


if __name__ == "__main__":
    cli.run(command)
