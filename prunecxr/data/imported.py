"""The labels that imported predictions are scored against, and what is known of the training images. Knows no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from prunecxr.data.labels import LabelTable
from prunecxr.data.messages import some
from prunecxr.data.metadata import open_metadata
from prunecxr.data.published import COUNTS, IMAGES, differences
from prunecxr.data.splits import class_warnings, read_splits
from prunecxr.data.tables import RawTable, read_csv
from prunecxr.errors import UserError

if TYPE_CHECKING:  # the options are read here, and checked elsewhere
    from prunecxr.options.sections import DataOptions

COUNT_COLUMNS = ("train_count", "count", "train")
UNKNOWN = (
    "Training frequencies are unknown (option train_labels): nothing can be said about how forgetting goes with them"
)


@dataclass(frozen=True)
class ImportedLabels:
    """What an analysis must know of the data.

    Attributes:
        test: the test table.
        counts: columns class, test_count, n_test (images), and train_count, n_train where they are known.
        warnings: what a reader of the results must know.
    """

    test: LabelTable
    counts: pd.DataFrame
    warnings: tuple[str, ...]


def read_imported_labels(
    test: Path, train: Path | None, options: DataOptions, *, first: Literal["train", "test"] = "train"
) -> ImportedLabels:
    """Read the test table, and a training table or class counts if there are any.

    Args:
        first: the table whose columns give the order of the classes, if there are two.
        train: a label table, or a CSV file with columns `class` and `train_count` (or `count`, `train`).
        options: of which the names of columns, `label_map` and `dataset_name` count.
    Raises:
        UserError: see `labels.read_splits`; or the counts are not those of the test table's classes.
    """
    for option, path in (("labels", test), ("train_labels", train)):
        if path is not None and not path.is_file():
            kind = "a folder; give the table itself" if path.is_dir() else "not there"
            raise UserError(f"option {option}: {path} is {kind}")
    known = read_csv(train) if train is not None else None
    counted = known is not None and any(name in known.header for name in COUNT_COLUMNS) and "class" in known.header
    files = {"test": test}
    if train is not None and not counted:
        files = {"train": train, "test": test} if first == "train" else {"test": test, "train": train}
    tables = read_splits(
        files,
        id_column=options.id_column,
        subject_column=options.subject_column,
        ignore_columns=options.ignore_columns,
        label_map=options.label_map,
        metadata=open_metadata(options),
    )
    counts = class_counts(tables, known if counted else None)
    warnings = [warning for table in tables.values() for warning in table.warnings] + class_warnings(tables)
    if options.dataset_name in COUNTS:
        warnings += differences(options.dataset_name, tables)
    if "train_count" not in counts:
        warnings.append(UNKNOWN)
    return ImportedLabels(tables["test"], counts, tuple(dict.fromkeys(warnings)))


def class_counts(tables: Mapping[str, LabelTable], counted: RawTable | None = None) -> pd.DataFrame:
    """Columns as in `ImportedLabels.counts`, from the tables, or from a table of counts."""
    test = tables["test"]
    table = pd.DataFrame({"class": list(test.classes), "test_count": test.labels.sum(axis=0, dtype=int)})
    table["n_test"] = len(test)
    if "train" in tables:
        table["train_count"] = tables["train"].labels.sum(axis=0, dtype=int)
        table["n_train"] = len(tables["train"])
    if counted is not None:
        by_class, n_train = _counted(counted, test)
        table["train_count"] = [by_class[name] for name in test.classes]
        if n_train is not None:
            table["n_train"] = n_train
    return table


def _counted(raw: RawTable, test: LabelTable) -> tuple[dict[str, int], int | None]:
    """Training images of each class, and their number: column `n_train` or row `(images)`, if there is one."""
    column = next(name for name in COUNT_COLUMNS if name in raw.header)
    cells = zip(raw.column("class"), raw.column(column), raw.lines, strict=True)
    counts = {name: _count(raw, text, line, column) for name, text, line in cells}
    if len(counts) < len(raw.rows):
        raise UserError(f"{raw.path}: a class has two rows")
    images = counts.pop(IMAGES, None)
    if "n_train" in raw.header and raw.column("n_train")[0]:
        images = _count(raw, raw.column("n_train")[0], raw.lines[0], "n_train")
    missing, more = sorted(set(test.classes) - set(counts)), sorted(set(counts) - set(test.classes))
    if missing or more:
        parts = [f"no row for {some(missing)}"] if missing else []
        parts += [f"row(s) for {some(more)}, which it does not have"] if more else []
        raise UserError(f"{raw.path}: the classes are not those of {test.source}: {'; '.join(parts)}")
    return counts, images


def _count(raw: RawTable, text: str, line: int, column: str) -> int:
    if not text.isdecimal():
        raise UserError(f"{raw.path}, row {line}, column '{column}': {text!r} is not a number of images")
    return int(text)
