"""The whole analysis of one study: scores, labels and mean predictions in, every table of the report out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from prunecxr.analysis import exemplars, forgettability, gaps, pairs


@dataclass(frozen=True)
class Options:
    """What a study's analysis can be asked to do differently.

    Attributes:
        alpha: level of the significance tests.
        definition: ``paper``, ``published`` or ``both``; see :mod:`prunecxr.analysis.pairs`.
        pie_sparsity: the sparsity that the pruned mean predictions were made at (stated, not looked up).
        pie_fraction: share of the test images that are PIEs.
        measure: of agreement, a key of :data:`prunecxr.analysis.exemplars.AGREEMENT`.
        resamples: of the patient bootstrap.
        seed: of the patient bootstrap.
    """

    alpha: float = 0.05
    definition: str = "both"
    pie_sparsity: float = 0.9
    pie_fraction: float = 0.05
    measure: str = "spearman"
    resamples: int = 2_000
    seed: int = 0

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

    Returns:
        Tables ``overall``, ``curves``, ``classes``, ``correlations``, ``pairs``, ``pair_correlations``, ``ols`` and,
        with predictions, ``pies`` and ``pie_ratios``.

    Raises:
        ValueError: no dense models in ``scores``, unknown definition or measure, or predictions of another shape.
    """
    options = options or Options()
    class_table = forgettability.classes(scores)
    curve = forgettability.forgettability_curves(scores)["relative_change"]
    pair_table = pairs.pairs(curve, labels, options.definitions)
    ols_table = pairs.ols(pair_table, options.definitions)
    tables = {
        "overall": forgettability.overall(scores, options.alpha),
        "curves": forgettability.curves(scores),
        "classes": class_table,
        "correlations": forgettability.correlations(class_table),
        "pairs": pair_table,
        "pair_correlations": pairs.pair_correlations(pair_table, options.definitions),
        "ols": ols_table,
    }
    warnings = [*gaps.score_warnings(scores, class_table), *gaps.ols_warnings(ols_table)]
    if dense is None or pruned is None:
        return Analysis(tables, [*warnings, "No PIEs: mean predictions of dense and pruned models are not available."])
    pie_table = exemplars.pies(labels, dense, pruned, options.pie_fraction, options.measure)
    names = exemplars.class_columns(labels)
    tables["pies"] = pie_table
    tables["pie_ratios"] = exemplars.pie_ratios(pie_table, names, options.resamples, options.seed)
    return Analysis(tables, [*warnings, *gaps.agreement_warnings(pie_table, options.pie_fraction)])
