"""The answers in sentences, every number taken from the tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from prunecxr.report.findings import Findings
from prunecxr.report.wording import correlation, count, listing, number, p_value, percent, sparsity

NEARLY_ALL = 0.9
SMALL = 0.01  # the paper's threshold for weight magnitudes, an edge of the histogram
FIRST, MOST = "first_drop_20", "relative_change_at_max"


@dataclass(frozen=True)
class Answer:
    """What was asked, the answer in a sentence, and the numbers behind it."""

    question: str
    verdict: str
    evidence: str = ""

    def __str__(self) -> str:
        return f"{self.verdict} {self.evidence}".strip()


def answers(findings: Findings) -> list[Answer]:
    """What opens the report, in the order of the paper's questions; those without data are left out."""
    found = [overall(findings), first_forgotten(findings), most_forgotten(findings), rare_classes(findings)]
    if "pair_correlations" in findings.tables:
        found.append(pairs(findings))
    if "pies" in findings.tables and findings.tables["pies"]["is_pie"].any():
        found.append(exemplars(findings))
    return found


def overall(findings: Findings) -> Answer:
    """The first significant drop in mean AP."""
    question, table = "When does overall performance drop?", findings.tables["overall"]
    dense, last = table.iloc[0], table.iloc[-1]
    seeds = count(int(dense.n), "dense model")
    change = (
        f"Mean AP, median over seeds: {number(dense.median_mean_ap, 3)} dense, "
        f"{number(last.median_mean_ap, 3)} at {sparsity(last.sparsity)} sparsity."
    )
    tested = table[table["welch_p"].notna()]
    if tested.empty:
        return Answer(question, "Not tested.", f"A test needs 3 dense and 3 pruned models that vary; {seeds}. {change}")
    drops, holm = (tested[tested[column]] for column in ("significant_drop", "significant_drop_holm"))
    how = f"Welch's t-test against {seeds}"
    if drops.empty:
        at = count(len(tested), "sparsity", "sparsities")
        return Answer(question, "At no sparsity significantly.", f"{how}, {at}, every P ≥ {findings.alpha:g}. {change}")
    row = drops.iloc[0]
    adjusted = f"first at {sparsity(holm['sparsity'].iloc[0])}" if len(holm) else "at none"
    return Answer(
        question,
        f"The first significant drop in mean AP is at {sparsity(row.sparsity)} sparsity.",
        f"{how}: n = {int(row.n)}, t = {number(row.welch_t)}, {p_value(row.welch_p)}; after Holm's adjustment for "
        f"{count(len(tested), 'test')}, {adjusted}. {change}",
    )


def first_forgotten(findings: Findings) -> Answer:
    """The classes that lose 20% of their AP before all others."""
    question, table = "What is forgotten first?", findings.tables["classes"]
    raw, corrected = (_earliest(table, f"{prefix}{FIRST}") for prefix in ("", "chance_corrected_"))
    never = int(table["censored"].sum())
    if not raw:
        known = "No class loses more than 20% of its AP at any sparsity studied."
        return Answer(question, known if never else "No class has a defined change in AP.")
    kept = f" Never so in {never} of {count(len(table), 'class', 'classes')}." if never else ""
    beside = "the same" if corrected == raw else corrected or "none"
    return Answer(
        question,
        f"{raw}.",
        f"The smallest sparsity where AP has dropped by more than 20% (median over seeds). Measured from chance: "
        f"{beside}.{kept}",
    )


def most_forgotten(findings: Findings) -> Answer:
    """The class with the largest relative change at the highest sparsity, raw and chance-corrected."""
    question, table = "What is forgotten most?", findings.tables["classes"].set_index("class")
    raw, corrected = (table[f"{prefix}{MOST}"].dropna() for prefix in ("", "chance_corrected_"))
    if raw.empty:
        return Answer(question, "No class has a defined change in AP.")
    measured = f"{corrected.idxmin()}, {percent(corrected.min())}" if len(corrected) else "undefined for every class"
    return Answer(
        question,
        f"{raw.idxmin()}: {percent(raw.min())} of its AP at {sparsity(_highest(findings))} sparsity.",
        f"Median over seeds. Measured from chance, where {percent(-1)} is back at chance: {measured}.",
    )


def rare_classes(findings: Findings) -> Answer:
    """Whether rare classes are forgotten more and earlier, and whether this survives chance correction."""
    question = "Are rare classes forgotten more?"
    table = findings.tables["correlations"].set_index("y")
    raw, corrected, early = (table.loc[y] for y in (MOST, f"chance_corrected_{MOST}", FIRST))
    if np.isnan(raw.spearman_p):
        known = count(int(raw.n), "class", "classes")
        return Answer(question, f"Cannot be told from {known} with known training frequency and a change in AP.")
    return Answer(
        question,
        _verdict(_direction(raw, findings.alpha), _direction(corrected, findings.alpha)),
        f"Log training frequency against relative change at {sparsity(_highest(findings))} sparsity: "
        f"{correlation(raw)}. The same, chance-corrected: {correlation(corrected)}. Against the first 20% drop: "
        f"{correlation(early)}.",
    )


def pairs(findings: Findings) -> Answer:
    """How dissimilarity of curves goes with co-occurrence and with difference in frequency."""
    question = "Do classes that occur together forget alike?"
    frequency, overlap = (_pair_row(findings, x) for x in ("log_freq_diff", "iou_fourth_root"))
    if np.isnan(overlap.spearman_p):
        return Answer(question, f"Cannot be told from {count(int(overlap.n), 'pair')} of classes.")
    verdict = {
        -1: "Yes: the more two classes occur together, the more alike their curves.",
        0: "Not shown: no association of co-occurrence with likeness of curves.",
        1: "No: the more two classes occur together, the less alike their curves.",
    }[_direction(overlap, findings.alpha)]
    return Answer(
        question,
        verdict,
        f"Dissimilarity (FCD, definition '{findings.definition}') against overlap, IoU^¼: {correlation(overlap)}. "
        f"Against difference in log frequency: {correlation(frequency)}.{_interaction(findings)}",
    )


def exemplars(findings: Findings) -> Answer:
    """Which classes and which numbers of diseases PIEs have more often."""
    pies, ratios = findings.tables["pies"], findings.tables["pie_ratios"]
    clear = ratios[(ratios["low"] > 1) & (ratios["group"] == "class")].sort_values("ratio", ascending=False)
    verdict = (
        f"More often those with {listing(clear['value'], 3)}."
        if len(clear)
        else "No class is more frequent among them than patients explain by chance."
    )
    shown = "".join(f" {row.value}: {_ratio(row)}." for row in clear.head(3).itertuples())
    many = ratios[(ratios["group"] == "diseases") & np.isfinite(ratios["ratio"])].tail(1)
    several = "".join(f" {row.value} diseases: {_ratio(row)}." for row in many.itertuples())
    return Answer(
        "Which images are most affected?",
        verdict,
        f"{int(pies['is_pie'].sum()):,} of {len(pies):,} test images are pruning-identified exemplars (PIEs) at "
        f"{sparsity(findings.pie_sparsity)} sparsity.{shown}{several}{_stability(findings)}{_overlap(findings)}",
    )


def weights_caption(findings: Findings) -> str:
    """How many weights are small."""
    table = findings.tables["weights"]
    below = float(table.loc[np.isclose(table["high"], SMALL), "share_below"].iloc[0])
    seeds = count(int(table["n"].max()), "dense model")
    return (
        f"{percent(below)} of the prunable weights have a magnitude below {SMALL:g} (median over {seeds}). Magnitude "
        "pruning takes the weights on the left first."
    )


def methods_caption(findings: Findings) -> str:
    """Where the methods stand at the highest sparsity that all have, and how the first differs from the others."""
    table = findings.tables["methods"].pivot_table(
        index="sparsity", columns="method", values="median_mean_ap", sort=False
    )
    shared = table.dropna().sort_index()
    if shared.empty or shared.index[-1] == 0:
        return "The methods have no sparsity above 0 in common."
    at, last = shared.index[-1], shared.iloc[-1].sort_values(ascending=False, kind="stable")
    values = listing((f"{name} {number(value, 3)}" for name, value in last.items()), len(last))
    gaps = shared.max(axis=1) - shared.min(axis=1)
    widest = f"furthest apart, by {number(gaps.max(), 3)}, at {sparsity(gaps.idxmax())}"
    return f"Mean AP at {sparsity(at)} sparsity, median over seeds: {values}; {widest}."


def _stability(findings: Findings) -> str:
    """How much of the PIEs resampled seeds find again."""
    if "pie_stability" not in findings.tables:
        return ""
    found = findings.tables["pie_stability"]["jaccard"].dropna()
    if found.empty:
        return ""
    low, median, high = (number(value) for value in found.quantile([0.025, 0.5, 0.975]))
    return (
        f" PIEs of resampled seeds overlap with these by a Jaccard index of {median} (median of "
        f"{count(len(found), 'resample')}, 95% of them from {low} to {high})."
    )


def _overlap(findings: Findings) -> str:
    """How alike the PIEs of other measures are to those of the one in use."""
    table = findings.tables.get("pie_overlap")
    if table is None:
        return ""
    own = table[(table["measure_a"] == findings.measure) | (table["measure_b"] == findings.measure)]
    named = own["measure_a"].where(own["measure_a"] != findings.measure, own["measure_b"])
    values = [f"{name} {number(value)}" for name, value in zip(named, own["jaccard"], strict=True)]
    return f" Jaccard index with the PIEs of other measures: {listing(values)}."


def frequency_caption(findings: Findings, y: str) -> str:
    """How ``y`` of a class goes with its training frequency, and the same chance-corrected."""
    table = findings.tables["correlations"].set_index("y")
    raw, corrected = table.loc[y], table.loc[f"chance_corrected_{y}"]
    more = {FIRST: "drop earlier", MOST: "lose more"}[y]
    found = {1: f"Rarer classes {more}", 0: "No association with frequency is shown", -1: f"Frequent classes {more}"}
    censored = f" Never so in {count(int(raw.n_censored), 'class', 'classes')}." if raw.n_censored else ""
    return (
        f"{found[_direction(raw, findings.alpha)]}: {correlation(raw)}. Chance-corrected: {correlation(corrected)}."
        f"{censored}"
    )


def chance_caption(findings: Findings) -> str:
    """How far raw AP can fall, and how many classes have come near."""
    table = findings.tables["classes"].dropna(subset=[MOST, f"chance_corrected_{MOST}"])
    lost = int((table[f"chance_corrected_{MOST}"] < -NEARLY_ALL).sum())
    return (
        "A class forgotten entirely still scores AP = prevalence, so raw AP cannot fall below the black mark. Measured "
        f"from chance, {lost} of {count(len(table), 'class', 'classes')} have lost more than {percent(NEARLY_ALL)} of "
        f"what the dense models knew at {sparsity(_highest(findings))} sparsity."
    )


def pair_caption(findings: Findings, x: str) -> str:
    """How FCD goes with ``x``; with the difference in frequency also the regression."""
    row = _pair_row(findings, x)
    more = {"log_freq_diff": "differ in frequency", "iou_fourth_root": "overlap"}[x]
    found = {
        1: f"The more two classes {more}, the more their curves differ",
        0: "No association is shown",
        -1: f"The more two classes {more}, the more alike their curves",
    }[_direction(row, findings.alpha)]
    regression = _interaction(findings) if x == "log_freq_diff" else ""
    return f"{found}: {correlation(row)}.{regression}"


def ratio_caption(findings: Findings, group: str) -> str:
    """How many classes, or which numbers of diseases, differ between PIEs and other images."""
    table = findings.tables["pie_ratios"]
    table = table[table["group"] == group]
    more, less = table[table["low"] > 1], table[table["high"] < 1]
    parts = [
        f"{what} frequent among PIEs: {listing(rows['value'])}"
        for what, rows in (("more", more), ("less", less))
        if len(rows)
    ]
    found = "; ".join(parts) or "no difference beyond what the patient bootstrap allows"
    lines = "Lines are 95% intervals of a bootstrap over patients; gray where they include 1."
    return f"{found[0].upper()}{found[1:]}. {lines}"


def _earliest(table: pd.DataFrame, column: str) -> str:
    first = table[table[column] == table[column].min()]
    return f"{listing(first['class'])}, at {sparsity(table[column].min())} sparsity" if len(first) else ""


def _highest(findings: Findings) -> float:
    return float(findings.tables["overall"]["sparsity"].max())


def _pair_row(findings: Findings, x: str) -> pd.Series:
    table = findings.tables["pair_correlations"]
    return table[(table["definition"] == findings.definition) & (table["x"] == x)].iloc[0]


def _direction(row: pd.Series, alpha: float) -> int:
    """1, -1 or 0: the sign of Spearman's rho where it is significant."""
    return int(np.sign(row.spearman_rho)) if row.spearman_p < alpha else 0


def _verdict(raw: int, corrected: int) -> str:
    """The answer from the directions of the raw and the chance-corrected association (1: rare classes lose more)."""
    if raw == corrected:
        return {
            1: "Yes, also after chance correction.",
            0: "Not shown, neither on raw AP nor after chance correction.",
            -1: "No: frequent classes are, also after chance correction.",
        }[raw]
    before = {1: "On raw AP yes", 0: "Not shown on raw AP", -1: "On raw AP frequent classes are"}[raw]
    after = {1: "rare classes are", 0: "it is not shown", -1: "frequent classes are"}[corrected]
    return f"{before}; after chance correction {after}."


def _interaction(findings: Findings) -> str:
    table = findings.tables["ols"]
    row = table[(table["definition"] == findings.definition) & table["term"].str.contains(":")].iloc[0]
    if np.isnan(row.p):
        return ""
    found = f"{number(row.coefficient)} (SE {number(row.se)}, {p_value(row.p)}, R² = {number(row.r2)})"
    return f" Interaction of both in the regression: {found}."


def _ratio(row: Any) -> str:
    """'3.1 times as often (95% CI 2.0 to 4.4)'."""
    ratio, low, high = (number(getattr(row, name), 1) for name in ("ratio", "low", "high"))
    interval = "no interval: none in one group" if np.isnan(row.low) else f"95% CI {low} to {high}"
    return f"{ratio} times as often ({interval})"
