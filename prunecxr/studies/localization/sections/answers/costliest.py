"""Which way of pruning costs most."""

from __future__ import annotations

from prunecxr.report.section import Answer
from prunecxr.report.wording import listing, number, sparsity
from prunecxr.studies.localization.sections.findings import HtlFindings
from prunecxr.studies.localization.sections.shared import method


def answer(findings: HtlFindings) -> Answer:
    """Which pruning method costs most (table 3)."""
    question, table = "Which way of pruning costs most?", findings.tables["ablation"]
    wide = table.pivot_table(index="fraction", columns="method", values="foreground", sort=False).dropna()
    if wide.shape[1] < 2:
        return Answer(question, "Cannot be told: no pruned share at which several methods were evaluated.")
    worst = wide.idxmin(axis=1)
    verdict = (
        f"{method(worst.iloc[0])[:1].upper()}{method(worst.iloc[0])[1:]} pruning, at every share."
        if (worst == worst.iloc[0]).all()
        else "It depends on the share: "
        + listing(f"{method(name)} at {sparsity(k)}" for k, name in worst.items())
        + "."
    )
    evidence = " ".join(
        f"{sparsity(k)}: "
        + ", ".join(f"{method(name)} {number(value, 3)}" for name, value in row.sort_values().items())
        + "."
        for k, row in wide.iterrows()
    )
    return Answer(question, verdict, f"Foreground IoU on the test images, mean over seeds. {evidence}")
