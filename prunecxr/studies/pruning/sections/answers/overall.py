"""When overall performance drops."""

from __future__ import annotations

import pandas as pd

from prunecxr.analysis.verdicts import CANNOT_BE_TOLD, NOT_SHOWN
from prunecxr.report.section import Answer
from prunecxr.report.wording import TIED, count, number, p_value, sparsity
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import MEASURED

QUESTION = "When does overall performance drop?"


def answer(findings: Findings) -> Answer:
    """The lowest sparsity from which on mean AP is shown to be lower, dense and pruned networks paired by seed."""
    table = findings.tables["overall"]
    change = (
        f"Mean AP, median over seeds: {_change(table, '')}. Chance-corrected: {_change(table, 'chance_corrected_')}."
    )
    tested = table[table["paired_p"].notna()]
    if tested.empty:
        return _answer(
            "Not tested.",
            f"A test takes 3 seeds that have both a dense and a pruned network, whose differences vary; there are "
            f"{count(int(table['paired_n'].max()), 'seed')}. {change}",
            CANNOT_BE_TOLD,
        )
    drops = table[table["paired_drop"]]
    raw, corrected = (_tests(table, prefix) for prefix in MEASURED)
    how = (
        f"Paired t-test over {count(int(tested['paired_n'].max()), 'seed')}, from the highest sparsity downward until "
        f"P is no longer below {findings.alpha:g}: {raw}. Chance-corrected mean AP: {corrected}. "
        f"{_welch(table, findings)}"
    )
    if drops.empty:
        return _answer("No drop in mean AP is shown at any sparsity.", f"{how} {change}", NOT_SHOWN)
    first = float(drops["sparsity"].min())
    return _answer(f"Mean AP is lower from {sparsity(first)} sparsity on.", f"{how} {change}", f"{first:g}")


def _answer(verdict: str, evidence: str, state: str) -> Answer:
    return Answer(QUESTION, verdict, evidence, name="overall_drop", state=state)


def _tests(table: pd.DataFrame, prefix: str) -> str:
    """'lower from 60% on, there t = −4.1, P = 0.003'."""
    drops = table[table[f"{prefix}paired_drop"]]
    if drops.empty:
        return "no drop is shown"
    row = drops.loc[drops["sparsity"].idxmin()]
    t, p = row[f"{prefix}paired_t"], row[f"{prefix}paired_p"]
    return f"lower from {sparsity(row.sparsity)} on, there t{TIED}={TIED}{number(t)}, {p_value(p)}"


def _welch(table: pd.DataFrame, findings: Findings) -> str:
    """The paper's own test, which takes dense and pruned networks as strangers."""
    raw, holm = (table.loc[table[f"significant_drop{kind}"], "sparsity"].min() for kind in ("", "_holm"))
    first = f"first at {sparsity(raw)}" if pd.notna(raw) else f"at no sparsity has P{TIED}<{TIED}{findings.alpha:g}"
    adjusted = f"first at {sparsity(holm)}" if pd.notna(holm) else "at none"
    return f"The paper's test, Welch's on unpaired networks: {first}; after Holm's adjustment, {adjusted}."


def _change(table: pd.DataFrame, prefix: str) -> str:
    """'0.579 dense, 0.160 at 95% sparsity'."""
    dense, last = (number(value, 3) for value in table[f"{prefix}median_mean_ap"].iloc[[0, -1]])
    return f"{dense} dense, {last} at {sparsity(table['sparsity'].iloc[-1])} sparsity"
