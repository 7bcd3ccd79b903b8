"""Make a study of predictions that were made elsewhere: one file a seed and sparsity, and the table of test labels."""

from pathlib import Path

from prunecxr import cli
from prunecxr.errors import UserError
from prunecxr.options.command_line import parse_arguments
from prunecxr.options.sections import options
from prunecxr.studies.pruning.config import Config

SHARED = (
    "study", "description", "method", "dataset_name", "architecture", "id_column", "subject_column", "ignore_columns",
    "label_map", "workdir",
)  # fmt: skip


def command() -> None:
    own = {
        "predictions": "folder of files named *seed-<seed>_prune-<sparsity>.pkl, .parquet or .csv; required",
        "labels": "label table of the test images; required",
        "train_labels": "label table of the training images, or their class counts (a CSV file: class,count)",
    }
    given = parse_arguments(__doc__, own | {name: options(Config)[name][1] for name in SHARED}, model=None)
    predictions, labels, train = (given.pop(name) for name in own)
    for name, text in (("predictions", predictions), ("labels", labels)):
        if not text:
            raise UserError(f"option {name} is missing: give the {own[name].partition(';')[0]}")
    from prunecxr.studies.pruning.importing import configure_import, import_predictions
    from prunecxr.tracking.store import open_store

    config = configure_import(given)
    folder, table = Path(predictions).expanduser(), Path(labels).expanduser()
    import_predictions(open_store(), config, folder, table, Path(train).expanduser() if train else None)


if __name__ == "__main__":
    cli.run(command)
