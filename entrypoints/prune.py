"""Prune and evaluate one trained network: a seed run, or a registered model."""

from prunecxr import cli
from prunecxr.config import TrainingOptions, parse_arguments
from prunecxr.errors import UserError


def command() -> None:
    own = {
        "recipe": "YAML file with options; default those of the seed run",
        "run": "id of the seed run",
        "model": "instead of run: models:/<name>@<alias> or models:/<name>/<version>",
    }
    given = parse_arguments(__doc__, own, leave_out=("seeds",))
    run_id, model = given.pop("run"), given.pop("model")
    if bool(run_id) == bool(model):
        raise UserError("give one of the options run (id of a seed run) and model (models:/ URI)")
    without_effect = [name for name in TrainingOptions.model_fields if given[name]]
    if without_effect:
        raise UserError(f"option {without_effect[0]}: the network is trained already; leave it out")
    from prunecxr.pipeline.options import configure_from_run
    from prunecxr.pipeline.study import prune, resolve_seed_run
    from prunecxr.tracking.registry import run_of_model
    from prunecxr.tracking.store import open_store

    store = open_store()
    seed_run = resolve_seed_run(store, run_id or run_of_model(store, model))
    prune(store, configure_from_run(seed_run, given), seed_run)


if __name__ == "__main__":
    cli.run(command)
