"""What is added to a data set: test images from elsewhere, unlabelled images; and the last check of its splits."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from prunecxr.data.messages import count_is, some
from prunecxr.errors import UserError
from prunecxr.studies.localization.lesions.dataset import SPLITS, LesionDataset, take, without
from prunecxr.studies.localization.lesions.isic import open_test, open_unlabelled
from prunecxr.studies.localization.lesions.splitting import draw_splits

if TYPE_CHECKING:
    from prunecxr.studies.localization.config import HtlDataOptions


def completed(dataset: LesionDataset, options: HtlDataOptions) -> LesionDataset:
    """The data set with the test images and the unlabelled images that the options name.

    Raises:
        UserError: options that exclude each other, files that are not as they must be, a patient in two splits.
    """
    if options.unlabelled is not None and options.unlabelled_fraction:
        raise UserError("unlabelled, unlabelled_fraction: give one of the two")
    if options.evaluate_on is not None:
        dataset = _evaluated_on(dataset, options.evaluate_on)
    if options.unlabelled is not None:
        if dataset.unlabelled is not None and options.table is not None:
            raise UserError(f"unlabelled: {options.table} has unlabelled images already; give them in one place")
        dataset = _with_unlabelled(dataset, options.unlabelled)
    if options.unlabelled_fraction:
        dataset = _put_aside(dataset, options.unlabelled_fraction, options.split_seed)
    _check_subjects(dataset)
    return replace(dataset, warnings=tuple(dict.fromkeys(dataset.warnings)))


def _evaluated_on(dataset: LesionDataset, root: Path) -> LesionDataset:
    """The data set with the test images of another folder, which leave the other splits."""
    test, warnings = open_test(root)
    train, val = without(dataset.train, test.ids), without(dataset.val, test.ids)
    gone = len(dataset.train) + len(dataset.val) - len(train) - len(val)
    more = [f"{count_is(gone, 'image')} in the test split of {root} too, and left out"] if gone else []
    more += [f"{len(dataset.test)} test images of the data set itself are not used"] if len(dataset.test) else []
    return replace(dataset, train=train, val=val, test=test, warnings=(*dataset.warnings, *warnings, *more))


def _with_unlabelled(dataset: LesionDataset, root: Path) -> LesionDataset:
    """The data set with further images, without masks: those of a folder that are in no split."""
    further, warnings = open_unlabelled(root)
    unlabelled = without(further, [name for split in SPLITS for name in getattr(dataset, split).ids])
    if not len(unlabelled):
        raise UserError(f"unlabelled: all images below {root} are in the data set already")
    gone = len(further) - len(unlabelled)
    more = [f"{gone} of the unlabelled images are in the data set already, and left out"] if gone else []
    return replace(dataset, unlabelled=unlabelled, warnings=(*dataset.warnings, *warnings, *more))


def _put_aside(dataset: LesionDataset, fraction: float, seed: int) -> LesionDataset:
    """The data set with a share of its training images moved to the unlabelled ones."""
    drawn = draw_splits(dataset.train.subjects, {"unlabelled": fraction}, "train", seed)
    aside = replace(take(dataset.train, drawn["unlabelled"], "unlabelled"), masks=None)
    return replace(dataset, train=take(dataset.train, drawn["train"], "train"), unlabelled=aside)


def _check_subjects(dataset: LesionDataset) -> None:
    """Check that no subject is in two splits; unlabelled images are training images."""
    subjects = {name: set(getattr(dataset, name).subjects) for name in SPLITS}
    if dataset.unlabelled is not None:
        subjects["train"] |= set(dataset.unlabelled.subjects)
    for a, b in itertools.combinations(SPLITS, 2):
        shared = sorted(subjects[a] & subjects[b])
        if shared:
            raise UserError(
                f"{count_is(len(shared), 'patient')} in both the {a} and the {b} split: {some(shared)}; split by "
                "patient, or the test scores are too good"
            )
