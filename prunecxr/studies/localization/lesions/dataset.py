"""Lesion data sets by name: images, masks and what is known of each patient, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from prunecxr.data.images import ImageSource

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class LesionSplit:
    """One split: row i of the table, image i and mask i are of one lesion.

    Attributes:
        name: `train`, `val`, `test` or `unlabelled`.
        images: `read(i)` gives RGB pixels, shape (height, width, 3), uint8.
        masks: `read(i)` gives the lesion, shape (height, width), uint8 0/1; None: the images have no masks.
        table: id (str), subject (str: patient or lesion; the id where none is known), age (float years, NaN where
            unknown), sex (`male`, `female`, `unknown`), diagnosis (str, empty where unknown). The phantom adds
            hard (bool) and subgroup (str).
    """

    name: str
    images: ImageSource
    masks: ImageSource | None
    table: pd.DataFrame

    @property
    def ids(self) -> tuple[str, ...]:
        """The image ids, length n."""
        return tuple(self.table["id"])

    @property
    def subjects(self) -> tuple[str, ...]:
        """What images belong together, length n: a patient, a lesion, or the image alone."""
        return tuple(self.table["subject"])

    def __len__(self) -> int:
        return len(self.table)


@dataclass(frozen=True)
class LesionDataset:
    """The splits of a data set; no image and no subject is in two of them.

    Attributes:
        name: what tags and models call it.
        train, val, test: the splits.
        unlabelled: further images to be mined without masks (semi-supervised setting), or None.
        warnings: what a reader of the results must know, one sentence each.
    """

    name: str
    train: LesionSplit
    val: LesionSplit
    test: LesionSplit
    unlabelled: LesionSplit | None
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class SomeOf:
    """Some images of another source, in another order (an `ImageSource`)."""

    source: ImageSource
    index: tuple[int, ...]

    @property
    def ids(self) -> Sequence[str]:
        ids = self.source.ids
        return [ids[at] for at in self.index]

    def stamps(self) -> list[str]:
        stamps = self.source.stamps()
        return [stamps[at] for at in self.index]

    def read(self, index: int) -> np.ndarray:
        return self.source.read(self.index[index])


def take(split: LesionSplit, index: Sequence[int] | np.ndarray, name: str) -> LesionSplit:
    """Those rows of a split, as a split of another name."""
    chosen = tuple(int(at) for at in index)
    return LesionSplit(
        name,
        SomeOf(split.images, chosen),
        None if split.masks is None else SomeOf(split.masks, chosen),
        split.table.iloc[list(chosen)].reset_index(drop=True),
    )


def without(split: LesionSplit, ids: Collection[str]) -> LesionSplit:
    """The split without the images of these ids, whatever their case."""
    gone = {name.lower() for name in ids}
    return take(split, [at for at, name in enumerate(split.ids) if name.lower() not in gone], split.name)
