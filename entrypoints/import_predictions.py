"""Make a study of predictions that were made elsewhere: one file a seed and sparsity, and the table of test labels."""

from prunecxr import cli
from prunecxr.options.command_line import parse
from prunecxr.options.declaration import Declaration
from prunecxr.studies.kinds import KINDS
from prunecxr.studies.pruning.options import ImportOptions

LABELS = (
    "dataset_name", "id_column", "subject_column", "ignore_columns", "metadata", "metadata_table", "label_map",
)  # fmt: skip

DECLARATION = Declaration(
    name="import_predictions",
    summary="A study of predictions that were made elsewhere: a file per seed and sparsity, a table of test labels.",
    example="-P predictions=folder -P labels=test.csv -P study=audit",
    own=ImportOptions,
    takes=("study", "description", *LABELS, "architecture", "method", "workdir"),
    recipe=None,
    kinds=KINDS,
)


def command() -> None:
    own, given = parse(DECLARATION)
    from prunecxr.studies.pruning.importing import configure_import, import_predictions
    from prunecxr.tracking.store import open_store

    import_predictions(open_store(), configure_import(given), own.predictions, own.labels, own.train_labels)


if __name__ == "__main__":
    cli.run(command)
