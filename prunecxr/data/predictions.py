"""Files of predictions made elsewhere: found by name, checked against the label table, read. Knows no torch."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from prunecxr.data.columns import ID_COLUMNS, METADATA_COLUMNS
from prunecxr.data.labels import LabelTable
from prunecxr.data.messages import some
from prunecxr.data.unpickling import read_pickled_table
from prunecxr.errors import UserError

NAME = re.compile(r".*seed-(\d{1,9})_prune-(\d+(?:\.\d+)?)\.(pkl|parquet|csv)")
EXPECTED = (
    "<anything>seed-<seed>_prune-<sparsity>.pkl, .parquet or .csv, as in nih-cxr-lt_resnet50_seed-0_prune-0.9.pkl"
)
ENDINGS = (".pkl", ".parquet", ".csv")
TRUTH = "label"  # paper A's files carry the true classes of each image: 'Effusion|Mass'
INDEX = "__index_level_0__"  # what pandas calls a nameless index in a Parquet file


@dataclass(frozen=True)
class PredictionFile:
    """The predictions of one variant."""

    path: Path
    seed: int
    sparsity: float


@dataclass(frozen=True)
class PredictionFiles:
    """A complete grid of files: every seed at every sparsity.

    Attributes:
        files: by seed, then sparsity.
        warnings: files of the folder that were passed over.
    """

    files: tuple[PredictionFile, ...]
    warnings: tuple[str, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(sorted({file.seed for file in self.files}))

    @property
    def sparsities(self) -> tuple[float, ...]:
        return tuple(sorted({file.sparsity for file in self.files}))


def find_predictions(folder: Path) -> PredictionFiles:
    """Find the files of a folder that are named `*seed-<seed>_prune-<sparsity>` with a known ending.

    Raises:
        UserError: there is none, no dense one (`prune-0`), none pruned, two of the same seed and sparsity, one that is
            missing in the grid of all seeds and sparsities, or a sparsity that is no fraction.
    """
    if not folder.is_dir():
        raise UserError(f"option predictions: there is no folder {folder}")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and path.is_file())
    named = [(path, match) for path in paths if (match := NAME.fullmatch(path.name))]
    if not named:
        there = some([path.name for path in paths]) or "none with these endings"
        raise UserError(f"option predictions: no file in {folder} is named {EXPECTED} (there is: {there})")
    files = [PredictionFile(path, int(match[1]), _sparsity(path, match[2])) for path, match in named]
    _check_grid(folder, files)
    other = [path.name for path in paths if not NAME.fullmatch(path.name)]
    warnings = [f"{len(other)} file(s) in {folder} passed over by their names: {some(other)}"] if other else []
    return PredictionFiles(tuple(sorted(files, key=lambda file: (file.seed, file.sparsity))), tuple(warnings))


def _sparsity(path: Path, text: str) -> float:
    sparsity = round(float(text), 6)
    if sparsity >= 1:
        raise UserError(
            f"{path}: sparsity {text} is not a fraction from 0 to below 1; half of the weights is prune-0.5"
        )
    return sparsity


def _check_grid(folder: Path, files: Sequence[PredictionFile]) -> None:
    at: dict[tuple[int, float], list[str]] = defaultdict(list)
    for file in files:
        at[file.seed, file.sparsity].append(file.path.name)
    for (seed, sparsity), names in at.items():
        if len(names) > 1:
            raise UserError(f"{folder}: {some(names)} are all of seed {seed} at sparsity {sparsity:g}; keep one")
    seeds, sparsities = sorted({seed for seed, _ in at}), sorted({sparsity for _, sparsity in at})
    if 0.0 not in sparsities:
        raise UserError(f"{folder}: no dense predictions (prune-0), to which the pruned ones are compared")
    if len(sparsities) == 1:
        raise UserError(f"{folder}: only dense predictions (prune-0), none of a pruned network: nothing to compare")
    missing = [f"(seed {s}, sparsity {k:g})" for s in seeds for k in sparsities if (s, k) not in at]
    if missing:
        raise UserError(
            f"{folder}: {len(missing)} file(s) missing in the grid of {len(seeds)} seed(s) x {len(sparsities)} "
            f"sparsities: {some(missing)}"
        )


class PredictionReader:
    """Reads files of predictions for the images of one label table."""

    def __init__(self, table: LabelTable, id_column: str | None = None, extra_columns: Sequence[str] = ()) -> None:
        """`extra_columns`: columns that are neither id nor class, and not metadata by their name."""
        self.table = table
        self._index = pd.Index(table.ids)
        self._id_column = id_column
        self._extra = frozenset(extra_columns)

    def read(self, path: Path) -> np.ndarray:
        """Probabilities of shape (n_images, n_classes), float64, in the order of the label table.

        Rows are joined by id where the file has an id column; a pickle without one, as paper A published them, holds
        the rows of the label table in its order, which its column `label`, if there, must confirm.

        Raises:
            UserError: the file is not what its name says; rows, ids or classes are not those of the label table; a
                value is no probability.
        """
        frame = self._frame(path)
        columns = [str(name) for name in frame.columns]
        self._check_columns(path, columns)
        frame.columns = pd.Index(columns, dtype=object)
        id_column = self._find_id(columns)
        values = self._values(path, frame)
        if id_column is not None:
            order = self._order(path, [_text(value) for value in frame[id_column].tolist()])
        elif path.suffix == ".pkl":
            self._check_rows(path, len(frame))
            order = None
        else:
            named = self._id_column or "id"
            raise UserError(f"{path}: no id column '{named}'; there are: {some(columns)}; name it with id_column")
        if TRUTH in columns and TRUTH not in self.table.classes:
            self._check_truth(path, frame[TRUTH], order)
        self._check_values(path, values, order)
        return np.ascontiguousarray(values if order is None else values[np.argsort(order)])

    def _frame(self, path: Path) -> pd.DataFrame:
        if path.suffix == ".pkl":
            return read_pickled_table(path)
        try:
            table = pq.read_table(path) if path.suffix == ".parquet" else self._read_csv(path)
        except (pa.ArrowException, UnicodeDecodeError, csv.Error) as error:
            kind = "Parquet file" if path.suffix == ".parquet" else "CSV table of predictions"
            raise UserError(f"{path}: not a {kind} ({str(error).splitlines()[0][:200]})") from None
        return table.to_pandas(ignore_metadata=True)

    def _read_csv(self, path: Path) -> pa.Table:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
        delimiter = max(",;\t", key=first.count)
        header = next(csv.reader([first], delimiter=delimiter), [])
        types = {name: pa.float64() if name in self.table.classes else pa.string() for name in header}
        return pa.csv.read_csv(
            path,
            parse_options=pa.csv.ParseOptions(delimiter=delimiter),
            convert_options=pa.csv.ConvertOptions(column_types=types),
        )

    def _check_columns(self, path: Path, columns: list[str]) -> None:
        twice = sorted({name for name in columns if columns.count(name) > 1})
        if twice:
            raise UserError(f"{path}: two columns are named {some(twice)}")
        missing = [name for name in self.table.classes if name not in columns]
        known = {*self.table.classes, *self._extra, TRUTH, INDEX, self._id_column}
        more = [name for name in columns if name not in known and _plain(name) not in ("", *METADATA_COLUMNS)]
        if missing or more:
            parts = [f"no column for {some(missing)}"] if missing else []
            parts += [f"column(s) that are no class there: {some(more)}"] if more else []
            raise UserError(f"{path}: the classes are not those of {self.table.source}: {'; '.join(parts)}")

    def _find_id(self, columns: list[str]) -> str | None:
        if self._id_column is not None:
            return self._id_column if self._id_column in columns else None
        by_plain = {_plain(name): name for name in columns if name not in self.table.classes}
        return next((by_plain[name] for name in ID_COLUMNS if name in by_plain), None)

    def _values(self, path: Path, frame: pd.DataFrame) -> np.ndarray:
        """The class columns in the order of the table's classes, shape (rows, n_classes), float64."""
        for name in self.table.classes:
            if frame[name].dtype.kind not in "fiub":
                raise UserError(f"{path}: column '{name}' does not hold numbers but {frame[name].dtype} values")
        return frame[list(self.table.classes)].to_numpy(np.float64)

    def _order(self, path: Path, ids: list[str]) -> np.ndarray:
        """For each row of the file its row in the label table, a permutation of shape (n_images,)."""
        order = self._index.get_indexer(pd.Index(ids, dtype=object))
        if (order < 0).any():
            unknown = [ids[row] for row in np.flatnonzero(order < 0)]
            raise UserError(f"{path}: {len(unknown)} id(s) that {self.table.source} does not have: {some(unknown)}")
        counts = np.bincount(order, minlength=len(self.table))
        if (counts > 1).any():
            raise UserError(f"{path}: id(s) in several rows: {some(self.table.ids[counts > 1].tolist())}")
        if (counts == 0).any():
            absent = self.table.ids[counts == 0].tolist()
            raise UserError(f"{path}: no row for {len(absent)} image(s) of {self.table.source}: {some(absent)}")
        return order

    def _check_rows(self, path: Path, rows: int) -> None:
        if rows != len(self.table):
            raise UserError(
                f"{path}: {rows:,} rows, but {self.table.source} has {len(self.table):,}; without an id column the "
                "rows must be those of the label table"
            )

    def _check_truth(self, path: Path, truth: pd.Series, order: np.ndarray | None) -> None:
        """Compare the column `label` ('Effusion|Mass'), where it names classes, with the label table."""
        codes, texts = pd.factorize(truth)
        said = [set(str(text).split("|")) if str(text) else set() for text in texts]
        if not all(names <= set(self.table.classes) for names in said) or (codes < 0).any():
            return
        bits = np.array([[name in names for name in self.table.classes] for names in said], dtype=np.uint8)
        labels = self.table.labels if order is None else self.table.labels[order]
        differs = np.flatnonzero((bits[codes] != labels).any(axis=1))
        if len(differs):
            raise UserError(
                f"{path}, {self._row(path, differs[0], order)}: its column 'label' says {texts[codes[differs[0]]]!r}, "
                f"{self.table.source} says otherwise ({len(differs):,} such rows): the rows are in another order, or "
                "the labels are others; with labels that were revised since, drop that column"
            )

    def _check_values(self, path: Path, values: np.ndarray, order: np.ndarray | None) -> None:
        wrong = ~((values >= 0) & (values <= 1))  # true for NaN as well
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise UserError(
                f"{path}, {self._row(path, row, order)}, class '{self.table.classes[column]}': {values[row, column]:g} "
                f"is not a probability from 0 to 1 ({int(wrong.sum()):,} such values)"
            )

    def _row(self, path: Path, row: int, order: np.ndarray | None) -> str:
        """A row as a user finds it: its number from 1 (in a CSV file the line), and its image."""
        number = row + (2 if path.suffix == ".csv" else 1)
        return f"row {number} (image '{self.table.ids[row if order is None else order[row]]}')"


def _text(value: object) -> str:
    """An id as text; a file that pandas wrote may hold whole numbers."""
    return str(value).strip()


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def content_digest(values: np.ndarray) -> str:
    """Hash of probabilities as they are stored, in float32: the same from whatever kind of file they came."""
    return hashlib.sha256(np.ascontiguousarray(values, dtype=np.float32).tobytes()).hexdigest()


def table_fingerprint(table: LabelTable) -> str:
    """Hash of a label table's content: ids, patients, classes and labels."""
    hashed = hashlib.sha256(table.labels.tobytes())
    for texts in (table.ids, table.subjects, table.classes):
        hashed.update(repr(list(texts)).encode())
    return hashed.hexdigest()
