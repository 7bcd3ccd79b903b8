"""Foreground IoU by pruned share of every pruning method (table 3)."""

from __future__ import annotations

from matplotlib.figure import Figure

from prunecxr.report.section import Section, from_analysis, verdict_of
from prunecxr.report.style import BLUE, INK, RED, THIRD, new_figure
from prunecxr.report.wording import sparsity
from prunecxr.studies.localization.sections.answers import costliest
from prunecxr.studies.localization.sections.findings import HtlFindings
from prunecxr.studies.localization.sections.shared import PRUNING, method

LOOKS = ((BLUE, "-", "o"), (RED, "--", "s"), (THIRD, "-.", "D"), (INK, ":", "^"))


def figure(findings: HtlFindings) -> Figure:
    """One line per method, from the dense networks on."""
    table, networks = findings.tables["ablation"], findings.tables["networks"].set_index("approach")
    dense = float(networks.loc["plain", "foreground"])
    figure, axes = new_figure(height=3.6)
    for (name, rows), (colour, line, marker) in zip(table.groupby("method", sort=False), LOOKS * 3, strict=False):
        shares, values = [0.0, *rows["fraction"]], [dense, *rows["foreground"]]
        spread = [0.0, *rows["foreground_sd"].fillna(0)]
        axes.errorbar(
            shares, values, spread, color=colour, linestyle=line, marker=marker, markersize=5, linewidth=1.6,
            capsize=4, label=method(str(name)),
        )  # fmt: skip
    shares = [0.0, *sorted(table["fraction"].unique())]
    axes.set_xticks(shares, [sparsity(k) for k in shares])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("pruned share of the weights")
    axes.set_ylabel("foreground IoU (mean ± SD)")
    axes.legend(frameon=False)
    return figure


SECTIONS: tuple[Section[HtlFindings], ...] = (
    Section(
        name="pruning_methods",
        title="Ways of pruning (table 3)",
        part=PRUNING,
        figure=figure,
        caption=lambda findings: f"What costs most? {verdict_of(costliest.answer)(findings)}",
        alt=lambda _: "One line per pruning method: foreground IoU on the test images by pruned share.",
        wanted=lambda findings: len(findings.tables["ablation"]) > 0,
    ),
    Section(
        name="ablation",
        title="Ways of pruning (table 3)",
        table=from_analysis("ablation"),
        note="Test images, mean over seeds with sample SD; drop: dense minus pruned; above: the same as a share of "
        "what the dense network has above a mask that marks nothing.",
    ),
    Section(
        name="ablation_tests",
        title="Ways of pruning, two by two",
        table=from_analysis("ablation_tests"),
        note="Foreground IoU on the test images, method minus other, paired by seed and image; interval and P over "
        "seeds and patients, p_holm over all rows.",
    ),
)
