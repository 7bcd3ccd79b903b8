"""Which sparsity is safe for which class: classes by sparsities, lettered and coloured."""

from __future__ import annotations

import pandas as pd

from prunecxr.report.section import Section
from prunecxr.studies.pruning.analysis.safe_sparsity import NOT_KNOWN, NOT_SAFE, SAFE
from prunecxr.studies.pruning.sections.findings import Findings

LETTERS = {SAFE: "S", NOT_SAFE: "N", NOT_KNOWN: "?"}


def grid(findings: Findings) -> pd.DataFrame | None:
    """One row per class, one column per sparsity: S, N or ?; then how far it is safe, and its positives."""
    table = findings.tables.get("safe_sparsity")
    if table is None or table.empty:
        return None
    letters = table.assign(letter=table["outcome"].map(LETTERS))
    wide = letters.pivot_table(index="class", columns="sparsity", values="letter", aggfunc="first", sort=False)
    facts = table.groupby("class", sort=False)[["safe_up_to", "test_count"]].first()
    return wide.rename(columns=lambda k: f"{k:g}").join(facts).reset_index().rename_axis(columns=None)


SECTION: Section[Findings] = Section(
    name="safe_grid",
    title="Safe sparsity of every class",
    table=grid,
    marks={"S": "good", "N": "bad", "?": "open"},
    note="S: surely loses less than the margin. N: surely loses more. ?: not known, since few positives or seeds leave "
    "both open. Tested one-sided over seeds and patients, from the lowest sparsity upward, adjusted by Holm over "
    "classes. safe_up_to: highest sparsity marked S; test_count: positive test images. Bounds, P and reasons: "
    "safe_sparsity.csv.",
    csv=False,
)
