"""What is forgotten most."""

from __future__ import annotations

from prunecxr.report.section import Answer
from prunecxr.report.wording import percent, sparsity
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import MEASURED, MOST, highest


def answer(findings: Findings) -> Answer:
    """The class with the largest relative change at the highest sparsity, raw and chance-corrected."""
    question, table = "What is forgotten most?", findings.tables["classes"].set_index("class")
    raw, corrected = (table[f"{prefix}{MOST}"].dropna() for prefix in MEASURED)
    if raw.empty:
        return Answer(question, "No class has a defined change in AP.")
    if raw.min() >= 0:
        return Answer(
            question, f"No class has lost AP at {sparsity(highest(findings))} sparsity.", "Median over seeds."
        )
    measured = f"{corrected.idxmin()}, {percent(corrected.min())}" if len(corrected) else "undefined for every class"
    return Answer(
        question,
        f"{raw.idxmin()}: {percent(raw.min())} of its AP at {sparsity(highest(findings))} sparsity.",
        f"Median over seeds. Chance-corrected, where {percent(-1)} is back at chance: {measured}.",
    )
