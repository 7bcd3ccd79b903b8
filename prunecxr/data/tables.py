"""CSV files as text, checked for their shape: what every table is read by. Knows no labels."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prunecxr.errors import UserError


@dataclass(frozen=True)
class RawTable:
    """A CSV file as text: stripped cells, and the line (counted from 1, as editors do) on which each row begins."""

    path: Path
    header: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]

    def column(self, name: str) -> list[str]:
        """The cells of one column, length n."""
        at = self.header.index(name)
        return [row[at] for row in self.rows]


def read_csv(path: Path) -> RawTable:
    """A CSV file (UTF-8; comma, semicolon or tab; gzipped or not) as text.

    Raises:
        UserError: it is no table of rows of the same length with named, distinct columns.
    """
    text = _read_text(path)
    first_line = text.lstrip().partition("\n")[0]
    delimiter = max(",;\t", key=first_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, lines, begins = [], [], 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append([cell.strip() for cell in row])
                lines.append(begins)
            begins = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}, row {begins}: not a CSV table ({error})") from error
    if not rows:
        raise UserError(f"{path} is empty: a label table has a header and one row an image")
    header = tuple(rows.pop(0))
    lines.pop(0)
    _check_shape(path, header, rows, lines)
    return RawTable(path, header, rows, lines)


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{path} is a damaged gzip file ({error}): copy it again") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            line = 1
        raise UserError(f"{path}, row {line}: not UTF-8 text; save the table as CSV in UTF-8") from error
    if "\0" in text:
        raise UserError(f"{path} is not a CSV table: it holds binary data")
    return text


def _check_shape(path: Path, header: tuple[str, ...], rows: list[list[str]], lines: list[int]) -> None:
    if len(header) == 1:
        raise UserError(f"{path} is not a CSV table with a header of several columns; it begins '{header[0][:60]}'")
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise UserError(f"{path}: two columns are named {quoted(twice)}; every column needs its own name")
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(header):
            raise UserError(f"{path}, row {line}: {len(row)} cells, but the header has {len(header)} columns")
    if not rows:
        raise UserError(f"{path} has a header but no rows: every split needs images")


def check_ids(raw: RawTable, name: str, ids: list[str]) -> None:
    """Check that every row has an id, each its own.

    Raises:
        UserError: naming the row.
    """
    check_filled(raw, name, ids)
    first_row: dict[str, int] = {}
    for value, line in zip(ids, raw.lines, strict=True):
        if value in first_row:
            raise UserError(
                f"{raw.path}, row {line}: id '{value}' is already in row {first_row[value]}; every image has one row"
            )
        first_row[value] = line


def check_filled(raw: RawTable, name: str, values: list[str]) -> None:
    """Check that no cell of a column is empty.

    Raises:
        UserError: naming the row.
    """
    for value, line in zip(values, raw.lines, strict=True):
        if not value:
            raise UserError(f"{raw.path}, row {line}, column '{name}': empty, but every image needs one")


def plain(name: str) -> str:
    """A column name as it is compared: lower case, letters and digits alone."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def quoted(names: Sequence[str]) -> str:
    """Names in a message, each in quotes."""
    return ", ".join(f"'{name}'" for name in names)
