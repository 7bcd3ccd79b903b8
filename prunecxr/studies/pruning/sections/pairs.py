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
from prunecxr.studies.pruning.analysis.pair_tests import FREQUENCY_GIVEN_OVERLAP, OVERLAP_GIVEN_FREQUENCY, PARTIAL_RHO
from prunecxr.studies.pruning.analysis.pair_verdicts import OWN_PREVALENCE
from prunecxr.studies.pruning.analysis.pairs import PREFIXES
from prunecxr.studies.pruning.sections.definitions import AXES_OF_PAIRS, Definition
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.pair_wording import (
    DRAWN,
    SCALES,
    SUFFIXES,
    TITLES,
    correlations_of,
    fcd_label,
    papers_p,
    row_of,
    value_of,
)
from prunecxr.studies.pruning.sections.shared import PAIRS, outcome, table_of


@dataclass(frozen=True)
class Against:
    """What FCD is drawn against.

    Attributes:
        x: column of the table of pairs, without the suffix of its definition.
        name, title: of the figure.
        alike: what two classes do that have much of it, after 'the more two classes'.
        words: the same in the alternative text.
        given: x of the tests in which the other is held equal.
        held: what that other is.
    """

    x: str
    name: str
    title: str
    alike: str
    words: str
    given: str
    held: str


FREQUENCY = Against(
    "log_freq_diff",
    "pairs_frequency",
    "Difference in frequency and in forgetting (figures 4 and 7, left)",
    "differ in frequency",
    "difference in log frequency",
    FREQUENCY_GIVEN_OVERLAP,
    "overlap",
)
OVERLAP = Against(
    "iou_fourth_root",
    "pairs_overlap",
    "Co-occurrence and difference in forgetting (figures 4 and 7, right)",
    "overlap",
    "overlap of the label sets",
    OVERLAP_GIVEN_FREQUENCY,
    "difference in frequency",
)


@dataclass(frozen=True)
class Scatter:
    """The figure of one scale and one definition."""

    against: Against
    definition: Definition
    scale: str

    def figure(self, findings: Findings) -> Figure:
        """One point per pair; one pair is named."""
        definition, x, y = self.definition.of(findings), self.against.x, f"{PREFIXES[self.scale]}fcd"
        figure, axes = new_figure()
        table = findings.tables["pairs"].dropna(subset=[f"{y}_{definition}", f"{x}_{definition}"])
        across, fcd = table[f"{x}_{definition}"], table[f"{y}_{definition}"]
        axes.scatter(across, fcd, s=16, color=BLUE, alpha=0.55, linewidth=0, zorder=2)
        axes.set_xlabel(AXES_OF_PAIRS[x], parse_math=True)
        axes.set_ylabel(fcd_label(self.scale, definition))
        state(axes, correlations_of(findings, definition, self.scale, x), "pairs")
        marked = _marked(table, fcd, findings.highlight)
        if marked.any():
            axes.scatter(across[marked], fcd[marked], s=40, facecolor="none", edgecolor=INK, linewidth=1.3, zorder=4)
            pairs = table.loc[marked, ["class_a", "class_b"]].itertuples(index=False)
            names = [f"{short(a)} &\n{short(b)}" for a, b in pairs]
            label_points(axes, across[marked], fcd[marked], names, size=7.5, avoid=(across, fcd))
        return figure

    def caption(self, findings: Findings) -> str:
        """How FCD goes with it: P by permutation first, then the paper's; then with the other held equal."""
        definition, alike, x = self.definition.of(findings), self.against.alike, self.against.x
        row = correlations_of(findings, definition, self.scale, x)
        rho = row_of(findings, definition, self.scale, x, "spearman_rho")
        partial = row_of(findings, definition, self.scale, self.against.given, PARTIAL_RHO)
        texts = {
            1: f"The more two classes {alike}, the more their curves differ",
            0: "No association is shown",
            -1: f"The more two classes {alike}, the more alike their curves are",
        }
        naive = f", P by permutation of the classes; {papers_p(rho)} (of ρ)" if papers_p(rho) else ""
        own = " All classes forgotten equally give such an association, too." if self.scale in OWN_PREVALENCE else ""
        return (
            f"{outcome(row, findings.alpha, texts)}, with nothing held equal, on {SCALES[self.scale]}: "
            f"{correlation(row, f'pairs of {int(rho.n_classes)} classes')}{naive}.{own} "
            f"At equal {self.against.held}: {value_of(partial)}; definition '{definition}'."
        )

    def alt(self, findings: Findings) -> str:
        """What the figure shows."""
        return (
            f"One point per pair of classes: dissimilarity of forgettability curves of {SCALES[self.scale]} "
            f"against {self.against.words}, definition '{self.definition.of(findings)}'."
        )

    def wanted(self, findings: Findings) -> bool:
        """Whether the definition was asked for, and any pair has a value."""
        if not {"pairs", "pair_tests"} <= set(findings.tables) or not self.definition.wanted(findings):
            return False
        column = f"{PREFIXES[self.scale]}fcd_{self.definition.of(findings)}"
        table = findings.tables["pairs"]
        return column in table and bool(table[column].notna().any())


def _marked(table: pd.DataFrame, fcd: pd.Series, highlight: tuple[str, str] | None) -> pd.Series:
    """The highlighted pair, or the most dissimilar one where none is named."""
    if highlight:
        return table["class_a"].isin(highlight) & table["class_b"].isin(highlight)
    return fcd == fcd.max()


def figure_sections(definition: Definition) -> Sequence[Section[Findings]]:
    """The figures in one definition: against frequency, then against overlap; the prevalence-free scale first."""
    scatters = [Scatter(against, definition, scale) for against in (FREQUENCY, OVERLAP) for scale in DRAWN]
    return [
        Section(
            name=f"{one.against.name}{definition.suffix}{SUFFIXES[one.scale]}",
            title=definition.title_of(f"{one.against.title}{TITLES[one.scale]}"),
            part=PAIRS,
            figure=one.figure,
            caption=one.caption,
            alt=one.alt,
            wanted=one.wanted,
        )
        for one in scatters
    ]


TABLE: Section[Findings] = Section(name="pairs", title="Pairs of classes", table=table_of("pairs"))
