"""Data sets by name: label tables joined to their images, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prunecxr.data.folders import FolderImages, FolderIndex
from prunecxr.data.images import ImageSource
from prunecxr.data.labels import LabelTable
from prunecxr.data.metadata import open_metadata
from prunecxr.data.published import COUNTS, differences
from prunecxr.data.splits import check_splits, class_warnings, find_split_files, read_splits
from prunecxr.errors import UserError

if TYPE_CHECKING:  # what is read, not what is checked: no pydantic here
    from prunecxr.options.sections import DataOptions


@dataclass(frozen=True)
class Split:
    """One split: row i of the table is image i of the source.

    Attributes:
        name: `train`, `val` or `test`.
        table: its labels.
        images: its images, in the order of the table.
    """

    name: str
    table: LabelTable
    images: ImageSource


@dataclass(frozen=True)
class Dataset:
    """Labels and images of the three splits; no image and no patient is in two of them.

    Attributes:
        name: what tags and models call it.
        classes: class names in the order of the label tables' columns.
        train, val, test: the splits.
        warnings: what a reader of the results must know, one sentence each.
        no_finding: the class that stands for the absence of all others, or None.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    val: Split
    test: Split
    warnings: tuple[str, ...]
    no_finding: str | None


def open_dataset(options: DataOptions) -> Dataset:
    """Read and check the data set that the options name. Images are found, not decoded.

    Raises:
        UserError: unknown data set, or anything wrong with its tables or images; the message says what and where.
    """
    if options.dataset not in DATASETS:
        raise UserError(f"dataset: unknown '{options.dataset}'; known: {', '.join(DATASETS)}")
    return DATASETS[options.dataset](options)


def open_tables(options: DataOptions) -> Dataset:
    """Label tables and an image folder: any that have the layout described in `labels.read_table`."""
    if options.labels is None:
        raise UserError(
            f"labels: dataset {options.dataset} needs the folder with the label tables, or three files train,val,test"
        )
    if options.images is None:
        raise UserError(f"images: dataset {options.dataset} needs the folder that holds the images")
    tables = read_splits(
        find_split_files(options.labels),
        id_column=options.id_column,
        subject_column=options.subject_column,
        ignore_columns=options.ignore_columns,
        label_map=options.label_map,
        metadata=open_metadata(options),
    )
    index = FolderIndex(options.images.expanduser())
    images = {split: index.locate(table) for split, table in tables.items()}
    check_one_row_a_file(images)
    return _dataset(options, tables, images)


def open_phantom(options: DataOptions) -> Dataset:
    """Synthetic radiographs, rendered at the size asked for."""
    from prunecxr.data.phantom import (
        PhantomImages,
        phantom_tables,  # drawn only where it is used
    )

    tables = phantom_tables(options.phantom_train, options.phantom_val, options.phantom_test, options.phantom_seed)
    check_splits(tables)
    images = {split: PhantomImages(table, options.image_size, options.phantom_seed) for split, table in tables.items()}
    return _dataset(options, tables, images)


DATASETS: dict[str, Callable[[DataOptions], Dataset]] = {
    "phantom": open_phantom,
    "nih-cxr-lt": open_tables,
    "mimic-cxr-lt": open_tables,
    "csv": open_tables,
}


def _dataset(options: DataOptions, tables: Mapping[str, LabelTable], images: Mapping[str, ImageSource]) -> Dataset:
    name = options.dataset_name or options.dataset
    classes = tables["train"].classes
    warnings = [warning for table in tables.values() for warning in table.warnings]
    warnings += class_warnings(tables) + differences(name if name in COUNTS else options.dataset, tables)
    return Dataset(
        name=name,
        classes=classes,
        train=Split("train", tables["train"], images["train"]),
        val=Split("val", tables["val"], images["val"]),
        test=Split("test", tables["test"], images["test"]),
        warnings=tuple(dict.fromkeys(warnings)),
        no_finding=next((label for label in classes if _letters(label) in ("nofinding", "nofindings")), None),
    )


def _letters(label: str) -> str:
    return "".join(filter(str.isalpha, label.lower()))


def check_one_row_a_file(images: Mapping[str, FolderImages]) -> None:
    """Two ids (`a` and `a.png`, say) must not mean the same file: within a split or, worse, across two."""
    row_of: dict[str, str] = {}
    for split, source in images.items():
        for image_id, file in zip(source.ids, source.files, strict=True):
            row = f"'{image_id}' ({split})"
            if file in row_of:
                raise UserError(f"two rows mean the same image file {source.root / file}: {row_of[file]} and {row}")
            row_of[file] = row
