"""Train and register the network of one seed."""

from prunecxr import cli
from prunecxr.config import MAX_SEED, parse_arguments
from prunecxr.errors import UserError
from prunecxr.pipeline.options import DEFAULT_RECIPE, configure


def command() -> None:
    own = {"recipe": f"YAML file with options; default {DEFAULT_RECIPE.name}", "seed": "the seed; required"}
    given = parse_arguments(__doc__, own, leave_out=("seeds",))
    seed = given.pop("seed")
    if not seed.isdigit() or int(seed) > MAX_SEED:
        raise UserError(f"option seed: {seed!r} is not valid: give one seed, a whole number of 0 to {MAX_SEED}")
    config = configure(given)
    from prunecxr.pipeline.study import train
    from prunecxr.tracking.store import open_store

    train(open_store(), config, int(seed))


if __name__ == "__main__":
    cli.run(command)
