"""Fine-tuning on the HTLs of other ways of pruning (figure 7)."""

from __future__ import annotations

from matplotlib.figure import Figure

from prunecxr.report.section import Section
from prunecxr.studies.localization.sections.findings import HtlFindings
from prunecxr.studies.localization.sections.shared import (
    ATTENDING,
    difference,
    differences,
    in_words,
    tuned_by,
)


def figure(findings: HtlFindings) -> Figure:
    """Differences to the plain networks, with both intervals."""
    return differences(
        findings.tables["methods"], lambda name: tuned_by(name, findings), "foreground IoU, fine-tuned minus plain"
    )


def caption(findings: HtlFindings) -> str:
    """Networks fine-tuned on the HTLs of each method, against the plain ones."""
    table = findings.tables["methods"]
    rows = table[table["metric"] == "foreground"].itertuples(index=False)
    listed = "; ".join(f"{tuned_by(row.approach, findings)}: {difference(row)}" for row in rows)
    return f"Foreground IoU after fine-tuning minus before: {listed}."


SECTIONS: tuple[Section[HtlFindings], ...] = (
    Section(
        name="finetuning_methods",
        title="HTLs of other ways of pruning (figure 7)",
        part=ATTENDING,
        figure=figure,
        caption=caption,
        alt=lambda _: (
            "One row per pruning method: foreground IoU after fine-tuning on its HTLs minus before, with intervals."
        ),
        wanted=lambda findings: "methods" in findings.tables and len(findings.tables["methods"]) > 0,
    ),
    Section(
        name="methods",
        title="Fine-tuning on the HTLs of other ways of pruning, minus none (figure 7)",
        table=in_words("methods"),
        note="The columns are those of the table above; p_holm is adjusted over the methods of a metric.",
    ),
)
