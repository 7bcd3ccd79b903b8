"""Fine-tuning on HTLs against the baselines (table 2)."""

from __future__ import annotations

from matplotlib.figure import Figure

from prunecxr.report.section import Section
from prunecxr.studies.localization.sections.findings import HtlFindings
from prunecxr.studies.localization.sections.shared import (
    APPROACHES,
    ATTENDING,
    difference,
    differences,
    in_words,
)


def figure(findings: HtlFindings) -> Figure:
    """Differences to each baseline, with both intervals."""
    return differences(
        findings.tables["paired"], lambda name: APPROACHES.get(name, name), "foreground IoU, HTLs minus baseline"
    )


def caption(findings: HtlFindings) -> str:
    """HTLs against every other approach."""
    table = findings.tables["paired"]
    rows = table[table["metric"] == "foreground"].itertuples(index=False)
    listed = "; ".join(f"{APPROACHES.get(row.approach, row.approach)} {difference(row)}" for row in rows)
    return f"Foreground IoU after fine-tuning on HTLs, minus that of each baseline: {listed}."


SECTIONS: tuple[Section[HtlFindings], ...] = (
    Section(
        name="finetuning",
        title="Fine-tuning on HTLs against the baselines (table 2)",
        part=ATTENDING,
        figure=figure,
        caption=caption,
        alt=lambda _: (
            "One row per baseline: difference in foreground IoU of fine-tuning on HTLs, with intervals over "
            "test images and over seeds."
        ),
        wanted=lambda findings: len(findings.tables["paired"]) > 0,
    ),
    Section(
        name="paired",
        title="Fine-tuning on HTLs minus other approaches",
        table=in_words("paired"),
        note="Paired by seed and test image. low_images, high_images: 95% bootstrap interval over patients; low_seeds, "
        "high_seeds, p_seeds: Student's t over seeds; p_holm: adjusted over the approaches of a metric.",
    ),
)
