"""How many images pruning hits hard."""

from __future__ import annotations

from prunecxr.report.section import Answer
from prunecxr.report.wording import count, percent, sparsity
from prunecxr.studies.localization.sections.findings import HtlFindings


def answer(findings: HtlFindings) -> Answer | None:
    """How many images lose 40% or more (figure 2); None where no drop was measured."""
    if "drops" not in findings.tables:
        return None
    table = findings.tables["drops"].set_index("region")
    fore, back = table.loc["foreground"], table.loc["background"]
    return Answer(
        "How many images does it hit hard?",
        f"{percent(fore['share_large'])} of the training images lose 40% or more of their foreground IoU.",
        f"Of their background IoU, {percent(back['share_large'])} (means of {count(int(fore['n_seeds']), 'seed')}, "
        f"{sparsity(findings.prune_fraction)} of the weights pruned). The median image loses "
        f"{percent(fore['median'])} of its foreground and {percent(back['median'])} of its background IoU. (The paper, "
        "ISIC-2017 at 70%: 18% and 1%.)",
    )
