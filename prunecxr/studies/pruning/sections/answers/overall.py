"""When overall performance drops."""

from __future__ import annotations

import pandas as pd

from prunecxr.report.section import Answer
from prunecxr.report.wording import count, number, sparsity
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import MEASURED, first_drop


def answer(findings: Findings) -> Answer:
    """The first significant drop in mean AP, and in its chance-corrected counterpart."""
    question, table = "When does overall performance drop?", findings.tables["overall"]
    seeds = count(int(table["n"].iloc[0]), "dense model")
    raw, corrected = (_change(table, prefix) for prefix in MEASURED)
    change = f"Mean AP, median over seeds: {raw}. Chance-corrected: {corrected}."
    tested = table[table["welch_p"].notna()]
    if tested.empty:
        return Answer(question, "Not tested.", f"A test needs 3 dense and 3 pruned models that vary; {seeds}. {change}")
    how = f"Welch's t-test against {seeds}, {count(len(tested), 'sparsity', 'sparsities')}"
    raw_drop, corrected_drop = (first_drop(findings, prefix) for prefix in MEASURED)
    drops = table.loc[table["significant_drop"], "sparsity"]
    verdict = (
        f"The first significant drop in mean AP is at {sparsity(drops.min())} sparsity."
        if len(drops)
        else "At no sparsity is the drop in mean AP significant."
    )
    return Answer(question, verdict, f"{how}: {raw_drop}. Chance-corrected mean AP: {corrected_drop}. {change}")


def _change(table: pd.DataFrame, prefix: str) -> str:
    """'0.579 dense, 0.160 at 95% sparsity'."""
    dense, last = (number(value, 3) for value in table[f"{prefix}median_mean_ap"].iloc[[0, -1]])
    return f"{dense} dense, {last} at {sparsity(table['sparsity'].iloc[-1])} sparsity"
