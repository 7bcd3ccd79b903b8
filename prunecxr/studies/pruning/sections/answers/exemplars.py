"""Which images are most affected."""

from __future__ import annotations

from typing import Any

import numpy as np

from prunecxr.report.section import Answer
from prunecxr.report.wording import count, listing, number, sparsity
from prunecxr.studies.pruning.sections.findings import Findings


def answer(findings: Findings) -> Answer | None:
    """Which classes and which numbers of diseases PIEs have more often; None without PIEs."""
    if "pies" not in findings.tables or not findings.tables["pies"]["is_pie"].any():
        return None
    pies, ratios = findings.tables["pies"], findings.tables["pie_ratios"]
    clear = ratios[(ratios["low"] > 1) & (ratios["group"] == "class")].sort_values("ratio", ascending=False)
    verdict = (
        f"Above all those with {listing(clear['value'], 3)}."
        if len(clear)
        else "No class is more frequent among them than patients explain by chance."
    )
    single = "".join(f" {row.value}: {_ratio(row)}." for row in clear.head(3).itertuples())
    many = ratios[(ratios["group"] == "diseases") & np.isfinite(ratios["ratio"])].tail(1)
    several = "".join(f" {row.value} diseases: {_ratio(row)}." for row in many.itertuples())
    return Answer(
        "Which images are most affected?",
        verdict,
        f"{int(pies['is_pie'].sum()):,} of {len(pies):,} test images are pruning-identified exemplars (PIEs) at "
        f"{sparsity(findings.pie_sparsity)} sparsity.{single}{several}{_stability(findings)}{_overlap(findings)}",
    )


def _stability(findings: Findings) -> str:
    """How much of the PIEs resampled seeds find again."""
    if "pie_stability" not in findings.tables:
        return ""
    overlaps = findings.tables["pie_stability"]["jaccard"].dropna()
    if overlaps.empty:
        return ""
    low, median, high = (number(value) for value in overlaps.quantile([0.025, 0.5, 0.975]))
    return (
        f" PIEs of resampled seeds overlap with these by a Jaccard index of {median} (median of "
        f"{count(len(overlaps), 'resample')}, 95% of them from {low} to {high})."
    )


def _overlap(findings: Findings) -> str:
    """How alike the PIEs of other measures are to those of the one in use."""
    table = findings.tables.get("pie_overlap")
    if table is None:
        return ""
    rows = table[(table["measure_a"] == findings.measure) | (table["measure_b"] == findings.measure)]
    others = rows["measure_a"].where(rows["measure_a"] != findings.measure, rows["measure_b"])
    values = [f"{name} {number(value)}" for name, value in zip(others, rows["jaccard"], strict=True)]
    return f" Jaccard index with the PIEs of other measures: {listing(values)}."


def _ratio(row: Any) -> str:
    """'3.1 times as often (95% CI 2.0 to 4.4)'."""
    ratio, low, high = (number(getattr(row, name), 1) for name in ("ratio", "low", "high"))
    interval = "no interval: none in one group" if np.isnan(row.low) else f"95% CI {low} to {high}"
    return f"{ratio} times as often ({interval})"
