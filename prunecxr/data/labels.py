"""Label tables: read and validated. Knows no images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from prunecxr.data.columns import ID_COLUMNS, SUBJECT_COLUMNS, class_columns, file_column, find_column
from prunecxr.data.tables import RawTable, check_filled, check_ids, read_csv
from prunecxr.errors import UserError

NO_SUBJECTS = "none"  # subject_column=none: every image is its own patient
BLANK = "blank"  # how label_map names an empty cell


@dataclass(frozen=True)
class LabelTable:
    """The labels of one split.

    Attributes:
        ids: image ids, shape (n,), dtype object (str), unique.
        subjects: subject (patient) ids, shape (n,), dtype object (str).
        labels: 0/1 labels, shape (n, n_classes), uint8.
        classes: class names in the order of the table's header, length n_classes.
        files: where each image is said to lie, relative to the image folder, shape (n,); None: only the id tells.
        source: the file it was read from, for messages; empty if there is none.
        warnings: what the user should know about how the table was read.
        metadata: what is known of the images besides labels, see :mod:`prunecxr.data.metadata`; read of the test
            images alone. It is no part of a data set's identity.
    """

    ids: np.ndarray
    subjects: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    files: np.ndarray | None = None
    source: str = ""
    warnings: tuple[str, ...] = ()
    metadata: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def counts(self) -> dict[str, int]:
        """Number of positive images of each class."""
        return dict(zip(self.classes, self.labels.sum(axis=0, dtype=int).tolist(), strict=True))


def read_table(
    path: Path,
    *,
    id_column: str | None = None,
    subject_column: str | None = None,
    ignore_columns: Iterable[str] = (),
    label_map: Mapping[str, int] | None = None,
) -> LabelTable:
    """Read one label table: an id column, a subject column, known metadata, and one 0/1 column a class.

    Args:
        path: a CSV file (UTF-8; comma, semicolon or tab), gzipped or not.
        id_column: column of the image id; None: the first known name.
        subject_column: column of the patient id; None: the first known name; `none`: every image is its own patient.
        ignore_columns: further columns that are no classes.
        label_map: what values other than 0 and 1 mean, as in {"-1": 0, "blank": 0}.

    Raises:
        UserError: the file, a column, an id, a path or a label is not as it must be; the message says where.
    """
    raw = read_csv(path)
    return interpret(raw, id_column, subject_column, frozenset(ignore_columns), label_map or {})


def interpret(
    raw: RawTable,
    id_column: str | None,
    subject_column: str | None,
    ignored: frozenset[str],
    label_map: Mapping[str, int],
) -> LabelTable:
    """What a table says, read as `read_table` takes it."""
    warnings: list[str] = []
    id_name = find_column(raw, id_column, ID_COLUMNS, "id_column", "image id", ignored)
    ids = raw.column(id_name)
    check_ids(raw, id_name, ids)
    if subject_column == NO_SUBJECTS:
        subjects, subject_name = ids, id_name
        warnings.append(
            f"{raw.path.name}: every image counts as its own patient (subject_column=none), so leaks between splits "
            "are not seen and intervals are too narrow if patients have several images"
        )
    else:
        subject_name = find_column(raw, subject_column, SUBJECT_COLUMNS, "subject_column", "patient id", ignored)
        subjects = raw.column(subject_name)
        check_filled(raw, subject_name, subjects)
    files = file_column(raw, id_name, ids, ignored)
    classes = class_columns(raw, {id_name, subject_name} | ignored, warnings)
    return LabelTable(
        ids=np.array(ids, dtype=object),
        subjects=np.array(subjects, dtype=object),
        labels=np.stack([_labels(raw, name, label_map) for name in classes], axis=1),
        classes=classes,
        files=None if files is None else np.array(files, dtype=object),
        source=str(raw.path),
        warnings=tuple(warnings),
    )


def _labels(raw: RawTable, name: str, label_map: Mapping[str, int]) -> np.ndarray:
    """One class column as 0/1, shape (n,), uint8."""
    meanings = {"0": 0, "1": 1} | {_canonical(value): meaning for value, meaning in label_map.items()}
    cells = raw.column(name)
    of_cell = {cell: meanings.get(_canonical(cell)) for cell in set(cells)}
    wrong = [at for at, cell in enumerate(cells) if of_cell[cell] not in (0, 1)]
    if wrong:
        cell, line = cells[wrong[0]], raw.lines[wrong[0]]
        said = f"is '{cell}'" if cell else "is blank"
        more = f" ({len(wrong)} such rows in this column)" if len(wrong) > 1 else ""
        values = sorted({_canonical(cells[at]) for at in wrong})
        example = ",".join(f"{value}:0" for value in values)
        # Many different values are no labels: ages, dates, names.
        mapping = f'say what it means with label_map, for example label_map="{example}", or ' if len(values) < 4 else ""
        raise UserError(
            f"{raw.path}, row {line}, column '{name}': the label {said}, it must be 0 or 1{more}; {mapping}leave the "
            f'column out with ignore_columns="{name}"'
        )
    return np.array([of_cell[cell] for cell in cells], dtype=np.uint8)


def _canonical(cell: str) -> str:
    """One spelling a value: `-1.0` is `-1`; an empty cell, and what pandas writes for it, is `blank`."""
    cell = cell.strip()
    if cell.lower() in ("", "nan", "na", "n/a", "none", BLANK):
        return BLANK
    return str(int(float(cell))) if re.fullmatch(r"[+-]?\d{1,9}(\.0*)?", cell) else cell
