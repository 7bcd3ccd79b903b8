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
    "averaged over the two.",
)
