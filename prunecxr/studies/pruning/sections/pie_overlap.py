"""How alike the PIEs of different measures of agreement are."""

from __future__ import annotations

from prunecxr.report.section import Section
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import table_of

SECTION: Section[Findings] = Section(
    name="pie_overlap",
    title="PIEs of different measures of agreement",
    table=table_of("pie_overlap"),
    note="jaccard: images that are PIEs of both measures over those of either; n: of both.",
)
