"""What an analysis had to leave out, in sentences for the report: nothing is dropped silently."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import xarray as xr

from prunecxr.studies.pruning.analysis.forgettability import (
    MIN_SEEDS,
    chance_corrected_relative_change,
    prevalence,
    seeds_compared,
)

LISTED = 12


def missing_variants(scores: xr.Dataset) -> list[tuple[int, float]]:
    """(seed, sparsity) of every variant without any score, by seed and sparsity."""
    missing = (scores["ap"].count("class") == 0).transpose("seed", "sparsity")
    seeds, sparsities = missing["seed"].to_numpy(), missing["sparsity"].to_numpy()
    return sorted((int(seeds[i]), float(sparsities[k])) for i, k in np.argwhere(missing.to_numpy()))


def score_warnings(scores: xr.Dataset, class_table: pd.DataFrame) -> list[str]:
    """What is missing from, or undefined in, the scores of a study.

    Args:
        scores: dims (seed, sparsity, class), variable ``ap``; see :mod:`analysis.forgettability`.
        class_table: the table of :func:`prunecxr.studies.pruning.analysis.forgettability.classes`.

    Returns:
        One sentence for each kind of gap, with counts and names; empty where nothing is missing.
    """
    found = [
        _missing(scores),
        _single_scores(scores, class_table),
        _few_seeds(scores),
        *_undefined(class_table),
        _censored(class_table, "censored", "AP"),
        _censored(class_table, "chance_corrected_censored", "chance-corrected AP"),
        _below_chance(scores, class_table),
    ]
    return [text for text in found if text]


def agreement_warnings(pie_table: pd.DataFrame, fraction: float) -> list[str]:
    """What the PIE analysis had to leave out; ``pie_table`` as from :func:`analysis.exemplars.pies`."""
    undefined = pie_table.loc[pie_table["agreement"].isna(), "id"]
    texts = []
    if len(undefined):
        texts.append(
            f"{_count(len(undefined), 'image')} of {len(pie_table)} without a defined agreement (a constant or missing "
            f"prediction), kept apart from PIEs and non-PIEs: {_listed(undefined)}."
        )
    if len(undefined) == len(pie_table):
        texts.append("No PIEs: agreement is defined for no image.")
    elif not pie_table["is_pie"].any():
        texts.append(f"No PIEs: {fraction:g} of {_count(len(pie_table), 'image')} is less than one image.")
    return texts


def weight_notes(histograms: pd.DataFrame, scores: xr.Dataset) -> list[str]:
    """Which seeds have no histogram of weights; ``histograms`` as in :func:`analysis.weights.weights`."""
    absent = sorted(set(scores["seed"].to_numpy().tolist()) - set(histograms["seed"]))
    if not absent:
        return []
    return [
        f"Weight magnitudes of {len(absent)} of {_count(scores.sizes['seed'], 'seed')} are not known: their networks "
        "were not trained here, or before magnitudes were logged."
    ]


def ols_warnings(ols_table: pd.DataFrame) -> list[str]:
    """Which regressions of the pair analysis could not be fitted."""
    texts = []
    for prefix, measured in (("", "FCD"), ("chance_corrected_", "chance-corrected FCD")):
        if f"{prefix}coefficient" in ols_table:
            failed = ols_table[ols_table[f"{prefix}coefficient"].isna()].drop_duplicates("definition")
            texts += [
                f"No regression of {measured} under the definition '{name}': {_count(n, 'pair')} with defined values "
                "do not determine four coefficients and their errors."
                for name, n in zip(failed["definition"], failed[f"{prefix}n"], strict=True)
            ]
    return texts


def collapse_warnings(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Which sparsities have collapsed, which classes have few positives, and which the dense networks do not know."""
    if "sparsities" not in tables:
        return []
    table, scores = tables["sparsities"], tables["scores"]
    dense = scores[(scores["sparsity"] == 0) & (scores["scale"] == "ap")]
    texts = []
    collapsed = [f"{100 * k:.6g}%" for k in table.loc[table["collapsed"], "sparsity"]]
    if collapsed:
        texts.append(
            "Collapsed (at least half of the classes that the dense networks know are no longer known, or all images "
            f"get the same probability): {_listed(collapsed)}. These sparsities are marked, and nothing is asked there."
        )
    few, unknown = dense.loc[dense["few"], "class"], dense.loc[~dense["known"] & ~dense["few"], "class"]
    if len(few):
        texts.append(
            f"Fewer than 10 positive test images, too few for a statement: {_listed(few)}. Shown, and in no headline."
        )
    if len(unknown):
        texts.append(
            "Not known by the dense networks (their median AP is below what 2.5% of random rankings reach or pass), "
            f"so there is nothing to forget: {_listed(unknown)}."
        )
    return texts


def _missing(scores: xr.Dataset) -> str:
    missing = missing_variants(scores)
    if not missing:
        return ""
    total = scores.sizes["seed"] * scores.sizes["sparsity"]
    seeds = pd.DataFrame(missing, columns=["seed", "sparsity"]).groupby("sparsity")["seed"]
    names = "; ".join(f"at {100 * sparsity:.6g}% {_seeds(at)}" for sparsity, at in seeds)
    return f"{len(missing)} of {_count(total, 'variant')} missing; results are over those present. Missing {names}."


def _seeds(seeds: pd.Series) -> str:
    """'seed 4', 'seeds 0-3, 7'."""
    runs = [run.tolist() for run in np.split(seeds.to_numpy(), np.flatnonzero(np.diff(seeds) != 1) + 1)]
    ranges = (f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(ranges)}"


def _single_scores(scores: xr.Dataset, class_table: pd.DataFrame) -> str:
    """Scores that are NaN although their variant and their class have others."""
    known = scores["ap"].notnull()  # noqa: PD004 (an xarray method)
    holes = ~known & known.any("class") & known.any(["seed", "sparsity"])
    by_class = holes.sum(["seed", "sparsity"]).to_numpy()
    if not by_class.any():
        return ""
    names = (f"{name} ({n})" for name, n in zip(class_table["class"], by_class, strict=True) if n)
    return f"{_count(int(by_class.sum()), 'single score')} missing from otherwise scored variants: {_listed(names)}."


def _few_seeds(scores: xr.Dataset) -> str:
    """Which tests too few seeds leave out; the rule is that of :mod:`prunecxr.studies.pruning.analysis.study`."""
    compared, at_max = seeds_compared(scores), seeds_compared(scores, highest=True)
    if compared < MIN_SEEDS:
        have = "has" if compared == 1 else "have"
        return (
            f"Only {_count(compared, 'seed')} {have} a dense and a pruned model: nothing is tested and no P is given, "
            f"which needs {MIN_SEEDS} seeds."
        )
    if at_max < MIN_SEEDS:
        return (
            f"Only {_count(at_max, 'seed')} at the highest sparsity: no test of the change there, which needs "
            f"{MIN_SEEDS} seeds."
        )
    return ""


def _undefined(class_table: pd.DataFrame) -> list[str]:
    """One sentence for each reason, naming the classes."""
    reasons = class_table.assign(reason=class_table["reason"].str.split("; ")).explode("reason")
    reasons = reasons[reasons["reason"] != ""]
    return [
        f"Left out where it cannot be defined ({reason}): {_listed(group['class'])}."
        for reason, group in reasons.groupby("reason", sort=False)
    ]


def _censored(class_table: pd.DataFrame, column: str, score: str) -> str:
    censored = class_table.loc[class_table[column], "class"]
    if censored.empty:
        return ""
    verb = "never loses" if len(censored) == 1 else "never lose"
    return (
        f"{_count(len(censored), 'class', 'classes')} {verb} 20% of {score} at any sparsity studied; out of "
        f"Pearson's r and last in Spearman's rho of the first drop: {_listed(censored)}."
    )


def _below_chance(scores: xr.Dataset, class_table: pd.DataFrame) -> str:
    """Dense models no better than chance, in classes where others are: their chance-corrected change is undefined."""
    change = chance_corrected_relative_change(scores["ap"], prevalence(scores)).sel(sparsity=0)
    dense = scores["ap"].sel(sparsity=0)
    below = (dense.count("seed") - change.count("seed")).to_numpy()
    partly = (below > 0) & (change.count("seed") > 0).to_numpy()
    if not partly.any():
        return ""
    names = (f"{name} ({n})" for name, n in zip(class_table["class"][partly], below[partly], strict=True))
    return f"Dense models not above chance, left out of the chance-corrected change of their class: {_listed(names)}."


def _listed(names: Iterable[str]) -> str:
    names = [str(name) for name in names]
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _count(n: int, noun: str, plural: str = "") -> str:
    return f"{n} {noun if n == 1 else plural or noun + 's'}"
