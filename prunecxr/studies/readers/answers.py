"""Files that readers returned -> checked answers, joined to the key; every mistake names its file and row."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from prunecxr.errors import UserError
from prunecxr.studies.readers.analysis import QUESTIONS
from prunecxr.studies.readers.sections.form import FORMAT

AGREEMENT = {"yes": 1.0, "y": 1.0, "no": 0.0, "n": 0.0}
RATINGS = {str(rating): float(rating) for rating in range(1, 6)}
RATINGS |= {f"{rating}.0": value for rating, value in RATINGS.items()}  # as some spreadsheets save whole numbers
ADMITTED = {"agree": (AGREEMENT, "yes or no"), "quality": (RATINGS, "1 to 5"), "difficulty": (RATINGS, "1 to 5")}


@dataclass(frozen=True)
class Row:
    """One row of a file, as text.

    Attributes:
        where: file and row, for messages.
        item: token of the image.
        texts: answer by question; empty where there is none.
    """

    where: str
    item: str
    texts: dict[str, str]


def find_files(answers: str) -> list[Path]:
    """The files that the option names: a folder's .json and .csv files, or files, separated by commas.

    Raises:
        UserError: no such file or folder, or nothing in it.
    """
    files: list[Path] = []
    for part in filter(None, (text.strip() for text in answers.split(","))):
        path = Path(part).expanduser()
        if path.is_dir():
            files += sorted(one for one in path.iterdir() if one.suffix.lower() in (".json", ".csv"))
        elif path.is_file():
            files.append(path)
        else:
            raise UserError(f"option answers: there is no file or folder {path}")
    if not files:
        raise UserError(f"option answers: {answers or 'empty'}: no .json or .csv file; give the saved answers")
    return files


def read_answers(files: Sequence[Path], key: pd.DataFrame, export: str, allow_missing: bool = False) -> pd.DataFrame:
    """Everything the readers answered, joined to the key.

    Args:
        files: saved by the form (.json) or filled in (.csv).
        key: reader, position, item, id, subject_id, is_pie.
        export: id of the run that the key is from.
        allow_missing: whether answers may be missing, of single questions or whole images.

    Returns:
        The key with the columns of :data:`QUESTIONS` (agree 1 or 0; ratings; NaN where there is no answer).

    Raises:
        UserError: a file that is no answers, or of another export; an unknown item; an item answered twice; an answer
            out of range; a missing one.
    """
    rows = [row for file in files for row in _rows(file, export)]
    known = set(key["item"])
    given: dict[str, Row] = {}
    empty: dict[str, Row] = {}
    for row in rows:
        if row.item not in known:
            raise UserError(f"{row.where}: item {row.item!r} is not of export run {export}")
        if not any(row.texts.values()):
            empty[row.item] = row
        elif row.item in given:
            raise UserError(
                f"{row.where}: item {row.item} is answered in {given[row.item].where}, too; keep one of the two"
            )
        else:
            given[row.item] = row
    numbers = {item: {name: _number(row, name) for name in QUESTIONS} for item, row in given.items()}
    if not numbers:
        raise UserError(f"{files[0]}: holds no answer at all")
    if not allow_missing:
        _check_complete(key, given, empty)
    return key.assign(**{name: [numbers.get(item, {}).get(name, np.nan) for item in key["item"]] for name in QUESTIONS})


def _check_complete(key: pd.DataFrame, given: dict[str, Row], empty: dict[str, Row]) -> None:
    advice = "allow_missing=true imports what there is"
    for row in given.values():
        for name in QUESTIONS:
            if not row.texts[name]:
                raise UserError(f"{row.where}: item {row.item} has no answer to '{name}'; {advice}")
    missing = key[~key["item"].isin(list(given))]
    if len(missing):
        first = missing.iloc[0]
        where = f"{empty[first['item']].where}: " if first["item"] in empty else ""
        raise UserError(
            f"{where}item {first['item']} (reader {first['reader']}, image {first['position']} of the form) is not "
            f"answered; {len(missing)} of {len(key)} items are not; {advice}"
        )


def _number(row: Row, name: str) -> float:
    values, admitted = ADMITTED[name]
    text = row.texts[name].lower()
    if text and text not in values:
        raise UserError(f"{row.where}: item {row.item}: {name} is {row.texts[name][:40]!r}, not {admitted}")
    return values[text] if text else np.nan


def _rows(file: Path, export: str) -> Iterator[Row]:
    try:
        text = file.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from error
    return _json_rows(file, text, export) if file.suffix.lower() == ".json" else _csv_rows(file, text)


def _json_rows(file: Path, text: str, export: str) -> Iterator[Row]:
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UserError(f"{file}: is not valid JSON ({error}); was it saved by the form?") from None
    entries = content.get("answers") if isinstance(content, dict) and content.get("format") == FORMAT else None
    if not isinstance(entries, list):
        raise UserError(f"{file}: is no file of answers saved by a form ('format' is not {FORMAT})")
    if content.get("export") != export:
        raise UserError(
            f"{file}: answers of export run {content.get('export')}, not of {export}; give export_run, or leave it out"
        )
    for number, entry in enumerate(entries, 1):
        where = f"{file}, answer {number}"
        if not isinstance(entry, dict):
            raise UserError(f"{where}: is no answer")
        yield Row(where, _text(entry.get("item")), {name: _text(entry.get(name)) for name in QUESTIONS})


def _csv_rows(file: Path, text: str) -> Iterator[Row]:
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)  # spreadsheets of some countries save semicolons
    try:
        lines = list(csv.reader(text.splitlines(), delimiter=delimiter))
    except csv.Error as error:
        raise UserError(f"{file}: is not valid CSV ({error})") from None
    header = [name.strip().lower() for name in lines[0]] if lines else []
    absent = [name for name in ("item", *QUESTIONS) if header.count(name) != 1]
    if absent:
        raise UserError(f"{file}, row 1: has no column {', '.join(absent)}; is it a filled-in form?")
    for number, cells in enumerate(lines[1:], 2):
        if any(cell.strip() for cell in cells):
            cell = dict(zip(header, (*cells, *[""] * len(header)), strict=False))
            yield Row(f"{file}, row {number}", cell["item"].strip(), {name: cell[name].strip() for name in QUESTIONS})


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
