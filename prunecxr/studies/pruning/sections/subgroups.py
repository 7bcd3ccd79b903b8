"""Groups of patients and images: where pruning widens the gap between them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from prunecxr.report.section import Section, has
from prunecxr.report.style import BLUE, INK, PALE, new_figure
from prunecxr.report.wording import count, p_value, short, sparsity
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import table_of
from prunecxr.studies.pruning.sections.subgroup_wording import asked

SUBGROUPS = "Groups"
DRAWN = 20
SHORT = {"ap_ref": "AP ref.", "auroc": "AUROC", "sensitivity": "sensitivity"}


def figure(findings: Findings) -> Figure:
    """Changes of gaps with intervals: those of the smallest P, or of the largest size where nothing was tested."""
    rows = _drawn(findings).iloc[::-1]
    figure, axes = new_figure(6.2, 1.2 + 0.24 * len(rows))
    for y, row in enumerate(rows.itertuples()):
        colour = BLUE if row.p_holm < findings.alpha else PALE
        axes.hlines(y, row.low, row.high, color=INK, linewidth=1.1, zorder=3)
        axes.plot([row.change], [y], marker="o", markersize=5, color=colour, markeredgecolor=INK, zorder=4)
    axes.axvline(0, color=INK, linewidth=1, linestyle=":")
    axes.set_yticks(range(len(rows)), [_label(row) for row in rows.to_dict("records")], fontsize=7.5)
    axes.grid(visible=False, axis="y")
    at = sparsity(rows["sparsity"].iloc[0])
    figure.supxlabel(f"change of the gap at {at} sparsity (left: the first group loses more)", fontsize=9)
    return figure


def caption(findings: Findings) -> str:
    """How many comparisons there are, and how many are clear."""
    table = asked(findings)
    drawn, tested = len(_drawn(findings)), table["p_holm"].notna()
    clear = int((table["p_holm"] < findings.alpha).sum())
    words = (
        f"{clear or 'None'} of {count(int(tested.sum()), 'comparison')} {'remain' if clear > 1 else 'remains'} after "
        f"Holm's adjustment ({'drawn in blue; ' if clear else ''}smallest {p_value(table['p_holm'].min())})."
        if tested.any()
        else "Nothing is tested: fewer than 3 seeds."
    )
    which = "all of them" if drawn == len(table) else f"the {drawn} with the smallest P of {len(table)}"
    if drawn < len(table) and not tested.any():
        which = f"the {drawn} largest of {len(table)}"
    return (
        f"{words} Shown: {which}. A gap is the score of a group minus that of the largest group beside it; its "
        "change is that from the dense to the pruned network of the same seed. Lines: 95% intervals over "
        "seeds and patients."
    )


def alt(findings: Findings) -> str:
    """What the figure shows."""
    drawn = len(_drawn(findings))
    return f"Forest plot: changes of {drawn} gaps between groups, each with its interval; zero is dotted."


def _drawn(findings: Findings) -> pd.DataFrame:
    table = asked(findings)
    by = table["p"] if table["p"].notna().any() else -table["change"].abs()
    return table.iloc[np.argsort(by.to_numpy(), kind="stable")].head(DRAWN)


def _label(row: dict[str, object]) -> str:
    groups = f"{row['group']} – {row['reference']}"
    return f"{short(groups, 34)}: {short(str(row['class']), 24)}, {SHORT[str(row['measure'])]}"


SECTIONS: tuple[Section[Findings], ...] = (
    Section(
        name="subgroup_gaps",
        title="Gaps between groups",
        part=SUBGROUPS,
        figure=figure,
        caption=caption,
        alt=alt,
        wanted=has("subgroups"),
    ),
    Section(
        name="subgroups",
        title="Groups of patients and images",
        table=table_of("subgroups"),
        note="Groups with 10 positive images of 10 patients, and 10 negative ones, beside the largest group of their "
        "partition. dense, pruned and the reference's: scores; change: of the gap, dense to pruned network of the same "
        "seed; all medians over seeds. low and high: 95% over seeds and patients; p_holm: over all rows of a sparsity.",
    ),
)
