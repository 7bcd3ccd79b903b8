"""Prune and evaluate one trained network: a seed run, a registered model, or a network that was trained elsewhere."""

from pathlib import Path

from prunecxr import cli
from prunecxr.errors import UserError
from prunecxr.options.command_line import parse_arguments
from prunecxr.options.sections import TrainingOptions
from prunecxr.options.types import MAX_SEED
from prunecxr.studies.pruning.config import Config


def command() -> None:
    own = {
        "recipe": "YAML file with options; default those of the seed run",
        "run": "id of the seed run",
        "model": "instead of run: models:/<name>@<alias>, models:/<name>/<version>, or a file with a state dict",
        "seed": "of a network that was trained elsewhere: the seed that it counts as; default 0",
        "train_labels": "of such a network: label table of its training images, or their class counts (class,count)",
    }
    given = parse_arguments(__doc__, own, leave_out=("seeds",), model=Config)
    run_id, model, seed, train_labels = (given.pop(name) for name in ("run", "model", "seed", "train_labels"))
    if bool(run_id) == bool(model):
        raise UserError("give one of the options run (id of a seed run) and model (models:/ URI, or a file)")
    if seed and (not seed.isdigit() or int(seed) > MAX_SEED):
        raise UserError(f"option seed: {seed!r} is not valid: give one seed, a whole number of 0 to {MAX_SEED}")
    without_effect = [name for name in TrainingOptions.model_fields if given[name] and name != "architecture"]
    if without_effect:
        raise UserError(f"option {without_effect[0]}: the network is trained already; leave it out")
    from prunecxr.studies.pruning.audit import audit, configure_audit, own_seed_run
    from prunecxr.studies.pruning.configure import configure_from_run
    from prunecxr.studies.pruning.study import prune, resolve_seed_run
    from prunecxr.tracking.store import open_store

    store = open_store()
    is_uri = model.startswith(("models:", "runs:"))
    seed_run = resolve_seed_run(store, run_id) if run_id else own_seed_run(store, model) if is_uri else None
    if seed_run is None:
        counted = Path(train_labels).expanduser() if train_labels else None
        audit(store, configure_audit(given), model, int(seed or 0), counted)
        return
    for name, text in (("architecture", given["architecture"]), ("seed", seed), ("train_labels", train_labels)):
        if text:
            raise UserError(f"option {name}: seed run {seed_run.id} knows it already; leave it out")
    prune(store, configure_from_run(seed_run, given), seed_run)


if __name__ == "__main__":
    cli.run(command)
