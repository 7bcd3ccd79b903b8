"""The arms that fine-tuning on hard-to-learn images (HTLs) is compared with: one entry of `ARMS` each.

All take as many steps of the same size as fine-tuning on the HTLs: an epoch shows as many images as there are HTLs,
drawn anew from the arm's images where it has more. What differs is which images they are. Knows no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from prunecxr.studies.localization.sampling import by_class, by_share, lowest, random_images


@dataclass(frozen=True)
class Known:
    """What an arm may need to be known of the images that HTLs are mined from.

    Attributes:
        table: id, sex, diagnosis of every image.
        masks: whether they have masks.
        n_seeds: of the study.
    """

    table: pd.DataFrame
    masks: bool
    n_seeds: int


@dataclass(frozen=True)
class Pool:
    """The images that an arm takes its own from, as one seed's networks see them.

    Attributes:
        table: as of :class:`Known`.
        htl: rows of the HTLs, rising.
        dense: of every image, the foreground IoU of the seed's dense network against the mask.
        disagreement: of every image, 1 - IoU of what the dense networks of this seed and of the next mark.
        repeats: how many times more each HTL stands among all images (`all_htl`).
        rng: of this seed and arm.
    """

    table: pd.DataFrame
    htl: np.ndarray
    dense: Callable[[], np.ndarray]
    disagreement: Callable[[], np.ndarray]
    repeats: int
    rng: np.random.Generator


def _nothing(_known: Known) -> str:
    return ""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One entry.

    Attributes:
        words: what the report calls it.
        draw: rows of the pool that are fine-tuned on, rising; one that stands twice is shown twice as often. None: the
            arm is trained from the start instead.
        lacks: what is not known that it would need, in words; empty if nothing.
    """

    words: str
    draw: Callable[[Pool], np.ndarray] | None
    lacks: Callable[[Known], str] = _nothing


def _mixed(pool: Pool) -> np.ndarray:
    """The HTLs, and as many others as there are HTLs (all others, where these are fewer)."""
    others = np.setdiff1d(np.arange(len(pool.table)), pool.htl)
    drawn = pool.rng.choice(others, size=min(len(pool.htl), len(others)), replace=False)
    return np.sort(np.concatenate([pool.htl, drawn]))


def _all_and_htls(pool: Pool) -> np.ndarray:
    return np.sort(np.concatenate([np.arange(len(pool.table)), np.repeat(pool.htl, pool.repeats)]))


ARMS: dict[str, Arm] = {
    "focal": Arm(words="focal loss (baseline 3)", draw=None),
    "random": Arm(
        words="random images (baseline 4)",
        draw=lambda pool: random_images(len(pool.table), len(pool.htl), pool.rng),
    ),
    "class": Arm(
        words="images by class (baseline 5)",
        draw=lambda pool: by_class(pool.table["diagnosis"].tolist(), len(pool.htl), pool.rng),
        lacks=lambda known: "the diagnosis of no image is known" if (known.table["diagnosis"] == "").all() else "",
    ),
    "sex": Arm(
        words="images by sex (baseline 6)",
        draw=lambda pool: by_share(pool.table["sex"].tolist(), len(pool.htl), pool.rng),
        lacks=lambda known: "the sex of no image is known" if (known.table["sex"] == "unknown").all() else "",
    ),
    "all": Arm(words="all images (equally many steps)", draw=lambda pool: np.arange(len(pool.table))),
    "all_htl": Arm(words="all images with the HTLs repeated", draw=_all_and_htls),
    "lowest_iou": Arm(
        words="images of lowest dense IoU",
        draw=lambda pool: lowest(pool.dense(), len(pool.htl), pool.table["id"].tolist()),
        lacks=lambda known: "" if known.masks else "an IoU needs masks, and the images have none",
    ),
    "disagreement": Arm(
        words="images on which two dense networks disagree most",
        draw=lambda pool: lowest(-pool.disagreement(), len(pool.htl), pool.table["id"].tolist()),
        lacks=lambda known: "" if known.n_seeds > 1 else "it needs the dense networks of two seeds",
    ),
    "mixed": Arm(words="HTLs and as many random others", draw=_mixed),
}


def possible(known: Known, baselines: tuple[str, ...]) -> list[str]:
    """The arms of these that fine-tune and lack nothing, in the order of the registry."""
    return [name for name, arm in ARMS.items() if name in baselines and arm.draw and not arm.lacks(known)]
