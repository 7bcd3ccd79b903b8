"""Counts, first drops and changes of every class."""

from __future__ import annotations

from prunecxr.report.section import Section
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import table_of

SECTION: Section[Findings] = Section(
    name="classes",
    title="Classes",
    table=table_of("classes"),
    note="first_drop_20: smallest sparsity whose median drop exceeds 20%, empty where there is none; floor_at_max: the "
    "raw change of a class that is forgotten entirely.",
)
