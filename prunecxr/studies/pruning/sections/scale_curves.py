"""Forgettability curves and changes against frequency on a scale that does not depend on prevalence."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prunecxr.report.labelling import label_ends, label_points
from prunecxr.report.section import Section
from prunecxr.report.style import BLUE, INK, PALE, RED, frequency_axis, new_figure, percent_axis, sparsity_axis
from prunecxr.report.wording import count, percent, short, sparsity
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.scale_wording import SHOWN, asked, eligible, has_scales, rho_of, title
from prunecxr.studies.pruning.sections.shared import CLASSES, frequency, table_of

NAMED = 3


def curves(findings: Findings) -> Figure:
    """Relative change by sparsity of every class; bands around the least and the most forgotten ones."""
    table = findings.tables["changes"]
    rows = table[(table["scale"] == SHOWN) & table["change"].notna()]
    figure, axes = new_figure(height=4.4)
    looks = _looks(findings)
    ends = []
    for name, curve in rows.groupby("class", sort=False):
        x, y = _from_dense(curve, "change")
        colour, line = looks.get(str(name), (PALE, "-"))
        axes.plot(x, y, color=colour, linestyle=line, linewidth=1.5 if name in looks else 0.8, zorder=2)
        if name in looks:
            low, high = (_from_dense(curve, end)[1] for end in ("low", "high"))
            axes.fill_between(x, low, high, color=colour, alpha=0.13, linewidth=0)
            ends.append((str(name), colour, x[-1], y[-1]))
    axes.axhline(-1, color=INK, linestyle=":", linewidth=1)
    axes.annotate("knows nothing", (0, -1), xytext=(2, -3), textcoords="offset points", va="top", fontsize=8)
    _shade(axes, findings)
    sparsity_axis(axes)
    percent_axis(axes.yaxis)
    axes.set_ylim(-1.35, 0.35)
    axes.set_ylabel(f"relative change in {title(findings, SHOWN)}\n(median over seeds)")
    label_ends(axes, ends)
    return figure


def curves_caption(findings: Findings) -> str:
    """What is drawn, and where networks have collapsed."""
    classes = count(eligible(findings)["class"].nunique(), "class", "classes")
    table = findings.tables["sparsities"]
    collapsed = table.loc[table["collapsed"], "sparsity"]
    gone = f"Gray: collapsed, from {sparsity(collapsed.min())} on." if len(collapsed) else "No sparsity has collapsed."
    return (
        f"Every class by sparsity, measured from a network that knows nothing of it ({percent(-1)}). Named, with 95% "
        "intervals over seeds and patients: those that are kept best (blue) and worst (red) at the highest sparsity "
        f"that has not collapsed, of {classes} that the dense networks know and that have 10 test positives or more. "
        f"{gone}"
    )


def changes(findings: Findings) -> Figure:
    """Relative change at the sparsity asked at, against training frequency, with intervals."""
    rows = _rows(findings)
    figure, axes = new_figure()
    axes.errorbar(
        rows["count"], rows["change"], yerr=[rows["change"] - rows["low"], rows["high"] - rows["change"]],
        fmt="o", markersize=5, color=BLUE, ecolor=PALE, elinewidth=1, zorder=3,
    )  # fmt: skip
    percent_axis(axes.yaxis)
    axes.set_ylabel(f"relative change in {title(findings, SHOWN)}\nat {sparsity(asked(findings))} sparsity")
    frequency_axis(axes, rows["count"])
    axes.margins(y=0.15)
    label_points(axes, rows["count"], rows["change"], rows["class"].map(short), size=7.5)
    return figure


def changes_caption(findings: Findings) -> str:
    """The correlation, with its P over classes."""
    table = findings.tables["rare_classes"]
    row = table[(table["scale"] == SHOWN) & (table["outcome"] == "change")].iloc[0]
    return (
        f"Log training frequency against the change: {rho_of(row)}, P by permutation of the classes. Bars: 95% "
        "intervals over seeds and patients. Classes that the dense networks do not know, or with fewer than 10 test "
        "positives, are left out."
    )


def _rows(findings: Findings) -> pd.DataFrame:
    """Changes where questions are asked, of the classes whose frequency is known; intervals hold the medians."""
    rows = eligible(findings)
    rows = rows[np.isclose(rows["sparsity"], asked(findings))]
    classes = findings.tables["classes"]
    counts = dict(zip(classes["class"], frequency(classes), strict=True))
    rows = rows.assign(count=rows["class"].map(counts).astype(float))
    inside = rows[rows["count"] > 0]
    # Intervals are centred on the value less its bias: a median may lie just outside.
    return inside.assign(
        low=np.minimum(inside["low"], inside["change"]), high=np.maximum(inside["high"], inside["change"])
    )


def _looks(findings: Findings) -> dict[str, tuple[str, str]]:
    """Class -> colour and line, of those that are kept best and worst where questions are asked."""
    rows = eligible(findings)
    order = rows[np.isclose(rows["sparsity"], asked(findings))].sort_values("change", kind="stable")["class"].tolist()
    worst = order[: min(NAMED, (len(order) + 1) // 2)]
    best = order[len(worst) :][-NAMED:]
    lines = ("-", "--", ":")
    return {
        **{name: (RED, line) for name, line in zip(worst, lines, strict=False)},
        **{name: (BLUE, line) for name, line in zip(best, lines, strict=False)},
    }


def _from_dense(curve: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray]:
    """A curve with its beginning, the dense network, where nothing has changed."""
    return np.r_[0.0, curve["sparsity"]], np.r_[0.0, curve[column]]


def _shade(axes: Axes, findings: Findings) -> None:
    """Marks where networks have collapsed."""
    table = findings.tables["sparsities"]
    collapsed = table.loc[table["collapsed"], "sparsity"]
    for k in collapsed:
        axes.axvspan(k - 0.025, k + 0.025, color="0.94", zorder=0, linewidth=0)
    if len(collapsed):
        axes.annotate("collapsed", (collapsed.min(), 0.3), fontsize=8, color="0.4", ha="left", va="top")


def _drawable(findings: Findings) -> bool:
    return has_scales(findings) and bool(len(eligible(findings))) and not np.isnan(asked(findings))


def _absent(findings: Findings) -> str:
    if not has_scales(findings):
        return ""
    return (
        "No curves at one prevalence: no class that the dense networks know has 10 test positives and a pruned network "
        "that has not collapsed."
    )


SECTIONS: tuple[Section[Findings], ...] = (
    Section(
        name="changes_ap_ref",
        title="Forgettability curves at one prevalence",
        part=CLASSES,
        figure=curves,
        caption=curves_caption,
        alt=lambda findings: f"One line per class: relative change in {title(findings, SHOWN)} by sparsity.",
        wanted=_drawable,
        absent=_absent,
    ),
    Section(
        name="change_by_frequency",
        title="What is forgotten most, at one prevalence",
        part=CLASSES,
        figure=changes,
        caption=changes_caption,
        alt=lambda findings: (
            f"One point per class: relative change in {title(findings, SHOWN)} against training frequency, with bars."
        ),
        wanted=lambda findings: _drawable(findings) and bool(len(_rows(findings))),
    ),
    Section(
        name="rare_classes",
        title="Frequency and forgetting on every scale",
        table=table_of("rare_classes"),
        note="spearman_rho above 0: rarer classes lose more, or earlier. p: permutation of the classes; p_holm: over "
        "the three scales that do not depend on prevalence. null_*: if all classes were forgotten alike.",
    ),
)
