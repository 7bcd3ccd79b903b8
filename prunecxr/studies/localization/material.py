"""The lesions of a study made ready: checked for what the setting needs, cached, fingerprinted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from prunecxr.errors import UserError
from prunecxr.studies.localization.config import HtlConfig
from prunecxr.studies.localization.lesions.catalogue import open_lesions
from prunecxr.studies.localization.lesions.dataset import SPLITS, LesionDataset, LesionSplit, take
from prunecxr.studies.localization.lesions.pixels import LesionPixels, cache_lesions, mask_warnings


@dataclass(frozen=True)
class LesionMaterial:
    """A lesion data set, its cached pixels and the fingerprint of each split's content.

    Attributes:
        pool: name of the split that HTLs are mined from.
        classes: the diagnoses of the training images, sorted.
    """

    dataset: LesionDataset
    pixels: dict[str, LesionPixels]
    fingerprints: dict[str, str]
    pool: str
    classes: tuple[str, ...]

    def table(self, split: str) -> pd.DataFrame:
        """What is known of the images of a split; see `LesionSplit.table`."""
        return _split(self.dataset, split).table

    def diagnoses(self, split: str) -> np.ndarray:
        """Index into `classes` of every image of a split, shape (n,), int64; -1 where unknown."""
        index = {name: i for i, name in enumerate(self.classes)}
        return np.array([index.get(name, -1) for name in self.table(split)["diagnosis"]], np.int64)


def prepare(config: HtlConfig) -> LesionMaterial:
    """Open and check the lesions, decode what is not in the cache yet.

    Raises:
        UserError: anything wrong with the images or masks, or images that the setting cannot do with; before any
            training.
    """
    setting, dataset = config.mining.setting, open_lesions(config.data)
    pool = "unlabelled" if setting == "semi" else "train"
    classes = tuple(sorted({name for name in dataset.train.table["diagnosis"] if name}))
    _check(dataset, setting, classes)
    if setting == "weak":
        dataset = _diagnosed(dataset, classes)
    wanted = [*SPLITS, *(["unlabelled"] if pool == "unlabelled" else [])]
    folder = config.execution.workdir / "images"
    pixels, fingerprints, noticed = {}, {}, list(dataset.warnings)
    for name in wanted:
        split = _split(dataset, name)
        pixels[name] = cache_lesions(split, config.data.image_size, folder, config.execution.workers, name)
        fingerprints[name] = _fingerprint(split, pixels[name])
        noticed += mask_warnings(name, pixels[name])
    return LesionMaterial(replace(dataset, warnings=tuple(noticed)), pixels, fingerprints, pool, classes)


def _check(dataset: LesionDataset, setting: str, classes: tuple[str, ...]) -> None:
    needed = {"supervised": ("train", "val", "test"), "semi": ("train", "val", "test"), "weak": ("test",)}[setting]
    for name in needed:
        if _split(dataset, name).masks is None:
            hint = "; give evaluate_on, a folder of ISIC-2017 files" if name == "test" else "; use setting=weak"
            raise UserError(f"option setting: {setting} needs masks of the {name} images, data set {dataset.name} has"
                            f" none{hint}")  # fmt: skip
    if setting == "semi" and dataset.unlabelled is None:
        raise UserError(
            f"option setting: semi needs images without masks; data set {dataset.name} has none: give unlabelled, a"
            " folder of further images, or unlabelled_fraction, the share of training images whose masks are put aside"
        )
    if setting == "weak" and len(classes) < 2:
        found = f"there is only {classes[0]!r}" if classes else "there are none"
        raise UserError(f"option setting: weak needs two diagnoses of training images at least; {found}")
    for name in SPLITS:
        if len(_split(dataset, name)) < 2:
            raise UserError(f"data set {dataset.name}: the {name} split has fewer than two images")


def _diagnosed(dataset: LesionDataset, classes: tuple[str, ...]) -> LesionDataset:
    """Training and validation images as the weakly supervised setting knows them: with a diagnosis, without masks."""
    warnings = list(dataset.warnings)
    splits: dict[str, LesionSplit] = {}
    for name in ("train", "val"):
        split = _split(dataset, name)
        known = np.flatnonzero(split.table["diagnosis"].isin(classes))
        if not len(known):
            raise UserError(f"option setting: weak needs {name} images whose diagnosis is known; there are none")
        if len(known) < len(split):
            count = len(split) - len(known)
            warnings.append(f"{count} of {len(split)} {name} images have no diagnosis of the training images: left out")
        splits[name] = replace(take(split, known, name), masks=None)
    return replace(dataset, train=splits["train"], val=splits["val"], warnings=tuple(warnings))


def _split(dataset: LesionDataset, name: str) -> LesionSplit:
    found: LesionSplit | None = getattr(dataset, name)
    assert found is not None
    return found


def _fingerprint(split: LesionSplit, pixels: LesionPixels) -> str:
    """SHA-256 of pixels, masks and what is known of the images: the baselines are drawn by diagnosis and sex."""
    text = split.table.to_csv(index=False)
    return hashlib.sha256(f"{pixels.fingerprint} {text}".encode()).hexdigest()
