"""What label tables say of patients and images besides labels: age, sex, view, and what the user declares. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from prunecxr.data.columns import ID_COLUMNS, RECOGNISED, SUBJECT_COLUMNS
from prunecxr.data.messages import count_is
from prunecxr.data.tables import RawTable, check_ids, plain, read_csv
from prunecxr.errors import UserError

if TYPE_CHECKING:  # what is read, not what is checked: no pydantic here
    from prunecxr.options.sections import DataOptions

AGE, SEX, VIEW = RECOGNISED
OLDEST = 120  # years; NIH's tables hold ages up to 414
YEARS_IN = {"y": 1.0, "m": 1 / 12, "w": 7 / 365.25, "d": 1 / 365.25}
SEXES = {"m": "M", "male": "M", "man": "M", "f": "F", "female": "F", "woman": "F"}
MISSING = {"", "nan", "na", "n/a", "none", "null", "unknown", "unk", "u", "?", "-"}

Metadata = Mapping[str, np.ndarray]
"""Column -> shape (n,): `age` in years, float64, NaN where it is missing; all others text, "" where they are."""


@dataclass(frozen=True)
class MetadataOptions:
    """Where metadata are looked for.

    Attributes:
        declared: columns that describe the patient or the image and are no labels, besides those recognised by name.
        further: tables besides the label tables, joined by image id, or by patient where they hold no image id.
        id_column, subject_column: names of those columns; None: recognised.
    """

    declared: tuple[str, ...] = ()
    further: tuple[RawTable, ...] = ()
    id_column: str | None = None
    subject_column: str | None = None


def open_metadata(options: DataOptions) -> MetadataOptions:
    """Where the options of a data set say that metadata are; further tables are read.

    Raises:
        UserError: one of these is not there, or is no table.
    """
    named = options.metadata_table
    paths = [Path(name.strip()).expanduser() for name in named.split(",")] if named else []
    for path in paths:
        if not path.is_file():
            raise UserError(f"metadata_table: there is no file {path}")
    further = tuple(map(read_csv, paths))
    return MetadataOptions(options.metadata, further, options.id_column, options.subject_column)


def read_metadata(
    raw: RawTable, ids: Sequence[str], subjects: Sequence[str], ignored: frozenset[str], options: MetadataOptions
) -> tuple[Metadata, list[str]]:
    """The metadata of a label table's images, from the table itself and from further tables.

    Args:
        raw: the label table.
        ids, subjects: of its images, length n.
        ignored: columns to pass over.

    Returns:
        Columns `age`, `sex`, `view` as far as there are any, then the declared ones under their own names; and what
        the user should know of how they were read.

    Raises:
        UserError: no table has a declared column; the images or patients of a further table are not unique.
    """
    sources = [_Source(raw)] + [_further(table, ids, subjects, options) for table in options.further]
    warnings = [warning for source in sources for warning in source.warnings]
    read: dict[str, np.ndarray] = {}
    for label, known in RECOGNISED.items():
        at = next(((one, name) for one in sources if (name := one.named(known, ignored)) is not None), None)
        if at is not None:
            read[label] = _read(label, *at, warnings)
    for name in options.declared:
        source = next((one for one in sources if name in one.raw.header), None)
        if source is None:
            listed = "; ".join(f"{one.raw.path.name}: {', '.join(one.raw.header)}" for one in sources)
            raise UserError(f"metadata: no table has a column {name!r} (there are {listed})")
        label = next((label for label, known in RECOGNISED.items() if plain(name) in known), name)
        if label not in read:
            read[label] = _read(label, source, name, warnings)
    return read, warnings


@dataclass(frozen=True)
class _Source:
    """A table, and which of its rows belongs to each image.

    Attributes:
        rows: shape (n,), -1 where it has none; None: row i is image i.
    """

    raw: RawTable
    rows: np.ndarray | None = None
    warnings: list[str] = field(default_factory=list)

    def cells(self, name: str) -> list[str]:
        """A column, one cell an image; "" for images without a row."""
        column = self.raw.column(name)
        return column if self.rows is None else [column[row] if row >= 0 else "" for row in self.rows]

    def named(self, known: Iterable[str], ignored: frozenset[str]) -> str | None:
        """The column of the first of these names that the table has."""
        by_plain = {plain(name): name for name in reversed(self.raw.header) if name not in ignored}
        return next((by_plain[one] for one in known if one in by_plain), None)


def _further(table: RawTable, ids: Sequence[str], subjects: Sequence[str], options: MetadataOptions) -> _Source:
    """A further table with the row of each image: by its id, or by its patient."""
    for what, given, known, wanted in (
        ("image", options.id_column, ID_COLUMNS, [_stem(value) for value in ids]),
        ("patient", options.subject_column, SUBJECT_COLUMNS, [_number(value) for value in subjects]),
    ):
        by_plain = {plain(name): name for name in reversed(table.header)}
        column = given if given in table.header else next((by_plain[one] for one in known if one in by_plain), None)
        if column is not None:
            return _joined(table, column, wanted, what)
    raise UserError(
        f"metadata_table: {table.path} has neither a column of image ids nor one of patients (columns: "
        f"{', '.join(table.header)}); name one with id_column or subject_column"
    )


def _joined(table: RawTable, column: str, wanted: list[str], what: str) -> _Source:
    spelled = _stem if what == "image" else _number
    names = [spelled(value) for value in table.column(column)]
    check_ids(table, column, names)
    row_of = {name: row for row, name in enumerate(names)}
    rows = np.array([row_of.get(name, -1) for name in wanted], dtype=np.intp)
    without = int((rows < 0).sum())
    if without == len(rows) and len(rows):
        raise UserError(f"metadata_table: {table.path} knows none of the {what}s by its column {column!r}")
    warnings = [f"{table.path.name}: {count_is(without, 'image')} not in it, and without its metadata"]
    return _Source(table, rows, warnings if without else [])


def _stem(image_id: str) -> str:
    """An image id as tables agree on it: without folder and ending."""
    return re.sub(r"\.(png|jpe?g|dcm|dicom|bmp|tiff?)$", "", image_id.replace("\\", "/").rpartition("/")[2], flags=re.I)


def _number(subject: str) -> str:
    """A patient as tables agree on it: `00000013`, `13` and `13.0` are one."""
    return re.sub(r"^0+(?=\d)", "", re.sub(r"^(\d+)\.0$", r"\1", subject))


def _read(label: str, source: _Source, name: str, warnings: list[str]) -> np.ndarray:
    """A column in the spelling that all tables share."""
    cells = source.cells(name)
    if label == AGE:
        return _ages(cells, source.raw.path.name, warnings)
    spelled = {cell: _text(cell) for cell in set(cells)}
    if label == SEX:
        spelled = {cell: SEXES.get(text.lower(), text) for cell, text in spelled.items()}
    if label == VIEW:
        spelled = {cell: text.upper() for cell, text in spelled.items()}
    return np.array([spelled[cell] for cell in cells], dtype=object)


def _ages(cells: Sequence[str], table: str, warnings: list[str]) -> np.ndarray:
    years = {cell: _years(cell) for cell in set(cells)}
    implausible = sum(np.isnan(years[cell]) and bool(_text(cell)) for cell in cells)
    if implausible:
        warnings.append(
            f"{table}: {count_is(implausible, 'age')} above {OLDEST} years, or not a number, and counted as missing"
        )
    return np.array([years[cell] for cell in cells], np.float64)


def _years(cell: str) -> float:
    """`58`, `058Y`, `006M`, `58.0`, `90+`: years; NaN for what is missing or no plausible age."""
    match = re.fullmatch(r">?\s*0*(\d+(?:\.\d*)?)\s*([YMWDymwd]?)(?:ears?|r|rs)?\+?", cell.strip())
    if match is None:
        return float("nan")
    years = float(match[1]) * YEARS_IN[match[2].lower() or "y"]
    return years if years <= OLDEST else float("nan")


def _text(cell: str) -> str:
    """A cell as text; "" for what is missing."""
    return "" if cell.strip().lower() in MISSING else cell.strip()
