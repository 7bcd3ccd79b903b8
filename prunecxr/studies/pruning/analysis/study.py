"""The whole analysis of one study: scores, labels and mean predictions in, every table of the report out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from prunecxr.analysis.association import without_p
from prunecxr.studies.pruning.analysis import (
    exemplar_sets,
    exemplars,
    forgettability,
    gaps,
    methods,
    pair_regression,
    pair_tests,
    pairs,
    weights,
)

SPLITS = ("train", "val", "test")
IMAGES = "(images)"


@dataclass(frozen=True)
class Options:
    """What a study's analysis can be asked to do differently.

    Attributes:
        alpha: level of the significance tests.
        definition: ``paper``, ``published`` or ``both``; see :mod:`prunecxr.studies.pruning.analysis.pairs`.
        pie_sparsity: the sparsity that the pruned mean predictions were made at (stated, not looked up).
        pie_fraction: share of the test images that are PIEs.
        measure: of agreement, a key of :data:`prunecxr.studies.pruning.analysis.exemplars.AGREEMENT`.
        resamples: of the patient bootstrap.
        seed: of both bootstraps.
        seed_resamples: of the bootstrap of seeds.
        method: name of the pruning method of the scores.
        scales: what is asked on the scales of forgetting.
    """

    alpha: float = 0.05
    definition: str = "both"
    pie_sparsity: float = 0.9
    pie_fraction: float = 0.05
    measure: str = "spearman"
    resamples: int = 2_000
    seed: int = 0
    seed_resamples: int = 50
    method: str = "magnitude"
    scales: ScaleOptions = field(default_factory=ScaleOptions)

    @property
    def definitions(self) -> tuple[str, ...]:
        return tuple(pairs.DEFINITIONS) if self.definition == "both" else (self.definition,)


@dataclass(frozen=True)
class Analysis:
    """Results: tables by the name of their file, and sentences about everything left out."""

    tables: dict[str, pd.DataFrame]
    warnings: list[str] = field(default_factory=list)


def analyse(
    scores: xr.Dataset,
    labels: pd.DataFrame,
    dense: np.ndarray | None = None,
    pruned: np.ndarray | None = None,
    options: Options | None = None,
    *,
    by_seed: tuple[xr.DataArray, xr.DataArray] | None = None,
    others: Mapping[str, xr.Dataset] | None = None,
    histograms: pd.DataFrame | None = None,
    predictions: xr.DataArray | None = None,
    rankings: Rankings | None = None,
) -> Analysis:
    """Everything that Holste et al. (MICCAI 2023) report of a study, and what stands beside it here.

    Args:
        scores: dims (seed, sparsity, class), variable ``ap`` (NaN where undefined or missing), class coordinates
            ``train_count`` and ``test_count``, ``attrs["n_test"]``.
        labels: ``id``, ``subject_id``, then one 0/1 column a class, one row a test image.
        dense: mean probabilities over seeds at sparsity 0, shape (n_images, n_classes), rows and classes in the order
            of ``labels``; None where there are no predictions, which leaves out the PIEs with a warning.
        pruned: the same at ``options.pie_sparsity``.
        options: see :class:`Options`.
        by_seed: what ``dense`` and ``pruned`` are the means of, dims (seed, image, class); for the stability of the
            PIEs over seeds.
        others: other pruning methods of the same dense models, method -> scores.
        histograms: of the magnitudes of the dense models' weights, see :func:`analysis.weights.weights`.
        predictions: of all variants, dims (seed, sparsity, image, class); without them there are no answers by scale.
        rankings: of these predictions, where they are at hand.

    Returns:
        Tables ``overall``, ``curves``, ``classes``, ``correlations``, ``pairs``, ``pair_correlations``, ``pair_tests``,
        ``ols``, ``partial_effects``, ``label_counts``; with other methods ``methods``, with histograms ``weights``;
        with predictions ``pies``, ``pie_ratios``, ``pie_overlap`` and, with those of at least 3 seeds,
        ``pie_stability``. Where fewer than 3 seeds stand behind a result, its P is NaN.

    Raises:
        ValueError: no dense models in ``scores``, unknown definition or measure, or predictions of another shape.
    """
    options = options or Options()
    class_table = forgettability.classes(scores)
    curve = forgettability.forgettability_curves(scores)
    curves = {"ap": curve["relative_change"], "ap_chance": curve["chance_corrected_relative_change"]}
    pair_table = pairs.pairs(curves, labels, options.definitions)
    ols_table = pair_regression.ols(pair_table, options.definitions)
    tables = {
        "overall": forgettability.overall(scores, options.alpha),
        "curves": forgettability.curves(scores),
        "classes": class_table,
        "correlations": forgettability.correlations(class_table),
        "pairs": pair_table,
        "pair_correlations": pairs.pair_correlations(pair_table, options.definitions),
        "pair_tests": pair_tests.pair_tests(pair_table, options.definitions, seed=options.seed),
        "ols": ols_table,
        "partial_effects": pair_regression.partial_effects(pair_table, options.definitions),
        "label_counts": label_counts(scores),
    }
    tables |= _untested(tables, scores)
    if others:
        tables["methods"] = methods.methods({options.method: scores, **others})
    if histograms is not None and len(histograms):
        tables["weights"] = weights.weights(histograms)
    warnings = [*gaps.score_warnings(scores, class_table), *gaps.ols_warnings(ols_table)]
    if dense is None or pruned is None:
        return Analysis(tables, [*warnings, "No PIEs: mean predictions of dense and pruned models are not available."])
    tables |= _exemplars(labels, dense, pruned, options, by_seed)
    return Analysis(tables, [*warnings, *gaps.agreement_warnings(tables["pies"], options.pie_fraction)])


def label_counts(scores: xr.Dataset) -> pd.DataFrame:
    """Images of each class in each split (supplementary table 2), rarest last.

    Returns:
        Columns class, then those of train, val and test that the study knows, and total where it knows all three.
        The last row, :data:`IMAGES`, counts the images of each split, missing where that is not known.
    """
    known = [split for split in SPLITS if f"{split}_count" in scores.coords]
    table = pd.DataFrame({"class": scores["class"], **{split: scores[f"{split}_count"] for split in known}})
    table = table.sort_values(known[0], ascending=False, kind="stable")
    images = {"class": IMAGES, **{split: scores.attrs.get(f"n_{split}", np.nan) for split in known}}
    table = pd.concat([table, pd.DataFrame([images])], ignore_index=True).astype(dict.fromkeys(known, "Int64"))
    return table.assign(total=table[known].sum(axis=1, skipna=False)) if len(known) == len(SPLITS) else table


def _untested(tables: Mapping[str, pd.DataFrame], scores: xr.Dataset) -> dict[str, pd.DataFrame]:
    """The tables of tests that too few seeds stand behind, without their P: one network is no population."""
    found = {}
    if forgettability.seeds_compared(scores) < forgettability.MIN_SEEDS:
        found = {name: without_p(tables[name]) for name in ("correlations", "pair_correlations", "pair_tests", "ols")}
    elif forgettability.seeds_compared(scores, highest=True) < forgettability.MIN_SEEDS:
        table = tables["correlations"]
        at_max = table["y"].str.endswith("relative_change_at_max")
        found = {"correlations": without_p(table).where(at_max, table)}
    return found


def _exemplars(
    labels: pd.DataFrame,
    dense: np.ndarray,
    pruned: np.ndarray,
    options: Options,
    by_seed: tuple[xr.DataArray, xr.DataArray] | None,
) -> dict[str, pd.DataFrame]:
    """The tables of the PIEs; which images other measures choose stands in further columns of ``pies``."""
    ids = labels["id"].to_numpy()
    members = exemplar_sets.membership(ids, dense, pruned, options.pie_fraction)
    others = members.drop(columns=options.measure).add_prefix("is_pie_").assign(id=ids)
    pie_table = exemplars.pies(labels, dense, pruned, options.pie_fraction, options.measure)
    names = exemplars.class_columns(labels)
    tables = {
        "pies": pie_table.merge(others, on="id", how="left", validate="one_to_one"),
        "pie_ratios": exemplars.pie_ratios(pie_table, names, options.resamples, options.seed),
        "pie_overlap": exemplar_sets.pie_overlap(members),
    }
    if by_seed is not None:
        stability = exemplar_sets.pie_stability(
            ids, *by_seed, options.pie_fraction, options.measure, options.seed_resamples, options.seed
        )
        if len(stability):
            tables["pie_stability"] = stability
    return tables
