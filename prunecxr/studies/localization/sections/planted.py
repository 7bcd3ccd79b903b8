"""HTLs and the images that were drawn hard."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from prunecxr.report.section import Section, from_analysis, verdict_of
from prunecxr.report.style import BLUE, INK, new_figure, percent_axis
from prunecxr.studies.localization.sections.answers import planted
from prunecxr.studies.localization.sections.findings import HtlFindings
from prunecxr.studies.localization.sections.shared import WHO


def figure(findings: HtlFindings) -> Figure:
    """Precision of the HTLs for images that were drawn hard, by seed, against random choices."""
    rows = findings.tables["planted"].iloc[:-1]
    figure, axes = new_figure(height=3.4)
    at = np.arange(len(rows))
    axes.bar(at, rows["precision"], 0.5, color=BLUE, label="HTLs")
    middle = rows["random_precision"]
    spread = [middle - rows["random_precision_low"], rows["random_precision_high"] - middle]
    axes.errorbar(
        at, middle, spread, color=INK, linestyle="", marker="D", markersize=5, capsize=6,
        label="random choice, 95% of draws",
    )  # fmt: skip
    axes.set_xticks(at, [f"seed {name}\n{int(n)} HTLs" for name, n in zip(rows["seed"], rows["n_htl"], strict=True)])
    axes.set_ylim(0, 1)
    axes.set_ylabel("share that was drawn hard")
    percent_axis(axes.yaxis)
    axes.grid(visible=False, axis="x")
    figure.legend(frameon=False, loc="outside upper center", ncols=2, fontsize=8)
    return figure


def wanted(findings: HtlFindings) -> bool:
    """Whether images were drawn hard, and there are HTLs."""
    return "planted" in findings.tables and bool(findings.tables["planted"]["precision"].notna().any())


SECTION: Section[HtlFindings] = Section(
    name="planted",
    title="HTLs and the images that were drawn hard",
    part=WHO,
    table=from_analysis("planted"),
    note="Compared with as many images chosen at random. p: one-sided for a seed; for all, two-sided among "
    "permutations of the images.",
    figure=figure,
    caption=verdict_of(planted.answer),
    alt=lambda _: "One bar per seed: share of the HTLs that were drawn hard, with the range of random choices.",
    wanted=wanted,
)
