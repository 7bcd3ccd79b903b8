"""The test split of a data set alone: all that is needed of it where nothing is trained. Knows no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from prunecxr.data.datasets import DATASETS, Split, check_one_row_a_file, open_dataset, open_tables
from prunecxr.data.folders import FolderIndex
from prunecxr.data.imported import ImportedLabels, class_counts, read_imported_labels
from prunecxr.data.metadata import open_metadata
from prunecxr.data.published import differences
from prunecxr.data.splits import class_warnings, find_split_files, read_splits
from prunecxr.errors import UserError

if TYPE_CHECKING:  # the options are read here, and checked elsewhere
    from prunecxr.options.sections import DataOptions


@dataclass(frozen=True)
class HeldOut:
    """The test split of a data set, and what is known of its training images.

    Attributes:
        name: what tags and models call the data set.
        classes: in the order of the label table's columns; of the train table's where all tables are given.
        counts: columns class, test_count, n_test (images), and train_count, n_train where they are known.
        warnings: what a reader of the results must know, one sentence each.
    """

    name: str
    classes: tuple[str, ...]
    test: Split
    counts: pd.DataFrame
    warnings: tuple[str, ...]


def open_held_out(options: DataOptions, train_labels: Path | None = None) -> HeldOut:
    """Read and check the test split. Images of other splits need not be there; images are found, not decoded.

    Args:
        options: as for `open_dataset`; `labels` may also be the test table alone.
        train_labels: beside a test table alone, a label table of the training images, or their class counts.
    Raises:
        UserError: unknown data set, or anything wrong with its tables or images; the message says what and where.
    """
    name = options.dataset_name or options.dataset
    if DATASETS.get(options.dataset) is not open_tables:
        dataset = open_dataset(options)
        tables = {"train": dataset.train.table, "test": dataset.test.table}
        return HeldOut(name, dataset.classes, dataset.test, class_counts(tables), dataset.warnings)
    if options.labels is None:
        raise UserError(f"labels: dataset {options.dataset} needs the label table of the test images, or all tables")
    if options.images is None:
        raise UserError(f"images: dataset {options.dataset} needs the folder that holds the images")
    known = _read_tables(options, name, train_labels)
    images = FolderIndex(options.images.expanduser()).locate(known.test)
    check_one_row_a_file({"test": images})
    return HeldOut(name, known.test.classes, Split("test", known.test, images), known.counts, known.warnings)


def _read_tables(options: DataOptions, name: str, train_labels: Path | None) -> ImportedLabels:
    assert options.labels is not None
    alone = Path(options.labels).expanduser()
    if alone.is_file():
        named = options.model_copy(update={"dataset_name": name})
        return read_imported_labels(alone, train_labels, named, first="test")
    files = find_split_files(options.labels)
    if train_labels is not None:
        raise UserError("option train_labels: the option labels names a train table already; leave one of them out")
    tables = read_splits(
        files,
        id_column=options.id_column,
        subject_column=options.subject_column,
        ignore_columns=options.ignore_columns,
        label_map=options.label_map,
        metadata=open_metadata(options),
    )
    warnings = [warning for table in tables.values() for warning in table.warnings]
    warnings += class_warnings(tables) + differences(name, tables)
    return ImportedLabels(tables["test"], class_counts(tables), tuple(dict.fromkeys(warnings)))
