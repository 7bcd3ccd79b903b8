"""Everything about pruning-identified exemplars: predictions of dense and pruned networks in, tables and gaps out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from prunecxr.studies.pruning.analysis import gaps
from prunecxr.studies.pruning.analysis.agreement import FEWEST_CLASSES, measure_for
from prunecxr.studies.pruning.analysis.exemplar_null import Comparisons, pie_null
from prunecxr.studies.pruning.analysis.exemplar_ratios import Properties, pie_ratios
from prunecxr.studies.pruning.analysis.exemplar_sets import by_measure, pie_measures, pie_overlap, pie_stability
from prunecxr.studies.pruning.analysis.exemplars import Chooser, class_columns, pies
from prunecxr.studies.pruning.analysis.forgettability import MIN_SEEDS
from prunecxr.studies.pruning.analysis.seed_halves import (
    HALVES_FROM,
    SPLITS,
    CommonSeeds,
    common_seeds,
    half_means,
    splits_of_seeds,
)


@dataclass(frozen=True)
class ExemplarOptions:
    """What can be asked of the analysis of PIEs.

    Attributes:
        fraction: share of the test images that are PIEs.
        measure: of agreement, see :func:`prunecxr.studies.pruning.analysis.agreement.measure_named`.
        resamples: of the patient bootstraps.
        splits: random halves of the seeds, at most.
        alpha: 1 less the joint coverage of simultaneous intervals.
        seed: of every random generator.
    """

    fraction: float = 0.05
    measure: str = "spearman"
    resamples: int = 2_000
    splits: int = SPLITS
    alpha: float = 0.05
    seed: int = 0


class ExemplarTables(NamedTuple):
    """Tables by name, and sentences about everything left out."""

    tables: dict[str, pd.DataFrame]
    warnings: list[str]


def exemplar_tables(
    labels: pd.DataFrame, dense: xr.DataArray, pruned: xr.DataArray, options: ExemplarOptions | None = None
) -> ExemplarTables:
    """The PIEs of a study, what they have in common, and the controls of both.

    Args:
        labels: ``id``, ``subject_id``, then one 0/1 column a class, one row a test image.
        dense: probabilities at sparsity 0, dims (seed, image, class), images and classes in the order of ``labels``.
            Mean predictions, dims (image, class), leave out all that needs single seeds.
        pruned: the same at the PIE sparsity; seeds that only one of the two has are left out and named.
        options: see :class:`ExemplarOptions`.

    Returns:
        Tables ``pies`` (with a column ``is_pie_*`` for every other measure), ``pie_ratios``, ``pie_measures``,
        ``pie_overlap``; from 2 seeds on ``pie_null``, from 3 seeds on ``pie_stability``.

    Raises:
        ValueError: unknown measure, predictions of another shape, or no seed in common.
    """
    options = options or ExemplarOptions()
    names = class_columns(labels)
    measure = measure_for(options.measure, len(names))
    warnings = _measure_warnings(options.measure, measure, len(names))
    common = None
    if "seed" in dense.dims:
        common = common_seeds(dense, pruned)
        if not common.dense.sizes["seed"]:
            raise ValueError("no seed has both a dense and a pruned variant: there are no PIEs to be found")
        warnings += common.sentences()
        dense, pruned = (one.mean("seed", dtype=np.float64) for one in (common.dense, common.pruned))
    choose = Chooser.of(labels["id"].to_numpy(), options.fraction, measure)
    dense_mean, pruned_mean = (side.transpose("image", "class").to_numpy() for side in (dense, pruned))
    pie_table = pies(labels, dense_mean, pruned_mean, options.fraction, measure)
    sets = by_measure(dense_mean, pruned_mean, choose)
    others = {f"is_pie_{name}": one.is_pie for name, one in sets.items() if name != measure}
    members = pd.DataFrame({"id": labels["id"].to_numpy(), **others})
    tables = {
        "pies": pie_table.merge(members, on="id", how="left", validate="one_to_one"),
        "pie_ratios": pie_ratios(pie_table, names, options.resamples, options.seed, options.alpha),
        "pie_measures": pie_measures(sets, measure),
        "pie_overlap": pie_overlap(sets),
    }
    warnings += [*gaps.agreement_warnings(pie_table, options.fraction), *_seed_warnings(common)]
    if common is not None:
        tables |= _controls(labels, common, choose, options)
    return ExemplarTables(tables, warnings)


def _controls(
    labels: pd.DataFrame, common: CommonSeeds, choose: Chooser, options: ExemplarOptions
) -> dict[str, pd.DataFrame]:
    """What needs single seeds: dense against dense, and stability."""
    splits = splits_of_seeds(common.dense.sizes["seed"], options.splits, options.seed)
    if not splits:
        return {}
    dense, pruned = (half_means(side, splits) for side in (common.dense, common.pruned))
    properties = Properties.of(labels, class_columns(labels))
    comparisons = Comparisons.of(dense, pruned, splits, choose)
    subjects = labels["subject_id"].to_numpy()
    tables = {"pie_null": pie_null(comparisons, properties, subjects, options.resamples, options.seed, options.alpha)}
    stability = pie_stability(dense, pruned, splits, choose)
    return tables | ({"pie_stability": stability} if len(stability) else {})


def _measure_warnings(asked: str, measure: str, n_classes: int) -> list[str]:
    """That a rank correlation was asked for over too few classes."""
    if measure == asked:
        return []
    few = "is not defined over one class" if n_classes == 1 else f"decides little over {n_classes} classes"
    return [
        f"PIEs by {measure}: {asked}, a rank correlation over the classes, {few} (it wants {FEWEST_CLASSES} or more; "
        "with fewer, most images tie)."
    ]


def _seed_warnings(common: CommonSeeds | None) -> list[str]:
    """What too few seeds leave out of the controls."""
    if common is None:
        return ["No control of the PIEs: dense against dense needs the predictions of single seeds."]
    n = common.dense.sizes["seed"]
    if n == 1:
        return ["No control of the PIEs: dense against dense needs two seeds, better 6, and there is one."]
    if n < MIN_SEEDS:
        return [
            "The control of the PIEs rests on one dense network against one other: no interval, and no claim that "
            f"pruning adds to it, which needs {MIN_SEEDS} seeds, better {HALVES_FROM}."
        ]
    if n < HALVES_FROM:
        return [
            f"The control of the PIEs holds each of {n} dense networks against the others: halves of the seeds, which "
            f"vary less, need {HALVES_FROM}."
        ]
    return []
