"""The sentence that each figure supports, with its numbers, n, tests and the definition used."""

from __future__ import annotations

import numpy as np
import pandas as pd

from prunecxr.report.wording import correlation, count, listing, number, percent, sparsity
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.sentences import (
    FIRST,
    MEASURED,
    MOST,
    NOT_TESTED,
    direction,
    first_drop,
    interaction,
    pair_row,
)

NEARLY_ALL = 0.9
SMALL = 0.01  # the paper's threshold for weight magnitudes, an edge of the histogram


def weights(findings: Findings) -> str:
    """How many weights are small."""
    table = findings.tables["weights"]
    below = float(table.loc[np.isclose(table["high"], SMALL), "share_below"].iloc[0])
    seeds = count(int(table["n"].max()), "dense model")
    return (
        f"{percent(below)} of the prunable weights have a magnitude below {SMALL:g} (median over {seeds}). Magnitude "
        "pruning takes the weights on the left first."
    )


def methods(findings: Findings, prefix: str) -> str:
    """Where the methods stand at the highest sparsity that all have, and where they differ most."""
    table = findings.tables["methods"]
    medians = table.pivot_table(
        index="sparsity", columns="method", values=f"{prefix}median_mean_ap", sort=False, dropna=False
    )
    shared = medians.dropna().sort_index()
    if shared.empty or shared.index[-1] == 0:
        return "The methods have no sparsity above 0 in common."
    at, last = shared.index[-1], shared.iloc[-1].sort_values(ascending=False, kind="stable")
    seeds = table[table["sparsity"] == at].set_index("method")["n"]
    values = listing((f"{name} {number(value, 3)} (n = {seeds[name]})" for name, value in last.items()), len(last))
    gaps = shared.max(axis=1) - shared.min(axis=1)
    widest = f"furthest apart, by {number(gaps.max(), 3)}, at {sparsity(gaps.idxmax())}"
    return f"{_mean_ap(prefix)} at {sparsity(at)} sparsity, median over n seeds: {values}; {widest}."


def curves(findings: Findings, prefix: str) -> str:
    """Which class loses most, and how many lose more than 20%."""
    table, at = findings.tables["classes"].set_index("class"), sparsity(_highest(findings))
    change = table[f"{prefix}{MOST}"].dropna()
    if change.empty:
        return "No class has a defined change."
    dropped = int(table[f"{prefix}{FIRST}"].notna().sum())
    seeds = count(int(findings.tables["overall"]["n"].iloc[0]), "seed")
    meaning = f" {percent(-1)} is back at chance." if prefix else ""
    return (
        f"{change.idxmin()} loses most: {percent(change.min())} at {at} sparsity. {dropped} of "
        f"{count(len(change), 'class', 'classes')} lose more than 20% at some sparsity. Medians over {seeds}.{meaning}"
    )


def frequency(findings: Findings, y: str, prefix: str) -> str:
    """How ``y`` of a class goes with its training frequency."""
    row = findings.tables["correlations"].set_index("y").loc[f"{prefix}{y}"]
    more = {FIRST: "drop earlier", MOST: "lose more"}[y]
    found = {1: f"Rarer classes {more}", 0: "No association with frequency is shown", -1: f"Frequent classes {more}"}
    censored = (
        f" {count(int(row.n_censored), 'class', 'classes')} never drop so far: last in ρ, left out of r."
        if row.n_censored
        else ""
    )
    return f"{_found(row, findings.alpha, found)}: {correlation(row, 'classes')}.{censored}"


def chance(findings: Findings) -> str:
    """How far raw AP can fall, and how many classes have come near."""
    table = findings.tables["classes"].dropna(subset=[MOST, f"chance_corrected_{MOST}"])
    lost = int((table[f"chance_corrected_{MOST}"] < -NEARLY_ALL).sum())
    return (
        "A class forgotten entirely still scores AP = prevalence, so raw AP cannot fall below the black mark. Measured "
        f"from chance, {lost} of {count(len(table), 'class', 'classes')} have lost more than {percent(NEARLY_ALL)} of "
        f"what the dense models knew at {sparsity(_highest(findings))} sparsity."
    )


def overall(findings: Findings) -> str:
    """The first significant drop of either mean, and what the tests are."""
    table = findings.tables["overall"]
    if table["welch_p"].isna().all():
        told = NOT_TESTED if table["n"].iloc[0] < 3 else "Not tested: fewer than 3 pruned models, or none that vary."
        return f"{told} Dense: {count(int(table['n'].iloc[0]), 'model')}."
    raw, corrected = (first_drop(findings, prefix) for prefix in MEASURED)
    return f"Significant drop of mean AP: {raw}. Of chance-corrected mean AP: {corrected}. Welch's t-test, two-sided."


def pairs(findings: Findings, x: str, prefix: str, definition: str) -> str:
    """How FCD goes with ``x``."""
    row = pair_row(findings, x, f"{prefix}fcd", definition)
    more = {"log_freq_diff": "differ in frequency", "iou_fourth_root": "overlap"}[x]
    found = {
        1: f"The more two classes {more}, the more their curves differ",
        0: "No association is shown",
        -1: f"The more two classes {more}, the more alike their curves",
    }
    return f"{_found(row, findings.alpha, found)}: {correlation(row, 'pairs')}; definition '{definition}'."


def effect(findings: Findings, prefix: str, definition: str) -> str:
    """What the interaction says: where co-occurrence matters more."""
    table = findings.tables["ols"]
    row = table[(table["definition"] == definition) & table["term"].str.contains(":")].iloc[0]
    coefficient, p = row[f"{prefix}coefficient"], row[f"{prefix}p"]
    sense = "more" if coefficient < 0 else "less"
    found = f"The more two classes differ in frequency, the {sense} does co-occurrence go with similar curves"
    told = NOT_TESTED[:-1] if np.isnan(p) else found if p < findings.alpha else "No interaction is shown"
    return (
        f"{told}: coefficient of the product {interaction(findings, definition, prefix)}, "
        f"n = {int(row[f'{prefix}n'])} pairs; definition '{definition}'. Bands: 95% interval of the fitted mean."
    )


def ratios(findings: Findings, group: str) -> str:
    """How many classes, or which numbers of diseases, differ between PIEs and other images."""
    table, pies = findings.tables["pie_ratios"], findings.tables["pies"]
    table = table[table["group"] == group]
    more, less = table[table["low"] > 1], table[table["high"] < 1]
    parts = [
        f"{what} frequent among PIEs: {listing(rows['value'])}"
        for what, rows in (("more", more), ("less", less))
        if len(rows)
    ]
    found = "; ".join(parts) or "no difference beyond what the patient bootstrap allows"
    members, patients = int(pies["is_pie"].sum()), pies["subject_id"].nunique()
    return (
        f"{found[0].upper()}{found[1:]}. n = {members:,} PIEs and {int(pies['agreement'].notna().sum()) - members:,} "
        f"other images of {count(patients, 'patient')}, {sparsity(findings.pie_sparsity)} sparsity. Lines are 95% "
        "intervals of a bootstrap over patients; gray where they include 1."
    )


def _mean_ap(prefix: str) -> str:
    return "Chance-corrected mean AP" if prefix else "Mean AP"


def _highest(findings: Findings) -> float:
    return float(findings.tables["overall"]["sparsity"].max())


def _found(row: pd.Series, alpha: float, texts: dict[int, str]) -> str:
    """What a correlation shows, or that nothing was tested."""
    if np.isnan(row.spearman_rho):
        return "Cannot be told"
    return NOT_TESTED[:-1] if np.isnan(row.spearman_p) else texts[direction(row, alpha)]
