"""Whose images HTLs are."""

from __future__ import annotations

import pandas as pd

from prunecxr.analysis.verdicts import CANNOT_BE_TOLD, NOT_SHOWN, YES
from prunecxr.report.section import Answer
from prunecxr.report.wording import listing, p_value
from prunecxr.studies.localization.sections.findings import HtlFindings
from prunecxr.studies.localization.sections.shared import group, group_tests

QUESTION = "Do HTLs differ by sex or age?"
TESTED = {"htl share": "how often images are HTLs", "mean drop": "what pruning costs them"}


def answer(findings: HtlFindings) -> Answer:
    """Sex and age of the patients of HTLs (figure 6): four tests, after Holm."""
    tests = findings.tables["group_tests"]
    state, sentence = _verdict(tests, findings.alpha)
    results = (
        f"{group_tests(findings, variable)} {_extremes(findings, variable)}".strip() for variable in ("sex", "age")
    )
    return Answer(QUESTION, sentence, " ".join(results), name="groups_differ", state=state)


def _verdict(tests: pd.DataFrame, alpha: float) -> tuple[str, str]:
    untested = [variable for variable, rows in tests.groupby("variable", sort=False) if rows["p_holm"].isna().all()]
    if len(untested) == tests["variable"].nunique():
        return CANNOT_BE_TOLD, "Cannot be told: there are too few HTLs, or too few images of known sex or age."
    clear = tests[tests["p_holm"] < alpha]
    rest = f" By {listing(untested)} it cannot be told." if untested else ""
    if clear.empty:
        known = [variable for variable in tests["variable"].unique() if variable not in untested]
        return NOT_SHOWN, f"No difference by {' or '.join(known)} is shown.{rest}"
    parts = [
        f"by {variable} in {listing(f'{TESTED[row.what]} ({p_value(row.p_holm)})' for row in rows.itertuples())}"
        for variable, rows in clear.groupby("variable", sort=False)
    ]
    return YES, f"Yes: {listing(parts)}.{rest}"


def _extremes(findings: HtlFindings, variable: str) -> str:
    """The known groups that are most and least frequent among HTLs, relative to the data."""
    rows = findings.tables["groups"]
    rows = rows[(rows["variable"] == variable) & (rows["group"] != "unknown") & rows["excess"].notna()]
    if rows.empty:
        return ""
    ends = [rows.loc[rows["excess"].idxmax()], rows.loc[rows["excess"].idxmin()]]
    return f"{'; '.join(group(row) for row in ends[: len(rows)])}."
