"""Seeded splits of lesions that come without one; what belongs to one patient stays together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from prunecxr.errors import UserError
from prunecxr.studies.localization.lesions.dataset import SPLITS

if TYPE_CHECKING:
    from prunecxr.studies.localization.config import HtlDataOptions

PATIENTS_UNKNOWN = "patients are not known: images of one patient may be in two splits"


def missing_shares(options: HtlDataOptions, there: Collection[str]) -> dict[str, float]:
    """The splits that must be drawn from the training images, and their shares."""
    wanted = {"val": options.val_fraction, "test": options.test_fraction}
    if options.evaluate_on is not None:
        del wanted["test"]
    return {name: share for name, share in wanted.items() if name not in there}


def draw_splits(subjects: Sequence[str], shares: Mapping[str, float], rest: str, seed: int) -> dict[str, np.ndarray]:
    """Draw splits of about the given shares of images, by subject.

    Args:
        subjects: of each image, length n.
        shares: share of the images by split; their sum is below 1.
        rest: the split that takes all others.
        seed: the draw follows from it and the subjects, not from the order of the images.

    Returns:
        The ascending indices of each split's images; no subject is in two.

    Raises:
        UserError: the shares leave nothing, or there are too few subjects.
    """
    if sum(shares.values()) >= 1:
        raise UserError(f"{' and '.join(f'{name}_fraction' for name in shares)} leave no images for {rest}")
    names, number = np.unique(np.asarray(subjects, dtype=object).astype(str), return_inverse=True)
    if len(names) <= len(shares):
        raise UserError(
            f"{len(subjects)} images of {len(names)} patient{'s' * (len(names) > 1)} cannot be split into {rest}, "
            f"{', '.join(shares)}: more are needed"
        )
    sizes = np.bincount(number)
    order = np.random.default_rng(seed).permutation(len(names))
    ends = np.cumsum(sizes[order])
    split_of = np.full(len(names), rest, dtype=object)
    start = 0
    for done, (split, share) in enumerate(shares.items()):
        begin = ends[start - 1] if start else 0
        end = int(np.searchsorted(ends, begin + round(share * len(subjects)), side="left")) + 1
        # At least one subject each, and one left for every split that follows.
        end = min(max(end, start + 1), len(names) - (len(shares) - done))
        split_of[order[start:end]] = split
        start = end
    return {split: np.flatnonzero(split_of[number] == split) for split in (rest, *shares)}


def drawn_warning(sizes: Mapping[str, int], drawn: Collection[str], seed: int) -> str:
    """Say which splits were drawn, and the sizes of all."""
    counts = ", ".join(f"{name} {sizes[name]:,}" for name in SPLITS if name in sizes)
    verb = "s were" if len(drawn) > 1 else " was"
    return f"the {' and '.join(drawn)} split{verb} drawn (split_seed {seed}): {counts} images"
