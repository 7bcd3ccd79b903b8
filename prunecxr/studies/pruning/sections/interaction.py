"""Interaction of frequency and co-occurrence in the regression of FCD (equation 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from prunecxr.report.section import Section
from prunecxr.report.style import BLUE, INK, RED, new_figure
from prunecxr.studies.pruning.analysis.pair_tests import COEFFICIENT, INTERACTION
from prunecxr.studies.pruning.analysis.pairs import PREFIXES
from prunecxr.studies.pruning.sections.definitions import AXES_OF_PAIRS, Definition
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.pair_wording import (
    DRAWN,
    SCALES,
    SUFFIXES,
    TITLES,
    fcd_label,
    interaction_of,
    row_of,
    size_of,
)
from prunecxr.studies.pruning.sections.shared import (
    NOT_TESTED,
    PAIRS,
    corrected_columns,
    raw_columns,
    table_of,
)

LOOKS = {0.1: (INK, "^", ":"), 0.5: (RED, "s", "--"), 0.9: (BLUE, "o", "-")}  # by quantile of difference in frequency


@dataclass(frozen=True)
class Effect:
    """The figure of one scale and one definition."""

    definition: Definition
    scale: str

    def figure(self, findings: Findings) -> Figure:
        """The fit at a small, middle and large difference in frequency. Different slopes are the interaction."""
        figure, axes = new_figure()
        rows = self._rows(findings)
        for quantile, (colour, marker, line) in LOOKS.items():
            part = rows[rows["quantile"] == quantile]
            difference = part["log_freq_diff"].iloc[0]
            axes.fill_between(part["iou_fourth_root"], part["low"], part["high"], color=colour, alpha=0.15, linewidth=0)
            axes.plot(
                part["iou_fourth_root"], part["fitted"], color=colour, linestyle=line, marker=marker, markevery=5,
                markersize=4, linewidth=1.6, label=f"{difference:.2f} ({100 * quantile:.0f}th percentile of pairs)",
            )  # fmt: skip
        axes.set_xlabel(AXES_OF_PAIRS["iou_fourth_root"], parse_math=True)
        axes.set_ylabel(f"fitted {fcd_label(self.scale, self.definition.of(findings))}")
        axes.legend(
            title="at a difference in log frequency of", frameon=False, fontsize=7.5, title_fontsize=7.5, loc="best"
        )
        return figure

    def caption(self, findings: Findings) -> str:
        """What the interaction says: where co-occurrence matters more."""
        definition = self.definition.of(findings)
        row = row_of(findings, definition, self.scale, INTERACTION, COEFFICIENT)
        sense = "more" if row["value"] < 0 else "less"
        clear = f"The more two classes differ in frequency, the {sense} co-occurrence goes with similar curves"
        shown = clear if row["permutation_p"] < findings.alpha else "No interaction is shown"
        if np.isnan(row["permutation_p"]):
            shown = "Cannot be told" if row["reason"] else NOT_TESTED[:-1]
        return (
            f"{shown}, on {SCALES[self.scale]}: coefficient of the product "
            f"{interaction_of(findings, definition, self.scale)}, {size_of(row)}; definition '{definition}'. Bands: "
            "95% interval of the fitted mean, if pairs were independent. An effect of frequency that is not linear can "
            "look like an interaction, without any effect of co-occurrence."
        )

    def alt(self, findings: Findings) -> str:
        """What the figure shows."""
        return (
            "Three lines of the regression of dissimilarity on overlap, at a small, middle and large difference in "
            f"frequency, with 95% bands; {SCALES[self.scale]}, definition '{self.definition.of(findings)}'."
        )

    def wanted(self, findings: Findings) -> bool:
        """Whether the definition was asked for, and the regression has a fit."""
        if not {"partial_effects", "pair_tests"} <= set(findings.tables) or not self.definition.wanted(findings):
            return False
        return not self._rows(findings).empty

    def _rows(self, findings: Findings) -> pd.DataFrame:
        table = findings.tables["partial_effects"]
        return table[
            (table["definition"] == self.definition.of(findings)) & (table["y"] == f"{PREFIXES[self.scale]}fcd")
        ]


def figure_sections(definition: Definition) -> Sequence[Section[Findings]]:
    """The figures in one definition: the prevalence-free scale first."""
    return [
        Section(
            name=f"interaction{definition.suffix}{SUFFIXES[one.scale]}",
            title=definition.title_of(f"Interaction of frequency and co-occurrence (equation 2){TITLES[one.scale]}"),
            part=PAIRS,
            figure=one.figure,
            caption=one.caption,
            alt=one.alt,
            wanted=one.wanted,
        )
        for one in (Effect(definition, scale) for scale in DRAWN)
    ]


TABLES: tuple[Section[Findings], ...] = (
    Section(
        name="ols",
        title="Pairs of classes: regression of FCD (equation 2)",
        table=table_of("ols", raw_columns),
        note="FCD regressed on |LogFreqDiff|, IoU^¼ and their product; se: standard error; t and p: of a coefficient "
        "of 0, if pairs were independent, as in the paper.",
    ),
    Section(
        name="chance_corrected_ols",
        title="Pairs of classes: regression of chance-corrected FCD",
        table=table_of("ols", lambda table: corrected_columns(table, ("definition", "term"))),
        note="The same regression, of FCD between chance-corrected curves.",
        csv=False,
    ),
)
