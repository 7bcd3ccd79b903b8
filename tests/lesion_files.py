"""Small lesion data sets on disk, in the layouts of the challenges and as plain tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from prunecxr.studies.localization.config import HtlDataOptions


def options(dataset: str, **others: Any) -> HtlDataOptions:
    return HtlDataOptions(dataset=dataset, image_size=32, **others)


def lesion(number: int, height: int = 24, width: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """A photograph (height, width, 3) with a dark rectangle, and its mask (height, width) of 0 and 255."""
    mask = np.zeros((height, width), np.uint8)
    mask[4 : 10 + number % 8, 6 : 20 + number % 5] = 255
    image = np.full((height, width, 3), 200 - number % 50, np.uint8)
    image[mask > 0] = (90, 50, 40)
    return image, mask


def write_picture(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **({"quality": 95} if path.suffix.lower() in (".jpg", ".jpeg") else {}))


def write_lesions(
    numbers: Sequence[int],
    images: Path,
    masks: Path | None,
    suffix: str = ".jpg",
    mask_suffix: str = "_segmentation.png",
) -> list[str]:
    """Images, and their masks; returns the ids."""
    ids = [f"ISIC_{number:07d}" for number in numbers]
    for number, image_id in zip(numbers, ids, strict=True):
        image, mask = lesion(number)
        write_picture(images / (image_id + suffix), image)
        if masks is not None:
            write_picture(masks / (image_id + mask_suffix), mask)
    return ids


def write_table(path: Path, header: str, rows: Sequence[str], end: str = "\n", encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((end.join([header, *rows]) + end).encode(encoding))


def write_isic2017(
    root: Path, splits: dict[str, Sequence[int]], masks: bool = True, metadata_inside: bool = False
) -> None:
    """The challenge's folders: `splits` maps its names (Training, Validation, Test_v2) to the images' numbers."""
    for split, numbers in splits.items():
        data = root / f"ISIC-2017_{split}_Data"
        ids = write_lesions(numbers, data, root / f"ISIC-2017_{split}_Part1_GroundTruth" if masks else None)
        for image_id in ids:
            write_picture(data / f"{image_id}_superpixels.png", np.zeros((4, 4, 3), np.uint8))
        metadata = (data if metadata_inside else root) / f"ISIC-2017_{split}_Data_metadata.csv"
        ages = ["unknown" if number % 5 == 0 else str(20 + number) for number in numbers]
        sexes = [("female", "male", "unknown")[number % 3] for number in numbers]
        rows = [",".join(row) for row in zip(ids, ages, sexes, strict=True)]
        write_table(metadata, "image_id,age_approximate,sex", rows)
        classes = [("1.0,0.0", "0.0,1.0", "0.0,0.0")[number % 3] for number in numbers]
        write_table(
            root / f"ISIC-2017_{split}_Part3_GroundTruth.csv",
            "image_id,melanoma,seborrheic_keratosis",
            [f"{image_id},{row}" for image_id, row in zip(ids, classes, strict=True)],
        )
