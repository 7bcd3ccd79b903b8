"""Fine-tuning on HTLs against the baselines (table 2)."""

from __future__ import annotations

from matplotlib.figure import Figure

from prunecxr.report.section import Section
from prunecxr.studies.localization.sections.findings import HtlFindings
from prunecxr.studies.localization.sections.shared import (
    ATTENDING,
    approach,
    difference,
    differences,
    in_words,
)


def figure(findings: HtlFindings) -> Figure:
    """Differences to each arm, with intervals."""
    return differences(findings.tables["paired"], approach, "foreground IoU, HTLs minus arm")


def caption(findings: HtlFindings) -> str:
    """HTLs against every other approach."""
    table = findings.tables["paired"]
    rows = table[table["metric"] == "foreground"].itertuples(index=False)
    listed = "; ".join(f"{approach(row.approach)} {difference(row)}" for row in rows)
    return f"Foreground IoU on the test images after fine-tuning on HTLs, minus that of each arm: {listed}."


SECTIONS: tuple[Section[HtlFindings], ...] = (
    Section(
        name="finetuning",
        title="Fine-tuning on HTLs against the other arms (table 2)",
        part=ATTENDING,
        figure=figure,
        caption=caption,
        alt=lambda _: (
            "One row per arm: difference in foreground IoU of fine-tuning on HTLs, with an interval over seeds and "
            "patients and one over patients alone."
        ),
        wanted=lambda findings: len(findings.tables["paired"]) > 0,
    ),
    Section(
        name="paired",
        title="Fine-tuning on HTLs minus the other arms",
        table=in_words("paired"),
        note="Paired by seed and test image. low, high, p: over seeds and patients; p_holm: adjusted over the arms of "
        "a metric. What either says alone: low_images, high_images, a 95% bootstrap interval over patients; low_seeds, "
        "high_seeds, p_seeds, Student's t over seeds.",
    ),
)
