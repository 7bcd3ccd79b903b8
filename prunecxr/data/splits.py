"""The splits of a data set: their tables found, read, and checked against each other."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from prunecxr.data.labels import LabelTable, interpret
from prunecxr.data.messages import count_is, some
from prunecxr.data.metadata import MetadataOptions, read_metadata
from prunecxr.data.tables import quoted, read_csv
from prunecxr.errors import UserError

SPLITS = ("train", "val", "test")
SPLIT_WORDS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}


def find_split_files(labels: str) -> dict[str, Path]:
    """Find the three split tables.

    Args:
        labels: a folder that holds them (told apart by `train`, `val` or `test` in their names), or three files
            `train,val,test` separated by commas.

    Returns:
        The paths by split: `train`, `val`, `test`.

    Raises:
        UserError: a table is missing, or more than one could be meant.
    """
    folder = Path(labels).expanduser()
    if folder.is_dir():
        return _split_files_in(folder)
    names = [name.strip() for name in labels.split(",")]
    if len(names) != len(SPLITS):
        if len(names) == 1 and not folder.exists():
            raise UserError(f"labels: there is no folder {labels}")
        raise UserError(f"labels: give a folder or three files train,val,test, not {len(names)}: {labels}")
    files = {split: Path(name).expanduser() for split, name in zip(SPLITS, names, strict=True)}
    for split, path in files.items():
        if not path.is_file():
            raise UserError(f"labels: there is no {split} table {path}")
    if len({path.resolve() for path in files.values()}) < len(files):
        raise UserError(f"labels: the same file is given for two splits: {labels}")
    return files


def read_splits(
    files: Mapping[str, Path],
    *,
    id_column: str | None = None,
    subject_column: str | None = None,
    ignore_columns: Iterable[str] = (),
    label_map: Mapping[str, int] | None = None,
    metadata: MetadataOptions | None = None,
) -> dict[str, LabelTable]:
    """Read the tables of all splits, bring their classes into the order of the first, and check them for leaks.

    Args:
        files: the tables by split, as `find_split_files` returns them.
        id_column, subject_column, ignore_columns, label_map: as in `read_table`.
        metadata: where to look for those of the test images; None: in the label table, by the names of its columns.

    Returns:
        The tables by split, with the same classes in the same order.

    Raises:
        UserError: see `read_table`; different classes in two splits; an image or a patient in two splits.
    """
    ignored = frozenset(ignore_columns)
    raws = {split: read_csv(path) for split, path in files.items()}
    unknown = ignored.difference(*(raw.header for raw in raws.values()))
    if unknown:
        columns = ", ".join(next(iter(raws.values())).header)
        raise UserError(f"ignore_columns: no table has a column {quoted(sorted(unknown))}; there are: {columns}")
    metadata = metadata or MetadataOptions()
    no_classes = ignored | frozenset(metadata.declared)
    tables = {
        split: interpret(raw, id_column, subject_column, no_classes, label_map or {}) for split, raw in raws.items()
    }
    if "test" in tables:
        test = tables["test"]
        read, noticed = read_metadata(raws["test"], test.ids.tolist(), test.subjects.tolist(), ignored, metadata)
        tables["test"] = replace(test, metadata=read, warnings=(*test.warnings, *noticed))
    first = next(iter(tables.values()))
    tables = {split: _reordered(table, first) for split, table in tables.items()}
    check_splits(tables)
    return tables


def check_splits(tables: Mapping[str, LabelTable]) -> None:
    """Check that no image and no patient is in two splits.

    Raises:
        UserError: with the first of them and their number.
    """
    subjects = {split: _comparable(table.subjects) for split, table in tables.items()}
    for a, b in itertools.combinations(tables, 2):
        shared = sorted(set(tables[a].ids) & set(tables[b].ids))
        if shared:
            raise UserError(
                f"{count_is(len(shared), 'image')} in both the {a} and the {b} table: {some(shared)}; "
                "every image belongs to one split"
            )
        patients = sorted(name for key, name in subjects[a].items() if key in subjects[b])
        if patients:
            raise UserError(
                f"{count_is(len(patients), 'patient')} in both the {a} and the {b} table: {some(patients)}; split by "
                "patient, or the test scores are too good"
            )


def class_warnings(tables: Mapping[str, LabelTable]) -> list[str]:
    """Say which classes have no positive, or no negative, image in a split: their scores are undefined there."""
    warnings = []
    for split, table in tables.items():
        counts = table.counts()
        without = [name for name, count in counts.items() if count == 0]
        everywhere = [name for name, count in counts.items() if count == len(table)]
        if without:
            warnings.append(f"no positive image in the {split} split: {', '.join(without)}")
        if everywhere:
            warnings.append(f"only positive images in the {split} split: {', '.join(everywhere)}")
    return warnings


def _split_files_in(folder: Path) -> dict[str, Path]:
    try:
        tables = sorted(path for path in folder.iterdir() if _is_table(path))
    except OSError as error:
        raise UserError(f"labels: {folder} cannot be read: {error.strerror}") from error
    return {split: _split_file(folder, tables, split) for split in SPLITS}


def _is_table(path: Path) -> bool:
    return path.name.lower().endswith((".csv", ".csv.gz")) and not path.name.startswith(".") and path.is_file()


def _split_file(folder: Path, tables: list[Path], split: str) -> Path:
    by_word = [path for path in tables if splits_named(path.name) == {split}]
    # `nihtrain.csv`: no separate word, but nothing else claims it either.
    by_part = [
        path
        for path in tables
        if not splits_named(path.name) and any(word in _stem(path) for word in SPLIT_WORDS[split])
    ]
    found = by_word or by_part
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(
            f"labels: {folder} holds more than one {split} table: {', '.join(path.name for path in found)}; "
            "give three files train,val,test instead of the folder"
        )
    there = ", ".join(path.name for path in tables) or "no .csv file at all"
    raise UserError(
        f"labels: {folder} holds no {split} table, a .csv or .csv.gz file with '{split}' in its name (there is: "
        f"{there}); or give three files train,val,test"
    )


def _stem(path: Path) -> str:
    return re.sub(r"\.csv(\.gz)?$", "", path.name.lower())


def splits_named(name: str) -> set[str]:
    """The splits named by whole words of a file or folder name: `labels_train`, `TrainLabels`, `train2017`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = set(re.findall(r"[a-z]+", spaced.lower()))
    return {split for split, names in SPLIT_WORDS.items() if words & set(names)}


def _reordered(table: LabelTable, first: LabelTable) -> LabelTable:
    """The table with its classes in the order of `first`."""
    if set(table.classes) != set(first.classes):
        only_first = [name for name in first.classes if name not in table.classes]
        only_table = [name for name in table.classes if name not in first.classes]
        parts = [f"only in {first.source}: {quoted(only_first)}"] if only_first else []
        parts += [f"only in {table.source}: {quoted(only_table)}"] if only_table else []
        raise UserError(
            f"the splits have different classes; {'; '.join(parts)}; columns that are no classes are left out with "
            "ignore_columns"
        )
    order = [table.classes.index(name) for name in first.classes]
    return replace(table, labels=np.ascontiguousarray(table.labels[:, order]), classes=first.classes)


def _comparable(subjects: np.ndarray) -> dict[str, str]:
    """Subjects by a spelling that survives a spreadsheet: `00000013`, `13` and `13.0` are one patient."""
    return {re.sub(r"^0+(?=\d)", "", re.sub(r"^(\d+)\.0$", r"\1", subject)): subject for subject in set(subjects)}
