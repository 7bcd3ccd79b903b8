"""How often the answer on subgroups is wrong where there is nothing, and how often intervals hold the truth.

    python -m benchmarks.nulls.clinical [--studies 200] [--images 400 2000] [--seeds 3 10]

Populations are drawn as in tests/clinical_study.py: four images a patient, seeds that differ, classes of 30% and 10%.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from prunecxr.studies.pruning.analysis.operating_points import operating_points, thresholds
from prunecxr.studies.pruning.analysis.subgroups import subgroups, subgroups_hit
from tests.clinical_study import make_population

PER_PATIENT = 4
PREVALENCES = (0.3, 0.1)
LARGE = 40_000  # images of the population that stands for the truth
MANY_SEEDS = 25


@dataclass(frozen=True)
class Rates:
    """What a simulation came to.

    Attributes:
        false_claims: share of studies in which permuted groups are said to differ (at most 5% is right).
        power: share in which a group that loses 45% more of its separability is found.
        gap_coverage: share of 95% intervals of a gap's change that hold it.
        sensitivity_coverage: the same of sensitivities, dense and pruned.
    """

    images: int
    seeds: int
    studies: int
    false_claims: float
    power: float
    gap_coverage: float
    sensitivity_coverage: float


def permuted(labels: pd.DataFrame, metadata: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The metadata of whole patients, given to other patients; the views of images likewise to other images."""
    people, names = labels["subject_id"].factorize()
    first = np.unique(people, return_index=True)[1]
    others = metadata.iloc[first[rng.permutation(len(names))[people]]].reset_index(drop=True)
    return others.assign(id=metadata["id"], view=rng.permutation(metadata["view"].to_numpy()))


def study(seed: int, images: int, seeds: int, extra: float) -> tuple[xr.DataArray, pd.DataFrame, pd.DataFrame]:
    """One population; see `tests.clinical_study.make_population`."""
    patients = images // PER_PATIENT
    return make_population(seeds, patients, prevalences=PREVALENCES, extra=extra, seed=seed)


def false_claim(seed: int, images: int, seeds: int) -> bool:
    """Whether groups that mean nothing are said to lose more, in a population where pruning does hit one group."""
    predictions, labels, metadata = study(seed, images, seeds, extra=0.45)
    rng, limits = np.random.default_rng(seed), _limits(predictions, labels)
    return subgroups_hit(subgroups(predictions, labels, permuted(labels, metadata, rng), [0.9], limits)) == "yes"


def found(seed: int, images: int, seeds: int) -> bool:
    """Whether the group that loses more is found."""
    predictions, labels, metadata = study(seed, images, seeds, extra=0.45)
    table = subgroups(predictions, labels, metadata, [0.9], _limits(predictions, labels))
    return bool(((table["group"] == "F") & (table["p_holm"] < 0.05) & (table["change"] < 0)).any())


def gaps_covered(seed: int, images: int, seeds: int, truth: pd.Series) -> list[bool]:
    """For every tested gap of women and men, whether its interval holds the change that it has in the population."""
    predictions, labels, metadata = study(seed, images, seeds, extra=0.2)
    table = subgroups(predictions, labels, metadata.drop(columns=["age", "view"]), [0.9])
    sign = np.where(table["group"] == "F", 1, -1)
    known = sign * truth.reindex(pd.MultiIndex.from_frame(table[["class", "measure"]])).to_numpy()
    return ((table["low"] <= known) & (known <= table["high"])).tolist()


def sensitivities_covered(seed: int, images: int, seeds: int, truth: pd.Series, limit: float) -> list[bool]:
    """For every class and sparsity, whether the interval holds the sensitivity that the population has."""
    predictions, labels, _ = study(seed, images, seeds, extra=0.0)
    table = operating_points(predictions, labels, _fixed(predictions, limit))
    table = table[table["test_count"] >= 10]
    known = truth.reindex(pd.MultiIndex.from_frame(table[["class", "sparsity"]])).to_numpy()
    return ((table["sensitivity_low"] <= known) & (known <= table["sensitivity_high"])).tolist()


def true_gaps() -> pd.Series:
    """Changes of the gap of women minus men, by class and measure, in a large population."""
    predictions, labels, metadata = study(10**6, LARGE, MANY_SEEDS, extra=0.2)
    table = subgroups(predictions, labels, metadata.drop(columns=["age", "view"]), [0.9])
    sign = np.where(table["group"] == "F", 1, -1)
    return (table["change"] * sign).set_axis(pd.MultiIndex.from_frame(table[["class", "measure"]]))


def true_sensitivities(limit: float) -> pd.Series:
    """Sensitivities by class and sparsity in a large population, at one threshold."""
    predictions, labels, _ = study(10**6, LARGE, MANY_SEEDS, extra=0.0)
    table = operating_points(predictions, labels, _fixed(predictions, limit))
    return table.set_index(["class", "sparsity"])["sensitivity"]


def rates(images: int, seeds: int, studies: int, limit: float = 0.4) -> Rates:
    """All of it, for one size."""
    gaps, sensitivities = true_gaps(), true_sensitivities(limit)
    each = range(studies)
    return Rates(
        images,
        seeds,
        studies,
        false_claims=float(np.mean([false_claim(seed, images, seeds) for seed in each])),
        power=float(np.mean([found(seed, images, seeds) for seed in each])),
        gap_coverage=_mean([gaps_covered(seed, images, seeds, gaps) for seed in each]),
        sensitivity_coverage=_mean([sensitivities_covered(s, images, seeds, sensitivities, limit) for s in each]),
    )


def _mean(parts: Sequence[Sequence[bool]]) -> float:
    flat = [one for part in parts for one in part]
    return float(np.mean(flat)) if flat else float("nan")


def _limits(predictions: xr.DataArray, labels: pd.DataFrame) -> xr.DataArray:
    return thresholds(predictions.sel(sparsity=0.0), labels)


def _fixed(predictions: xr.DataArray, limit: float) -> xr.DataArray:
    """The same threshold for all seeds and classes."""
    return xr.full_like(predictions.isel(sparsity=0, image=0, drop=True), limit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--images", type=int, nargs="+", default=[400, 2000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 10])
    given = parser.parse_args()
    print("images seeds studies  false claims  power  gaps covered  sensitivities covered")
    for images in given.images:
        for seeds in given.seeds:
            one = rates(images, seeds, given.studies)
            print(
                f"{images:6d} {seeds:5d} {one.studies:7d}  {one.false_claims:12.3f}  {one.power:5.2f}  "
                f"{one.gap_coverage:12.3f}  {one.sensitivity_coverage:21.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
