"""Whose images HTLs are."""

from __future__ import annotations

from prunecxr.report.section import Answer
from prunecxr.report.wording import listing, p_value
from prunecxr.studies.localization.sections.findings import HtlFindings
from prunecxr.studies.localization.sections.shared import group, group_tests

TESTED = {"htl share": "frequency among HTLs", "mean drop": "mean drop"}


def answer(findings: HtlFindings) -> Answer:
    """Sex and age of the patients of HTLs (figure 6)."""
    tests = findings.tables["group_tests"].set_index(["variable", "what"])
    clear = [
        f"{variable} ({TESTED[what]}, {p_value(row.p)})"
        for (variable, what), row in tests.iterrows()
        if row.p < findings.alpha
    ]
    verdict = f"They differ by {listing(clear)}." if clear else "No difference by sex or age is shown."
    if tests["p"].isna().all():
        verdict = "Cannot be told: too few images of known sex or age."
    results = (f"{group_tests(findings, variable)} {_extremes(findings, variable)}" for variable in ("sex", "age"))
    return Answer("Whose images are they?", verdict, " ".join(results))


def _extremes(findings: HtlFindings, variable: str) -> str:
    """The known groups that are most and least frequent among HTLs, relative to the data."""
    rows = findings.tables["groups"]
    rows = rows[(rows["variable"] == variable) & (rows["group"] != "unknown") & rows["excess"].notna()]
    if rows.empty:
        return ""
    ends = [rows.loc[rows["excess"].idxmax()], rows.loc[rows["excess"].idxmin()]]
    return f"{'; '.join(group(row) for row in ends[: len(rows)])}."
