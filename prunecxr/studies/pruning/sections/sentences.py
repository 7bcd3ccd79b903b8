"""The answers in sentences, every number taken from the tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from prunecxr.report.wording import TIED, correlation, count, listing, number, p_value, percent, sparsity
from prunecxr.studies.pruning.sections.findings import Findings

MEASURED = ("", "chance_corrected_")  # prefixes of columns: measured from zero, and from chance
NOT_TESTED = "Not tested: fewer than 3 seeds."
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
    """The first significant drop in mean AP, and in its chance-corrected counterpart."""
    question, table = "When does overall performance drop?", findings.tables["overall"]
    seeds = count(int(table["n"].iloc[0]), "dense model")
    raw, corrected = (_change(table, prefix) for prefix in MEASURED)
    change = f"Mean AP, median over seeds: {raw}. Chance-corrected: {corrected}."
    tested = table[table["welch_p"].notna()]
    if tested.empty:
        return Answer(question, "Not tested.", f"A test needs 3 dense and 3 pruned models that vary; {seeds}. {change}")
    how = f"Welch's t-test against {seeds}, {count(len(tested), 'sparsity', 'sparsities')}"
    first, beside = (first_drop(findings, prefix) for prefix in MEASURED)
    drops = table.loc[table["significant_drop"], "sparsity"]
    verdict = (
        f"The first significant drop in mean AP is at {sparsity(drops.min())} sparsity."
        if len(drops)
        else "At no sparsity significantly."
    )
    return Answer(question, verdict, f"{how}: {first}. Chance-corrected mean AP: {beside}. {change}")


def first_drop(findings: Findings, prefix: str) -> str:
    """The first significant drop of the raw or chance-corrected mean AP: its test, and where Holm's is."""
    table = findings.tables["overall"]
    drops, holm = (table[table[f"{prefix}significant_drop{kind}"]] for kind in ("", "_holm"))
    if drops.empty:
        return f"no drop with P{TIED}<{TIED}{findings.alpha:g}"
    row = drops.iloc[0]
    adjusted = f"first at {sparsity(holm['sparsity'].iloc[0])}" if len(holm) else "at none"
    tests = int(table[f"{prefix}welch_p"].notna().sum())
    return (
        f"first at {sparsity(row.sparsity)} with n{TIED}={TIED}{int(row.n)}, "
        f"t{TIED}={TIED}{number(row[f'{prefix}welch_t'])}, {p_value(row[f'{prefix}welch_p'])}; "
        f"after Holm's adjustment for {count(tests, 'test')}, {adjusted}"
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
        f"The smallest sparsity where AP has dropped by more than 20% (median over seeds). Chance-corrected: "
        f"{beside}.{kept}",
    )


def most_forgotten(findings: Findings) -> Answer:
    """The class with the largest relative change at the highest sparsity, raw and chance-corrected."""
    question, table = "What is forgotten most?", findings.tables["classes"].set_index("class")
    raw, corrected = (table[f"{prefix}{MOST}"].dropna() for prefix in ("", "chance_corrected_"))
    if raw.empty:
        return Answer(question, "No class has a defined change in AP.")
    if raw.min() >= 0:
        return Answer(
            question, f"No class has lost AP at {sparsity(_highest(findings))} sparsity.", "Median over seeds."
        )
    measured = f"{corrected.idxmin()}, {percent(corrected.min())}" if len(corrected) else "undefined for every class"
    return Answer(
        question,
        f"{raw.idxmin()}: {percent(raw.min())} of its AP at {sparsity(_highest(findings))} sparsity.",
        f"Median over seeds. Chance-corrected, where {percent(-1)} is back at chance: {measured}.",
    )


def rare_classes(findings: Findings) -> Answer:
    """Whether rare classes are forgotten more and earlier, and whether this survives chance correction."""
    question = "Are rare classes forgotten more?"
    table = findings.tables["correlations"].set_index("y")
    (raw, early), (corrected, early_corrected) = (
        [table.loc[f"{prefix}{y}"] for y in (MOST, FIRST)] for prefix in MEASURED
    )
    if np.isnan(raw.spearman_rho):
        known = count(int(raw.n), "class", "classes")
        return Answer(question, f"Cannot be told from {known} with known training frequency and a change in AP.")
    verdict = (
        NOT_TESTED
        if np.isnan(raw.spearman_p)
        else _verdict(direction(raw, findings.alpha), direction(corrected, findings.alpha))
    )
    return Answer(
        question,
        verdict,
        f"Log training frequency against relative change at {sparsity(_highest(findings))} sparsity: "
        f"{correlation(raw)}; chance-corrected: {correlation(corrected)}. Against the first 20% drop: "
        f"{correlation(early)}; chance-corrected: {correlation(early_corrected)}.",
    )


def pairs(findings: Findings) -> Answer:
    """How dissimilarity of curves goes with co-occurrence and with difference in frequency."""
    question = "Do classes that occur together forget alike?"
    overlap, frequency = (
        [pair_row(findings, x, f"{prefix}fcd", findings.definition) for prefix in MEASURED]
        for x in ("iou_fourth_root", "log_freq_diff")
    )
    if np.isnan(overlap[0].spearman_rho):
        return Answer(question, f"Cannot be told from {count(int(overlap[0].n), 'pair')} of classes.")
    verdict = {
        -1: "Yes: the more two classes occur together, the more alike their curves.",
        0: "Not shown: no association of co-occurrence with likeness of curves.",
        1: "No: the more two classes occur together, the less alike their curves.",
    }[direction(overlap[0], findings.alpha)]
    told = [f"{correlation(raw)}; chance-corrected: {correlation(corrected)}" for raw, corrected in
            (overlap, frequency)]  # fmt: skip
    terms = [interaction(findings, findings.definition, prefix) for prefix in MEASURED]
    return Answer(
        question,
        NOT_TESTED if np.isnan(overlap[0].spearman_p) else verdict,
        f"Dissimilarity (FCD, definition '{findings.definition}') against overlap, IoU^¼: {told[0]}. Against "
        f"difference in log frequency: {told[1]}. Interaction of both in the regression: {terms[0]}; "
        f"chance-corrected: {terms[1]}.",
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


def _earliest(table: pd.DataFrame, column: str) -> str:
    first = table[table[column] == table[column].min()]
    return f"{listing(first['class'])}, at {sparsity(table[column].min())} sparsity" if len(first) else ""


def _highest(findings: Findings) -> float:
    return float(findings.tables["overall"]["sparsity"].max())


def _change(table: pd.DataFrame, prefix: str) -> str:
    """'0.579 dense, 0.160 at 95% sparsity'."""
    dense, last = (number(value, 3) for value in table[f"{prefix}median_mean_ap"].iloc[[0, -1]])
    return f"{dense} dense, {last} at {sparsity(table['sparsity'].iloc[-1])} sparsity"


def pair_row(findings: Findings, x: str, y: str, definition: str) -> pd.Series:
    """The correlation of FCD (raw or chance-corrected, ``y``) with ``x`` in one definition."""
    table = findings.tables["pair_correlations"]
    return table[(table["definition"] == definition) & (table["x"] == x) & (table["y"] == y)].iloc[0]


def direction(row: pd.Series, alpha: float) -> int:
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


def interaction(findings: Findings, definition: str, prefix: str) -> str:
    """The coefficient of the product in equation 2, with its error, P, and R2."""
    table = findings.tables["ols"]
    row = table[(table["definition"] == definition) & table["term"].str.contains(":")].iloc[0]
    coefficient, se, p, r2 = (row[f"{prefix}{name}"] for name in ("coefficient", "se", "p", "r2"))
    if np.isnan(coefficient):
        return "not determined by these pairs"
    return f"{number(coefficient)} (SE {number(se)}, {p_value(p)}, R²{TIED}={TIED}{number(r2)})"


def _ratio(row: Any) -> str:
    """'3.1 times as often (95% CI 2.0 to 4.4)'."""
    ratio, low, high = (number(getattr(row, name), 1) for name in ("ratio", "low", "high"))
    interval = "no interval: none in one group" if np.isnan(row.low) else f"95% CI {low} to {high}"
    return f"{ratio} times as often ({interval})"
