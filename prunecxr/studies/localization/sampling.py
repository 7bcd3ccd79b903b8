"""Ways of choosing some of the images, as the arms of `arms.py` do (baselines 4 to 6: paper B, section 3).

All choose without replacement and return rising row numbers, int64.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FEWEST = 2  # images to fine-tune on: batch norm has no statistics of one


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


def lowest(values: np.ndarray, count: int, ids: Sequence[str]) -> np.ndarray:
    """The `count` images of the lowest values; ties go by id.

    Args:
        values: shape (n,), without NaN.
        ids: of the images, length n.
    """
    return np.sort(np.lexsort((np.asarray(ids, dtype=str), values))[:count])
