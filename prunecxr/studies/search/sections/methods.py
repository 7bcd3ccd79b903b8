"""How the trials came about, in words."""

from __future__ import annotations

from prunecxr.studies.search.sections.findings import SearchFindings


def methods(findings: SearchFindings) -> list[str]:
    """Paragraphs of plain text."""
    return [
        f"Maximised is the {findings.target}, of the epoch whose weights the training keeps. The test split took no "
        "part. Every trial trains with the same seed, so trials differ in their options alone.",
        "Options are drawn by the tree-structured Parzen estimator, after random ones; Hyperband gives up trials that "
        "lag behind (both are Optuna's). A training that diverges counts as pruned. Importances are shares of the "
        "variance between complete trials that goes with each option (functional ANOVA). Figures leave pruned trials "
        "out; the table has them.",
    ]
