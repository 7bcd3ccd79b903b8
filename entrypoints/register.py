"""Register a variant's model: rebuilt from its seed's weights, checked, packed."""

from prunecxr import cli
from prunecxr.errors import UserError
from prunecxr.options.command_line import parse_arguments


def command() -> None:
    given = parse_arguments(__doc__, {"run": "id of a variant run; required"}, model=None)
    if not given["run"]:
        raise UserError("option run is missing: give the id of a variant run")
    from prunecxr.studies.pruning.registration import register
    from prunecxr.tracking.store import open_store

    register(open_store(), given["run"])


if __name__ == "__main__":
    cli.run(command)
