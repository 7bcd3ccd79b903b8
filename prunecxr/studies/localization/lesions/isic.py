"""The ISIC challenges' own layouts: images, masks, metadata and diagnoses in folders of any nesting."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from prunecxr.data.folders import FolderIndex
from prunecxr.data.messages import count_is, some
from prunecxr.data.splits import splits_named
from prunecxr.data.tables import plain
from prunecxr.errors import UserError
from prunecxr.studies.localization.lesions.dataset import SPLITS, LesionDataset, LesionSplit
from prunecxr.studies.localization.lesions.files import SUFFIXES, LesionImages, LesionMasks
from prunecxr.studies.localization.lesions.records import (
    AGE_COLUMNS,
    DIAGNOSIS_COLUMNS,
    LESION_ID_COLUMNS,
    LESION_SUBJECT_COLUMNS,
    SEX_COLUMNS,
    Records,
    image_key,
)
from prunecxr.studies.localization.lesions.splitting import PATIENTS_UNKNOWN, draw_splits, drawn_warning, missing_shares

if TYPE_CHECKING:
    from prunecxr.studies.localization.config import HtlDataOptions

# Files beside the images that are neither images nor lesion masks: superpixels, attribute masks (2018, task 2).
OTHER = re.compile(r"_superpixels$|_attribute_\w+$", re.IGNORECASE)
OTHER_PICTURES = (".bmp", ".tif", ".tiff", ".gif", ".webp", ".dcm")
MASK = re.compile(r"_segmentation$", re.IGNORECASE)


class IsicFolder:
    """Everything below one folder: image and mask files by image, and the tables."""

    def __init__(self, root: Path, tables: Sequence[Path] = (), option: str = "images"):
        """List and read it.

        Args:
            tables: further tables, from elsewhere.
            option: the option that named the folder, for messages.

        Raises:
            UserError: no images, two files for one image or mask, or a table that cannot be read.
        """
        self.root, self.option = root, option
        self.index = FolderIndex(root, option)
        self.left_out: list[str] = []
        images: dict[str, list[str]] = defaultdict(list)
        masks: dict[str, list[str]] = defaultdict(list)
        for file in self.index.files:
            path = Path(file)
            if path.suffix.lower() in OTHER_PICTURES:
                self.left_out.append(file)
            if path.suffix.lower() not in SUFFIXES or OTHER.search(path.stem):
                continue
            stem, is_mask = MASK.subn("", path.stem)
            (masks if is_mask else images)[image_key(stem)].append(file)
        if not images:
            raise UserError("; ".join([f"{option}: there is no PNG or JPEG image below {root}", *self._passed_over()]))
        self.images, self.masks = self._one_each(images, "image"), self._one_each(masks, "mask")
        self.records = Records()
        for table in [*(root / file for file in self.index.files if _is_table(root / file)), *tables]:
            self.records.add(table)

    def split_of(self, key: str) -> str | None:
        """The split that the innermost folder of an image names, or None."""
        for part in reversed(Path(self.images[key]).parts[:-1]):
            named = splits_named(part)
            if len(named) == 1:
                return named.pop()
        return None

    def split(self, name: str, keys: Sequence[str], masks: str) -> LesionSplit:
        """The images `keys` as a split.

        Args:
            masks: `needed`, `optional` (all or none) or `none`.
        """
        ids = tuple(Path(self.images[key]).stem for key in keys)
        images = LesionImages(ids, self.root, tuple(self.images[key] for key in keys))
        found = [key for key in keys if key in self.masks]
        if masks == "none" or (masks == "optional" and not found):
            return LesionSplit(name, images, None, self.records.table(ids))
        if len(found) < len(keys):
            missing = [image_id for key, image_id in zip(keys, ids, strict=True) if key not in self.masks]
            raise UserError(
                f"{len(missing)} of {len(keys)} {name} images have no mask below {self.root}, a PNG or JPEG file named "
                f"like the image with _segmentation: {some(missing)}; {self.option} names the folder that holds images "
                "and masks"
            )
        files = tuple(self.masks[key] for key in keys)
        return LesionSplit(name, images, LesionMasks(ids, self.root, files, images), self.records.table(ids))

    def checked_rows(self, splits: Mapping[str, Sequence[str]]) -> list[str]:
        """Check that the tables and the images are of the same lesions; returns what is to be warned of.

        Args:
            splits: image keys by split.

        Raises:
            UserError: some, but not all images of a split have a row.
        """
        warnings = []
        for field, what in (("age", "age"), ("sex", "sex"), ("diagnosis", "diagnosis")):
            tables = self.records.tables[field]
            if not tables:
                warnings.append(f"no table below {self.root} tells the {what}")
                continue
            for name, keys in splits.items():
                missing = self.records.missing(field, [Path(self.images[key]).stem for key in keys])
                if keys and len(missing) == len(keys):
                    warnings.append(f"no table tells the {what} of the {len(keys)} {name} images")
                elif missing:
                    raise UserError(
                        f"{some(tables)}: no row tells the {what} of {len(missing)} of {len(keys)} {name} images: "
                        f"{some(missing)}; add their rows, or remove the images"
                    )
        rows = set().union(*self.records.values.values()) - self.images.keys()
        if rows:
            warnings.append(f"{count_is(len(rows), 'row')} without an image below {self.root}: {some(sorted(rows))}")
        masks = self.masks.keys() - self.images.keys()
        if masks:
            warnings.append(f"{count_is(len(masks), 'mask')} without an image below {self.root}: {some(sorted(masks))}")
        return warnings + self._passed_over() + self.records.warnings

    def _passed_over(self) -> list[str]:
        links, others = self.index.links_out, self.left_out
        found = [f"links that lead out of {self.root} are not followed: {some(links)}"] if links else []
        return found + ([f"{count_is(len(others), 'file')} neither PNG nor JPEG: {some(others)}"] if others else [])

    def _one_each(self, files: Mapping[str, list[str]], noun: str) -> dict[str, str]:
        double = [f"{' and '.join(paths[:3])}" for paths in files.values() if paths[1:]]
        if double:
            raise UserError(
                f"{count_is(len(double), noun)} there more than once below {self.root}: {some(double)}; "
                f"{self.option} names a folder that holds one of them, and masks end in _segmentation"
            )
        return {key: paths[0] for key, paths in sorted(files.items())}


def open_isic(options: HtlDataOptions, masks: str) -> LesionDataset:
    """The lesions of an ISIC challenge.

    Folders named after the splits make the splits; where there are none, they are drawn.

    Args:
        masks: `needed` or `optional`, as in `IsicFolder.split`.

    Raises:
        UserError: see `IsicFolder`; no training images; images without their row or mask.
    """
    if options.images is None:
        raise UserError(f"images: dataset {options.dataset} needs the folder that holds the challenge's files")
    folder = IsicFolder(options.images.expanduser(), [] if options.table is None else [options.table.expanduser()])
    keys, warnings = _splits(folder, options)
    warnings += folder.checked_rows(keys)
    splits = {name: folder.split(name, keys[name], masks) for name in SPLITS}
    return LesionDataset(
        options.dataset_name or options.dataset,
        splits["train"],
        splits["val"],
        splits["test"],
        unlabelled=None,
        warnings=tuple(warnings),
    )


def open_unlabelled(root: Path) -> tuple[LesionSplit, tuple[str, ...]]:
    """All images of a folder, without masks, and what is to be warned of."""
    folder = IsicFolder(root.expanduser(), option="unlabelled")
    keys = list(folder.images)
    return folder.split("unlabelled", keys, "none"), tuple(folder.checked_rows({"unlabelled": keys}))


def open_test(root: Path) -> tuple[LesionSplit, tuple[str, ...]]:
    """The test images of a folder with their masks (all its images, where its folders name no splits)."""
    folder = IsicFolder(root.expanduser(), option="evaluate_on")
    by_split = _by_folder(folder)
    keys = by_split.get("test") or (list(folder.images) if len(by_split) == 1 else [])
    if not keys:
        raise UserError(
            f"evaluate_on: no folder of test images below {root} (there are {', '.join(map(str, by_split))})"
        )
    return folder.split("test", keys, "needed"), tuple(folder.checked_rows({"test": keys}))


def _by_folder(folder: IsicFolder) -> dict[str | None, list[str]]:
    by_split: dict[str | None, list[str]] = defaultdict(list)
    for key in folder.images:
        by_split[folder.split_of(key)].append(key)
    return dict(by_split)


def _splits(folder: IsicFolder, options: HtlDataOptions) -> tuple[dict[str, list[str]], list[str]]:
    """Image keys of train, val and test, and what is to be warned of."""
    by_split = _by_folder(folder)
    warnings = []
    if len(by_split) == 1:
        found: dict[str, list[str]] = {"train": list(folder.images)}
    elif None in by_split:
        outside = some([folder.images[key] for key in by_split[None]])
        raise UserError(
            f"{count_is(len(by_split[None]), 'image')} in no folder named after a split, while others are, below "
            f"{folder.root}: {outside}; images names the folder that holds the splits alone"
        )
    else:
        found = {name: by_split[name] for name in SPLITS if name in by_split}
    if "train" not in found:
        raise UserError(f"no folder of training images below {folder.root} (there are {', '.join(found)})")
    shares = missing_shares(options, found)
    if shares:
        pool = found["train"]
        subjects = folder.records.table(pool)["subject"].tolist()
        drawn = draw_splits(subjects, shares, "train", options.split_seed)
        found |= {name: [pool[at] for at in index] for name, index in drawn.items()}
        warnings.append(drawn_warning({name: len(keys) for name, keys in found.items()}, shares, options.split_seed))
        if not folder.records.tables["subject"]:
            warnings.append(PATIENTS_UNKNOWN)
    return {name: found.get(name, []) for name in SPLITS}, warnings


def _is_table(path: Path) -> bool:
    """Whether a file is a CSV table about images, by its header (an image id, and something else that is known).

    Other tables may lie there; they are left alone, whatever they hold.
    """
    if not path.name.lower().endswith((".csv", ".csv.gz")):
        return False
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", errors="replace", newline="") as file:
            line = file.readline()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    header = {plain(name) for name in next(csv.reader([line], delimiter=max(",;\t", key=line.count)), [])}
    known = {*AGE_COLUMNS, *SEX_COLUMNS, *LESION_SUBJECT_COLUMNS, *DIAGNOSIS_COLUMNS}
    named = re.search(r"ground.?truth|metadata", path.name, re.IGNORECASE)
    return bool(header & set(LESION_ID_COLUMNS) and (header & known or named)) or bool(named and not line.strip())
