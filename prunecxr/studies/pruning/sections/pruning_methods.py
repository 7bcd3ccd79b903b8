"""Mean AP by sparsity of every pruning method, raw and chance-corrected."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.figure import Figure

from prunecxr.report.labelling import label_ends
from prunecxr.report.section import Section, has
from prunecxr.report.style import new_figure, sparsity_axis
from prunecxr.report.tables import by_sparsity
from prunecxr.report.wording import listing, number, sparsity
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import (
    LINES,
    MEASURED,
    OVERALL,
    ap,
    band,
    precision,
    table_of,
    title_of,
    twin,
)


def figure(findings: Findings, prefix: str) -> Figure:
    """Medians over seeds with quartiles, one line per method; told apart by line and marker."""
    figure, axes = new_figure()
    ends = []
    for i, (name, rows) in enumerate(findings.tables["methods"].groupby("method", sort=False)):
        look = LINES[i % len(LINES)]
        band(axes, rows, prefix, look)
        ends.append((str(name), look[0], rows["sparsity"].iloc[-1], rows[f"{prefix}median_mean_ap"].iloc[-1]))
    sparsity_axis(axes)
    axes.set_ylabel(f"mean {ap(prefix)}\n(median and quartiles over seeds)")
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    label_ends(axes, [end for end in ends if not np.isnan(end[-1])])
    return figure


def caption(findings: Findings, prefix: str) -> str:
    """Where the methods stand at the highest sparsity that all have, and where they differ most."""
    table = findings.tables["methods"]
    medians = table.pivot_table(
        index="sparsity", columns="method", values=f"{prefix}median_mean_ap", sort=False, dropna=False
    )
    shared = medians.dropna().sort_index()
    if shared.empty or shared.index[-1] == 0:
        return "The methods have no sparsity above 0 in common."
    at, last = shared.index[-1], shared.iloc[-1].sort_values(ascending=False, kind="stable")
    seeds = table[table["sparsity"] == at].set_index("method")["n"]
    values = listing((f"{name} {number(value, 3)} (n = {seeds[name]})" for name, value in last.items()), len(last))
    gaps = shared.max(axis=1) - shared.min(axis=1)
    widest = f"furthest apart, by {number(gaps.max(), 3)}, at {sparsity(gaps.idxmax())}"
    what = "Chance-corrected mean AP" if prefix else "Mean AP"
    return f"{what} at {sparsity(at)} sparsity, median over n seeds: {values}; {widest}."


def alt(_findings: Findings, prefix: str) -> str:
    """What the figure shows."""
    return (
        f"One line per pruning method: mean {precision(prefix)} by sparsity with a band between the quartiles over "
        "seeds."
    )


def figure_section(prefix: str) -> Section[Findings]:
    """The figure of one measure."""
    return Section(
        name=twin("methods", prefix),
        title=title_of("Pruning methods", prefix),
        part=OVERALL,
        figure=partial(figure, prefix=prefix),
        caption=partial(caption, prefix=prefix),
        alt=partial(alt, prefix=prefix),
        wanted=has("methods"),
    )


def table_section(prefix: str) -> Section[Findings]:
    """The table of one measure."""
    return Section(
        name=f"{prefix}mean_ap_of_methods",
        title=f"Mean {ap(prefix)} by sparsity, all pruning methods",
        table=table_of("methods", partial(by_sparsity, value=f"{prefix}median_mean_ap", index="method")),
        note="Median over seeds; one column per sparsity.",
        csv=False,
    )


SECTIONS = (*map(figure_section, MEASURED), *map(table_section, MEASURED))
