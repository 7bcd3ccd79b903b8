"""Register a variant's model: rebuilt from its seed's weights, checked, packed."""

from prunecxr import cli
from prunecxr.config import parse_arguments
from prunecxr.errors import UserError


def command() -> None:
    given = parse_arguments(__doc__, {"run": "id of a variant run; required"}, config_options=False)
    if not given["run"]:
        raise UserError("option run is missing: give the id of a variant run")
    from prunecxr.pipeline.registration import register
    from prunecxr.tracking.store import open_store

    register(open_store(), given["run"])


if __name__ == "__main__":
    cli.run(command)
