"""Which columns of a label table are what: ids, patients, paths, metadata, classes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from prunecxr.data.messages import count_is
from prunecxr.data.tables import RawTable, check_filled, plain
from prunecxr.errors import UserError

# Column names as `plain` writes them: lower case, letters and digits alone. Earlier names win.
PATH_COLUMNS = ("path", "filepath", "fpath", "imagepath", "imgpath", "relativepath", "relpath")
ID_COLUMNS = (
    "id", "image", "imageid", "imageindex", "imagename", "img", "imgid", "imgname", "filename", "file", "fname",
    "dicomid", "dicom", "sopinstanceuid", "uid", *PATH_COLUMNS,
)  # fmt: skip
SUBJECT_COLUMNS = (
    "subjid", "subjectid", "patientid", "subject", "patient", "subj", "pid", "participantid", "participant",
)  # fmt: skip
# What groups of patients and images go by; see `prunecxr.data.metadata`.
RECOGNISED = {
    "age": ("age", "patientage", "ageyears", "anchorage", "ageatstudy"),
    "sex": ("sex", "patientsex", "patientgender", "gender", "patientsexdicom"),
    "view": ("view", "viewposition", "appa", "projection", "frontallateral"),
}
METADATA_COLUMNS = frozenset((
    *ID_COLUMNS, *SUBJECT_COLUMNS, *(name for names in RECOGNISED.values() for name in names),
    "unnamed0", "study", "studyid", "series", "seriesid", "studyinstanceuid",
    "seriesinstanceuid", "studydate", "studytime", "accessionnumber", "split", "fold", "ageapproximate",
    "agegroup", "race", "ethnicity", "followup", "findinglabels",
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


def find_column(
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


def file_column(raw: RawTable, id_name: str, ids: list[str], ignored: frozenset[str]) -> list[str] | None:
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


def class_columns(raw: RawTable, taken: set[str], warnings: list[str]) -> tuple[str, ...]:
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
