"""What pruning means at a desk: operating points, calibration and subgroups; what is left out is said in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from prunecxr.studies.pruning.analysis.calibration import calibration, reliability
from prunecxr.studies.pruning.analysis.operating_points import operating_points, thresholds
from prunecxr.studies.pruning.analysis.subgroups import ENOUGH, partitions, subgroups

Validation = tuple[xr.DataArray, pd.DataFrame]
"""Probabilities of the dense networks on validation images, dims (seed, image, class), and the labels of these."""

MOST_SEEDS = 10  # for groups: every group of every class is ranked again, and patients, not seeds, are what is scarce

NO_VALIDATION = (
    "No operating points: the study holds no predictions of validation images, on which thresholds are set. Imported "
    "studies have none, nor have those that earlier versions evaluated."
)
NO_METADATA = (
    "No subgroups: nothing is known of the test images but their labels. Age, sex and view are read from columns of "
    "the label tables, or of other tables (option metadata_table), when variants are evaluated."
)


def clinical(
    predictions: xr.DataArray,
    labels: pd.DataFrame,
    sparsities: Sequence[float],
    *,
    metadata: pd.DataFrame | None = None,
    validation: Validation | None = None,
    specificity: float = 0.9,
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Operating points and calibration of all variants, and subgroups at some sparsities.

    Args:
        predictions: probabilities, dims (seed, sparsity, image, class), float32, images in the order of ``labels``.
        labels: ``id``, ``subject_id``, one column of 0, 1 or NaN a class.
        sparsities: at which groups are compared (over 10 seeds at most) and reliability is shown: above 0, not
            collapsed.
        metadata: ``id``, then columns of text or numbers, in the order of ``labels``; None leaves out the subgroups.
        validation: None leaves out operating points, and sensitivities of groups.
        specificity: of the dense networks on validation images, at which thresholds are set.

    Returns:
        Tables ``calibration``, ``reliability``, and where there is data for them ``operating_points`` and
        ``subgroups``; and sentences about what is left out.
    """
    tables = {
        "calibration": calibration(predictions, labels),
        "reliability": reliability(predictions, labels, (0.0, *sparsities)),
    }
    warnings, limits = [], None
    if validation is None:
        warnings.append(NO_VALIDATION)
    else:
        limits = thresholds(*validation, specificity)
        tables["operating_points"] = operating_points(predictions, labels, limits)
        without = np.setdiff1d(predictions["seed"].to_numpy(), limits["seed"].to_numpy())
        if len(without):
            listed = ", ".join(map(str, without))
            warnings.append(f"Operating points without seeds that have no predictions of validation images: {listed}.")
    if metadata is None:
        return tables, [*warnings, NO_METADATA]
    if not sparsities:
        return tables, [*warnings, "No subgroups: there is no sparsity at which the networks have not collapsed."]
    compared = subgroups(predictions.isel(seed=slice(MOST_SEEDS)), labels, metadata, sparsities, limits)
    n_seeds = predictions.sizes["seed"]
    if len(compared):
        some = [f"Groups are compared over {MOST_SEEDS} of {n_seeds} seeds, the first ones."] * (n_seeds > MOST_SEEDS)
        return {**tables, "subgroups": compared}, [*warnings, *some]
    names = ", ".join(part.name for part in partitions(metadata)) or "none"
    few = (
        f"No subgroups: in no class do two groups of images have {ENOUGH} positive images of {ENOUGH} patients each "
        f"(groups by: {names})."
    )
    return tables, [*warnings, few]
