"""As many images as there are HTLs, chosen otherwise: what fine-tuning on HTLs is compared with (paper B, section 3).

All draw without replacement and return rising row numbers, int64.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

FEWEST = 2  # images to fine-tune on: batch norm has no statistics of one
# Baselines 4, 5, 6: the column that images are drawn by, and what it holds where nothing is known.
DRAWN_BY = {"random": ("", ""), "class": ("diagnosis", ""), "sex": ("sex", "unknown")}


def random_images(n: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` of `n` images, each as likely (baseline 4)."""
    return np.sort(rng.choice(n, size=count, replace=False))


def by_class(classes: Sequence[str], count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` images, the likelier the rarer their class (baseline 5: 'minority classes are sampled with higher
    probability'): every class as likely to be drawn from, and every image of a class.

    Args:
        classes: of the images, length n; an unknown one, empty, is a class of its own.
    """
    _, which, counts = np.unique(np.asarray(classes, dtype=str), return_inverse=True, return_counts=True)
    chances = 1 / counts[which]
    return np.sort(rng.choice(len(which), size=count, replace=False, p=chances / chances.sum()))


def by_share(groups: Sequence[str], count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` images, of every group its share in the data (baseline 6, with sex: 'following the demographics
    distribution').

    The numbers are the shares times `count`, rounded so that they sum to it: the largest remainders go up.

    Args:
        groups: of the images, length n; unknown is a group of its own.
    """
    _, which, counts = np.unique(np.asarray(groups, dtype=str), return_inverse=True, return_counts=True)
    exact = counts * count / len(which)
    numbers = np.floor(exact).astype(np.int64)
    missing = count - int(numbers.sum())
    numbers[np.argsort(numbers - exact, kind="stable")[:missing]] += 1
    parts = [
        rng.choice(np.flatnonzero(which == group), size=number, replace=False) for group, number in enumerate(numbers)
    ]
    return np.sort(np.concatenate(parts))


def drawable(table: pd.DataFrame, baselines: tuple[str, ...]) -> list[str]:
    """The baselines, of those that draw images, for which something is known to draw by."""
    return [
        approach
        for approach, (column, unknown) in DRAWN_BY.items()
        if approach in baselines and not (column and (table[column] == unknown).all())
    ]
