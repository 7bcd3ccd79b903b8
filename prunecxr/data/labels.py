"""Label tables: read, validate, and check the splits against each other. Knows no images."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from prunecxr.data.tables import RawTable, check_filled, check_ids, plain, quoted, read_csv
from prunecxr.errors import UserError

SPLITS = ("train", "val", "test")
SPLIT_WORDS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
NO_SUBJECTS = "none"  # subject_column=none: every image is its own patient
BLANK = "blank"  # how label_map names an empty cell
LISTED = 10  # how many culprits a message names before it only counts

# Column names as `plain` writes them: lower case, letters and digits alone. Earlier names win.
PATH_COLUMNS = ("path", "filepath", "fpath", "imagepath", "imgpath", "relativepath", "relpath")
ID_COLUMNS = (
    "id", "image", "imageid", "imageindex", "imagename", "img", "imgid", "imgname", "filename", "file", "fname",
    "dicomid", "dicom", "sopinstanceuid", "uid", *PATH_COLUMNS,
)  # fmt: skip
SUBJECT_COLUMNS = (
    "subjid", "subjectid", "patientid", "subject", "patient", "subj", "pid", "participantid", "participant",
)  # fmt: skip
METADATA_COLUMNS = frozenset((
    *ID_COLUMNS, *SUBJECT_COLUMNS, "unnamed0", "study", "studyid", "series", "seriesid", "studyinstanceuid",
    "seriesinstanceuid", "studydate", "studytime", "accessionnumber", "split", "fold", "age", "patientage",
    "ageapproximate", "agegroup", "sex", "gender", "patientsex", "patientgender", "race", "ethnicity", "view",
    "viewposition", "frontallateral", "appa", "projection", "followup", "findinglabels",
    "originalimagewidth", "originalimagewidthheight", "originalimagepixelspacingx", "originalimagepixelspacingxy",
    "height", "width", "rows", "columns", "manufacturer",
    "institution", "site", "hospital", "dataset", "report", "indication", "viewcodesequencecodemeaning",
    "patientorientationcodesequencecodemeaning", "performedprocedurestepdescription",
    "procedurecodesequencecodemeaning",
))  # fmt: skip
BROKEN_METADATA = frozenset({"y]"})  # end of NIH's unquoted `OriginalImagePixelSpacing[x,y]`; `y` alone may be a class
# Class names share tables with these columns, and are part of metric names, which MLflow limits to 250 characters.
RESERVED = frozenset({
    ".", "..", "class", "id", "subject_id", "agreement", "is_pie", "top_dense", "top_dense_probability", "top_pruned",
    "top_pruned_probability",
})  # fmt: skip
MAX_CLASS_NAME = 200
# MIMIC-CXR's own layout, below the image folder with or without PhysioNet's leading `files/`.
MIMIC_PATH = re.compile(r"^files/(?=p\d\d/p\d+/s\d+/)")
MIMIC_COLUMNS = ("subjectid", "studyid", "dicomid")


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
    """

    ids: np.ndarray
    subjects: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    files: np.ndarray | None = None
    source: str = ""
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def counts(self) -> dict[str, int]:
        """Number of positive images of each class."""
        return dict(zip(self.classes, self.labels.sum(axis=0, dtype=int).tolist(), strict=True))


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
    return _interpret(raw, id_column, subject_column, frozenset(ignore_columns), label_map or {})


def read_splits(
    files: Mapping[str, Path],
    *,
    id_column: str | None = None,
    subject_column: str | None = None,
    ignore_columns: Iterable[str] = (),
    label_map: Mapping[str, int] | None = None,
) -> dict[str, LabelTable]:
    """Read the tables of all splits, bring their classes into the order of the first, and check them for leaks.

    Args:
        files: the tables by split, as `find_split_files` returns them.
        id_column, subject_column, ignore_columns, label_map: as in `read_table`.

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
    tables = {
        split: _interpret(raw, id_column, subject_column, ignored, label_map or {}) for split, raw in raws.items()
    }
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


def some(names: Sequence[str]) -> str:
    """The first ten names, and how many more there are."""
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")


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


def _interpret(
    raw: RawTable,
    id_column: str | None,
    subject_column: str | None,
    ignored: frozenset[str],
    label_map: Mapping[str, int],
) -> LabelTable:
    warnings: list[str] = []
    id_name = _find_column(raw, id_column, ID_COLUMNS, "id_column", "image id", ignored)
    ids = raw.column(id_name)
    check_ids(raw, id_name, ids)
    if subject_column == NO_SUBJECTS:
        subjects, subject_name = ids, id_name
        warnings.append(
            f"{raw.path.name}: every image counts as its own patient (subject_column=none), so leaks between splits "
            "are not seen and intervals are too narrow if patients have several images"
        )
    else:
        subject_name = _find_column(raw, subject_column, SUBJECT_COLUMNS, "subject_column", "patient id", ignored)
        subjects = raw.column(subject_name)
        check_filled(raw, subject_name, subjects)
    files = _files(raw, id_name, ids, ignored)
    classes = _class_columns(raw, {id_name, subject_name} | ignored, warnings)
    return LabelTable(
        ids=np.array(ids, dtype=object),
        subjects=np.array(subjects, dtype=object),
        labels=np.stack([_labels(raw, name, label_map) for name in classes], axis=1),
        classes=classes,
        files=None if files is None else np.array(files, dtype=object),
        source=str(raw.path),
        warnings=tuple(warnings),
    )


def _find_column(
    raw: RawTable, given: str | None, known: Sequence[str], option: str, what: str, ignored: frozenset[str]
) -> str:
    if given is not None:
        if given not in raw.header:
            raise UserError(f"{raw.path}: no column '{given}' ({option}); there are: {', '.join(raw.header)}")
        return given
    by_plain = {plain(name): name for name in reversed(raw.header) if name not in ignored}
    for name in known:
        if name in by_plain:
            return by_plain[name]
    otherwise = ", or subject_column=none if every image is its own patient" if option == "subject_column" else ""
    raise UserError(
        f"{raw.path}: no column is known to hold the {what}; name it with {option}=NAME{otherwise} "
        f"(columns: {', '.join(raw.header)})"
    )


def _files(raw: RawTable, id_name: str, ids: list[str], ignored: frozenset[str]) -> list[str] | None:
    """Where the images lie: by a path column, by ids that are paths, or by MIMIC-CXR's layout."""
    by_plain = {plain(name): name for name in reversed(raw.header) if name not in ignored}
    path_name = next((by_plain[name] for name in PATH_COLUMNS if name in by_plain), None)
    if path_name is not None:
        files = raw.column(path_name)
        check_filled(raw, path_name, files)
    elif all(name in by_plain for name in MIMIC_COLUMNS):
        subjects, studies, dicoms = (raw.column(by_plain[name]) for name in MIMIC_COLUMNS)
        files = [
            f"p{subject[:2]}/p{subject}/s{study}/{dicom}" + ("" if dicom.lower().endswith((".jpg", ".dcm")) else ".jpg")
            for subject, study, dicom in zip(subjects, studies, dicoms, strict=True)
        ]
        path_name = by_plain["dicomid"]
    else:
        files, path_name = ids, id_name
    files = [file.replace("\\", "/") for file in files]
    for file, line in zip(files, raw.lines, strict=True):
        wrong = leads_out(file)
        if wrong:
            otherwise = f', or leave the column out with ignore_columns="{path_name}"' if path_name != id_name else ""
            raise UserError(f"{raw.path}, row {line}, column '{path_name}': '{file}' {wrong}{otherwise}")
    if not any("/" in file for file in files) and path_name == id_name:
        return None
    return [MIMIC_PATH.sub("", PurePosixPath(file).as_posix()) for file in files]


def leads_out(file: str) -> str | None:
    """What is wrong with a path that does not stay in the image folder."""
    if file.startswith(("/", "~")) or re.match(r"[A-Za-z]:", file):
        return "is not relative; it must start at the image folder (option images)"
    if ".." in file.split("/"):
        return "leads out of the image folder (option images)"
    return None


def _class_columns(raw: RawTable, taken: set[str], warnings: list[str]) -> tuple[str, ...]:
    nameless = raw.header.count("")
    if nameless:
        warnings.append(f"{raw.path.name}: {count_is(nameless, 'column')} without a name, and ignored")
    rest = [name for name in raw.header if name and name not in taken]
    metadata = [name for name in rest if plain(name) in METADATA_COLUMNS or name in BROKEN_METADATA]
    for name in metadata:
        if set(raw.column(name)) <= {"0", "1", "0.0", "1.0"}:
            warnings.append(
                f"{raw.path.name}: column '{name}' is taken for metadata by its name and ignored, though it holds only "
                "0 and 1; rename it if it is a class"
            )
    classes = tuple(name for name in rest if name not in metadata)
    for name in classes:
        if name in RESERVED or len(name) > MAX_CLASS_NAME:
            what = (
                "is a name that the results use" if name in RESERVED else f"is longer than {MAX_CLASS_NAME} characters"
            )
            raise UserError(f"{raw.path}: the class column '{name[:60]}' {what}; rename it")
    if not classes:
        raise UserError(
            f"{raw.path}: no class column; a label table has one 0/1 column a class (columns: {', '.join(raw.header)})"
        )
    return classes


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


def count_is(number: int, thing: str) -> str:
    """`1 image is`, `2 images are`."""
    return f"{number} {thing} is" if number == 1 else f"{number} {thing}s are"
