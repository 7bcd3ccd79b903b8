"""What readers said of PIEs and other images: sentences, figure 6 and a page, every number taken from the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prunecxr.report import parts
from prunecxr.report.style import BLUE, INK, PALE, WIDTH, as_svg, styled
from prunecxr.report.wording import TIED, number, p_value, percent
from prunecxr.studies.pruning.sections.tables import html_table
from prunecxr.studies.readers.sections.form import ASKED

TITLES = {"agree": "Agreement with label", "quality": "Image quality", "difficulty": "Difficulty"}
MORE = {"agree": "readers agree with their labels more", "quality": "rated of better quality",
        "difficulty": "rated more difficult"}  # fmt: skip
LESS = {"agree": "readers agree with their labels less", "quality": "rated of worse quality",
        "difficulty": "rated less difficult"}  # fmt: skip
ALT = (
    "Three panels, one a question: mean and standard deviation of the answers about pruning-identified exemplars and "
    "about other images."
)


@dataclass(frozen=True)
class ReaderFindings:
    """Everything that the page shows.

    Attributes:
        study: name of the study.
        summary: as from :func:`prunecxr.studies.readers.analysis.summary`.
        warnings: sentences about what is missing.
        provenance: label -> text, in order.
        alpha: level of the tests.
    """

    study: str
    summary: pd.DataFrame
    warnings: Sequence[str] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    alpha: float = 0.05


def verdict(row: Any, alpha: float) -> str:
    """Whether readers see PIEs otherwise, in a sentence; ``row`` is one of the summary."""
    if row.kruskal_note:
        return f"Not tested: {row.kruskal_note}."
    if row.kruskal_p >= alpha:
        return f"No significant difference between PIEs and other images ({p_value(row.kruskal_p)})."
    said = (MORE if row.mean_pie > row.mean_non_pie else LESS)[row.question]
    subject = "For PIEs, " if row.question == "agree" else "PIEs are "
    return f"{subject}{said} ({p_value(row.kruskal_p)})."


def evidence(row: Any) -> str:
    """The numbers behind the verdict: means, standard deviations, both tests."""
    groups = "; ".join(
        f"{name}: {_mean(row.question, getattr(row, f'mean_{group}'), getattr(row, f'sd_{group}'))}, "
        f"n{TIED}={TIED}{getattr(row, f'n_{group}')}"
        for name, group in (("PIEs", "pie"), ("other images", "non_pie"))
    )
    tests = [] if row.kruskal_note else [f"Kruskal-Wallis H{TIED}={TIED}{number(row.kruskal_h)}"]
    if row.mixed_note:
        tests.append(f"no mixed model: {row.mixed_note}")
    else:
        tests.append(
            f"mixed model with {row.readers} readers: difference {number(row.mixed_difference)} "
            f"({number(row.mixed_low)} to {number(row.mixed_high)}), {p_value(row.mixed_p)}"
        )
    listed = "; ".join(tests)
    return f"{groups}. {listed[:1].upper()}{listed[1:]}."


def figure(summary: pd.DataFrame, alpha: float = 0.05) -> Figure:
    """Mean and standard deviation of the answers to each question, PIEs beside other images (the paper's figure 6)."""
    with styled():
        drawn = Figure(figsize=(WIDTH, 3.0), layout="constrained")
        for i, row in enumerate(summary.itertuples(index=False)):
            _panel(drawn.add_subplot(1, len(summary), i + 1), row, alpha)
    return drawn


def page(findings: ReaderFindings, drawn: Figure) -> str:
    """The results as one HTML document: answers, warnings, figure 6, table, methods, provenance; no links, no scripts.

    Args:
        drawn: from :func:`figure`.
    """
    rows = findings.summary.itertuples(index=False)
    said = ((ASKED[row.question][0], verdict(row, findings.alpha), evidence(row)) for row in rows)
    body = [
        parts.answers(said),
        parts.warnings(findings.warnings, "None: every image was answered in full."),
        _figure(drawn),
        _table(findings.summary),
        parts.paragraphs("methods", "Methods", _methods(findings.alpha)),
        parts.provenance(findings.provenance),
    ]
    kind = "What readers say of images that dense and pruned models disagree on"
    return parts.document(f"What readers say: {findings.study}", kind, findings.study, "".join(body))


def caption(row: Any, alpha: float) -> str:
    """Verdict and evidence of a question in a line of plain text."""
    return f"{TITLES[row.question]}: {verdict(row, alpha)} {evidence(row)}"


def _figure(drawn: Figure) -> str:
    text = "<strong>Readers' answers.</strong> Bars: means; lines: ± one standard deviation of the answers."
    source = parts.encoded(as_svg(drawn))
    card = (
        f'<figure style="max-width: 640px"><img alt="{ALT}" src="data:image/svg+xml;base64,{source}">'
        f"<figcaption>{text}</figcaption></figure>"
    )
    return parts.section("figure", "Figure", card)


def _table(summary: pd.DataFrame) -> str:
    box = '<div class="table" tabindex="0" role="region" aria-label="Answers by question">'
    return parts.section("table", "Table", f'<div class="tables">{box}{html_table(summary)}</div></div>')


def _methods(alpha: float) -> list[str]:
    return [
        "Each reader saw a set of images of their own, half of them pruning-identified exemplars (PIEs), shuffled and "
        "without a sign of which is which, with their ground-truth labels. Agreement counts 1 for yes and 0 for no; "
        "quality and difficulty are ratings from 1 to 5.",
        "Kruskal-Wallis compares the answers about PIEs with those about other images, corrected for ties; P is "
        f"two-sided, significant below {alpha:g}, and not adjusted for the number of questions. It takes answers as "
        "independent. The mixed model does not: it is linear, with PIE as fixed effect and a random intercept a reader "
        "(REML; 95% Wald interval), because readers differ in how strict they are.",
        "After Holste et al., How Does Pruning Impact Long-Tailed Multi-Label Medical Image Classifiers?, MICCAI 2023, "
        "figure 6.",
    ]


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
    tested = p_value(row.kruskal_p) + (" *" if row.kruskal_p < alpha else "")
    axes.set_title(f"{TITLES[row.question]}\n{tested}", fontsize=9)
