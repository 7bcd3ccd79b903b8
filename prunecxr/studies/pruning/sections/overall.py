"""Mean AP by sparsity, raw and chance-corrected (figure 1, left)."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from prunecxr.report.section import Section
from prunecxr.report.style import INK, new_figure, sparsity_axis
from prunecxr.report.wording import sparsity
from prunecxr.studies.pruning.sections.answers import overall as overall_drop
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import (
    LINES,
    MEASURED,
    OVERALL,
    ap,
    band,
    corrected_columns,
    raw_columns,
    table_of,
)


def figure(findings: Findings) -> Figure:
    """Medians over seeds, quartiles, first significant drops; the paper shows the raw one alone."""
    table = findings.tables["overall"]
    figure, axes = new_figure()
    drops: dict[float, list[str]] = {}
    for prefix, look in zip(MEASURED, LINES, strict=False):
        band(axes, table, prefix, look, ap(prefix))
        first = table.loc[table[f"{prefix}paired_drop"], "sparsity"].min()
        if not np.isnan(first):
            drops.setdefault(float(first), []).append(ap(prefix))
    for first, names in drops.items():
        axes.axvline(first, color=INK, linestyle=":", linewidth=1.2)
        of = "" if len(names) == 2 else f"\nof {names[0]}"
        axes.annotate(
            f" lower{of} from {sparsity(first)} on ",
            (first, 0.04 if names[0] == "AP" else 0.16), xycoords=("data", "axes fraction"),
            ha="right" if first > 0.4 else "left", fontsize=8.5,
        )  # fmt: skip
    sparsity_axis(axes)
    axes.set_ylabel("mean over classes (median and quartiles over seeds)")
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    axes.legend(frameon=False, fontsize=8, loc="center left")
    return figure


def caption(findings: Findings) -> str:
    """Where either mean is lower, and what the tests are."""
    given = overall_drop.answer(findings)
    return f"{given.verdict} {given.evidence}"


def alt(findings: Findings) -> str:
    """What the figure shows."""
    return (
        "Two lines, mean average precision and its chance-corrected counterpart by sparsity, each with a band between "
        f"the quartiles over seeds. {caption(findings)}"
    )


SECTIONS: tuple[Section[Findings], ...] = (
    Section(
        name="mean_ap",
        title="Overall performance (figure 1, left)",
        part=OVERALL,
        figure=figure,
        caption=caption,
        alt=alt,
    ),
    Section(
        name="overall",
        title="Mean AP by sparsity",
        table=table_of("overall", raw_columns),
        note="n: seeds with a value. paired: t-test on the differences from the dense network of the same seed, with P "
        "adjusted by Holm, and by a sequence from the highest sparsity downward. welch: the paper's test.",
    ),
    Section(
        name="chance_corrected_overall",
        title="Mean chance-corrected AP by sparsity",
        table=table_of("overall", lambda table: corrected_columns(table, ("sparsity", "n"))),
        note="Mean over classes of (AP − prevalence) / (1 − prevalence), tested in the same way.",
        csv=False,
    ),
)
