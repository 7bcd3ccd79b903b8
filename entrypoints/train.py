"""Train and register the network of one seed."""

from prunecxr import cli
from prunecxr.errors import UserError
from prunecxr.options.command_line import parse_arguments
from prunecxr.options.types import MAX_SEED
from prunecxr.studies.pruning.config import Config
from prunecxr.studies.pruning.configure import DEFAULT_RECIPE, configure


def command() -> None:
    own = {"recipe": f"YAML file with options; default {DEFAULT_RECIPE.name}", "seed": "the seed; required"}
    given = parse_arguments(__doc__, own, leave_out=("seeds",), model=Config)
    seed = given.pop("seed")
    if not seed.isdigit() or int(seed) > MAX_SEED:
        raise UserError(f"option seed: {seed!r} is not valid: give one seed, a whole number of 0 to {MAX_SEED}")
    config = configure(given)
    from prunecxr.studies.pruning.study import train
    from prunecxr.tracking.store import open_store

    train(open_store(), config, int(seed))


if __name__ == "__main__":
    cli.run(command)
