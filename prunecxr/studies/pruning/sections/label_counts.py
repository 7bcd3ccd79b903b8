"""Images of each class by split (supplementary table 2)."""

from __future__ import annotations

from prunecxr.report.section import Section
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import table_of

SECTION: Section[Findings] = Section(
    name="label_counts",
    title="Images of each class by split (supplementary table 2)",
    table=table_of("label_counts"),
    note="Splits whose counts this study knows; the last row counts images.",
)
