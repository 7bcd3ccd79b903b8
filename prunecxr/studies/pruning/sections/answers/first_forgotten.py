"""What is forgotten first."""

from __future__ import annotations

from prunecxr.analysis.verdicts import CANNOT_BE_TOLD, NOT_SHOWN
from prunecxr.report.section import Answer
from prunecxr.report.wording import count, listing, percent, sparsity
from prunecxr.studies.pruning.analysis.equal_forgetting import DROP
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.scale_wording import SHOWN, eligible, has_scales, title

QUESTION = "What is forgotten first?"


def answer(findings: Findings) -> Answer | None:
    """The classes that lose 20% before all others, where a loss is shown at all; ties and all."""
    if not has_scales(findings):
        return None
    rows, scale = eligible(findings), title(findings, SHOWN)
    if rows.empty:
        return _answer(
            "Cannot be told: no class that the dense networks know has 10 positive test images and a pruned network "
            "that has not collapsed.",
            CANNOT_BE_TOLD,
        )
    large = rows[rows["change"] < DROP]
    shown = large[large["p_holm"] < findings.alpha]
    classes = rows["class"].nunique()
    if shown.empty:
        lower = count(large["class"].nunique(), "class", "classes")
        unsure = f" The median of {lower} is lower by as much, without a loss being shown."
        return _answer(
            f"No class is shown to lose {percent(-DROP)} of its {scale} before networks collapse.",
            NOT_SHOWN,
            f"Of {count(classes, 'class', 'classes')} with 10 test positives or more.{unsure if len(large) else ''}",
        )
    first = shown[shown["sparsity"] == shown["sparsity"].min()]
    kept = classes - large["class"].nunique()
    rest = (
        f" {count(kept, 'class', 'classes')} of {classes} did not lose as much before networks collapsed."
        if kept
        else ""
    )
    return _answer(
        f"{listing(first['class'])}, at {sparsity(first['sparsity'].iloc[0])} sparsity.",
        "; ".join(first["class"]),
        f"The lowest sparsity at which {scale} is lower by more than {percent(-DROP)} (median over seeds) and a loss "
        f"is shown, over seeds and patients, adjusted by Holm for all classes and sparsities.{rest}",
    )


def _answer(verdict: str, state: str, evidence: str = "") -> Answer:
    return Answer(QUESTION, verdict, evidence, name="first_forgotten", state=state)
