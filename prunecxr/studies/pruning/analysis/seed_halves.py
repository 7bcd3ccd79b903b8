"""Which seeds take part in a comparison of populations, how they are halved, and the mean predictions of each half."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import xarray as xr

HALVES_FROM = 6  # seeds; with fewer, one is held against the mean of the others
SPLITS = 10  # at most

Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class CommonSeeds:
    """The predictions of the seeds that both populations have, seeds in ascending order.

    Attributes:
        dense, pruned: dims (seed, image, class).
        left_out: the other seeds.
    """

    dense: xr.DataArray
    pruned: xr.DataArray
    left_out: list[int]

    def sentences(self) -> list[str]:
        """One that names the seeds left out, if there are any."""
        named = ", ".join(map(str, self.left_out))
        return (
            [f"PIEs are those of the seeds that have both variants; left out on both sides: {named}."] if named else []
        )


def common_seeds(dense: xr.DataArray, pruned: xr.DataArray) -> CommonSeeds:
    """The same seeds on both sides: every set, stability, control and gallery uses these and no others.

    Args:
        dense, pruned: dims (seed, image, class); a seed whose predictions are all NaN is absent.
    """
    sides = [_present(side) for side in (dense, pruned)]
    common, left_out = sorted(sides[0] & sides[1]), sorted(sides[0] ^ sides[1])
    return CommonSeeds(dense.sel(seed=common), pruned.sel(seed=common), left_out)


def splits_of_seeds(n: int, count: int = SPLITS, seed: int = 0) -> list[Split]:
    """Distinct ways to part n seeds in two, as places in their order.

    Args:
        n: number of seeds.
        count: of random halves, from 6 seeds on; all there are, where these are not more. Of an odd number of seeds
            the second half is larger by one.
        seed: of the random generator.

    Returns:
        With 2 to 5 seeds, each against the others; nothing with one.
    """
    places = np.arange(n)
    return [(np.array(first), np.setdiff1d(places, first)) for first in _first_parts(n, count, seed)]


def _first_parts(n: int, count: int, seed: int) -> list[tuple[int, ...]]:
    """The smaller part of every split; of two equal ones the one that holds the first seed."""
    if n < HALVES_FROM:
        return [(one,) for one in range(n if n > 2 else n - 1)]
    if comb(n, n // 2) // (1 + (n % 2 == 0)) <= count:
        return [first for first in combinations(range(n), n // 2) if n % 2 or 0 in first]
    rng = np.random.default_rng(seed)
    drawn: dict[tuple[int, ...], None] = {}
    while len(drawn) < count:
        halves = [tuple(sorted(half.tolist())) for half in np.split(rng.permutation(n), [n // 2])]
        drawn[min(halves, key=lambda half: (len(half), half))] = None
    return list(drawn)


def half_means(population: xr.DataArray, splits: list[Split]) -> np.ndarray:
    """Mean predictions of both halves of every split: (n_splits, 2, n_images, n_classes), in the precision given.

    Args:
        population: dims (seed, image, class).
    """
    stack = population.transpose("seed", "image", "class").to_numpy()
    weights = np.zeros((len(splits), 2, len(stack)), stack.dtype)
    for at, split in enumerate(splits):
        for side, half in enumerate(split):
            weights[at, side, half] = 1 / len(half)
    return np.tensordot(weights, stack, axes=1)


def _present(population: xr.DataArray) -> set[int]:
    """The seeds with any prediction."""
    there = np.isfinite(population.transpose("seed", "image", "class").to_numpy()).any(axis=(1, 2))
    return set(population["seed"].to_numpy()[there].tolist())
