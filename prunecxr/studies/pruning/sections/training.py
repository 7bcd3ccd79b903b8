"""How the dense models were trained (supplementary table 1)."""

from __future__ import annotations

from prunecxr.report.section import Section
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import table_of

SECTION: Section[Findings] = Section(
    name="training",
    title="Training (supplementary table 1)",
    table=table_of("training"),
    note="How the dense models were trained; where seeds differ, their range.",
)
