"""The images that lose most."""

from __future__ import annotations

from prunecxr.report.gallery import Card, Gallery
from prunecxr.report.wording import number, sparsity
from prunecxr.studies.localization.sections.findings import HtlFindings


def gallery(findings: HtlFindings) -> Gallery:
    """HTLs of one seed with outlines of what the networks mark."""
    heading = "The images that lose most"
    if not findings.gallery:
        return Gallery(heading, remarks=("There are no HTLs to show.",))
    truth = "of the mask (yellow), " if findings.setting == "supervised" else ""
    what = "foreground IoU" if findings.setting == "supervised" else "agreement of the boxes"
    return Gallery(
        heading,
        introduction=f"HTLs of seed {findings.gallery[0].seed}: the image, then the outlines {truth}of what the dense "
        f"network marks (blue) and of what the network pruned by {sparsity(findings.prune_fraction)} marks "
        f"(vermilion); below, their {what}, dense and pruned.",
        cards=[
            Card(
                lines=(f"{row.id}: {number(row.iou_dense)} → {number(row.iou_pruned)}",),
                alt=f"Lesion {row.id} with outlines",
                png=row.picture,
            )
            for row in findings.gallery
        ],
    )
