"""The whole analysis of one study: scores, labels and mean predictions in, every table of the report out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from prunecxr.analysis.association import without_p
from prunecxr.studies.pruning.analysis import (
    forgettability,
    gaps,
    methods,
    pair_regression,
    pair_tests,
    pairs,
    weights,
)
from prunecxr.studies.pruning.analysis.by_scale import ScaleOptions, by_scale
from prunecxr.studies.pruning.analysis.clinical import Validation, clinical
from prunecxr.studies.pruning.analysis.exemplar_tables import ExemplarOptions, ExemplarTables, exemplar_tables
from prunecxr.studies.pruning.analysis.rankings import Rankings, plain_changes
from prunecxr.studies.pruning.analysis.scales import FREE, SCALES

SPLITS = ("train", "val", "test")
IMAGES = "(images)"
NO_PREDICTIONS = "No PIEs: mean predictions of dense and pruned models are not available."


@dataclass(frozen=True)
class Options:
    """What a study's analysis can be asked to do differently.

    Attributes:
        alpha: level of the significance tests.
        definition: ``paper``, ``published`` or ``both``; see :mod:`prunecxr.studies.pruning.analysis.pairs`.
        pie_sparsity: the sparsity that the pruned mean predictions were made at (stated, not looked up).
        pie_fraction: share of the test images that are PIEs.
        measure: of agreement, see :func:`prunecxr.studies.pruning.analysis.agreement.measure_named`.
        resamples: of the patient bootstrap.
        seed: of every random generator.
        method: name of the pruning method of the scores.
        scales: what is asked on the scales of forgetting.
        specificity: of dense networks on validation images, at which thresholds are set.
    """

    alpha: float = 0.05
    definition: str = "both"
    pie_sparsity: float = 0.9
    pie_fraction: float = 0.05
    measure: str = "spearman"
    resamples: int = 2_000
    seed: int = 0
    method: str = "magnitude"
    scales: ScaleOptions = field(default_factory=ScaleOptions)
    specificity: float = 0.9

    @property
    def definitions(self) -> tuple[str, ...]:
        return tuple(pairs.DEFINITIONS) if self.definition == "both" else (self.definition,)


@dataclass(frozen=True)
class Beside:
    """What is known of a study's dense models beside the scores that are analysed.

    Attributes:
        others: other pruning methods, method -> scores.
        histograms: of the magnitudes of their weights, see
            :func:`prunecxr.studies.pruning.analysis.weights.weights`.
    """

    others: Mapping[str, xr.Dataset] = field(default_factory=dict)
    histograms: pd.DataFrame | None = None


@dataclass(frozen=True)
class Predicted:
    """What every variant says of every test image, and what else is known of the images.

    Attributes:
        predictions: dims (seed, sparsity, image, class), sparsities ascending from 0.
        rankings: of these predictions.
        metadata: id, then columns that describe patient or image; None where there is none.
        validation: of the dense networks, see :data:`prunecxr.studies.pruning.analysis.clinical.Validation`; None where
            there is none.
    """

    predictions: xr.DataArray
    rankings: Rankings
    metadata: pd.DataFrame | None = None
    validation: Validation | None = None


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
    beside: Beside | None = None,
    predicted: Predicted | None = None,
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
        by_seed: what ``dense`` and ``pruned`` are the means of, dims (seed, image, class); for the controls of the
            PIEs, which are then averaged over the seeds that both have.
        beside: what is known of the same dense models beside these scores.
        predicted: predictions of all variants; without them there are no answers by scale.

    Returns:
        Tables ``overall``, ``curves``, ``classes``, ``correlations``, ``pairs``, ``pair_correlations``, ``pair_tests``,
        ``ols``, ``partial_effects``, ``label_counts``; with other methods ``methods``, with histograms ``weights``;
        with predictions those of :func:`prunecxr.studies.pruning.analysis.exemplar_tables.exemplar_tables`; with those
        of all variants, those of :func:`prunecxr.studies.pruning.analysis.by_scale.by_scale` and of
        :func:`prunecxr.studies.pruning.analysis.clinical.clinical`, too. Where fewer than 3 seeds stand behind a
        result, its P is NaN.

    Raises:
        ValueError: no dense models in ``scores``, unknown definition or measure, or predictions of another shape.
    """
    options = options or Options()
    tables = _tables(scores, labels, options, predicted.rankings if predicted else None)
    tables |= _untested(tables, scores)
    warnings = [*gaps.score_warnings(scores, tables["classes"]), *gaps.ols_warnings(tables["ols"])]
    if predicted is not None:
        further, notes = _of_predictions(predicted, scores, labels, tables["classes"], options)
        tables |= further
        warnings += notes
    if beside is not None and beside.others:
        tables["methods"] = methods.methods({options.method: scores, **beside.others})
    if beside is not None and beside.histograms is not None and len(beside.histograms):
        tables["weights"] = weights.weights(beside.histograms)
    if dense is None or pruned is None:
        return Analysis(tables, warnings if predicted else [*warnings, NO_PREDICTIONS])
    exemplars = _exemplars(labels, dense, pruned, options, by_seed)
    return Analysis(tables | exemplars.tables, [*warnings, *exemplars.warnings])


def _of_predictions(
    predicted: Predicted, scores: xr.Dataset, labels: pd.DataFrame, classes: pd.DataFrame, options: Options
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Everything that takes the predictions of all variants, and sentences about what is left out."""
    rankings, predictions = predicted.rankings, predicted.predictions
    tables = by_scale(rankings, predictions, labels, _frequency(scores), options.scales)
    tables["classes"] = _with_scales(classes, tables["changes"], tables["sparsities"])
    at_desk, warnings = clinical(
        predictions,
        labels,
        () if np.isnan(rankings.asked()) else (rankings.asked(),),
        metadata=predicted.metadata,
        validation=predicted.validation,
        specificity=options.specificity,
    )
    return {**tables, **at_desk}, [*gaps.collapse_warnings(tables), *warnings]


def _tables(
    scores: xr.Dataset, labels: pd.DataFrame, options: Options, rankings: Rankings | None
) -> dict[str, pd.DataFrame]:
    """The tables of the paper, and tests of pairs on the scales there are."""
    class_table = forgettability.classes(scores)
    curve = forgettability.forgettability_curves(scores)
    own = {"ap": curve["relative_change"], "ap_chance": curve["chance_corrected_relative_change"]}
    pair_table = pairs.pairs({**own, **_free_curves(rankings, scores)}, labels, options.definitions)
    return {
        "overall": forgettability.overall(scores, options.alpha),
        "curves": forgettability.curves(scores),
        "classes": class_table,
        "correlations": forgettability.correlations(class_table),
        "pairs": pair_table,
        "pair_correlations": pairs.pair_correlations(pair_table, options.definitions),
        "pair_tests": pair_tests.pair_tests(pair_table, options.definitions, seed=options.seed),
        "ols": pair_regression.ols(pair_table, options.definitions),
        "partial_effects": pair_regression.partial_effects(pair_table, options.definitions),
        "label_counts": label_counts(scores),
    }


def _free_curves(rankings: Rankings | None, scores: xr.Dataset) -> dict[str, xr.DataArray]:
    """Forgettability curves on the prevalence-free scales, up to where networks collapse; dims (class, sparsity).

    NaN for classes that the dense networks do not know, or of which few positives tell: their curves are noise.
    """
    if rankings is None or np.isnan(rankings.asked()):
        return {}
    usable = rankings.sparsities[~rankings.collapsed()]
    told = xr.DataArray(rankings.known()[0] & ~rankings.few, dims="class", coords={"class": rankings.classes})
    curves = {}
    for name in FREE:
        median = plain_changes(rankings, SCALES[name]).sel(sparsity=usable).median("seed").where(told)
        curves[name] = median.transpose("class", "sparsity").sel({"class": scores["class"]})
    return curves


def _frequency(scores: xr.Dataset) -> np.ndarray:
    """Training images of each class; of the test split where those of training are not known."""
    counts = scores.coords.get("train_count", scores["test_count"])
    return np.asarray(counts.to_numpy(), np.float64)


def _with_scales(classes: pd.DataFrame, changes: pd.DataFrame, sparsities: pd.DataFrame) -> pd.DataFrame:
    """The table of classes with what is known of each, and its changes at the sparsity where questions are asked."""
    asked = sparsities.loc[sparsities["asked"], "sparsity"]
    rows = changes[changes["sparsity"].isin(asked)]
    wide = rows.pivot_table(index="class", columns="scale", values="change", dropna=False).add_suffix("_change")
    few = changes.groupby("class")["few"].first()
    return classes.assign(few=classes["class"].map(few)).merge(wide, on="class", how="left")


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
) -> ExemplarTables:
    """The tables of the PIEs, from the predictions of every seed or, without controls, from their means."""
    wanted = ExemplarOptions(
        options.pie_fraction, options.measure, options.resamples, alpha=options.alpha, seed=options.seed
    )
    dense_side, pruned_side = by_seed or (xr.DataArray(one, dims=("image", "class")) for one in (dense, pruned))
    return exemplar_tables(labels, dense_side, pruned_side, wanted)
