"""How many images pruning hits hard."""

from __future__ import annotations

from prunecxr.analysis.verdicts import CANNOT_BE_TOLD
from prunecxr.report.section import Answer
from prunecxr.report.wording import count, percent, sparsity
from prunecxr.studies.localization.sections.findings import HtlFindings

QUESTION = "How many images does it hit hard?"


def answer(findings: HtlFindings) -> Answer | None:
    """How many images lose 40% or more (figure 2); None where no drop was measured."""
    if "drops" not in findings.tables:
        return None
    table = findings.tables["drops"].set_index("region")
    fore, back = table.loc["foreground"], table.loc["background"]
    if not fore["n_seeds"]:
        nothing = "Cannot be told: the dense networks find none of the lesions."
        return Answer(QUESTION, nothing, name="hit_hard", state=CANNOT_BE_TOLD)
    return Answer(
        QUESTION,
        f"{percent(fore['share_large'])} of the training images lose 40% or more of their raw foreground IoU with "
        f"{sparsity(findings.prune_fraction)} of the weights pruned.",
        f"{percent(back['share_large'])} lose as much of their raw background IoU, of which marking nothing would "
        f"leave most (means of {count(int(fore['n_seeds']), 'seed')}). The median image loses "
        f"{percent(fore['median'])} of its foreground IoU and {percent(back['median'])} of its background IoU. (The "
        "paper has 18% and 1% for ISIC-2017 with 70% pruned.)",
        name="hit_hard",
        state=f"{fore['share_large']:.3f}",
    )
