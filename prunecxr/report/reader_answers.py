"""What readers said of PIEs and other images, in sentences and as figure 6; for every report that shows it.

All of it takes the summary of :func:`prunecxr.studies.readers.analysis.summary`, or one row of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prunecxr.analysis.association import holm
from prunecxr.analysis.verdicts import CANNOT_BE_TOLD, NOT_SHOWN, OPPOSITE, YES
from prunecxr.report.style import BLUE, INK, PALE, WIDTH
from prunecxr.report.wording import TIED, number, p_value, percent

TITLES = {"agree": "Agreement with label", "quality": "Image quality", "difficulty": "Difficulty"}
MORE = {"agree": "readers agree with their labels more", "quality": "rated of better quality",
        "difficulty": "rated more difficult"}  # fmt: skip
LESS = {"agree": "readers agree with their labels less", "quality": "rated of worse quality",
        "difficulty": "rated less difficult"}  # fmt: skip
ALT = (
    "Three panels, one per question: mean and standard deviation of the answers about pruning-identified exemplars and "
    "about other images."
)
LEGEND = "Bars: means; lines: ± one standard deviation of the answers."


def adjusted(summary: pd.DataFrame) -> pd.DataFrame:
    """The summary with ``kruskal_p_holm``, adjusted over its questions; those of earlier versions lack it."""
    return summary.assign(kruskal_p_holm=holm(summary["kruskal_p"]))


def state(row: Any, alpha: float) -> str:
    """What the verdict comes to: yes is more of what was asked."""
    if row.kruskal_note:
        return CANNOT_BE_TOLD
    if row.kruskal_p_holm >= alpha:
        return NOT_SHOWN
    return YES if row.mean_pie > row.mean_non_pie else OPPOSITE


def verdict(row: Any, alpha: float) -> str:
    """Whether readers see PIEs otherwise, in a sentence; ``row`` is one of the :func:`adjusted` summary."""
    if row.kruskal_note:
        return f"Not tested: {row.kruskal_note}."
    if row.kruskal_p_holm >= alpha:
        return f"No difference between PIEs and other images is shown ({p_value(row.kruskal_p_holm)})."
    words = (MORE if row.mean_pie > row.mean_non_pie else LESS)[row.question]
    subject = "For PIEs, " if row.question == "agree" else "PIEs are "
    return f"{subject}{words} ({p_value(row.kruskal_p_holm)})."


def evidence(row: Any) -> str:
    """The numbers behind the verdict: means, standard deviations, both tests."""
    groups = "; ".join(
        f"{name}: {_mean(row.question, getattr(row, f'mean_{group}'), getattr(row, f'sd_{group}'))}, "
        f"n{TIED}={TIED}{getattr(row, f'n_{group}')}"
        for name, group in (("PIEs", "pie"), ("other images", "non_pie"))
    )
    tests = (
        []
        if row.kruskal_note
        else [f"Kruskal-Wallis H{TIED}={TIED}{number(row.kruskal_h)}, {p_value(row.kruskal_p)} unadjusted"]
    )
    if row.mixed_note:
        tests.append(f"no mixed model: {row.mixed_note}")
    else:
        tests.append(
            f"mixed model with {row.readers} readers: difference {number(row.mixed_difference)} "
            f"({number(row.mixed_low)} to {number(row.mixed_high)}), {p_value(row.mixed_p)}"
        )
    joined = "; ".join(tests)
    return f"{groups}. {joined[:1].upper()}{joined[1:]}."


def sentences(summary: pd.DataFrame, alpha: float) -> list[str]:
    """Verdict and evidence of each question, each in a line of plain text."""
    rows = adjusted(summary).itertuples(index=False)
    return [f"{TITLES[row.question]}: {verdict(row, alpha)} {evidence(row)}" for row in rows]


def figure(summary: pd.DataFrame, alpha: float) -> Figure:
    """Mean and standard deviation of the answers to each question, PIEs beside other images (the paper's figure 6)."""
    panels = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    for i, row in enumerate(adjusted(summary).itertuples(index=False)):
        _panel(panels.add_subplot(1, len(summary), i + 1), row, alpha)
    return panels


def _mean(question: str, mean: float, sd: float) -> str:
    if question == "agree":
        return f"{percent(mean)} yes"
    return f"{number(mean)} ± {number(sd)}"


def _panel(axes: Axes, row: Any, alpha: float) -> None:
    """Two bars from the lowest answer there is, with lines of ± one standard deviation."""
    low, high = (0, 1) if row.question == "agree" else (1, 5)
    ends = [low, high]
    for x, group, color, hatch in ((0, "pie", BLUE, ""), (1, "non_pie", PALE, "///")):
        mean, sd = getattr(row, f"mean_{group}"), getattr(row, f"sd_{group}")
        axes.bar(x, mean - low, 0.62, bottom=low, color=color, hatch=hatch, edgecolor="white", zorder=2)
        axes.errorbar(x, mean, yerr=sd, color=INK, capsize=4, linewidth=1.1, zorder=3)
        ends += [mean - sd, mean + sd]
    axes.set_xlim(-0.6, 1.6)
    axes.set_xticks([0, 1], [f"PIE\nn = {row.n_pie}", f"other\nn = {row.n_non_pie}"])
    axes.set_ylim(np.nanmin(ends) - 0.04 * (high - low), np.nanmax(ends) + 0.04 * (high - low))
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1] if row.question == "agree" else [1, 2, 3, 4, 5])
    axes.set_ylabel("share of 'yes'" if row.question == "agree" else "rating", labelpad=2)
    axes.grid(visible=False, axis="x")
    tested = p_value(row.kruskal_p_holm) + (" *" if row.kruskal_p_holm < alpha else "")
    axes.set_title(f"{TITLES[row.question]}\n{tested}", fontsize=9)
