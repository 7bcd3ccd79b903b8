"""What is forgotten first."""

from __future__ import annotations

import pandas as pd

from prunecxr.report.section import Answer
from prunecxr.report.wording import count, listing, sparsity
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import FIRST, MEASURED


def answer(findings: Findings) -> Answer:
    """The classes that lose 20% of their AP before all others."""
    question, table = "What is forgotten first?", findings.tables["classes"]
    raw, corrected = (_earliest(table, f"{prefix}{FIRST}") for prefix in MEASURED)
    never = int(table["censored"].sum())
    if not raw:
        nothing = "No class loses more than 20% of its AP at any sparsity that was studied."
        return Answer(question, nothing if never else "No class has a defined change in AP.")
    kept = f" In {never} of {count(len(table), 'class', 'classes')} it never does." if never else ""
    measured = "the same" if corrected == raw else corrected or "none"
    return Answer(
        question,
        f"{raw}.",
        f"The smallest sparsity where AP has dropped by more than 20% (median over seeds). Chance-corrected: "
        f"{measured}.{kept}",
    )


def _earliest(table: pd.DataFrame, column: str) -> str:
    first = table[table[column] == table[column].min()]
    return f"{listing(first['class'])}, at {sparsity(table[column].min())} sparsity" if len(first) else ""
