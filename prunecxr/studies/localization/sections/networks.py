"""Scores of every approach (table 2)."""

from __future__ import annotations

from prunecxr.report.section import Section
from prunecxr.studies.localization.sections.findings import HtlFindings
from prunecxr.studies.localization.sections.shared import in_words

SECTION: Section[HtlFindings] = Section(
    name="networks",
    title="Approaches (table 2)",
    table=in_words("networks"),
    note="Test images, mean over seeds with sample SD. IoU of background and foreground, mean of the two, Dice "
    "averaged over the two; area: share of the image that is marked, lesion_area: that of the lesions. images: that "
    "were fine-tuned on; steps: of one batch; seconds: of training; threshold: probability from which on a pixel is "
    "marked. Every arm that is fine-tuned takes the same number of steps.",
)
