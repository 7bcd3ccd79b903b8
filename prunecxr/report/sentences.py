"""The answers in sentences, every number taken from the tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from prunecxr.report.findings import Findings
from prunecxr.report.wording import correlation, count, listing, number, p_value, percent, sparsity

NEARLY_ALL = -0.9


def answers(findings: Findings) -> list[tuple[str, str]]:
    """(question, answer) pairs that open the report, in the order of the paper's questions."""
    asked = [
        ("When does overall performance drop?", overall(findings)),
        ("What is forgotten first?", first_forgotten(findings)),
        ("What is forgotten most?", most_forgotten(findings)),
        ("Are rare classes forgotten more?", rare_classes(findings)),
        ("Do classes that occur together forget alike?", pairs(findings)),
        ("Which images are most affected?", exemplars(findings)),
    ]
    return [(question, answer) for question, answer in asked if answer]


def overall(findings: Findings) -> str:
    """Dense and final mean AP, and the first significant drop."""
    table = findings.tables["overall"]
    if len(table) < 2:
        return "Only dense models: nothing has been pruned yet."
    dense, last = table.iloc[0], table.iloc[-1]
    change = (
        f"The mean AP (median over seeds) goes from {number(dense.median_mean_ap, 3)} in dense models to "
        f"{number(last.median_mean_ap, 3)} at {sparsity(last.sparsity)} sparsity."
    )
    return f"{_first_drop(table, findings.alpha)} {change}"


def first_forgotten(findings: Findings) -> str:
    """The classes that lose 20% of their AP before all others."""
    table = findings.tables["classes"]
    raw, corrected = (_first(table, prefix) for prefix in ("", "chance_corrected_"))
    if not raw:
        return "No class loses 20% of its AP at any sparsity studied."
    never = int(table["censored"].sum())
    kept = f" {count(never, 'class', 'classes')} of {len(table)} never lose that much." if never else ""
    beside = "so do" if corrected == raw else "these are"
    same = f" Measured from chance, {beside} {corrected}." if corrected and corrected != raw else ""
    same = " The same holds measured from chance." if corrected == raw else same
    return f"The first to lose more than 20% of AP (median over seeds): {raw}.{same}{kept}"


def most_forgotten(findings: Findings) -> str:
    """The class with the largest relative change at the highest sparsity, raw and chance-corrected."""
    table, last = findings.tables["classes"], _highest(findings)
    if not table["relative_change_at_max"].notna().any():
        return ""
    parts = []
    for prefix, what in (("", "of raw AP"), ("chance_corrected_", "of AP above chance")):
        changes = table.set_index("class")[f"{prefix}relative_change_at_max"].dropna()
        if len(changes):
            name = changes.idxmin()
            parts.append(f"{name} by {percent(changes[name])} {what}")
    return f"At {sparsity(last)} sparsity, {', and '.join(parts)}."


def rare_classes(findings: Findings) -> str:
    """Whether rare classes are forgotten more and earlier, and whether this survives chance correction."""
    table = findings.tables["correlations"].set_index("y")
    raw = table.loc["relative_change_at_max"]
    corrected = table.loc["chance_corrected_relative_change_at_max"]
    if np.isnan(raw.spearman_p):
        return (
            f"This study cannot tell: only {count(int(raw.n), 'class', 'classes')} with a known training frequency and a "
            "defined, varying change in AP."
        )
    verdict = _verdict(_direction(raw, findings.alpha), _direction(corrected, findings.alpha))
    evidence = (
        f"Log training frequency against relative change in AP at {sparsity(_highest(findings))} sparsity: "
        f"{correlation(raw)}. Chance-corrected: {correlation(corrected)}."
    )
    early = table.loc["first_drop_20"]
    late = "" if np.isnan(early.spearman_p) else f" Against the first 20% drop: {correlation(early)}."
    return f"{verdict} {evidence}{late}"


def chance_correction(findings: Findings) -> str:
    """How far raw AP can fall, and how many classes have come near."""
    table = findings.tables["classes"].dropna(
        subset=["relative_change_at_max", "chance_corrected_relative_change_at_max"]
    )
    if table.empty:
        return "No class has a dense model above chance."
    lost = int((table["chance_corrected_relative_change_at_max"] < NEARLY_ALL).sum())
    return (
        f"A class forgotten entirely still scores AP = prevalence, so raw AP cannot fall below the black mark. Measured "
        f"from chance, {lost} of {count(len(table), 'class', 'classes')} have lost more than {percent(-NEARLY_ALL)} of "
        f"what the dense models knew at {sparsity(_highest(findings))} sparsity."
    )


def interaction(findings: Findings) -> str:
    """FCD against the difference in log frequency, and the regression with the interaction."""
    table = findings.tables["pair_correlations"]
    row = table[(table["definition"] == findings.definition) & (table["x"] == "log_freq_diff")].iloc[0]
    return f"Dissimilarity of curves against the difference in log frequency: {correlation(row)} pairs.{_interaction(findings)}"


def diseases(findings: Findings) -> str:
    """Numbers of diseases whose share among PIEs differs beyond the patient bootstrap."""
    table = findings.tables["pie_ratios"].query("group == 'diseases'").dropna(subset=["ratio", "low", "high"])
    clear = table[(table["low"] > 1) | (table["high"] < 1)]
    if clear.empty:
        return "No number of diseases is more or less frequent among PIEs by more than the patient bootstrap allows."
    named = (f"{row.value} ({_ratio(row)})" for row in clear.itertuples())
    return f"Numbers of diseases whose share among PIEs differs from other images: {listing(named)}."


def pairs(findings: Findings) -> str:
    """How dissimilarity of curves goes with difference in frequency and with co-occurrence."""
    table = findings.tables.get("pair_correlations")
    if table is None:
        return ""
    rows = table[table["definition"] == findings.definition].set_index("x")
    frequency, overlap = rows.loc["log_freq_diff"], rows.loc["iou_fourth_root"]
    if np.isnan(frequency.spearman_p):
        return f"This study cannot tell from {count(int(frequency.n), 'pair')} of classes."
    if _direction(overlap, findings.alpha) < 0:
        verdict = "The more two classes occur together, the more alike their curves."
    elif _direction(overlap, findings.alpha) > 0:
        verdict = "The more two classes occur together, the less alike their curves."
    else:
        verdict = "No association between co-occurrence and likeness of curves is shown."
    return (
        f"{verdict} FCD against IoU^(1/4): {correlation(overlap)} pairs; against the difference in log frequency: "
        f"{correlation(frequency)} pairs.{_interaction(findings)}"
    )


def exemplars(findings: Findings) -> str:
    """Which classes and which numbers of diseases PIEs have more often."""
    pies, ratios = findings.tables.get("pies"), findings.tables.get("pie_ratios")
    if pies is None or ratios is None or not pies["is_pie"].any():
        return ""
    size = f"{int(pies['is_pie'].sum()):,} of {len(pies):,} test images are PIEs at {sparsity(findings.pie_sparsity)} sparsity"
    found = ratios.replace([np.inf, -np.inf], np.nan).dropna(subset=["ratio", "low", "high"])
    clear = found[(found["low"] > 1) & (found["group"] == "class")].sort_values("ratio", ascending=False)
    named = [f"{row.value} ({_ratio(row)})" for row in clear.itertuples()]
    more = f"They have more often, beyond what patients explain by chance: {listing(named, 4)}." if named else (
        "No class is more frequent among them by more than the patient bootstrap allows."
    )  # fmt: skip
    many = [row for row in found[found["group"] == "diseases"].itertuples() if row.value.endswith("+")]
    several = f" Images with {many[0].value[:-1]} or more diseases: {_ratio(many[0])}." if many else ""
    return f"{size}. {more}{several}"


def _first_drop(table: pd.DataFrame, alpha: float) -> str:
    tested = table[table["welch_p"].notna()]
    if tested.empty:
        return f"There is no test of the drop: {count(int(table['n'].iloc[0]), 'dense model')}."
    drops = tested[tested["significant_drop"]]
    how = f"Welch's t-test against {count(int(table['n'].iloc[0]), 'dense model')}"
    if drops.empty:
        return f"No sparsity has a significantly lower mean AP (P < {alpha:g}, {how}, {count(len(tested), 'sparsity', 'sparsities')} tested)."
    row = drops.iloc[0]
    holm = tested.loc[tested["significant_drop_holm"], "sparsity"]
    adjusted = f"first at {sparsity(holm.iloc[0])}" if len(holm) else "at none"
    return (
        f"The first sparsity with a significant drop in mean AP is {sparsity(row.sparsity)} ({how}, n = {int(row.n)}, "
        f"t = {number(row.welch_t)}, {p_value(row.welch_p)}); with Holm's adjustment for "
        f"{count(len(tested), 'test')}, {adjusted}."
    )


def _first(table: pd.DataFrame, prefix: str) -> str:
    drops = table[f"{prefix}first_drop_20"]
    earliest = table[drops == drops.min()]
    if earliest.empty:
        return ""
    return f"{listing(earliest['class'])} at {sparsity(drops.min())} sparsity"


def _highest(findings: Findings) -> float:
    return float(findings.tables["overall"]["sparsity"].max())


def _direction(row: pd.Series, alpha: float) -> int:
    """1, -1 or 0: the sign of Spearman's rho where it is significant."""
    return int(np.sign(row.spearman_rho)) if row.spearman_p < alpha else 0


def _verdict(raw: int, corrected: int) -> str:
    """The answer from the direction of the raw and of the chance-corrected association (1: rare lose more)."""
    after = {
        1: "after chance correction rare classes still lose more",
        0: "after chance correction no association is shown",
        -1: "after chance correction frequent classes lose more",
    }[corrected]
    if raw > 0:
        return f"Yes, rare classes lose more of their AP, and {after}." if corrected > 0 else f"On raw AP yes; {after}."
    if raw < 0:
        return f"No, frequent classes lose more of their raw AP; {after}."
    return f"Not shown on raw AP; {after}."


def _interaction(findings: Findings) -> str:
    table = findings.tables["ols"]
    row = table[(table["definition"] == findings.definition) & table["term"].str.contains(":")].iloc[0]
    if np.isnan(row.p):
        return ""
    found = f"{number(row.coefficient)} (SE {number(row.se)}, {p_value(row.p)}, R² = {number(row.r2)})"
    return f" Interaction of both in the regression: {found}."


def _ratio(row: object) -> str:
    """'3.1 times as often, 95% CI 2.0 to 4.4'."""
    ratio, low, high = (number(getattr(row, name), 1) for name in ("ratio", "low", "high"))
    return f"{ratio} times as often, 95% CI {low} to {high}"
