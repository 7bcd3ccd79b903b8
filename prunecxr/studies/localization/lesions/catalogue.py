"""Lesion data sets by name: images, masks and what is known of each patient, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from prunecxr.errors import UserError
from prunecxr.studies.localization.lesions.dataset import LesionDataset

if TYPE_CHECKING:
    from prunecxr.studies.localization.config import HtlDataOptions


def open_lesions(options: HtlDataOptions) -> LesionDataset:
    """Read and check the lesions that the options name. Images are found, not decoded.

    Raises:
        UserError: unknown data set, or anything wrong with its tables or files; the message says what and where.
    """
    if options.dataset not in LESION_DATASETS:
        raise UserError(f"dataset: unknown '{options.dataset}'; known: {', '.join(LESION_DATASETS)}")
    from prunecxr.studies.localization.lesions.additions import completed

    return completed(LESION_DATASETS[options.dataset](options), options)


def open_phantom(options: HtlDataOptions) -> LesionDataset:
    """Drawn lesions with known hard subgroups, rendered at the size asked for."""
    from prunecxr.studies.localization.lesions.phantom import lesion_phantom  # drawn only where it is used

    seed, size = options.phantom_seed, options.image_size
    return LesionDataset(
        name=options.dataset_name or "phantom",
        train=lesion_phantom("train", options.phantom_train, size, seed),
        val=lesion_phantom("val", options.phantom_val, size, seed),
        test=lesion_phantom("test", options.phantom_test, size, seed),
        unlabelled=replace(lesion_phantom("unlabelled", options.phantom_unlabelled, size, seed), masks=None),
        warnings=(),
    )


def open_isic2017(options: HtlDataOptions) -> LesionDataset:
    """The lesions of the ISIC 2017 challenge with their masks, or any in that layout."""
    from prunecxr.studies.localization.lesions.isic import open_isic

    return open_isic(options, "needed")


def open_isic2018(options: HtlDataOptions) -> LesionDataset:
    """The lesions of the ISIC 2018 challenge: task 3 has diagnoses and no masks, task 1 masks."""
    from prunecxr.studies.localization.lesions.isic import open_isic

    return open_isic(options, "optional")


def open_csv(options: HtlDataOptions) -> LesionDataset:
    """Any lesions that a table lists."""
    from prunecxr.studies.localization.lesions.listed import open_listed

    return open_listed(options)


LESION_DATASETS: dict[str, Callable[[HtlDataOptions], LesionDataset]] = {
    "phantom": open_phantom,
    "isic2017": open_isic2017,
    "isic2018": open_isic2018,
    "csv": open_csv,
}
