"""Tables about lesions: patient, age, sex and diagnosis of every image. Knows no images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from prunecxr.data.columns import ID_COLUMNS, METADATA_COLUMNS, SUBJECT_COLUMNS
from prunecxr.data.tables import RawTable, check_ids, plain, read_csv
from prunecxr.errors import UserError

# Column names as `plain` writes them. Earlier names win.
LESION_ID_COLUMNS = ("isicid", *ID_COLUMNS)
LESION_SUBJECT_COLUMNS = (*SUBJECT_COLUMNS, "lesionid", "lesion")
AGE_COLUMNS = ("age", "ageapproximate", "ageapprox", "patientage", "ageyears")
SEX_COLUMNS = ("sex", "gender", "patientsex", "patientgender")
DIAGNOSIS_COLUMNS = ("diagnosis", "dx", "diagnostic", "diagnosisname", "class", "label", "disease", "pathology")
UNKNOWN = ("", "unknown", "nan", "na", "n/a", "none", "null", "-", "?")
SEXES = {"male": "male", "m": "male", "man": "male", "female": "female", "f": "female", "woman": "female"}
OLDEST = 120
# ISIC 2017, part 3: lesions that are neither of its two columns are benign nevi.
ISIC2017_CLASSES, ISIC2017_REST = {"melanoma", "seborrheickeratosis"}, "nevus"
FIELDS = ("subject", "age", "sex", "diagnosis")


@dataclass
class Records:
    """What tables say of images, by image id.

    Attributes:
        values: field -> id (lower case) -> value; only what a table has a row for.
        places: where each of them was read, `file, row n`.
        tables: the tables of each field.
        warnings: what a reader of the results must know.
    """

    values: dict[str, dict[str, str | float]] = field(default_factory=lambda: {name: {} for name in FIELDS})
    places: dict[str, dict[str, str]] = field(default_factory=lambda: {name: {} for name in FIELDS})
    tables: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in FIELDS})
    warnings: list[str] = field(default_factory=list)

    def add(self, path: Path) -> None:
        """Read one table.

        Raises:
            UserError: it is no table, names an image twice, has a cell that cannot be understood, or contradicts
                another table.
        """
        raw = read_csv(path)
        id_name = column(raw, LESION_ID_COLUMNS)
        if id_name is None:
            raise UserError(f"{path}: no column is known to hold the image id (columns: {', '.join(raw.header)})")
        ids = raw.column(id_name)
        check_ids(raw, id_name, [image_key(value) for value in ids])
        self.add_columns(raw, [image_key(value) for value in ids], id_name)

    def add_columns(self, raw: RawTable, keys: Sequence[str], id_name: str) -> None:
        """Take what a table says of the images `keys`, one a row."""
        found: dict[str, Sequence[str | float]] = {}
        subject, age, sex = (column(raw, known) for known in (LESION_SUBJECT_COLUMNS, AGE_COLUMNS, SEX_COLUMNS))
        if subject is not None:
            found["subject"] = raw.column(subject)
        if age is not None:
            found["age"] = _ages(raw, age)
        if sex is not None:
            found["sex"] = self._sexes(raw, sex)
        diagnoses = self._diagnoses(raw, {id_name, subject, age, sex})
        if diagnoses is not None:
            found["diagnosis"] = diagnoses
        for name, values in found.items():
            self.tables[name].append(str(raw.path))
            for key, value, line in zip(keys, values, raw.lines, strict=True):
                self._put(name, key, value, f"{raw.path}, row {line}")

    def table(self, ids: Sequence[str]) -> pd.DataFrame:
        """id, subject, age, sex, diagnosis of these images, in their order; see `LesionSplit.table`."""
        keys = [image_key(value) for value in ids]
        return pd.DataFrame(
            {
                "id": pd.Series(list(ids), dtype=object),
                "subject": pd.Series(
                    [self.values["subject"].get(key, value) for key, value in zip(keys, ids, strict=True)], dtype=object
                ),
                "age": pd.Series([self.values["age"].get(key, float("nan")) for key in keys], dtype=float),
                "sex": pd.Series([self.values["sex"].get(key, "unknown") for key in keys], dtype=object),
                "diagnosis": pd.Series([self.values["diagnosis"].get(key, "") for key in keys], dtype=object),
            }
        )

    def missing(self, name: str, ids: Sequence[str]) -> list[str]:
        """Those images that no table has a row for, as far as this field goes."""
        return [value for value in ids if image_key(value) not in self.values[name]]

    def _put(self, name: str, key: str, value: str | float, place: str) -> None:
        if name == "subject" and value in UNKNOWN:
            return  # the image then stands for itself
        known = self.values[name].get(key, value)
        if known != value and not (known != known and value != value):  # NaN is not equal to itself
            raise UserError(
                f"{place}: {name} of '{key}' is '{value}', but '{known}' in {self.places[name][key]}; remove one "
                "of the two tables, or correct it"
            )
        self.values[name].setdefault(key, value)
        self.places[name].setdefault(key, place)

    def _sexes(self, raw: RawTable, name: str) -> list[str]:
        sexes, others = [], []
        for cell, line in zip(raw.column(name), raw.lines, strict=True):
            text = cell.lower()
            if text in ("other", "o", "diverse", "intersex"):
                others.append(cell)
            elif text not in SEXES and text not in UNKNOWN:
                raise UserError(f"{raw.path}, row {line}, column '{name}': '{cell}' is not male, female or unknown")
            sexes.append(SEXES.get(text, "unknown"))
        if others:
            self.warnings.append(f"{raw.path.name}: sex is '{others[0]}' in {len(others)} rows: counted as unknown")
        return sexes

    def _diagnoses(self, raw: RawTable, taken: set[str | None]) -> list[str] | None:
        """Diagnoses by a column of names, else by one 0/1 column a class; None: the table has neither."""
        named = column(raw, DIAGNOSIS_COLUMNS)
        if named is not None and not set(raw.column(named)) <= {"0", "1", "0.0", "1.0"}:
            return ["" if cell.lower() in UNKNOWN else cell for cell in raw.column(named)]
        binary = {"0": False, "0.0": False, "1": True, "1.0": True}
        classes = [
            name
            for name in raw.header
            if name and name not in taken and plain(name) not in METADATA_COLUMNS and set(raw.column(name)) <= {*binary}
        ]
        if not classes:
            return None
        rest = f"not {classes[0]}" if len(classes) == 1 else ""
        if {plain(name) for name in classes} == ISIC2017_CLASSES:
            rest = ISIC2017_REST
        cells = zip(*(raw.column(name) for name in classes), strict=True)
        diagnoses = []
        for row, line in zip(cells, raw.lines, strict=True):
            positive = [name for name, cell in zip(classes, row, strict=True) if binary[cell]]
            if len(positive) > 1:
                raise UserError(
                    f"{raw.path}, row {line}: {len(positive)} diagnoses ({', '.join(positive)}); a lesion has one"
                )
            diagnoses.append(positive[0] if positive else rest)
        return diagnoses


def column(raw: RawTable, known: Sequence[str]) -> str | None:
    """The first column of a known name, or None."""
    by_plain = {plain(name): name for name in reversed(raw.header)}
    return next((by_plain[name] for name in known if name in by_plain), None)


def image_key(image_id: str) -> str:
    """What images, masks and rows are joined by: the id without the extension of a file, in lower case."""
    return re.sub(r"\.(png|jpe?g)$", "", image_id.lower())


def _ages(raw: RawTable, name: str) -> list[float]:
    ages = []
    for cell, line in zip(raw.column(name), raw.lines, strict=True):
        # DICOM writes 055Y; publications write 85+ or >89 for the oldest.
        match = re.fullmatch(r"[>≥]?(\d{1,3}(?:\.\d+)?)\s*(?:[yY]|years?)?\+?", cell)
        age = float(match[1]) if match else float("nan")
        if (match is None and cell.lower() not in UNKNOWN) or age > OLDEST:
            raise UserError(
                f"{raw.path}, row {line}, column '{name}': '{cell}' is not an age in years (0 to {OLDEST}) or unknown"
            )
        ages.append(age)
    return ages
