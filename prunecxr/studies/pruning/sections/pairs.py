"""FCD of every pair of classes against difference in frequency and against co-occurrence (figures 4 and 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from prunecxr.report.labelling import label_points
from prunecxr.report.section import Section
from prunecxr.report.style import BLUE, INK, new_figure, state
from prunecxr.report.wording import correlation, short
from prunecxr.studies.pruning.sections.definitions import AXES_OF_PAIRS, Definition, fcd_label
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import (
    MEASURED,
    PAIRS,
    outcome,
    pair_row,
    precision,
    table_of,
    title_of,
    twin,
)


@dataclass(frozen=True)
class Against:
    """What FCD is drawn against.

    Attributes:
        x: column of the table of pairs, without the suffix of its definition.
        name, title: of the figure.
        alike: what two classes do that have much of it, after 'the more two classes'.
        words: the same in the alternative text.
    """

    x: str
    name: str
    title: str
    alike: str
    words: str


FREQUENCY = Against(
    "log_freq_diff",
    "pairs_frequency",
    "Difference in frequency and in forgetting (figures 4 and 7, left)",
    "differ in frequency",
    "difference in log frequency",
)
OVERLAP = Against(
    "iou_fourth_root",
    "pairs_overlap",
    "Co-occurrence and difference in forgetting (figures 4 and 7, right)",
    "overlap",
    "overlap of the label sets",
)


@dataclass(frozen=True)
class Scatter:
    """The figure of one measure and one definition."""

    against: Against
    definition: Definition
    prefix: str

    def figure(self, findings: Findings) -> Figure:
        """One point per pair; one pair is named."""
        definition, x, y = self.definition.of(findings), self.against.x, f"{self.prefix}fcd"
        figure, axes = new_figure()
        table = findings.tables["pairs"].dropna(subset=[f"{y}_{definition}", f"{x}_{definition}"])
        across, fcd = table[f"{x}_{definition}"], table[f"{y}_{definition}"]
        axes.scatter(across, fcd, s=16, color=BLUE, alpha=0.55, linewidth=0, zorder=2)
        axes.set_xlabel(AXES_OF_PAIRS[x], parse_math=True)
        axes.set_ylabel(fcd_label(self.prefix, definition))
        state(axes, pair_row(findings, x, y, definition), "pairs")
        marked = _marked(table, fcd, findings.highlight)
        if marked.any():
            axes.scatter(across[marked], fcd[marked], s=40, facecolor="none", edgecolor=INK, linewidth=1.3, zorder=4)
            pairs = table.loc[marked, ["class_a", "class_b"]].itertuples(index=False)
            names = [f"{short(a)} &\n{short(b)}" for a, b in pairs]
            label_points(axes, across[marked], fcd[marked], names, size=7.5, avoid=(across, fcd))
        return figure

    def caption(self, findings: Findings) -> str:
        """How FCD goes with it."""
        definition, alike = self.definition.of(findings), self.against.alike
        row = pair_row(findings, self.against.x, f"{self.prefix}fcd", definition)
        texts = {
            1: f"The more two classes {alike}, the more their curves differ",
            0: "No association is shown",
            -1: f"The more two classes {alike}, the more alike their curves are",
        }
        return f"{outcome(row, findings.alpha, texts)}: {correlation(row, 'pairs')}; definition '{definition}'."

    def alt(self, findings: Findings) -> str:
        """What the figure shows."""
        return (
            f"One point per pair of classes: dissimilarity of forgettability curves of {precision(self.prefix)} "
            f"against {self.against.words}, definition '{self.definition.of(findings)}'."
        )

    def wanted(self, findings: Findings) -> bool:
        """Whether the definition was asked for, and any pair has a value."""
        if "pairs" not in findings.tables or not self.definition.wanted(findings):
            return False
        column = f"{self.prefix}fcd_{self.definition.of(findings)}"
        return bool(findings.tables["pairs"][column].notna().any())


def _marked(table: pd.DataFrame, fcd: pd.Series, highlight: tuple[str, str] | None) -> pd.Series:
    """The highlighted pair, or the most dissimilar one where none is named."""
    if highlight:
        return table["class_a"].isin(highlight) & table["class_b"].isin(highlight)
    return fcd == fcd.max()


def figure_sections(definition: Definition) -> Sequence[Section[Findings]]:
    """The figures in one definition: against frequency, then against overlap; raw, then chance-corrected."""
    scatters = [Scatter(against, definition, prefix) for against in (FREQUENCY, OVERLAP) for prefix in MEASURED]
    return [
        Section(
            name=twin(f"{one.against.name}{definition.suffix}", one.prefix),
            title=definition.title_of(title_of(one.against.title, one.prefix)),
            part=PAIRS,
            figure=one.figure,
            caption=one.caption,
            alt=one.alt,
            wanted=one.wanted,
        )
        for one in scatters
    ]


TABLE: Section[Findings] = Section(name="pairs", title="Pairs of classes", table=table_of("pairs"))
