"""Which images are hard to learn."""

from __future__ import annotations

import numpy as np

from prunecxr.report.section import Answer
from prunecxr.report.wording import MINUS, count, listing, number, percent, sparsity
from prunecxr.studies.localization.sections.findings import HtlFindings

BOXES = {"semi": "pseudo-label's box", "weak": "Grad-CAM++ box"}


def answer(findings: HtlFindings) -> Answer:
    """How many HTLs there are, and how far seeds agree on them."""
    table = findings.tables["mined"]
    numbers = listing(table["n_htl"].astype(int), len(table))
    agree = table["jaccard"].mean()
    overlap = (
        ""
        if np.isnan(agree)
        else f" The HTLs of two seeds have a Jaccard index of {number(agree)} on average; random sets of these sizes "
        f"have {number(table['random_jaccard'].mean())}, and 97.5% of them at most "
        f"{number(table['random_jaccard_high'].mean())}."
    )
    share = percent(table["share"].mean())
    return Answer(
        "Which images are hard to learn?",
        f"{share} of {int(table['n_images'].iloc[0]):,} images are HTLs (mean of {count(len(table), 'seed')}).",
        f"HTLs by seed: {numbers}. {_rule(findings)}{overlap}",
        name="htl_share",
        state=f"{table['share'].mean():.3f}",
    )


def _rule(findings: HtlFindings) -> str:
    pruned = f"when {sparsity(findings.prune_fraction)} of the weights are pruned"
    box = BOXES.get(findings.setting)
    if findings.rule == "top":
        most = f"whose {box} changes most" if box else "that lose the largest share of their foreground IoU"
        return f"HTLs are the {percent(findings.tau)} of the images {most} {pruned}."
    amount = percent(findings.tau) if findings.rule == "relative" else f"{findings.tau:g}"
    if box:
        return f"An HTL is an image whose {box} changes by more than {findings.tau:g} (1 {MINUS} IoU) {pruned}."
    return f"An HTL is an image that loses more than {amount} of its foreground IoU {pruned}."
