"""Whether predicted probabilities are right, and stay so."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from prunecxr.report.section import Section, has
from prunecxr.report.style import BLUE, INK, RED, log_ticks, new_figure, sparsity_axis
from prunecxr.report.wording import count, number, sparsity
from prunecxr.studies.pruning.analysis.rankings import FEW
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import CLASSES, LINES, table_of

SHOWN = {"slope": (1.0, 2), "intercept": (0.0, 2), "ece": (0.0, 3)}  # name -> what is right, decimals
WORDS = {"slope": "calibration slope", "intercept": "calibration intercept", "ece": "expected calibration error"}


def figure(findings: Findings) -> Figure:
    """Slope, intercept and ECE by sparsity: median over classes, with a band between the quartiles."""
    table = _shown(findings)
    figure = Figure(figsize=(5.2, 5.6), layout="constrained")
    panels = figure.subplots(len(SHOWN), 1, sharex=True)
    for axes, (name, (right, _)), (colour, line, marker) in zip(panels, SHOWN.items(), LINES, strict=False):
        low, middle, high = (table.groupby("sparsity")[name].quantile(q) for q in (0.25, 0.5, 0.75))
        axes.fill_between(middle.index, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(middle.index, middle, color=colour, linestyle=line, marker=marker, markersize=3.5)
        axes.axhline(right, color=INK, linestyle=":", linewidth=1)
        axes.set_ylabel(WORDS[name].replace(" ", "\n", 1))
    sparsity_axis(panels[-1])
    return figure


def caption(findings: Findings) -> str:
    """What the medians over classes are, dense and at the highest sparsity."""
    table = _shown(findings)
    last, middle = table["sparsity"].max(), table.groupby("sparsity")[list(SHOWN)].median()
    parts = [
        f"{WORDS[name]} {number(middle[name].loc[0.0], digits)} dense, {number(middle[name].loc[last], digits)} at "
        f"{sparsity(last)} sparsity"
        for name, (_, digits) in SHOWN.items()
    ]
    classes = count(table["class"].nunique(), "class", "classes")
    return (
        f"{parts[0][0].upper()}{parts[0][1:]}; {'; '.join(parts[1:])}. Medians over {classes} with {FEW} test "
        "positives or more of medians over seeds; bands: quartiles over these classes. Dotted: what is right. A slope "
        "below 1 means probabilities that are too extreme, an intercept above 0 probabilities that are too low."
    )


def alt(_findings: Findings) -> str:
    """What the figure shows."""
    return "Three panels by sparsity: calibration slope, intercept and error, medians over classes with quartile bands."


def reliability_figure(findings: Findings) -> Figure:
    """Share of positive images against mean probability, bin by bin, dense and pruned; both axes logarithmic."""
    table = _pooled(findings)
    figure, axes = new_figure()
    sparsities = (0.0, table["sparsity"].max())
    lowest = max(
        table.loc[table["predicted"] > 0, ["predicted", "positive"]].replace(0, np.nan).min().min() / 1.5, 1e-5
    )
    for k, (colour, line, marker) in zip(sparsities, ((BLUE, "-", "o"), (RED, "--", "s")), strict=True):
        rows = table[table["sparsity"] == k]
        label = "dense" if k == 0 else f"{sparsity(k)} sparse"
        y = rows["positive"].clip(lower=lowest)
        axes.plot(rows["predicted"].clip(lower=lowest), y, color=colour, linestyle=line, marker=marker, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.plot([lowest, 1], [lowest, 1], color=INK, linestyle=":", linewidth=1)
    axes.set_xlim(lowest, 1)
    axes.set_ylim(lowest, 1)
    log_ticks(axes.xaxis, lowest, 1)
    log_ticks(axes.yaxis, lowest, 1)
    axes.set_xlabel("mean predicted probability (log scale)")
    axes.set_ylabel("share of positive images (log scale)")
    axes.legend(frameon=False)
    return figure


def reliability_caption(findings: Findings) -> str:
    """Which way the highest bin is off, dense and pruned."""
    table = _pooled(findings)
    top = table[table["bin"] == table.groupby("sparsity")["bin"].transform("max")].set_index("sparsity")
    said = [
        f"{'dense networks' if k == 0 else f'{sparsity(k)} sparse ones'} predict {number(row.predicted, 3)} and "
        f"{number(row.positive, 3)} are positive"
        for k, row in ((k, top.loc[k]) for k in (0.0, top.index.max()))
    ]
    return (
        f"In the highest of 10 bins of equal mass, {said[0]}; {said[1]}. Means over classes with {FEW} test positives "
        "or more, and over seeds; shares of 0 are drawn at the lower edge. Dotted: what is right."
    )


def reliability_alt(_findings: Findings) -> str:
    """What the figure shows."""
    return "Two lines, dense and pruned: share of positive images against mean predicted probability in 10 bins."


def _shown(findings: Findings) -> pd.DataFrame:
    table = findings.tables["calibration"]
    return table[table["test_count"] >= FEW]


def _pooled(findings: Findings) -> pd.DataFrame:
    """The bins of the dense networks and of the highest sparsity, means over classes with enough positives."""
    table = findings.tables["reliability"]
    kept = table[table["class"].isin(_shown(findings)["class"])]
    kept = kept[kept["sparsity"].isin([0.0, kept["sparsity"].max()])]
    return kept.groupby(["sparsity", "bin"], as_index=False)[["predicted", "positive"]].mean()


def _has_calibration(findings: Findings) -> bool:
    return has("calibration")(findings) and bool(_shown(findings)["slope"].notna().any())


def _has_reliability(findings: Findings) -> bool:
    return has("calibration", "reliability")(findings) and _pooled(findings)["sparsity"].nunique() == 2


SECTIONS: tuple[Section[Findings], ...] = (
    Section(
        name="calibration_by_sparsity",
        title="Calibration",
        part=CLASSES,
        figure=figure,
        caption=caption,
        alt=alt,
        wanted=_has_calibration,
    ),
    Section(
        name="reliability",
        title="Predicted and true shares",
        part=CLASSES,
        figure=reliability_figure,
        caption=reliability_caption,
        alt=reliability_alt,
        wanted=_has_reliability,
        table=table_of("reliability"),
        note="Bins of equal mass of each class and seed; means over seeds.",
    ),
    Section(
        name="calibration",
        title="Calibration of every class",
        table=table_of("calibration"),
        note="Medians over seeds; intervals: 95% over seeds and patients. brier = reliability − resolution + "
        "uncertainty + what varies within bins; ece: expected calibration error; slope: 1 is right, below it "
        "probabilities are too extreme; intercept, with the slope held at 1: 0 is right, above it they are too low.",
    ),
)
