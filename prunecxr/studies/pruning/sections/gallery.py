"""The images that dense and sparse models disagree on most."""

from __future__ import annotations

from prunecxr.report.gallery import Card, Gallery, Row, thumbnail
from prunecxr.report.wording import number
from prunecxr.studies.pruning.sections.exemplars import pruned_models
from prunecxr.studies.pruning.sections.findings import Findings, GalleryItem


def gallery(findings: Findings) -> Gallery:
    """Each PIE with the probabilities of its labels and of the classes that either population puts first."""
    remarks = [findings.gallery_note] if findings.gallery_note else []
    if not findings.gallery and not remarks:
        remarks = ["No pruning-identified exemplars to show."]
    introduction = (
        "Mean probabilities of dense and pruned models for the image's labels (marked ●) and the classes that either "
        "puts first."
    )
    return Gallery(
        heading=f"Images that dense and {pruned_models(findings)} disagree on most",
        remarks=remarks,
        introduction=introduction if findings.gallery else "",
        cards=[_card(item) for item in findings.gallery],
        columns=("dense", "pruned"),
    )


def _card(item: GalleryItem) -> Card:
    labels = ", ".join(item.labels) or "no label"
    return Card(
        lines=(item.id, f"patient {item.subject_id}, agreement {number(item.agreement)}"),
        alt=f"Radiograph {item.id}, labelled {labels}",
        png=None if item.image is None else thumbnail(item.image),
        absent=item.note,
        rows=[Row(one.name, one.labelled, (number(one.dense), number(one.pruned))) for one in item.predictions],
    )
