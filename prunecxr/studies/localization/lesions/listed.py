"""Lesions that one table lists: image, mask, patient, age, sex, diagnosis and split of every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from prunecxr.data.columns import PATH_COLUMNS, leads_out
from prunecxr.data.folders import FolderIndex
from prunecxr.data.splits import SPLIT_WORDS
from prunecxr.data.tables import RawTable, check_filled, check_ids, read_csv
from prunecxr.errors import UserError
from prunecxr.studies.localization.lesions.dataset import SPLITS, LesionDataset, LesionSplit
from prunecxr.studies.localization.lesions.files import LesionImages, LesionMasks
from prunecxr.studies.localization.lesions.records import (
    LESION_ID_COLUMNS,
    LESION_SUBJECT_COLUMNS,
    Records,
    column,
    image_key,
)
from prunecxr.studies.localization.lesions.splitting import PATIENTS_UNKNOWN, draw_splits, drawn_warning, missing_shares

if TYPE_CHECKING:
    from prunecxr.studies.localization.config import HtlDataOptions

# Column names as `tables.plain` writes them. Earlier names win.
IMAGE_COLUMNS = ("image", "imagepath", "imagefile", "imagename", "img", *PATH_COLUMNS, "filename", "file")
MASK_COLUMNS = ("mask", "maskpath", "maskfile", "segmentation", "segmentationpath", "segmentationfile", "groundtruth")
SPLIT_COLUMNS = ("split", "set", "subset", "partition")
WHOLE_PATH = "write the path below it in a column '{}'"
UNLABELLED = ("unlabelled", "unlabeled")


def open_listed(options: HtlDataOptions) -> LesionDataset:
    """The lesions of a table, and their files below `images` (by default, the table's folder).

    Raises:
        UserError: a column, row or file is missing or not as it must be; the message says which.
    """
    if options.table is None:
        raise UserError("table: dataset csv needs the table of the images")
    raw = read_csv(options.table.expanduser())
    id_name, ids, image_files, mask_files = _names(raw)
    root = raw.path.parent if options.images is None else options.images.expanduser()
    index = FolderIndex(root)
    images = index.find(image_files, str(raw.path), otherwise=WHOLE_PATH.format("image"))
    records = Records()
    keys = [image_key(value) for value in ids]
    records.add_columns(raw, keys, id_name)
    rows, warnings = _rows(raw, options, records.table(ids)["subject"].tolist())
    labelled = [row for name in SPLITS for row in rows[name]]
    masks = _masks(raw, index, mask_files, labelled)
    _check_each_file_once(raw, images, masks)

    def split(name: str, with_masks: bool) -> LesionSplit:
        chosen = rows[name]
        names = tuple(ids[row] for row in chosen)
        source = LesionImages(names, root, tuple(images[row] for row in chosen))
        drawn = LesionMasks(names, root, tuple(masks[row] for row in chosen), source) if masks and with_masks else None
        return LesionSplit(name, source, drawn, records.table(names))

    for field in ("age", "sex", "diagnosis"):
        if not records.tables[field]:
            warnings.append(f"{raw.path.name}: no column tells the {field}")
    return LesionDataset(
        options.dataset_name or "csv",
        split("train", True),
        split("val", True),
        split("test", True),
        unlabelled=split("unlabelled", False) if rows["unlabelled"] else None,
        warnings=(*warnings, *records.warnings),
    )


def _names(raw: RawTable) -> tuple[str, list[str], list[str], list[str] | None]:
    """Name of the id column; ids, image files, and mask files (None: there is no such column) of every row."""
    image_name, mask_name = column(raw, IMAGE_COLUMNS), column(raw, MASK_COLUMNS)
    id_name = column(raw, [name for name in LESION_ID_COLUMNS if name not in IMAGE_COLUMNS]) or image_name
    if id_name is None:
        raise UserError(f"{raw.path}: no column 'id' or 'image' names the images (columns: {', '.join(raw.header)})")
    files = {}
    for name in (image_name or id_name, mask_name):
        if name is not None:
            files[name] = [value.replace("\\", "/") for value in raw.column(name)]
            for file, line in zip(files[name], raw.lines, strict=True):
                wrong = leads_out(file)
                if wrong:
                    raise UserError(f"{raw.path}, row {line}, column '{name}': '{file}' {wrong}")
    image_files = files[image_name or id_name]
    check_filled(raw, image_name or id_name, image_files)
    ids = raw.column(id_name)
    if id_name == image_name:  # a path: the images' names are ids where they differ, else the paths are
        names = [PurePosixPath(file).name for file in image_files]
        ids = names if len(set(names)) == len(names) else image_files
    check_ids(raw, id_name, [image_key(value) for value in ids])
    return id_name, ids, image_files, None if mask_name is None else files[mask_name]


def _masks(raw: RawTable, index: FolderIndex, files: list[str] | None, labelled: Sequence[int]) -> dict[int, str]:
    """Mask file by row; empty: no image has a mask."""
    if files is None or not any(files[row] for row in labelled):
        return {}
    for row in labelled:
        if not files[row]:
            raise UserError(
                f"{raw.path}, row {raw.lines[row]}: no mask; images without masks are marked 'unlabelled' in a column "
                "'split'"
            )
    found = index.find([files[row] for row in labelled], str(raw.path), "masks", WHOLE_PATH.format("mask"))
    return dict(zip(labelled, found, strict=True))


def _check_each_file_once(raw: RawTable, images: Sequence[str], masks: Mapping[int, str]) -> None:
    """No file is the image, or the mask, of two rows, or both."""
    uses: dict[str, str] = {}
    for noun, files in (("image", dict(enumerate(images))), ("mask", masks)):
        for row, file in files.items():
            use = f"the {noun} of row {raw.lines[row]}"
            if file in uses:
                raise UserError(f"{raw.path}: {file} is {uses[file]}, and {use} too; every image and mask is a file")
            uses[file] = use


def _rows(raw: RawTable, options: HtlDataOptions, subjects: Sequence[str]) -> tuple[dict[str, list[int]], list[str]]:
    """Rows of every split: as the table says, else drawn; and what is to be warned of."""
    named = column(raw, SPLIT_COLUMNS)
    words = {word: name for name, known in SPLIT_WORDS.items() for word in known} | dict.fromkeys(
        UNLABELLED, "unlabelled"
    )
    rows: dict[str, list[int]] = {name: [] for name in (*SPLITS, "unlabelled")}
    cells = ["train"] * len(raw.rows) if named is None else raw.column(named)
    for row, cell in enumerate(cells):
        if cell.lower() not in words:
            raise UserError(
                f"{raw.path}, row {raw.lines[row]}, column '{named}': '{cell}' is not train, val, test or unlabelled"
            )
        rows[words[cell.lower()]].append(row)
    if not rows["train"]:
        raise UserError(f"{raw.path}, column '{named}': no row is of the train split")
    shares = missing_shares(options, [name for name in SPLITS if rows[name]])
    warnings = []
    if shares:
        pool = rows["train"]
        drawn = draw_splits([subjects[row] for row in pool], shares, "train", options.split_seed)
        rows |= {name: [pool[at] for at in index] for name, index in drawn.items()}
        warnings.append(drawn_warning({name: len(rows[name]) for name in SPLITS}, shares, options.split_seed))
        if column(raw, LESION_SUBJECT_COLUMNS) is None:
            warnings.append(PATIENTS_UNKNOWN)
    return rows, warnings
